package render_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

const password = "correct-horse-battery-staple"

// stackFile is one stack, its maps written in the order that shuffle gives.
func stackFile(shuffle func([]string) []string) string {
	var b strings.Builder
	block := func(indent, key string, entries ...string) string {
		return indent + key + ":\n" + strings.Join(shuffle(entries), "")
	}
	b.WriteString("name: app\n")
	var services []string
	for _, name := range []string{"api", "web", "worker"} {
		services = append(services, "  "+name+":\n    image: nginx:1.29\n    command: [a, b, '"+strings.Repeat("c", 90)+"']\n"+
			block("    ", "environment", "      LOG_LEVEL: debug\n", "      URL: redis://:$PW@redis\n", "      A: '1'\n", "      TOKEN: x\n")+
			"    deploy:\n"+block("      ", "labels", "        a: '1'\n", "        b: '2'\n", "        a.b: '3'\n")+
			"    networks: [front]\n    secrets: [pw]\n    configs: [conf]\n    volumes: ['data:/data']\n")
	}
	b.WriteString("services:\n" + strings.Join(shuffle(services), ""))
	b.WriteString(block("", "networks", "  front: {}\n", "  back: {attachable: true}\n"))
	b.WriteString(block("", "volumes", "  data: {driver_opts: {type: none}}\n", "  more: {}\n"))
	b.WriteString(block("", "secrets", "  pw: {environment: PW}\n", "  pw2: {environment: PW}\n"))
	b.WriteString(block("", "configs", "  conf: {content: \"a\\nb\\n\"}\n", "  conf2: {content: x}\n"))
	b.WriteString("x-swarmward: {ignore: [services.nothing, services.nobody]}\n")
	return b.String()
}

// seen is a Swarm that has all of it, differently, in maps filled in the order
// that shuffle gives.
func seen(stack *spec.Stack, shuffle func([]string) []string) *reconcile.Observed {
	o := &reconcile.Observed{At: time.Unix(1e9, 0), Services: map[string]reconcile.ObservedService{}, Networks: map[string]network.Summary{},
		Volumes: map[string]*volume.Volume{}, Secrets: map[string]swarm.Secret{}, Configs: map[string]swarm.Config{},
		Tasks: map[string][]swarm.Task{}, Nodes: map[string]swarm.Node{}, UpToDate: map[string]bool{}}
	owned := func() map[string]string {
		m := map[string]string{}
		for _, k := range shuffle([]string{spec.LabelNamespace, reconcile.LabelManaged, reconcile.LabelApplied, "z", "y"}) {
			m[k] = "of " + k
		}
		m[spec.LabelNamespace] = "app"
		return m
	}
	for _, name := range shuffle([]string{"app_api", "app_old", "app_web"}) {
		s := stack.Services[0].Spec
		s.Name, s.Labels = name, owned()
		c := *s.TaskTemplate.ContainerSpec
		c.Image, c.Args = "nginx:1.28", []string{"a", "\x1b[31m"}
		c.Env = []string{"A=2", "OLD_PASSWORD=" + password, "SEEN=x" + password + "y", "LOG_LEVEL=info"}
		s.TaskTemplate.ContainerSpec = &c
		o.Services[name] = reconcile.ObservedService{ID: "id-" + name, Spec: s}
		for i := range 3 {
			o.Tasks["id-"+name] = append(o.Tasks["id-"+name], swarm.Task{ID: fmt.Sprint(name, i), DesiredState: swarm.TaskStateRunning})
		}
	}
	for _, name := range shuffle([]string{"app_front", "app_gone", "app_gone2"}) {
		o.Networks[name] = network.Summary{ID: name, Name: name, Driver: "bridge", Labels: owned(), Options: map[string]string{"a": "b"}}
		o.Configs[name] = swarm.Config{ID: name, Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: name, Labels: owned()}}}
		o.Secrets[name] = swarm.Secret{ID: name, Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: name, Labels: owned()}}}
	}
	for _, name := range shuffle([]string{"app_conf", "app_conf2", "app_conf.r2"}) {
		o.Configs[name] = swarm.Config{ID: name, Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: name, Labels: owned()}, Data: []byte("a\n" + password + "\n")}}
	}
	for _, name := range shuffle([]string{"app_data", "app_more"}) {
		o.Volumes[name] = &volume.Volume{Name: name, Driver: "local", Labels: owned(), Options: map[string]string{"type": "nfs", "o": "ro", "device": ":/x"}}
	}
	return o
}

// all is a plan in every format.
func all(t rapid.TB, p *reconcile.Plan) string {
	t.Helper()
	var b bytes.Buffer
	render.Text{}.Plan(&b, p)
	render.Text{Color: true, Width: 120}.Plan(&b, p)
	if err := render.PlanMarkdown(&b, p); err != nil {
		t.Fatal(err)
	}
	if err := render.PlanJSON(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The same spec and the same Swarm give the same bytes, in whatever order maps
// are written in the file or filled in memory; and no secret is among them.
func TestSameBytes(t *testing.T) {
	dir := t.TempDir()
	prints := &reconcile.Fingerprints{} // it is slow by design, and remembers
	plan := func(t rapid.TB, shuffle func([]string) []string) *reconcile.Plan {
		path := filepath.Join(dir, "app.yaml")
		if err := os.WriteFile(path, []byte(stackFile(shuffle)), 0o600); err != nil {
			t.Fatal(err)
		}
		stack, err := spec.Load(context.Background(), spec.Options{Files: []string{path}, Environ: []string{"PW=" + password}})
		if err != nil {
			t.Fatal(err)
		}
		stack.Revision = "0123456789" // it is of the bytes of the file
		return reconcile.Differ{Fingerprints: prints}.Diff(stack, seen(stack, shuffle))
	}
	first := plan(t, func(s []string) []string { return s })
	want := all(t, first)
	for _, text := range []string{"(sensitive", "remove", "blocked", "services.nobody"} {
		if !strings.Contains(want, text) {
			t.Errorf("%q is not in the plan, which proves little:\n%s", text, first)
		}
	}
	if strings.Contains(want, password) {
		t.Errorf("the password is in it:\n%s", want)
	}
	rapid.Check(t, func(t *rapid.T) {
		got := all(t, plan(t, func(s []string) []string { return rapid.Permutation(s).Draw(t, "order") }))
		if got != want {
			t.Fatalf("two plans of one input differ:\n%s\nand\n%s", want, got)
		}
	})
}
