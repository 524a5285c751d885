package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/spec"
)

// confined loads spec.yaml of a folder that nothing outside of may be read
// for; beside it lies a file that is nobody's business.
func confined(t *testing.T, files map[string]string) (*spec.Stack, error) {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "outside.txt"), "SECRET=hunter2\n")
	put(t, filepath.Join(dir, "outside.yaml"), "services: {web: {image: 'hunter2:1'}}\n")
	root := filepath.Join(dir, "checkout")
	for name, text := range files {
		path := filepath.Join(root, name)
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(target, path)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		put(t, path, strings.ReplaceAll(text, "$DIR", dir))
	}
	return spec.Load(t.Context(), spec.Options{Files: []string{"stacks/spec.yaml"}, Root: root})
}

func TestRootNamesFilesFromItself(t *testing.T) {
	s, err := confined(t, map[string]string{
		"stacks/spec.yaml": "name: a\nservices: {web: {image: 'web:${TAG}', env_file: ../common/web.env}}\nsecrets: {s: {file: ../common/s.txt}}\n",
		"stacks/.env":      "TAG=1\n",
		"common/web.env":   "-> real.env",
		"common/real.env":  "A=1\n",
		"common/s.txt":     "hunter2",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Files) != 1 || s.Files[0] != "stacks/spec.yaml" {
		t.Errorf("files are %v", s.Files)
	}
	c := s.Services[0].Spec.TaskTemplate.ContainerSpec
	if c.Image != "web:1" || len(c.Env) != 1 || c.Env[0] != "A=1" {
		t.Errorf("image %s, environment %v", c.Image, c.Env)
	}
}

func TestRootIsABound(t *testing.T) {
	const web = "name: a\nservices: {web: {image: web:1}}\n"
	tests := []struct {
		name, spec string
		more       map[string]string
		want       []string
	}{
		{"include", web + "include: [../../outside.yaml]\n", nil, []string{"stacks/spec.yaml:3:", "../../outside.yaml", "outside of the repository"}},
		{"absolute include", web + "include: [$DIR/outside.yaml]\n", nil, []string{"outside of the repository"}},
		{"env file of an include", web + "include: [{path: in.yaml, env_file: ../../outside.txt}]\n", map[string]string{"stacks/in.yaml": "services: {b: {image: b:1}}\n"},
			[]string{"../../outside.txt", "outside of the repository"}},
		{"extends", "name: a\nservices: {web: {extends: {file: ../../outside.yaml, service: web}}}\n", nil, []string{"outside of the repository"}},
		{"merged extends", "name: a\nx-a: &a {web: {extends: {file: ../../outside.yaml, service: web}}}\nservices: {<<: *a}\n", nil, []string{"outside of the repository"}},
		{"env_file", "name: a\nservices: {web: {image: web:1, env_file: ../../outside.txt}}\n", nil, []string{"env file", "outside of the repository"}},
		{"env_file that need not be there", "name: a\nservices: {web: {image: web:1, env_file: [{path: ../../outside.txt, required: false}]}}\n", nil, []string{"outside of the repository"}},
		{"label_file", "name: a\nservices: {web: {image: web:1, label_file: ../../outside.txt}}\n", nil, []string{"label file", "outside of the repository"}},
		{"secret", web + "secrets: {s: {file: ../../outside.txt}}\n", nil, []string{"stacks/spec.yaml:3:", "secret", "outside of the repository"}},
		{"absolute secret", web + "secrets: {s: {file: $DIR/outside.txt}}\n", nil, []string{"outside of the repository"}},
		{"secret at home", web + "secrets: {s: {file: ~/.ssh/id}}\n", nil, []string{"outside of the repository"}},
		{"config", web + "configs: {c: {file: ../../outside.txt}}\n", nil, []string{"config", "outside of the repository"}},
		{"certificate", web + "x-swarmward: {checks: {c: {tcp: {service: web, port: 1, tls: {ca: {file: ../../outside.txt}}}}}}\n", nil, []string{"outside of the repository"}},
		{"link to a file", web + "secrets: {s: {file: s.txt}}\n", map[string]string{"stacks/s.txt": "-> ../../outside.txt"}, []string{"s.txt", "link", "out of the repository", "outside.txt"}},
		{"link to a folder", web + "secrets: {s: {file: up/outside.txt}}\n", map[string]string{"stacks/up": "-> ../.."}, []string{"link", "out of the repository"}},
		{"linked include", web + "include: [in.yaml]\n", map[string]string{"stacks/in.yaml": "-> ../../outside.yaml"}, []string{"in.yaml", "link", "out of the repository"}},
		{"linked .env", web, map[string]string{"stacks/.env": "-> ../../outside.txt"}, []string{".env", "out of the repository"}},
		{"bind mount", "name: a\nservices: {web: {image: web:1, volumes: ['./conf:/conf']}}\n", map[string]string{"stacks/conf/a": "a"}, []string{"stacks/spec.yaml:2:", "no node of the Swarm has", "configs:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"stacks/spec.yaml": tt.spec}
			for name, text := range tt.more {
				files[name] = text
			}
			_, err := confined(t, files)
			if err == nil {
				t.Fatal("it was loaded")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in:\n%v", part, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("what lies outside is in the message:\n%v", err)
			}
		})
	}
}

// What is there, Provide brings; what it refuses is not read, not even where a
// file of the name lies about.
func TestProvide(t *testing.T) {
	root := t.TempDir()
	tree := map[string]string{
		"spec.yaml": "name: a\ninclude: [more.yaml]\nservices: {web: {image: 'web:${TAG}'}}\nsecrets: {s: {file: s.txt}}\n",
		"more.yaml": "services: {b: {image: b:1}}\n",
		".env":      "TAG=1\n",
		"s.txt":     "hunter2",
	}
	asked := map[string]int{}
	o := spec.Options{Files: []string{"spec.yaml"}, Root: root, Provide: func(path string) error {
		asked[path]++
		if text, ok := tree[path]; ok {
			put(t, filepath.Join(root, path), text)
		}
		if path == "sub/s.txt" {
			return &spec.Refused{Why: "lies in the submodule sub", Remedy: "copy it"}
		}
		return nil
	}}
	l := &spec.Loader{}
	var first *spec.Stack
	var err error
	for range 2 { // the first load tells what there is to compare
		if first, err = l.Load(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for path := range tree {
		if asked[path] == 0 {
			t.Errorf("nobody asked for %s", path)
		}
	}

	// The same content in another checkout is the same stack, at another commit.
	put(t, filepath.Join(root, "s.txt"), "")
	o.Root, o.Commit = t.TempDir(), &spec.Commit{ID: "2222222222222222222222222222222222222222"}
	root = o.Root
	second, err := l.Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if &first.Services[0] != &second.Services[0] || second.Revision != o.Commit.ID {
		t.Errorf("it was loaded anew, or has revision %s", second.Revision)
	}
	tree["s.txt"] = "hunter3"
	o.Root = t.TempDir()
	root = o.Root
	if third, err := l.Load(t.Context(), o); err != nil || string([]byte(third.Secrets[0].Data)) != "hunter3" {
		t.Errorf("a changed secret was not noticed: %v", err)
	}

	tree["spec.yaml"] = strings.Replace(tree["spec.yaml"], "s.txt", "sub/s.txt", 1)
	o.Root = t.TempDir()
	root = o.Root
	put(t, filepath.Join(root, "sub/s.txt"), "hunter2")
	if _, err := l.Load(t.Context(), o); err == nil || !strings.Contains(err.Error(), "sub/s.txt of the secret lies in the submodule sub; copy it") {
		t.Errorf("the error is %v", err)
	}
}
