package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

func TestGitGivesTheCommitOfABranch(t *testing.T) {
	o := newOrigin(t)
	o.put("notes.txt", "nothing\n")
	first := o.push(Default, webSpec)
	g := local(t, o, Git{})
	c := get(t, g)
	if c.Commit.ID != first || c.Commit.Ref != "main" || c.Commit.Author != "Ann Author <ann@example.com>" || c.Commit.Subject != "Change desired-state.yaml" || c.Commit.At.IsZero() {
		t.Errorf("commit %+v", c.Commit)
	}
	if diff := cmp.Diff([]Input{{[]string{Default}}}, c.Inputs); diff != "" {
		t.Error(diff)
	}
	s, err := spec.Load(t.Context(), c.Options(c.Inputs[0], spec.Options{}))
	if err != nil || s.Revision != first || s.Name != "web" || s.Files[0] != Default {
		t.Errorf("stack %+v, error %v", s, err)
	}
	if _, err := os.Stat(filepath.Join(c.Root, "notes.txt")); !os.IsNotExist(err) {
		t.Error("a file that nobody asked for was written")
	}

	seen := c.Seen
	again := get(t, g)
	if again.Root != c.Root || again.Seen.Before(seen) {
		t.Errorf("the same commit has another checkout, %s after %s", again.Root, c.Root)
	}
	second := o.push(Default, strings.Replace(webSpec, "web:1", "web:2", 1))
	next := get(t, g)
	if next.Commit.ID != second || !strings.Contains(content(t, next, Default), "web:2") {
		t.Errorf("after a push %+v", next.Commit)
	}
	if !strings.Contains(content(t, c, Default), "web:1") {
		t.Error("the checkout before is gone")
	}
}

func TestGitPaths(t *testing.T) {
	o := newOrigin(t)
	for _, name := range []string{"stacks/b.yml", "stacks/a.yaml", "stacks/.c.yaml", "stacks/a.override.yaml", "stacks/deep/d.yaml", "one.yaml"} {
		o.put(name, webSpec)
	}
	o.put("stacks/link.yaml", "-> ../one.yaml")
	o.push("stacks/readme.md", "hello\n")
	tests := []struct {
		paths []string
		want  []Input
		fails string
	}{
		{[]string{"stacks"}, []Input{{[]string{"stacks/a.yaml"}}, {[]string{"stacks/b.yml"}}, {[]string{"stacks/link.yaml"}}}, ""},
		{[]string{"stacks/b.yml", "one.yaml"}, []Input{{[]string{"stacks/b.yml", "one.yaml"}}}, ""},
		{[]string{"."}, []Input{{[]string{"one.yaml"}}}, ""},
		{[]string{"/stacks/deep/"}, []Input{{[]string{"stacks/deep/d.yaml"}}}, ""},
		{nil, nil, "spec desired-state.yaml: no such file; correct --git-path"},
		{[]string{"stacks", "one.yaml"}, nil, "stacks is a directory and one.yaml a file"},
		{[]string{"../x"}, nil, "no path inside of the repository"},
		{[]string{"gone.yaml"}, nil, "gone.yaml: no such file"},
	}
	for _, tt := range tests {
		c, err := local(t, o, Git{Paths: tt.paths}).Get(t.Context())
		if tt.fails != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%v: error %v, want %s", tt.paths, err, tt.fails)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", tt.paths, err)
		} else if diff := cmp.Diff(tt.want, c.Inputs); diff != "" {
			t.Errorf("%v: %s", tt.paths, diff)
		}
	}
}

// In a folder, what must not be read is the trouble of its own stack.
func TestGitPathsRefused(t *testing.T) {
	o := newOrigin(t)
	o.put("stacks/lfs.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")
	o.put("stacks/out.yaml", "-> /etc/passwd")
	o.push("stacks/web.yaml", webSpec)
	c := get(t, local(t, o, Git{Paths: []string{"stacks"}}))
	if len(c.Inputs) != 3 {
		t.Fatalf("inputs %v", c.Inputs)
	}
	for i, want := range []string{"stacks/lfs.yaml", "stacks/out.yaml", ""} {
		_, err := spec.Load(t.Context(), c.Options(c.Inputs[i], spec.Options{}))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: error %v", c.Inputs[i], err)
		}
	}
}

