package spec

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/sirupsen/logrus"
)

// bothWays loads a spec with compose-go's loader and in parts, each service
// one of its own. It says whether the file is plain, and fails t where the two
// differ: whatever parts accept, the loader accepts, and makes the same of it.
func bothWays(t *testing.T, o Options) (plain bool) {
	t.Helper()
	logrus.SetOutput(io.Discard)
	load := func(f func(*loading) (*model, error)) (*model, *report, error) {
		l := &loading{options: o, report: newReport(), contents: map[string][]byte{}}
		if l.read() != nil {
			return nil, nil, errNotPlain
		}
		if slices.ContainsFunc(l.index.docs, func(d *document) bool { return d.broken }) {
			return nil, nil, errNotPlain
		}
		if l.checkFiles(); l.report.failed() {
			return nil, nil, errNotPlain
		}
		adaptLoader()
		m, err := f(l)
		return m, l.report, err
	}
	got, said, err := load(func(l *loading) (*model, error) { return l.composeParts(1<<20, 1) })
	if err != nil {
		return false
	}
	want, wantSaid, err := load(func(l *loading) (*model, error) { return l.composeOnce(t.Context(), false) })
	if err != nil {
		t.Errorf("accepted in parts, and not by the loader: %v", err)
		return true
	}
	// Nil and empty are told apart.
	if !reflect.DeepEqual(want.project, got.project) {
		t.Errorf("the project (-loader +parts):\n%s", cmp.Diff(want.project, got.project))
	}
	if !reflect.DeepEqual(want.raw, got.raw) {
		t.Errorf("the raw form (-loader +parts):\n%s", cmp.Diff(want.raw, got.raw))
	}
	if diff := cmp.Diff(sortedFindings(wantSaid), sortedFindings(said)); diff != "" {
		t.Errorf("what is wrong (-loader +parts):\n%s", diff)
	}
	return true
}

func sortedFindings(r *report) []string {
	var out []string
	for _, f := range r.findings {
		out = append(out, f.String())
	}
	slices.Sort(out)
	return out
}

// Every stack among the test data that has one file, and the example.
func TestPartsAreTheWhole(t *testing.T) {
	plain, others := 0, 0
	try := func(path string) {
		t.Run(path, func(t *testing.T) {
			if bothWays(t, Options{Files: []string{path}, Name: "a", Environ: []string{"A=1", "B=", "PW=x", "TAG=1"}}) {
				plain++
			} else {
				others++
			}
		})
	}
	for _, root := range []string{"testdata", "oracle/testdata", "../cmd/swarmward/testdata", "../desired-state.yaml"} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			if filepath.Ext(path) == ".yaml" {
				try(path)
			}
			if filepath.Ext(path) != ".txtar" {
				return nil
			}
			archive, err := txtar.ParseFile(path)
			if err != nil {
				return err
			}
			dir := t.TempDir()
			for _, f := range archive.Files {
				file := filepath.Join(dir, f.Name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, f.Data, 0o644)); err != nil {
					return err
				}
			}
			for _, f := range archive.Files {
				if filepath.Ext(f.Name) == ".yaml" {
					try(filepath.Join(dir, f.Name))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if plain < 100 || others < 20 {
		t.Errorf("%d were plain, %d were not", plain, others)
	}
	many := manyServices(t, 50)
	many.Name = "a"
	if !bothWays(t, many) {
		t.Error("an ordinary file is not plain")
	}
}

// What compose-go has rules for is in its sources: each place there is one that
// is shown, or one that a plain file does not have.
func TestPartsKnowEveryRule(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/compose-spec/compose-go/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	// Rules stand under services.*, or under a prefix that stands for it.
	place := regexp.MustCompile(`"services\.\*\.([a-z_.*\[\]]+)"|prefix ?\+ ?"\.(?:\*\.)?([a-z_.*\[\]]+)"`)
	found := map[string]bool{}
	for _, file := range []string{"transform/*.go", "override/uncity.go", "loader/omitEmpty.go", "loader/aliases.go", "validation/*.go"} {
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), file))
		if err != nil || len(files) == 0 {
			t.Fatal(file, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			for _, m := range place.FindAllStringSubmatch(string(text), -1) {
				found[strings.TrimLeft(m[1]+m[2], "*.")] = true
			}
		}
	}
	// Of deploy there are these, and the view of each step has them.
	known := []string{"deploy.labels", "deploy.resources.reservations.devices.*"}
	var keys []string
	for path := range found {
		key, _, _ := strings.Cut(path, ".")
		keys = append(keys, key)
		if !slices.Contains(slices.Concat(composeKeys, composeLists, notPlainKeys), key) && !slices.Contains(known, path) && path != "" {
			t.Errorf("compose-go has a rule for services.*.%s", path)
		}
	}
	for _, key := range slices.Concat(composeKeys, composeLists) {
		if !slices.Contains(keys, key) {
			t.Errorf("compose-go has no rule for %s", key)
		}
	}
}
