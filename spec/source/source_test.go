package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write makes empty files and folders (names that end in a slash) and works
// in their folder.
func write(t *testing.T, names ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range names {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(name, []byte("services: {}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPaths(t *testing.T) {
	tests := []struct {
		name string
		have []string
		args []string
		want []Input
	}{
		{"the default", []string{"desired-state.yaml"}, nil, []Input{{[]string{"desired-state.yaml"}}}},
		{"files are one stack", []string{"a.yaml", "b.yaml"}, []string{"b.yaml", "a.yaml"}, []Input{{[]string{"b.yaml", "a.yaml"}}}},
		{"a directory is a stack for each file", []string{
			"d/b.yml", "d/a.yaml", "d/.hidden.yaml", "d/a.override.yaml", "d/b.override.yml", "d/notes.txt", "d/sub/c.yaml", "d/e.yaml/",
		}, []string{"d"}, []Input{{[]string{"d/a.yaml"}}, {[]string{"d/b.yml"}}}},
		{"several directories", []string{"d/a.yaml", "e/a.yaml"}, []string{"e", "d"}, []Input{{[]string{"e/a.yaml"}}, {[]string{"d/a.yaml"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			write(t, tt.have...)
			got, err := Paths(tt.args)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPathsFollowsLinks(t *testing.T) {
	write(t, "real.yaml", "d/")
	if err := os.Symlink("../real.yaml", "d/a.yaml"); err != nil {
		t.Fatal(err)
	}
	got, err := Paths([]string{"d"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Input{{[]string{"d/a.yaml"}}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPathsErrors(t *testing.T) {
	tests := []struct {
		name string
		have []string
		args []string
		want []string // parts of the message
	}{
		{"no default", nil, nil, []string{"desired-state.yaml", "no such file", "-f FILE"}},
		{"no such file", nil, []string{"x.yaml"}, []string{"x.yaml", "no such file", "-f FILE", "desired-state.yaml"}},
		{"a directory without specs", []string{"d/notes.txt"}, []string{"d"}, []string{"directory d", "*.yaml", "-f FILE"}},
		{"files and directories", []string{"d/a.yaml", "b.yaml"}, []string{"d", "b.yaml"}, []string{"d is a directory", "b.yaml a file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			write(t, tt.have...)
			_, err := Paths(tt.args)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}
