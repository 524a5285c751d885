package spec_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// write puts files into a folder of the test's own and works there.
func write(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func load(t *testing.T, text string, environ ...string) *spec.Stack {
	t.Helper()
	write(t, map[string]string{"spec.yaml": text})
	stack, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

func TestLoadErrors(t *testing.T) {
	write(t, map[string]string{"spec.yaml": "name: a\nservices: {web: {image: nginx}}\n", "dir/x": ""})
	tests := []struct {
		name string
		o    spec.Options
		want string
	}{
		{"no file given", spec.Options{}, "no spec file given"},
		{"no such file", spec.Options{Files: []string{"gone.yaml"}}, "spec gone.yaml: no such file"},
		{"a directory", spec.Options{Files: []string{"dir"}}, "spec dir: cannot be read"},
		{"no such env file", spec.Options{Files: []string{"spec.yaml"}, EnvFiles: []string{"gone.env"}}, "env file gone.env: no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := spec.Load(t.Context(), tt.o)
			var invalid *spec.Invalid
			if err == nil || errors.As(err, &invalid) || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "does not exist") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestLoadCancelled(t *testing.T) {
	write(t, map[string]string{"spec.yaml": "name: a\nservices: {web: {image: nginx}}\n"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := spec.Load(ctx, spec.Options{Files: []string{"spec.yaml"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEnvironmentOrder(t *testing.T) {
	const text = "name: a\nservices: {web: {image: 'x:${TAG}'}}\n"
	tests := []struct {
		name     string
		files    map[string]string
		envFiles []string
		environ  []string
		want     string
	}{
		{"dot env", map[string]string{".env": "TAG=dotenv"}, nil, nil, "x:dotenv"},
		{"the process wins", map[string]string{".env": "TAG=dotenv"}, nil, []string{"TAG=process"}, "x:process"},
		{"env files replace dot env", map[string]string{".env": "TAG=dotenv", "a.env": "TAG=a"}, []string{"a.env"}, nil, "x:a"},
		{"the later env file wins", map[string]string{"a.env": "TAG=a", "b.env": "TAG=b"}, []string{"a.env", "b.env"}, nil, "x:b"},
		{"env files refer to each other", map[string]string{"a.env": "A=1\nTAG=${A}2${P}"}, []string{"a.env"}, []string{"P=3"}, "x:123"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"spec.yaml": text}
			for k, v := range tt.files {
				files[k] = v
			}
			write(t, files)
			stack, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, EnvFiles: tt.envFiles, Environ: tt.environ})
			if err != nil {
				t.Fatal(err)
			}
			if got := stack.Services[0].Spec.TaskTemplate.ContainerSpec.Image; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestEnvFileQuoting(t *testing.T) {
	const env = "A=\"quoted\"\nB=$A\nC=own\n"
	const services = "services: {web: {image: x, env_file: a.env, environment: {C: '', D: , E: }}}\n"
	tests := []struct {
		name string
		text string
		want []string
	}{
		{"compose", "name: a\n" + services, []string{"A=quoted", "B=quoted", "C=", "D=process", "E"}},
		{"docker stack deploy", "version: '3.8'\nname: a\n" + services, []string{`A="quoted"`, "B=$A", "C=fromprocess", "D=process", "E"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			write(t, map[string]string{"spec.yaml": tt.text, "a.env": env})
			stack, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, Environ: []string{"D=process", "C=fromprocess"}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, stack.Services[0].Spec.TaskTemplate.ContainerSpec.Env); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	write(t, map[string]string{
		"base.yaml": "name: a\ninclude: [parts/db.yaml]\nservices: {web: {image: x, environment: {A: 1, B: 2}, ports: ['80:80']}}\n" +
			"x-swarmward: {ignore: [services.web.image], checks: {web: {timeout: 2s, tcp: {service: web, port: '${PORT}'}}}}\n",
		"over.yaml":     "services: {web: {environment: {B: 3}, ports: !reset []}}\nx-swarmward: {prune: false, allow: [prune-all], ignore: [services.db.image], checks: {web: {tcp: {service: db}}}}\n",
		"parts/db.yaml": "services: {db: {image: 'db:${TAG}'}}\nx-swarmward: {timeout: 1m, prune: true, checks: {web: {grace: 9s, timeout: 1s}}}\n",
		"parts/.env":    "TAG=beside\n",
	})
	stack, err := spec.Load(t.Context(), spec.Options{Files: []string{"base.yaml", "over.yaml"}, Environ: []string{"PORT=80"}})
	if err != nil {
		t.Fatal(err)
	}
	web, _ := stack.Service("web")
	if diff := cmp.Diff([]string{"A=1", "B=3"}, web.Spec.TaskTemplate.ContainerSpec.Env); diff != "" {
		t.Error(diff)
	}
	if len(web.Spec.EndpointSpec.Ports) != 0 {
		t.Error("the ports were not reset")
	}
	db, _ := stack.Service("db")
	if got := db.Spec.TaskTemplate.ContainerSpec.Image; got != "db:beside" {
		t.Errorf("the included file's own .env was not used: %s", got)
	}
	want := spec.Settings{
		OnCheckFailure: "report", Images: spec.Images{Resolve: "changed"}, Timeout: time.Minute, Allow: []string{"prune-all"}, Ignore: []string{"services.web.image", "services.db.image"},
		Checks: []spec.Check{{
			Name: "web", Timeout: 2 * time.Second, Interval: 30 * time.Second, Grace: 9 * time.Second, Retries: 1,
			TCP: &spec.TCPCheck{Target: spec.Target{Service: "db", Port: 80}},
		}},
	}
	if diff := cmp.Diff(want, stack.Settings); diff != "" {
		t.Error(diff)
	}
}

func TestRevision(t *testing.T) {
	const text = "name: a\nservices: {web: {image: 'x:${TAG}', secrets: [s]}}\nsecrets: {s: {environment: PW}}\n"
	base := load(t, text, "TAG=1", "PW=one", "OTHER=1").Revision
	if len(base) != 12 {
		t.Errorf("got %q", base)
	}
	same := map[string]string{
		"a secret's value":    load(t, text, "TAG=1", "PW=two", "OTHER=1").Revision,
		"an unused variable":  load(t, text, "TAG=1", "PW=one", "OTHER=2").Revision,
		"the very same input": load(t, text, "TAG=1", "PW=one", "OTHER=1").Revision,
	}
	for what, revision := range same {
		if revision != base {
			t.Errorf("%s changed the revision", what)
		}
	}
	different := map[string]string{
		"a used variable": load(t, text, "TAG=2", "PW=one").Revision,
		"a comment":       load(t, text+"# x\n", "TAG=1", "PW=one").Revision,
	}
	for what, revision := range different {
		if revision == base {
			t.Errorf("%s did not change the revision", what)
		}
	}
}

// A file can say in a few lines what takes for ever to spell out.
func TestAliasesDoNotExplode(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: a\nx-0: &a0 {k: v}\n")
	for i := range 40 {
		prev, next := "a"+string(rune('0'+i%10))+strings.Repeat("x", i/10), "a"+string(rune('0'+(i+1)%10))+strings.Repeat("x", (i+1)/10)
		b.WriteString("x-" + next + ": &" + next + " {l: *" + prev + ", r: *" + prev + "}\n")
	}
	b.WriteString("services: {web: {image: x, labels: *a0xxxx, deploy: *a0xxxx}}\n")
	write(t, map[string]string{"spec.yaml": b.String()})
	_, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}})
	var invalid *spec.Invalid
	if !errors.As(err, &invalid) {
		t.Errorf("got %v", err)
	}
}

func TestSizes(t *testing.T) {
	const text = "name: a\nservices: {web: {image: x}}\nsecrets: {s: {file: ./s}}\nconfigs: {c: {file: ./c}}\n"
	tests := []struct {
		name           string
		secret, config int
		want           []string
	}{
		{"the largest", 511_999, 1_023_999, nil},
		{"one more", 512_000, 1_024_000, []string{"secrets.s.file", "configs.c.file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			write(t, map[string]string{"spec.yaml": text, "s": strings.Repeat("x", tt.secret), "c": strings.Repeat("x", tt.config)})
			_, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}})
			var invalid *spec.Invalid
			var got []string
			if errors.As(err, &invalid) {
				for _, f := range invalid.Findings {
					got = append(got, f.Path)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func BenchmarkLoadExample(b *testing.B) {
	for b.Loop() {
		if _, err := spec.Load(b.Context(), spec.Options{Files: []string{"../desired-state.yaml"}, Environ: exampleEnv}); err != nil {
			b.Fatal(err)
		}
	}
}

// What is no text has a place, too.
func TestNoText(t *testing.T) {
	write(t, map[string]string{"spec.yaml": "name: a\nservices:\n  w: {image: \"é\xff:1\"}\n"})
	_, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}})
	if err == nil || !strings.Contains(err.Error(), "spec.yaml:3:16: this is no UTF-8 text") {
		t.Errorf("got %v", err)
	}
}
