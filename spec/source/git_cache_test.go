package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/swarmward/swarmward/spec"
)

// Whatever a kill or a power cut leaves, the next process has what was good or
// makes it anew.
func TestGitCacheSurvivesDamage(t *testing.T) {
	pack := func(dir, ext string) string {
		all, _ := filepath.Glob(filepath.Join(dir, "store-1/objects/pack/*"+ext))
		if len(all) == 0 {
			t.Fatal("there is no pack")
		}
		return all[0]
	}
	cut := func(path string) error { return os.Truncate(path, 100) }
	tests := []struct {
		name   string
		damage func(dir string) error
		kept   bool // the last good commit is still there
	}{
		{"nothing", func(string) error { return nil }, true},
		{"half a pack", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "store-1/objects/pack/tmp_pack_1"), []byte("PACK"), 0o600)
		}, true},
		{"an index without its pack", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "store-1/objects/pack/pack-"+strings.Repeat("1", 40)+".idx"), []byte("half"), 0o600)
		}, true},
		{"a store that was begun", func(dir string) error { return os.MkdirAll(filepath.Join(dir, "store-2/objects/pack"), 0o700) }, true},
		{"a new state that was not put in place", func(dir string) error { return os.WriteFile(filepath.Join(dir, ".new-1"), []byte("{"), 0o600) }, true},
		{"half a state", func(dir string) error { return cut(filepath.Join(dir, "state.json")) }, false},
		{"no state", func(dir string) error { return os.Remove(filepath.Join(dir, "state.json")) }, false},
		{"a state that names another folder", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "state.json"), []byte(`{"target":{"hash":"`+strings.Repeat("1", 40)+`"},"store":"../../x"}`), 0o600)
		}, false},
		{"no store", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "store-1")) }, false},
		{"a torn pack", func(dir string) error { return cut(pack(dir, ".pack")) }, false},
		{"an empty index", func(dir string) error { return os.Truncate(pack(dir, ".idx"), 0) }, false},
		{"a torn index", func(dir string) error { return cut(pack(dir, ".idx")) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t)
			id := o.push(Default, webSpec)
			cacheDir := t.TempDir()
			g := local(t, o, Git{Cache: cacheDir})
			get(t, g)
			for _, path := range []string{pack(g.cache.dir, ".pack"), pack(g.cache.dir, ".idx")} {
				if err := os.Chmod(path, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := tt.damage(g.cache.dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(o.bare, o.bare+".gone"); err != nil {
				t.Fatal(err)
			}
			c, err := local(t, o, Git{Cache: cacheDir}).Get(t.Context())
			if err == nil || (c != nil) != tt.kept {
				t.Errorf("without the repository %v, %v", c, err)
			}
			if err := os.Rename(o.bare+".gone", o.bare); err != nil {
				t.Fatal(err)
			}
			if c := get(t, local(t, o, Git{Cache: cacheDir})); c.Commit.ID != id || content(t, c, Default) != webSpec {
				t.Errorf("with the repository %+v", c.Commit)
			}
			next := o.push(Default, webSpec+"# 2\n")
			if c := get(t, local(t, o, Git{Cache: cacheDir})); c.Commit.ID != next || content(t, c, Default) != webSpec+"# 2\n" {
				t.Errorf("after a push %+v", c.Commit)
			}
		})
	}
}

