package main

import (
	"bytes"
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
	for _, c := range p.Changes {
		if c.Write == nil {
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

// An exported spec has nothing to change: whoever made the stack.
func TestExportPlansEmpty(t *testing.T) {
	fixtures := map[string]struct {
		edits []string // what no Engine of a test has
		env   []string
	}{
		"../../desired-state.yaml": {env: strings.Fields(dotenv())},
		"../../spec/testdata/lower/beyond.yaml": {env: []string{"HOST=h"}, edits: []string{
			`- {type: image, source: "tools:1", target: /c, image: {subpath: bin}}`, "",
		}},
		"../../spec/testdata/lower/everything.yaml": {env: []string{"HOME=/root"}, edits: []string{
			"driver: weave, ipam: {driver: d}", "driver_opts: {a: b}",
			"{driver: vault, driver_opts: {a: b}, name: nnn}", "{file: ./raw.env, name: nnn}",
			" a == b ", " node.labels.a == b ", ", {source: s1,", ", {source: s3, target: s3}, {source: s1,",
		}},
	}
	for file, f := range fixtures {
		for _, marks := range []bool{true, false} {
			name := map[bool]string{true: "swarmward", false: "somebody else"}[marks]
			t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml")+" by "+name, func(t *testing.T) {
				t.Setenv("DOCKER_HOST", swarmlab.StartSim(t).Host)
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(filepath.Dir(file))); err != nil && !strings.HasPrefix(file, "../../desired") {
					t.Fatal(err)
				}
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				edited := filepath.Join(dir, "edited.yaml")
				if err := os.WriteFile(edited, []byte(strings.NewReplacer(f.edits...).Replace(string(text))), 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := spec.Load(t.Context(), spec.Options{Files: []string{edited}, Environ: f.env})
				if err != nil {
					t.Fatal(err)
				}
				e, err := engine.New(nil)
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				for _, x := range s.Secrets {
					if x.External {
						w := reconcile.CreateSecret{Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: x.Name}, Data: []byte("x")}}
						if err := e.Do(t.Context(), w); err != nil {
							t.Fatal(err)
						}
					}
				}
				made(t, e, s, marks)

				out := filepath.Join(dir, "exported.yaml")
				r := typed(t, "export", s.Name, "-w", out)
				if r.code != 0 {
					t.Fatal(r)
				}
				written, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(written, []byte("ignore:")) || strings.Contains(r.stderr, "a plan will show") {
					t.Errorf("the spec does not say everything:\n%s\n%s", r, written)
				}
				p := typed(t, "plan", "-f", out)
				want, text_ := 0, "nothing to do"
				if !marks {
					want, text_ = 2, "adopt, no restart"
				}
				if p.code != want || !strings.Contains(p.stdout, text_) || strings.Contains(p.stdout, "->") {
					t.Errorf("%s\n%s", p, written)
				}
				t.Logf("%s", p)
			})
		}
	}
}
