package spec_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/swarmward/swarmward/spec"
)

var update = flag.Bool("update", false, "write what is found into the golden files")

// TestFindings loads the specs of testdata/findings. Each archive holds the
// files of a spec, what else lies beside them, and in want everything that
// Load says. Its comment may give --stack NAME; the file env gives the process
// environment.
func TestFindings(t *testing.T) {
	archives, err := filepath.Glob("testdata/findings/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no test data", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			here, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			got := loadArchive(t, archive)
			i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			if *update {
				if i < 0 {
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
					i = len(archive.Files) - 1
				}
				archive.Files[i].Data = []byte(got)
				if err := os.WriteFile(filepath.Join(here, path), txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if i < 0 {
				t.Fatal("the archive has no want")
			}
			if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a secret is in a message")
			}
		})
	}
}

// loadArchive unpacks and loads, and returns what was found, a line each.
func loadArchive(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	t.Chdir(t.TempDir())
	o := spec.Options{}
	for _, f := range archive.Files {
		switch f.Name {
		case "want":
			continue
		case "env":
			o.Environ = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
			continue
		case "spec.yaml", "more.yaml":
			o.Files = append(o.Files, f.Name)
		}
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if name, ok := strings.CutPrefix(strings.TrimSpace(string(archive.Comment)), "--stack "); ok {
		o.Name = name
	}
	stack, err := spec.Load(t.Context(), o)
	var invalid *spec.Invalid
	var findings []spec.Finding
	switch {
	case errors.As(err, &invalid):
		findings = invalid.Findings
	case err != nil:
		return "error: " + err.Error() + "\n"
	default:
		findings = stack.Warnings
	}
	var out strings.Builder
	for _, f := range findings {
		out.WriteString(string(f.Severity) + " " + f.Rule + ": " + f.String() + "\n")
	}
	return out.String()
}
