package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A registry that asks for a password, followed as images.resolve says, in good
// days and when it is away.
func TestRegistry(t *testing.T) {
	t.Parallel()
	o := newOperator(t, sharedLab(t).Nodes[0])
	registry := o.node.StartRegistry(t)
	o.docker("login", "--username", registry.User, "--password", registry.Password, registry.Addr)
	image := registry.Addr + "/app"
	t.Cleanup(func() { o.clear("registry") })

	// push makes another image under the same tag, and returns its digest.
	push := func(tag, content string) string {
		t.Helper()
		o.write("Dockerfile", "FROM busybox:lab\nLABEL content="+content+"\n")
		build := o.node.Command(t.Context(), "docker", "build", "-q", "-t", image+":"+tag, o.dir)
		build.Env = append(build.Env, "DOCKER_BUILDKIT=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("docker build: %v\n%s", err, out)
		}
		o.docker("push", "-q", image+":"+tag)
		return o.docker("image", "inspect", "--format", "{{(index .RepoDigests 0)}}", image+":"+tag)[len(image)+1:]
	}
	spec := func(tag, resolve, more string) {
		o.write("desired-state.yaml", fmt.Sprintf(`
name: registry
services:
  app: {image: "%s:%s", command: [sleep, "1000"], stop_signal: SIGKILL, deploy: {labels: {a: "%s"}}}
x-swarmward: {images: {resolve: %s}}
`, image, tag, more, resolve))
	}
	running := func() (image, task string) {
		t.Helper()
		return o.docker("service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", "registry_app"),
			o.docker("service", "ps", "-q", "--filter", "desired-state=running", "registry_app")
	}
	runs := func(what, want string) {
		t.Helper()
		if got, _ := running(); got != want {
			t.Errorf("%s: it runs %s, want %s", what, got, want)
		}
	}

	first := push("1", "first")
	spec("1", "changed", "")
	o.want(0, []string{"apply"}, "converged")
	runs("a new service", image+":1@"+first)

	second := push("1", "second")
	o.want(0, []string{"plan"}, "nothing to do") // changed: the spec's image did not
	spec("1", "always", "")
	o.want(2, []string{"plan"}, "rolling: 1 task restarts, its tag points at another image now")
	o.want(2, []string{"plan", "-o", "json"}, image+":1@"+first, image+":1@"+second)
	o.want(0, []string{"apply"}, "converged")
	runs("a tag that moved", image+":1@"+second)
	o.want(0, []string{"plan"}, "nothing to do")

	// The registry goes away: what is known stays as it is, pin and task.
	registry.Stop()
	_, task := running()
	o.want(0, []string{"plan"}, "nothing to do", "services.app.image: the registry could not say what", "what runs is kept")
	spec("1", "always", "b")
	o.want(0, []string{"apply"}, "no restart", "converged")
	runs("a label, without the registry", image+":1@"+second)
	spec("1", "changed", "c")
	o.want(0, []string{"apply"}, "no restart", "converged")
	runs("another label", image+":1@"+second)
	if _, now := running(); now != task {
		t.Error("a label restarted the task")
	}
	// An image that this node has, under a tag that was not asked for before.
	o.docker("tag", image+":1", image+":2")
	spec("2", "changed", "c")
	o.want(0, []string{"apply"}, "rolling", "converged")
	runs("a new tag, without the registry", image+":2")
	registry.Start(t)
	o.want(0, []string{"plan"}, "nothing to do")

	// Never: no registry is asked.
	third := push("3", "third")
	spec("3", "never", "c")
	o.want(0, []string{"apply"}, "rolling", "converged")
	runs("never", image+":3")
	spec("3", "always", "c")
	o.want(0, []string{"apply"}, "rolling: 1 task restarts", "converged")
	runs("from never to always", image+":3@"+third)

	// Without credentials the registry is as good as away.
	cmd := o.command(t.Context(), "plan")
	cmd.Env = append(cmd.Env, "DOCKER_CONFIG="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "nothing to do") || !strings.Contains(string(out), "could not say") {
		t.Errorf("without credentials: %v\n%s", err, out)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd = o.command(t.Context(), "plan")
	cmd.Env = append(cmd.Env, "DOCKER_CONFIG="+broken)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "nothing to do") {
		t.Errorf("with a config file that is none: %v\n%s", err, out)
	}
	if strings.Contains(o.said.String(), registry.Password) {
		t.Error("the registry's password is in what was printed")
	}
}
