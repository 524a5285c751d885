package spec

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Loader loads stacks as Load does, again and again. As long as neither the
// options nor anything that was read has changed, it reads the files, hashes
// them and gives the stack that it has, with the commit that is given now:
// whoever gets one must not change it.
// What fails to load is loaded anew. The zero value is ready; it is safe for
// concurrent use, and remembers one stack.
type Loader struct {
	mu     sync.Mutex
	inputs []string          // of the last load: absolute paths, also of what was looked for in vain
	root   string            // that they may lie in
	hash   [sha256.Size]byte // of the options and the inputs of the last load
	loaded bool              // there was one, good or not
	tried  *Commit           // that it was of
	stack  *Stack            // nil: nothing that could be given again
	watch  []string          // what Inputs tells
}

// Load is the package's Load, as its result would be now.
func (l *Loader) Load(ctx context.Context, o Options) (*Stack, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := hashInputs(o, l.root, l.inputs)
	if l.stack != nil && before == l.hash {
		if !sameCommit(l.stack.Commit, o.Commit) {
			l.stack = l.stack.at(o.Commit)
		}
		return l.stack, nil
	}
	stack, inputs, err := load(ctx, o)
	// The hash was taken before anything was read, so what changes meanwhile is
	// noticed next time. The first load only tells what there is to hash.
	known := l.inputs
	l.inputs, l.root, l.stack, l.hash, l.tried, l.loaded = inputs, o.Root, nil, before, o.Commit, true
	if err != nil {
		l.inputs = sorted(slices.Concat(known, whole(o, o.Files), whole(o, o.EnvFiles)))
		l.watch = sorted(slices.Concat(l.watch, mutable(o, o.Files), o.EnvFiles))
		return nil, err
	}
	l.watch = mutable(o, inputs)
	l.stack = stack
	return stack, nil
}

// Inputs are the absolute paths of what the last load depended on, also of what
// was looked for in vain; what lies in a Root, where nothing changes, is left out. After one that failed they are those of the last
// one that did not, and the files that it was given.
func (l *Loader) Inputs() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.watch
}

// Stale says whether Load would come to something else than the last time, as far
// as is known: of a load that failed, not all that it depends on. Load tries that
// again each time.
func (l *Loader) Stale(o Options) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := l.stack == nil
	return !l.loaded || failed && !sameCommit(l.tried, o.Commit) || hashInputs(o, l.root, l.inputs) != l.hash
}

// whole are the paths, absolute.
func whole(o Options, paths []string) []string {
	out := slices.Clone(paths)
	files, err := newAccess(o)
	if err != nil {
		return out
	}
	for i, path := range out {
		if full, err := files.full(path); err == nil {
			out[i] = full
		}
	}
	return out
}

// mutable are the paths that do not lie in Root.
func mutable(o Options, paths []string) []string {
	files, err := newAccess(o)
	if err != nil || o.Root == "" {
		return paths
	}
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		full, err := files.full(path)
		_, inside := files.within(full)
		return err == nil && inside
	})
}

func sameCommit(a, b *Commit) bool { return a == b || a != nil && b != nil && *a == *b }

// hashInputs is a hash of all that a load depends on. The time of the last
// change is in it: a file may change for the load and then change back.
//
// A checkout has another place after each commit and other times in it, and
// nothing in one ever changes: what lay in the root of the last load is looked
// for in that of now, and goes by name and content alone.
func hashInputs(o Options, root string, inputs []string) [sha256.Size]byte {
	h := sha256.New()
	part := func(name string, data []byte) {
		fmt.Fprintf(h, "%d:%s%d:", len(name), name, len(data))
		h.Write(data)
	}
	dir, _ := os.Getwd()
	part("folder "+dir, nil)
	part(fmt.Sprintf("name %q lint %t root %t skip %t", o.Name, o.Lint, o.Root != "", o.SkipSealed), nil)
	for kind, list := range [][]string{o.Files, o.EnvFiles, o.Environ, o.Identities} {
		for _, text := range list {
			part(fmt.Sprint("option ", kind), []byte(text))
		}
	}
	files, err := newAccess(o)
	was, wasErr := newAccess(Options{Root: root})
	if err = errors.Join(err, wasErr); err != nil {
		part("no root", []byte(err.Error()))
		return [sha256.Size]byte(h.Sum(nil))
	}
	for _, path := range inputs {
		state := "is there"
		name, inRoot := was.within(path)
		if !inRoot {
			name = path
		} else {
			path = filepath.Join(files.root, name)
			if err := files.look(path); err != nil {
				state = err.Error()
			}
		}
		data, err := os.ReadFile(path)
		if info, statErr := os.Stat(path); statErr == nil && !inRoot {
			state = fmt.Sprint(info.Mode(), info.ModTime().UnixNano())
		}
		if err != nil {
			state = "cannot be read"
			if errors.Is(err, fs.ErrNotExist) {
				state = "is not there"
			}
		}
		part("file "+name, []byte(state))
		part("", data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// inputs are the absolute paths of all files that a stack was loaded from, and
// of those that were looked for in vain, each once and sorted.
func (l *loading) inputs(m *model) []string {
	out := slices.Clone(l.files)
	for _, d := range l.index.docs {
		out = append(append(out, d.path), d.envFiles...)
	}
	for _, s := range m.project.Secrets {
		out = append(out, s.File)
	}
	for _, c := range m.project.Configs {
		out = append(out, c.File)
	}
	for _, s := range m.project.Services {
		for _, f := range s.EnvFiles {
			out = append(out, f.Path)
		}
		out = append(out, s.LabelFiles...)
		for _, hook := range s.PreStart {
			for _, f := range hook.EnvFiles {
				out = append(out, f.Path)
			}
			out = append(out, hook.LabelFiles...)
		}
	}
	return sorted(out)
}

// sorted are the paths, absolute, each once.
func sorted(paths []string) []string {
	for i, path := range paths {
		if abs, err := filepath.Abs(path); err == nil && path != "" {
			paths[i] = abs
		}
	}
	slices.Sort(paths)
	return slices.DeleteFunc(slices.Compact(paths), func(path string) bool { return path == "" })
}
