package spec_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/swarmward/swarmward/spec"
)

// TestSame loads the stacks of testdata/same twice: as current Compose syntax
// says it, in spec.yaml and those that follow, and as it was always said, in
// plain.yaml. What plain files are lowered to is proved elsewhere.
func TestSame(t *testing.T) {
	archives, err := filepath.Glob("testdata/same/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no test data", err)
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			o := spec.Options{Name: "a"}
			files := map[string]string{}
			for _, f := range archive.Files {
				files[f.Name] = string(f.Data)
				switch {
				case f.Name == "env":
					o.Environ = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
				case slices.Contains([]string{"spec.yaml", "second.yaml", "third.yaml"}, f.Name):
					o.Files = append(o.Files, f.Name)
				}
			}
			write(t, files)
			got := loadFor(t, o)
			o.Files = []string{"plain.yaml"}
			if diff := cmp.Diff(loadFor(t, o), got); diff != "" {
				t.Errorf("lowered (-plain +current):\n%s", diff)
			}
		})
	}
}

// loadFor is the stack without what names its files.
func loadFor(t *testing.T, o spec.Options) *spec.Stack {
	t.Helper()
	stack, err := spec.Load(t.Context(), o)
	if err != nil {
		t.Fatalf("%s: %v", o.Files[0], err)
	}
	stack.Files, stack.Revision, stack.Hash, stack.Warnings = nil, "", "", nil
	return stack
}
