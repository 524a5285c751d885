package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/spec"
)

// typed runs a command in this process, and says what it printed.
func typed(t *testing.T, args ...string) result {
	t.Helper()
	var files []*os.File
	for _, name := range []string{"stdout", "stderr"} {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	r := result{args: strings.Join(args, " "), code: run(args, nil, files[0], files[1])}
	for i, text := range []*string{&r.stdout, &r.stderr} {
		b, err := os.ReadFile(files[i].Name())
		if err != nil {
			t.Fatal(err)
		}
		*text = string(b)
	}
	return r
}

// made makes what the spec says, by the writes of its plan alone: nothing waits
// for tasks, which not every one of these services can have.
func made(t *testing.T, e *engine.Engine, s *spec.Stack, marks bool) {
	t.Helper()
	p, _, err := (&reconcile.Reconciler{Engine: e}).Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, late := range []bool{false, true} {
		for _, c := range p.Changes {
			if c.Write == nil || c.AfterChecks != late {
				continue
			}
			w := c.Write
			if !marks {
				w = unmarked(w)
			}
			if err := e.Do(t.Context(), w); err != nil {
				t.Fatalf("%s %s: %v", c.Kind, c.Name, err)
			}
		}
	}
}

// unmarked is a write as docker stack deploy would have made it.
func unmarked(w reconcile.Write) reconcile.Write {
	strip := func(labels map[string]string) map[string]string {
		labels = maps.Clone(labels)
		maps.DeleteFunc(labels, func(k, _ string) bool { return strings.HasPrefix(k, "swarmward.") })
		return labels
	}
	switch w := w.(type) {
	case reconcile.CreateNetwork:
		w.Options.Labels = strip(w.Options.Labels)
		return w
	case reconcile.CreateSecret:
		w.Spec.Labels = strip(w.Spec.Labels)
		return w
	case reconcile.CreateConfig:
		w.Spec.Labels = strip(w.Spec.Labels)
		return w
	case reconcile.CreateService:
		w.Spec.Labels = strip(w.Spec.Labels)
		return w
	}
	return w
}

// simulated is an Engine of a Swarm in one process, which the commands of the
// test find too.
func simulated(t *testing.T) *engine.Engine {
	t.Helper()
	t.Setenv("DOCKER_HOST", swarmlab.StartSim(t).Host)
	e, err := engine.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// loaded is a spec of the repository with some of its text replaced.
func loaded(t *testing.T, file string, environ []string, edits ...string) *spec.Stack {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, beside := range []string{"raw.env", "labels.env"} {
		if b, err := os.ReadFile(filepath.Join(filepath.Dir(file), beside)); err == nil {
			if err := os.WriteFile(filepath.Join(dir, beside), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	edited := filepath.Join(dir, "edited.yaml")
	if err := os.WriteFile(edited, []byte(strings.NewReplacer(edits...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := spec.Load(t.Context(), spec.Options{Files: []string{edited}, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exports writes a stack of the Swarm to a file, and reads it.
func exports(t *testing.T, stack string, flags ...string) (file, text string, r result) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "exported.yaml")
	r = typed(t, append([]string{"export", stack, "-w", file}, flags...)...)
	if r.code != 0 {
		t.Fatal(r)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, string(b), r
}

// An exported spec has nothing to change, whoever made the stack.
func TestExportPlansEmpty(t *testing.T) {
	for _, f := range []struct {
		file  string
		env   []string
		edits []string // what no Engine of a test has
	}{
		{file: "../../desired-state.yaml", env: strings.Fields(dotenv())},
		{file: "../../spec/testdata/lower/beyond.yaml", env: []string{"HOST=h"}, edits: []string{
			`- {type: image, source: "tools:1", target: /c, image: {subpath: bin}}`, "",
		}},
		{file: "../../spec/testdata/lower/everything.yaml", env: []string{"HOME=/root"}, edits: []string{
			"driver: weave, ipam: {driver: d}", "driver_opts: {a: b}",
			"{driver: vault, driver_opts: {a: b}, name: nnn}", "{file: ./raw.env, name: nnn}",
			" a == b ", " node.labels.a == b ", ", {source: s1,", ", {source: s3, target: s3}, {source: s1,",
		}},
	} {
		for _, marks := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s marks=%v", filepath.Base(f.file), marks), func(t *testing.T) {
				e, s := simulated(t), loaded(t, f.file, f.env, f.edits...)
				for _, x := range s.Secrets {
					if x.External {
						w := reconcile.CreateSecret{Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: x.Name}, Data: []byte("x")}}
						if err := e.Do(t.Context(), w); err != nil {
							t.Fatal(err)
						}
					}
				}
				made(t, e, s, marks)
				file, text, r := exports(t, s.Name)
				if strings.Contains(text, "ignore:") || strings.Contains(r.stderr, "a plan will show") {
					t.Errorf("the spec does not say everything:\n%s\n%s", r, text)
				}
				p := typed(t, "plan", "-f", file)
				code, says := 0, "nothing to do"
				if !marks {
					code, says = 2, "adopt, no restart"
				}
				if p.code != code || !strings.Contains(p.stdout, says) || strings.Contains(p.stdout, "->") {
					t.Errorf("%s\n%s", p, text)
				}
			})
		}
	}
}

// Revisions of secrets and configs go by their first name where the spec has
// their content, and by their own where it does not.
func TestExportOfRevisions(t *testing.T) {
	e := simulated(t)
	const file = "../../desired-state.yaml"
	made(t, e, loaded(t, file, strings.Fields(dotenv())), true)
	env := strings.Fields(strings.ReplaceAll(dotenv(), secrets["REDIS_PASSWORD"], "anotherPassword1"))
	made(t, e, loaded(t, file, env, "maxmemory 320mb", "maxmemory 300mb"), true)

	out, text, _ := exports(t, "whatrack")
	if !strings.Contains(text, "redis_password: {external: true, name: whatrack_redis_password.r2}") || strings.Contains(text, "conf.r2") {
		t.Errorf("revisions are mixed up:\n%s", text)
	}
	if p := typed(t, "plan", "-f", out); p.code != 0 {
		t.Errorf("%s\n%s", p, text)
	}

	out, text, r := exports(t, "whatrack", "--secrets", "environment")
	if strings.Contains(text, ".r2") || !strings.Contains(r.stderr, "set these variables to the contents of the secrets: CENTRIFUGO_ADMIN_PASSWORD, ") {
		t.Errorf("%s\n%s", r, text)
	}
	if p := typed(t, "plan", "-f", out); p.code != 1 || !strings.Contains(p.stderr, "REDIS_PASSWORD") {
		t.Errorf("plans without the secrets: %s", p)
	}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
	if p := typed(t, "plan", "-f", out); p.code != 0 {
		t.Errorf("%s\n%s", p, text)
	}
	t.Setenv("REDIS_PASSWORD", "yetAnotherPassword")
	if p := typed(t, "plan", "-f", out); p.code != 2 || !strings.Contains(p.stdout, "whatrack_redis_password.r3") {
		t.Errorf("another password is no difference: %s", p)
	}
}

func TestExportOnlyReads(t *testing.T) {
	e := simulated(t)
	made(t, e, loaded(t, "../../desired-state.yaml", strings.Fields(dotenv())), false)
	c := newCalls(t, os.Getenv("DOCKER_HOST"))
	t.Setenv("DOCKER_HOST", c.host)
	exports(t, "whatrack")
	seen := c.taken()
	for _, s := range seen {
		if !strings.HasPrefix(s, "GET ") && !strings.HasPrefix(s, "HEAD ") {
			t.Errorf("it only reads, and yet: %s", s)
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d calls were seen", len(seen))
	}
}
