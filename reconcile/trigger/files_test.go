package trigger

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// yard is a folder whose files are watched.
type yard struct {
	*testing.T
	dir     string
	files   *Files
	changed chan []string
	rung    int
}

func newYard(t *testing.T) *yard {
	t.Helper()
	f, err := NewFiles(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{T: t, dir: t.TempDir(), files: f, changed: make(chan []string, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { f.Run(ctx, func(keys []string) { y.changed <- keys }); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return y
}

func (y *yard) path(name string) string { return filepath.Join(y.dir, name) }

func (y *yard) must(err error) {
	y.Helper()
	if err != nil {
		y.Fatal(err)
	}
}

func (y *yard) write(name, text string) {
	y.Helper()
	y.must(os.WriteFile(y.path(name), []byte(text), 0o600))
}
func (y *yard) mkdir(name string)    { y.Helper(); y.must(os.MkdirAll(y.path(name), 0o700)) }
func (y *yard) link(to, name string) { y.Helper(); y.must(os.Symlink(to, y.path(name))) }
func (y *yard) move(from, to string) { y.Helper(); y.must(os.Rename(y.path(from), y.path(to))) }
func (y *yard) remove(name string)   { y.Helper(); y.must(os.RemoveAll(y.path(name))) }

// heard are the keys that have been told since they were asked for last. A bell,
// which is one event, tells that all before it has been heard.
func (y *yard) heard() []string {
	y.Helper()
	y.rung++
	bell := fmt.Sprint("bell ", y.rung)
	y.files.Watch(bell, []string{y.path(bell)})
	y.mkdir(bell)
	told := map[string]bool{}
	for !told[bell] {
		select {
		case keys := <-y.changed:
			for _, k := range keys {
				told[k] = true
			}
		case <-y.Context().Done():
			y.Fatal("the bell was not heard")
		}
	}
	y.files.Forget(bell)
	delete(told, bell)
	return slices.Sorted(maps.Keys(told))
}

// hears makes sure that these, and no others, have been told.
func (y *yard) hears(keys ...string) {
	y.Helper()
	if got := y.heard(); !slices.Equal(got, keys) {
		y.Errorf("told of %q, want %q", got, keys)
	}
}

func TestFilesAreWatchedWhereTheyAreReplaced(t *testing.T) {
	y := newYard(t)
	y.write("spec.yaml", "one")
	if !y.files.Watch("spec", []string{y.path("spec.yaml")}) || y.files.Watch("spec", []string{y.path("spec.yaml")}) {
		t.Error("what is new is not what was told")
	}
	y.write("spec.yaml", "two")
	y.hears("spec")
	// As editors do it.
	y.write("spec.yaml.tmp", "three")
	y.hears()
	y.move("spec.yaml.tmp", "spec.yaml")
	y.hears("spec")
	y.write("spec.yaml", "four")
	y.hears("spec")
	y.move("spec.yaml", "spec.yaml~")
	y.hears("spec")
	y.write("spec.yaml~", "of no interest")
	y.hears()
	y.write("spec.yaml", "five")
	y.hears("spec")
	y.must(os.Chmod(y.path("spec.yaml"), 0o400))
	y.hears("spec")
	y.files.Forget("spec")
	y.remove("spec.yaml")
	y.hears()
}

func TestFilesThatAreNotThereYet(t *testing.T) {
	y := newYard(t)
	y.files.Watch("env", []string{y.path("a/b/.env")})
	y.mkdir("other")
	y.hears()
	y.mkdir("a")
	y.hears("env")
	y.mkdir("a/b")
	y.hears("env")
	y.write("a/b/else", "")
	y.hears()
	y.write("a/b/.env", "X=1")
	y.hears("env")
	// The whole folder is swapped for another one.
	y.mkdir("next")
	y.write("next/.env", "X=2")
	y.move("a/b", "a/old")
	y.hears("env")
	y.move("next", "a/b")
	y.hears("env")
	y.write("a/b/.env", "X=3")
	y.hears("env")
	y.remove("a")
	y.hears("env")
	y.mkdir("a/b")
	y.hears("env")
	y.write("a/b/.env", "X=4")
	y.hears("env")
}

// A mounted configuration is a link to a file below a link that is swapped.
func TestSymbolicLinksAreFollowed(t *testing.T) {
	y := newYard(t)
	y.mkdir("..v1")
	y.write("..v1/spec.yaml", "one")
	y.link("..v1", "..data")
	y.link("..data/spec.yaml", "spec.yaml")
	y.link(y.path("spec.yaml"), "elsewhere.yaml")
	y.files.Watch("spec", []string{y.path("elsewhere.yaml")})
	for _, version := range []string{"..v2", "..v3"} {
		y.mkdir(version)
		y.write(version+"/spec.yaml", version)
		y.hears()
		y.link(version, "..data_tmp")
		y.move("..data_tmp", "..data")
		y.hears("spec")
		y.write(version+"/spec.yaml", "again")
		y.hears("spec")
	}
	y.write("..v1/spec.yaml", "left behind")
	y.hears()
	y.remove("..v1")
	y.hears()
	y.remove("elsewhere.yaml")
	y.hears("spec")
	y.write("elsewhere.yaml", "a file")
	y.hears("spec")
	y.remove("..v3/spec.yaml")
	y.hears()
}

func TestFoldersAreWatchedForWhateverIsInThem(t *testing.T) {
	y := newYard(t)
	y.mkdir("stacks")
	y.write("stacks/a.yaml", "")
	y.files.Watch("stacks", []string{y.path("stacks")})
	y.files.Watch("a", []string{y.path("stacks/a.yaml")})
	y.write("stacks/b.yaml", "")
	y.hears("stacks")
	y.remove("stacks/b.yaml")
	y.hears("stacks")
	y.write("stacks/a.yaml", "two")
	y.hears("a", "stacks")
	y.remove("stacks")
	y.hears("a", "stacks")
	y.mkdir("stacks")
	y.hears("a", "stacks")
	y.write("stacks/b.yaml", "")
	y.hears("stacks")
}

// Links that lead in a circle lead nowhere.
func TestCircles(t *testing.T) {
	y := newYard(t)
	y.link("two", "one")
	y.link("one", "two")
	if got := places(y.path("one")); len(got) > 45 {
		t.Errorf("%d places", len(got))
	}
}