// What has piled up is fetched anew, once it is worth it; who still reads from
// the old store can.
func TestGitCacheIsBounded(t *testing.T) {
	o := newOrigin(t)
	o.put("late.txt", "late")
	o.push(Default, webSpec)
	g := local(t, o, Git{})
	first := get(t, g)
	size := g.cache.state.Size
	o.push(Default, webSpec+"# 1\n")
	if get(t, g); size == 0 || g.cache.state.Size != size {
		t.Errorf("the size of the new store was %d and is said to be %d", size, g.cache.state.Size)
	}
	data, err := os.ReadFile(filepath.Join(g.cache.dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	small := strings.Replace(string(data), `"size":`, `"size":-1000000000, "was":`, 1)
	if err := os.WriteFile(filepath.Join(g.cache.dir, "state.json"), []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	id := o.push(Default, webSpec+"# 2\n")
	second := get(t, g)
	if second.Commit.ID != id || filepath.Base(second.tree.store.dir) != "store-2" {
		t.Errorf("commit %s in %s", second.Commit.ID, second.tree.store.dir)
	}
	if content(t, first, "late.txt") != "late" {
		t.Error("the old store is gone too early")
	}
	for n := range 6 {
		o.push(Default, webSpec+fmt.Sprintf("# %d\n", n+3))
		get(t, g)
	}
	if all, _ := filepath.Glob(filepath.Join(g.cache.own, "*")); len(all) != 3 {
		t.Errorf("checkouts %v", all)
	}
}

// Two that share a cache do not get into each other's way, and what a process
// leaves that is gone the next one removes.
func TestGitCacheIsShared(t *testing.T) {
	o := newOrigin(t)
	o.put("late.txt", "late")
	o.push(Default, webSpec)
	cacheDir := t.TempDir()
	one, two := local(t, o, Git{Cache: cacheDir}), local(t, o, Git{Cache: cacheDir})
	a := get(t, one)
	gone := one.cache.own + "-gone"
	for _, path := range []string{filepath.Join(gone, "x"), gone + ".lock"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	id := o.push(Default, webSpec+"# 2\n")
	b := get(t, two)
	if b.Commit.ID != id || content(t, a, "late.txt") != "late" {
		t.Error("the second one took something from the first")
	}
	if _, err := os.Stat(gone); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what another process left is still there: %v", err)
	}
	if c := get(t, one); c.Commit.ID != id {
		t.Errorf("the first one is still at %s", c.Commit.ID)
	}
	// Another ref has a cache of its own.
	o.git("push", "-q", "origin", "HEAD~1:refs/heads/old")
	get(t, local(t, o, Git{Cache: cacheDir, Ref: "old"}))
	if c := get(t, local(t, o, Git{Cache: cacheDir})); c.Commit.ID != id {
		t.Errorf("HEAD is %s", c.Commit.ID)
	}
}

// Many at once: specs are loaded while new commits come.
func TestGitIsSafeForConcurrentUse(t *testing.T) {
	o := newOrigin(t)
	o.put("more.yaml", "services: {b: {image: 'b:1'}}\n")
	o.push(Default, webSpec+"include: [more.yaml]\n")
	g := local(t, o, Git{})
	get(t, g)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var l spec.Loader
			for range 10 {
				c, err := g.Get(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				s, err := l.Load(t.Context(), c.Options(c.Inputs[0], spec.Options{}))
				if err != nil || len(s.Services) != 2 || s.Revision != c.Commit.ID {
					t.Errorf("loaded %v, %v", s, err)
					return
				}
			}
		})
	}
	for n := range 5 {
		o.push(Default, webSpec+fmt.Sprintf("include: [more.yaml]\n# %d\n", n))
	}
	wg.Wait()
}

// A working copy is a repository, and so is one beside it.
func TestGitWorkingCopies(t *testing.T) {
	o := newOrigin(t)
	id := o.push(Default, webSpec)
	beside := filepath.Join(t.TempDir(), "beside")
	o.git("worktree", "add", "-q", "--detach", beside)
	other := func() string {
		o.put(Default, webSpec+"# 2\n")
		return o.commit("Not pushed")
	}()
	for path, want := range map[string]string{o.work: other, beside: id, o.bare: id, "file://" + o.bare: id} {
		g := NewGit(Git{URL: path, Cache: t.TempDir()})
		if c := get(t, g); c.Commit.ID != want {
			t.Errorf("%s: commit %s, want %s", path, c.Commit.ID, want)
		}
	}
}
