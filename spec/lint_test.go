package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/swarmward/swarmward/spec"
)

// The setup guide's examples, reversed: a published secret in a test would
// make every scanner cry.
var guideExamples = strings.NewReplacer(
	"GUIDE-REDIS", reversed("f3c6e1b7d8a2c9f4"),
	"GUIDE-KEY", reversed("d1c6f4a2b7e9c0d3f6a1b8e4c9d2a5f7"),
	"GUIDE-TOKEN", reversed("b5e3c1a4f9d7b0e6c2a8f4d3b7c5e9a1"),
	"GUIDE-ADMIN", reversed("c4a7e2b9d6f1a8c3"),
)

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// TestLint loads the specs of testdata/lint, each named after a rule: what is
// wrong in them, as want says, and beside it what is right and looks alike,
// with names that begin with good.
func TestLint(t *testing.T) {
	rules := map[string]bool{}
	for _, r := range spec.LintRules() {
		rules[r.Name] = true
	}
	triggered := map[string]bool{}
	archives, err := filepath.Glob("testdata/lint/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range archives {
		rule := strings.TrimSuffix(filepath.Base(path), ".txtar")
		t.Run(rule, func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool {
				if f.Name == "want" {
					want = string(f.Data)
				}
				return f.Name == "want"
			})
			found := lintArchive(t, archive)
			var got strings.Builder
			for _, f := range found {
				triggered[f.Rule] = true
				fmt.Fprintf(&got, "%s: %s\n", f.Rule, f)
				checkFinding(t, f, rules)
			}
			if *update {
				archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(got.String())})
				if err := os.WriteFile(filepath.Join(here, path), txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if !slices.ContainsFunc(found, func(f spec.Finding) bool { return f.Rule == rule }) {
				t.Error("the rule that the archive is named after found nothing")
			}
		})
	}
	for name := range rules {
		if !triggered[name] {
			t.Errorf("nothing in testdata/lint triggers %s", name)
		}
	}
}

var (
	goodPath = regexp.MustCompile(`^[a-z]+\.good[a-z0-9-]*(\.|$)`)
	secrets  = strings.Fields(guideExamples.Replace("GUIDE-REDIS GUIDE-KEY GUIDE-TOKEN GUIDE-ADMIN hunter2"))
)

// checkFinding is what holds for whatever lint finds.
func checkFinding(t *testing.T, f spec.Finding, rules map[string]bool) {
	t.Helper()
	if f.Severity != spec.SeverityWarning || f.Line == 0 || f.Column == 0 || f.Remedy == "" || !rules[f.Rule] {
		t.Errorf("not a whole finding: %+v", f)
	}
	if goodPath.MatchString(f.Path) {
		t.Errorf("cried wolf: %s", f)
	}
	if slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(f.String(), s) }) {
		t.Errorf("a secret is in the message on %s", f.Path)
	}
}

// lintArchive unpacks a spec that must be valid, and lints it.
func lintArchive(t *testing.T, archive *txtar.Archive) []spec.Finding {
	t.Helper()
	t.Chdir(t.TempDir())
	o := spec.Options{Files: []string{"spec.yaml"}, Name: "a", Lint: true}
	for _, f := range archive.Files {
		data := guideExamples.Replace(string(f.Data))
		if f.Name == "env" {
			o.Environ = strings.Split(strings.TrimSpace(data), "\n")
			continue
		}
		if err := os.WriteFile(f.Name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stack, err := spec.Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return stack.Lint
}

// A file that was written for docker stack deploy is linted like any other,
// and each rule can be silenced.
func TestLintIsTheSameForLegacyFilesAndCanBeSilenced(t *testing.T) {
	archives, err := filepath.Glob("testdata/lint/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no test data", err)
	}
	for _, path := range archives {
		rule := strings.TrimSuffix(filepath.Base(path), ".txtar")
		t.Run(rule, func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			main := &archive.Files[slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "spec.yaml" })]
			original := string(main.Data)
			current := lintArchive(t, archive)
			main.Data = []byte(strings.Replace(original, "name: a\n", "version: '3.8'\n", 1))
			legacy := lintArchive(t, archive)
			if diff := cmp.Diff(current, legacy); diff != "" {
				t.Errorf("a legacy file is linted differently (-current +legacy):\n%s", diff)
			}
			if strings.Contains(original, "x-swarmward") {
				return // says already what is off
			}
			main.Data = []byte(original + "x-swarmward: {lint: {off: [" + rule + "]}}\n")
			want := slices.DeleteFunc(slices.Clone(current), func(f spec.Finding) bool { return f.Rule == rule })
			if diff := cmp.Diff(want, lintArchive(t, archive), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s silenced (-want +got):\n%s", rule, diff)
			}
		})
	}
}

func TestExampleIsClean(t *testing.T) {
	stack, err := spec.Load(t.Context(), spec.Options{Files: []string{"../desired-state.yaml"}, Environ: exampleEnv, Lint: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(stack.Warnings, stack.Lint) {
		t.Error(f)
	}
}

// Every warning can be silenced by the name it carries.
func TestEveryWarningIsSilenceable(t *testing.T) {
	wants, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(wants) == 0 {
		t.Fatal("no test data", err)
	}
	warning := regexp.MustCompile(`(?m)^warning ([a-z-]+): `)
	for _, path := range wants {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range warning.FindAllStringSubmatch(string(data), -1) {
			if !slices.Contains(spec.SilenceableRules(), m[1]) {
				t.Errorf("%s: %s cannot be silenced", path, m[1])
			}
		}
	}
}