func TestGitRefs(t *testing.T) {
	o := newOrigin(t)
	first := o.push(Default, webSpec)
	o.git("tag", "light")
	o.git("tag", "-a", "-m", "The first", "v1")
	o.git("push", "-q", "origin", "light", "v1", "main:both", "light:refs/tags/both", "main:team/x")
	second := o.push(Default, webSpec+"# 2\n")
	o.git("push", "-q", "origin", "HEAD:other")
	tests := []struct{ ref, commit, shown, fails string }{
		{"", second, "main", ""},
		{"main", second, "main", ""},
		{"other", second, "other", ""},
		{"team/x", first, "team/x", ""},
		{"light", first, "light", ""},
		{"v1", first, "v1", ""},
		{"refs/heads/both", first, "both", ""},
		{"refs/tags/both", first, "both", ""},
		{first, first, first, ""}, // a tip of a tag only
		{second, second, second, ""},
		{"both", "", "", "is a branch and a tag; write --git-ref refs/heads/both or --git-ref refs/tags/both"},
		{"gone", "", "", "no branch and no tag gone (any more); correct --git-ref: it has both, main, other, team/x, both, light, v1"},
		{first[:8], "", "", "all 40 characters"},
		{strings.Repeat("1", 40), "", "", "is not in the repository"},
	}
	for _, tt := range tests {
		c, err := local(t, o, Git{Ref: tt.ref}).Get(t.Context())
		switch {
		case tt.fails != "":
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%q: error %v, want %s", tt.ref, err, tt.fails)
			}
		case err != nil:
			t.Errorf("%q: %v", tt.ref, err)
		case c.Commit.ID != tt.commit || c.Commit.Ref != tt.shown:
			t.Errorf("%q: commit %s, ref %s", tt.ref, c.Commit.ID, c.Commit.Ref)
		}
	}
}

// What the repository goes through, a source goes on with the last good commit
// or with the new one.
func TestGitSurvives(t *testing.T) {
	o := newOrigin(t)
	o.push(Default, webSpec)
	cacheDir := t.TempDir()
	g := local(t, o, Git{Ref: "main", Cache: cacheDir})
	last := get(t, g)

	// A commit whose spec is not there is not taken.
	o.git("rm", "-q", Default)
	o.commit("Remove it")
	o.git("push", "-q", "origin", "HEAD:main")
	for range 4 { // looks, and the files are still there
		stays(t, g, last, "no such file", Default)
		content(t, last, Default)
	}

	// Force-push to something that shares nothing.
	o.git("checkout", "-q", "--orphan", "anew")
	o.put(Default, webSpec+"# forced\n")
	forced := o.commit("Begin anew")
	o.git("push", "-q", "--force", "origin", "HEAD:main")
	if last = get(t, g); last.Commit.ID != forced {
		t.Errorf("after a force-push commit %s", last.Commit.ID)
	}

	// The branch vanishes, the repository vanishes, and comes back.
	o.git("push", "-q", "origin", "HEAD:other")
	o.run(o.bare, "git", "symbolic-ref", "HEAD", "refs/heads/other")
	o.git("push", "-q", "origin", ":main")
	stays(t, g, last, "no branch and no tag main (any more)", "it has other")
	if err := os.Rename(o.bare, o.bare+".gone"); err != nil {
		t.Fatal(err)
	}
	stays(t, g, last, "there is no repository")
	if !strings.Contains(content(t, last, Default), "# forced") {
		t.Error("the last good commit cannot be read")
	}

	// A new process, and still nothing there.
	g = local(t, o, Git{Ref: "main", Cache: cacheDir})
	c, err := g.Get(t.Context())
	if err == nil || c == nil || c.Commit.ID != forced || !c.Seen.Equal(last.Seen) {
		t.Fatalf("after a restart %+v, error %v", c, err)
	}
	if s, err := spec.Load(t.Context(), c.Options(c.Inputs[0], spec.Options{})); err != nil || s.Revision != forced {
		t.Errorf("the kept commit does not load: %v", err)
	}
	if err := os.Rename(o.bare+".gone", o.bare); err != nil {
		t.Fatal(err)
	}
	fixed := o.push(Default, webSpec+"# again\n")
	if c := get(t, g); c.Commit.ID != fixed {
		t.Errorf("after it came back commit %s", c.Commit.ID)
	}
}

