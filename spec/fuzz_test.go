package spec

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzLoad looks for a spec that makes Load panic or hang, or say something
// without saying where, or that is another one when it is loaded in parts.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"../desired-state.yaml", "testdata/lower/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	for _, pattern := range []string{"testdata/findings/*.txtar", "testdata/same/*.txtar"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(archive.Files[0].Data))
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") || strings.Contains(text, "file") {
			return // reads other files
		}
		watch(t)
		path := filepath.Join(dir, "spec.yaml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		o := Options{Files: []string{path}, Name: "a", Environ: []string{"A=1", "B=", "PW=x"}, Lint: true}
		bothWays(t, o)
		stack, err := Load(t.Context(), o)
		if (stack == nil) == (err == nil) {
			t.Errorf("stack %v, error %v", stack, err)
		}
		var invalid *Invalid
		if err != nil && !errors.As(err, &invalid) {
			t.Errorf("not an *Invalid: %v", err)
		}
		if invalid != nil {
			placed(t, invalid.Findings)
		} else if stack != nil {
			placed(t, stack.Warnings)
		}
	})
}

// watch makes a crash of an input that takes for ever: the fuzzer itself would
// only stand still.
func watch(t *testing.T) {
	timer := time.AfterFunc(time.Minute, func() { panic("still at it after a minute") })
	t.Cleanup(func() { timer.Stop() })
}

// placed wants a position in every finding but those of what a file lacks.
func placed(t *testing.T, findings []Finding) {
	t.Helper()
	for _, f := range findings {
		if f.File == "" || f.Line == 0 && strings.Contains(f.Path, ".") {
			t.Errorf("where is %s: %s?", f.Rule, f)
		}
	}
}

// FuzzSettings reads any text as x-swarmward.
func FuzzSettings(f *testing.F) {
	f.Add("{checks: {r: {redis: {service: redis, password: {secret: s}, key: k, database: 1}, timeout: 1s, retries: 2}}, prune: false}")
	f.Add("checks: {h: {http: {url: 'https://a.b/c', connect: 'web:443', status: [200, 204], body: x}}, t: {tcp: {connect: 'a:1'}}}\nimages: {resolve: always}")
	f.Add("on_check_failure: rollback\nignore: [services.*.image]\nallow: []\ntimeout: 5m\nlint: {off: [x]}")
	f.Add("&a {checks: *a}")
	f.Add("${A}")
	f.Fuzz(func(t *testing.T, text string) {
		watch(t)
		d := &document{name: "spec.yaml", env: environment{"A": "1"},
			data: []byte(settingsKey + ":\n  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n")}
		r := newReport()
		d.parse(r)
		if d.broken {
			return
		}
		s := readSettings([]*document{d}, r)
		placed(t, r.findings)
		if r.failed() {
			return
		}
		if s.Timeout < 0 || !slices.Contains([]string{"report", "rollback"}, s.OnCheckFailure) || !slices.Contains([]string{"changed", "always", "never"}, s.Images.Resolve) {
			t.Errorf("accepted: %+v", s)
		}
		for _, c := range s.Checks {
			if target := c.Target(); c.Kind() == "" || c.Timeout <= 0 || c.Interval <= 0 || c.Grace < 0 || c.Retries < 1 || target.Port < 0 || target.Port > 65535 {
				t.Errorf("accepted: %+v", c)
			}
		}
	})
}
