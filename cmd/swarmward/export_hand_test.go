package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// typist types docker commands at a Swarm in one process.
func typist(t *testing.T) func(args ...string) string {
	t.Helper()
	cli, err := exec.LookPath("docker")
	if err != nil {
		swarmlab.Require(t) // which skips, or fails where that is forbidden
	}
	t.Setenv("DOCKER_HOST", swarmlab.StartSim(t).Host)
	return func(args ...string) string {
		t.Helper()
		out, err := exec.Command(cli, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("docker %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
}

// A service that hands made, with flags that Compose has no words for, is
// exported all the same: what cannot be said is told, and left alone.
func TestExportOfAServiceMadeByHand(t *testing.T) {
	docker := typist(t)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("hidden"), 0o600); err != nil {
		t.Fatal(err)
	}
	docker("secret", "create", "pw", secret)
	docker("config", "create", "--label", "com.docker.stack.namespace=hand", "hand_conf", secret)
	docker("network", "create", "--driver", "overlay", "--attachable", "shared")
	docker("service", "create", "--detach", "--name", "hand_web", "--label", "com.docker.stack.namespace=hand", "--label", "a=$b",
		"--container-label", "c=d", "--network", "name=shared,alias=www", "--secret", "source=pw,target=p,mode=0400", "--config", "hand_conf",
		"--env", "DB_PASSWORD=in the clear", "--env", "KEPT_PASSWORD_FILE=/run/secrets/p", "--mount", "type=volume,source=data,target=/data",
		"--mount", "type=tmpfs,target=/t,tmpfs-size=1048576,tmpfs-mode=1770", "--mount", "type=bind,source=/srv,target=/b,bind-nonrecursive",
		"--publish", "8080:80", "--publish", "mode=host,target=81,published=8081", "--limit-memory", "64M", "--reserve-cpu", "0.25",
		"--constraint", "node.role==manager", "--placement-pref", "spread=node.labels.z", "--restart-delay", "3s", "--update-order", "start-first",
		"--health-cmd", "true", "--host", "db:1.2.3.4", "--dns", "1.1.1.1", "--cap-add", "NET_ADMIN", "--ulimit", "nofile=10:20", "--sysctl", "a.b=c",
		"--log-driver", "json-file", "--log-opt", "max-size=1m", "--init", "--user", "1:2", "--group", "44", "--workdir", "/w", "--hostname", "{{.Node.Hostname}}",
		"--stop-grace-period", "3s", "busybox:1", "sh", "-c", "echo $HOME\nexit 0")
	docker("service", "create", "--detach", "--name", "hand_job", "--label", "com.docker.stack.namespace=hand",
		"--mode", "replicated-job", "--replicas", "4", "--max-concurrent", "2", "busybox:1")
	docker("service", "create", "--detach", "--name", "elsewhere", "--label", "com.docker.stack.namespace=hand", "busybox:1")

	out := filepath.Join(dir, "hand.yaml")
	r := typed(t, "export", "hand", "-w", out)
	for _, want := range []string{
		"service elsewhere is left out: the services of stack hand have names that begin with hand_",
		"services.hand_job.networks", "2 of the job's 4 tasks run at a time",
		`labels."com.docker.stack.namespace": a spec cannot say what it is in the Swarm`,
		"service hand_web: the variable DB_PASSWORD looks like a secret",
	} {
		if !strings.Contains(r.stderr, strings.ReplaceAll(want, "services.hand_job", "services.job")) {
			t.Errorf("does not say %q:\n%s", want, r.stderr)
		}
	}
	if strings.Contains(r.stderr, "in the clear\n") || strings.Contains(r.stderr, "KEPT_PASSWORD_FILE") {
		t.Errorf("says too much:\n%s", r.stderr)
	}
	written, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	p := typed(t, "plan", "-f", out)
	if p.code != 2 || strings.Contains(p.stdout, "->") || strings.Count(p.stdout, "adopt, no restart") != 1 || !strings.Contains(p.stdout, "adopted with its next change") || strings.Contains(p.stdout, "create") {
		t.Errorf("the plan is not empty:\n%s\n%s\n%s", p, r, written)
	}
	t.Logf("%s\n%s", written, r.stderr)

	if again := typed(t, "export", "hand", "-w", out); again.code != 1 || !strings.Contains(again.stderr, "give --force") {
		t.Errorf("overwrites what is there: %s", again)
	}
	if again := typed(t, "export", "hand", "-w", out, "--force"); again.code != 0 {
		t.Errorf("--force does not: %s", again)
	}
}

// A name that is wrong is answered with those that are right.
func TestExportOfNoStack(t *testing.T) {
	docker := typist(t)
	if r := typed(t, "export", "web"); r.code != 1 || !strings.Contains(r.stderr, "stack web is not in the Swarm, which has none") {
		t.Error(r)
	}
	for _, name := range []string{"whatrack", "other"} {
		docker("service", "create", "--detach", "--name", name+"_a", "--label", "com.docker.stack.namespace="+name, "busybox:1")
	}
	if r := typed(t, "export", "whatrak"); r.code != 1 || !strings.Contains(r.stderr, "did you mean whatrack? There are: other, whatrack") {
		t.Error(r)
	}
	if r := typed(t, "__complete", "export", ""); !strings.HasPrefix(r.stdout, "other\nwhatrack\n") {
		t.Errorf("completion offers %s", r)
	}
}

// Binary configs need a folder; with one, everything comes back the same.
func TestExportOfContents(t *testing.T) {
	docker := typist(t)
	dir := t.TempDir()
	long := strings.Repeat("a line of some length\n", 1000)
	for name, data := range map[string]string{"binary": "\x00\x01\xff", "long": long, "short": "a $b\n"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		docker("config", "create", "--label", "com.docker.stack.namespace=c", "c_"+name, file)
	}
	docker("service", "create", "--detach", "--name", "c_a", "--label", "com.docker.stack.namespace=c", "--container-label", "com.docker.stack.namespace=c",
		"--label", "com.docker.stack.image=busybox:1", "--config", "c_binary", "--config", "c_long", "--config", "c_short", "busybox:1")
	if r := typed(t, "export", "c"); r.code != 1 || !strings.Contains(r.stderr, "config c_binary is no text") || !strings.Contains(r.stderr, "--dir DIR") {
		t.Error(r)
	}
	out := filepath.Join(dir, "sub", "c.yaml")
	if err := os.Mkdir(filepath.Dir(out), 0o755); err != nil {
		t.Fatal(err)
	}
	if r := typed(t, "export", "c", "-w", out, "--dir", filepath.Join(dir, "contents")); r.code != 0 {
		t.Fatal(r)
	}
	for name, want := range map[string]string{"binary": "\x00\x01\xff", "long": long} {
		if got, err := os.ReadFile(filepath.Join(dir, "contents", name)); err != nil || string(got) != want {
			t.Errorf("contents/%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "contents", "short")); err == nil {
		t.Error("a short text is in a file of its own")
	}
	if p := typed(t, "plan", "-f", out); p.code != 2 || strings.Contains(p.stdout, "config") {
		t.Error(p)
	}
}

// What docker stack deploy itself makes of the everything-file.
func TestExportOfDockerStackDeploy(t *testing.T) {
	docker := typist(t)
	dir := t.TempDir()
	for name, data := range map[string]string{"plain.conf": "a\n", "templated.conf": "b\n", "password": "hidden"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("testdata/adopt/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "stack.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	docker("network", "create", "--driver", "overlay", "adopted-redeinterna")
	docker("secret", "create", "adopted_by_hand", filepath.Join(dir, "password"))
	docker("stack", "deploy", "--detach", "--resolve-image", "never", "-c", file, "all")
	for _, args := range [][]string{{"plan", "--stack", "all", "-f", file}, {"export"}} {
		if args[0] == "export" {
			out, text, r := exports(t, "all")
			if strings.Contains(text, "ignore:") || strings.Contains(r.stderr, "a plan will show") {
				t.Errorf("the spec does not say everything:\n%s\n%s", r, text)
			}
			args = []string{"plan", "-f", out}
		}
		p := typed(t, args...)
		if p.code != 2 || strings.Count(p.stdout, "~ service") != 5 || strings.Contains(p.stdout, "->") {
			t.Error(p)
		}
	}
}