func TestGitMovedTag(t *testing.T) {
	o := newOrigin(t)
	o.push(Default, webSpec)
	o.git("tag", "-a", "-m", "x", "live")
	o.git("push", "-q", "origin", "live")
	g := local(t, o, Git{Ref: "live"})
	get(t, g)
	second := o.push(Default, webSpec+"# 2\n")
	o.git("tag", "-f", "-a", "-m", "y", "live")
	o.git("push", "-q", "-f", "origin", "live")
	if c := get(t, g); c.Commit.ID != second {
		t.Errorf("the tag moved to %s, and the commit is %s", second, c.Commit.ID)
	}
}

func TestGitEmptyRepository(t *testing.T) {
	o := newOrigin(t)
	g := local(t, o, Git{})
	stays(t, g, nil, "git "+o.bare, "empty", "push a commit")
	id := o.push(Default, webSpec)
	if c := get(t, g); c.Commit.ID != id {
		t.Errorf("commit %s", c.Commit.ID)
	}
}

// A link is read where it leads to; what would lead out, or into what is not
// fetched, is refused, and nothing of it is written.
func TestGitTree(t *testing.T) {
	o := newOrigin(t)
	sub := newOrigin(t)
	sub.push("secret.txt", "hunter2")
	o.put("etc/real.txt", "real")
	o.put("stacks/link.txt", "-> ../etc/real.txt")
	o.put("stacks/dir", "-> ../etc")
	o.put("stacks/twice", "-> link.txt")
	o.put("stacks/out", "-> ../../../../../../etc/passwd")
	o.put("stacks/absolute", "-> /etc/passwd")
	o.put("stacks/a", "-> b")
	o.put("stacks/b", "-> a")
	o.put("stacks/nowhere", "-> gone.txt")
	o.put("stacks/large.bin", strings.Repeat("x", maxFile+1))
	o.put("stacks/lfs.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")
	o.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", sub.bare, "stacks/sub")
	o.push(Default, webSpec)
	c := get(t, local(t, o, Git{}))
	for name, want := range map[string]string{"etc/real.txt": "real", "stacks/link.txt": "real", "stacks/dir/real.txt": "real", "stacks/twice": "real"} {
		if got := content(t, c, name); got != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
	for name, want := range map[string]string{
		"stacks/out": "leads out of the repository, to ../../../../../../etc/passwd", "stacks/absolute": "leads out of the repository, to /etc/passwd",
		"stacks/a": "in a circle", "stacks/large.bin": "larger than anything", "stacks/lfs.bin": "Git LFS",
		"stacks/sub/secret.txt": "in the submodule stacks/sub", "stacks/sub": "in the submodule",
	} {
		err := c.tree.provide(name)
		var refused *spec.Refused
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
	for _, name := range []string{"stacks/nowhere", "gone.txt", "etc/real.txt/more", "gone/too"} {
		if err := c.tree.provide(name); err != nil {
			t.Errorf("%s, which is not there: %v", name, err)
		}
	}
	err := filepath.WalkDir(c.Root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type()&os.ModeSymlink != 0 {
			t.Errorf("%s is a link", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
