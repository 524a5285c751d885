package oracle

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// fileSamples are the archives of testdata, each a stack written by hand; what
// ends in .yaml or .yml at the top is a spec, merged in the order of the
// archive.
func fileSamples(t testing.TB) []sample {
	t.Helper()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no test data", err)
	}
	var out []sample
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := sample{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), files: map[string]string{}}
		for _, f := range archive.Files {
			s.files[f.Name] = string(f.Data)
			if ext := filepath.Ext(f.Name); (ext == ".yaml" || ext == ".yml") && !strings.Contains(f.Name, "/") {
				s.specs = append(s.specs, f.Name)
			}
		}
		out = append(out, s)
	}
	return out
}

// borrowed are the stacks that docker/cli deploys in its own tests.
func borrowed() []sample {
	var out []sample
	for _, name := range []string{"full-stack.yml", "stack-with-named-resources.yml"} {
		out = append(out, sample{name: name, dir: filepath.Join(dockerCLI, "e2e/stack/testdata"), specs: []string{name}})
	}
	return out
}

func TestFiles(t *testing.T) {
	for _, s := range append(fileSamples(t), borrowed()...) {
		t.Run(s.name, func(t *testing.T) { equal(t, s) })
	}
}
