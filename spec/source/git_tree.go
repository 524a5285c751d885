package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/swarmward/swarmward/spec"
)

// gitTree writes the files of a commit out when they are asked for. A link is
// followed in the tree and never written: what it leads to is.
type gitTree struct {
	store *gitStore
	dir   string

	mu   sync.Mutex
	root *object.Tree
	done map[string]error
}

func newGitTree(store *gitStore, commit *object.Commit, dir string) (*gitTree, error) {
	root, err := commit.Tree()
	if err != nil {
		return nil, err
	}
	return &gitTree{store: store, dir: dir, root: root, done: map[string]error{}}, nil
}

// provide makes sure that what the commit has at a path is there. Its errors
// are *spec.Refused where that must not be read.
func (t *gitTree) provide(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	name = path.Clean(name)
	if err, ok := t.done[name]; ok {
		return err
	}
	err := t.write(name)
	var refused *spec.Refused
	if err == nil || errors.As(err, &refused) {
		t.done[name] = err
	}
	return err
}

func (t *gitTree) write(name string) error {
	e, err := t.find(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	full := filepath.Join(t.dir, filepath.FromSlash(name))
	if e.Mode == filemode.Dir {
		return os.MkdirAll(full, 0o700)
	}
	data, err := t.content(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		return err
	}
	return writeFile(full, data)
}

var (
	tooLarge = &spec.Refused{Why: "is larger than anything that Swarm takes, and is not fetched", Remedy: "make it smaller"}
	isLFS    = &spec.Refused{Why: "is kept in Git LFS, which is not fetched", Remedy: "commit the file itself"}
)

// content of a file.
func (t *gitTree) content(e *object.TreeEntry) ([]byte, error) {
	size, err := t.store.objects.EncodedObjectSize(e.Hash)
	if errors.Is(err, plumbing.ErrObjectNotFound) || err == nil && size > maxFile {
		return nil, tooLarge
	}
	if err != nil {
		return nil, err
	}
	data, err := t.store.raw(plumbing.BlobObject, e.Hash)
	if bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/")) {
		return nil, isLFS
	}
	return data, err
}

// The links that one path may lead over.
const maxLinks = 32

// find is what a path leads to, links followed: a file or a folder. What is
// not there is fs.ErrNotExist; what leads out is refused.
func (t *gitTree) find(name string) (*object.TreeEntry, error) {
	for range maxLinks {
		e, at, rest, err := t.walk(name)
		if err != nil || e.Mode != filemode.Symlink {
			return e, err
		}
		target, err := t.store.raw(plumbing.BlobObject, e.Hash)
		if err != nil {
			return nil, err
		}
		to := string(target)
		next := path.Join(path.Dir(at), to, rest)
		if path.IsAbs(to) || !filepath.IsLocal(filepath.FromSlash(next)) && next != "." {
			return nil, &spec.Refused{Why: fmt.Sprintf("is a link that leads out of the repository, to %s", to), Remedy: "commit the file itself"}
		}
		name = next
	}
	return nil, &spec.Refused{Why: "is a link that leads in a circle", Remedy: "commit the file itself"}
}

// walk goes down a path as far as the first link: what is there, where, and
// what of the path is left.
func (t *gitTree) walk(name string) (e *object.TreeEntry, at, rest string, err error) {
	if name == "." {
		return &object.TreeEntry{Mode: filemode.Dir, Hash: t.root.Hash}, ".", "", nil
	}
	tree, steps := t.root, strings.Split(name, "/")
	for i, step := range steps {
		at = path.Join(steps[:i+1]...)
		if e, err = tree.FindEntry(step); err != nil {
			if errors.Is(err, object.ErrEntryNotFound) || errors.Is(err, object.ErrDirectoryNotFound) {
				err = fs.ErrNotExist
			}
			return nil, at, "", err
		}
		switch {
		case e.Mode == filemode.Symlink:
			return e, at, path.Join(steps[i+1:]...), nil
		case e.Mode == filemode.Submodule:
			return nil, at, "", &spec.Refused{Why: "lies in the submodule " + at + ", which is not fetched", Remedy: "commit the file itself"}
		case i == len(steps)-1:
			return e, at, "", nil
		case e.Mode != filemode.Dir:
			return nil, at, "", fs.ErrNotExist
		}
		if tree, err = tree.Tree(step); err != nil {
			return nil, at, "", err
		}
	}
	return nil, at, "", fs.ErrNotExist
}

// inputs are the specs at the paths, which are written out.
func (t *gitTree) inputs(paths []string) ([]Input, error) {
	var files, dirs []string
	for _, p := range paths {
		name := path.Clean(strings.TrimPrefix(filepath.ToSlash(p), "/"))
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("spec %s: this is no path inside of the repository; correct --git-path", p)
		}
		e, err := t.find(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("spec %s: no such file; correct --git-path, or commit it", name)
		case err != nil:
			return nil, fmt.Errorf("spec %s: %w", name, err)
		case e.Mode == filemode.Dir:
			dirs = append(dirs, name)
		default:
			files = append(files, name)
		}
	}
	if len(files) > 0 && len(dirs) > 0 {
		return nil, fmt.Errorf("spec %s is a directory and %s a file: give --git-path files, which are one stack together, or directories, which hold one stack in each file", dirs[0], files[0])
	}
	if len(files) > 0 {
		return []Input{{Files: files}}, t.provideAll(files)
	}
	var out []Input
	for _, dir := range dirs {
		found, err := t.specsIn(dir)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			out = append(out, Input{Files: []string{f}})
		}
		// What must not be read is the trouble of the one stack.
		var refused *spec.Refused
		for _, f := range found {
			if err := t.provide(f); err != nil && !errors.As(err, &refused) {
				return nil, fmt.Errorf("spec %s: %w", f, err)
			}
		}
	}
	return out, nil
}

func (t *gitTree) specsIn(dir string) ([]string, error) {
	e, err := t.find(dir)
	if err != nil {
		return nil, err
	}
	tree, err := object.GetTree(t.store.objects, e.Hash)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range tree.Entries {
		name := path.Join(dir, e.Name)
		if !isSpec(e.Name) {
			continue
		}
		var refused *spec.Refused
		if at, err := t.find(name); err == nil && at.Mode.IsFile() || errors.As(err, &refused) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("spec directory %s: no *.yaml or *.yml file in it: put one there for each stack, or name a file with --git-path", dir)
	}
	return out, nil
}

func (t *gitTree) provideAll(files []string) error {
	for _, f := range files {
		if err := t.provide(f); err != nil {
			return fmt.Errorf("spec %s: %w", f, err)
		}
	}
	return nil
}
