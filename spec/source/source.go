// Package source is where specs come from: files and folders, or a commit of a
// git repository, which it fetches, keeps, and takes only from those who may
// deploy.
package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// Default is the file that is read when none is named.
const Default = "desired-state.yaml"

// Source is where specs come from. Its methods are safe for concurrent use.
type Source interface {
	// Get is what the source holds now. Where that cannot be had or may not be
	// used, the error says so and what to do, and the Checkout is the last good
	// one, whose Seen tells its age; it is nil when there never was one. What it
	// names stays readable until the second Get after it that gives another.
	Get(ctx context.Context) (*Checkout, error)
}

// Checkout is what a source held at one time.
type Checkout struct {
	Inputs []Input
	// Root is the folder that Inputs are relative to and that nothing outside of
	// may be read for them. Empty: plain files, without bounds.
	Root   string
	Commit *spec.Commit // nil: plain files
	Seen   time.Time    // when the source last said that this is what it holds

	tree *gitTree // nil: all files are there
}

// Options are base for loading one of the inputs.
func (c *Checkout) Options(in Input, base spec.Options) spec.Options {
	base.Files, base.Root, base.Commit = in.Files, c.Root, c.Commit
	if c.tree != nil {
		base.Provide = c.tree.provide
	}
	return base
}

// Files is the source of specs that lie in files and folders, as Paths finds
// them.
type Files []string

// Get looks for the files anew. A folder without a spec holds none, and a file
// that cannot be read is the trouble of whoever loads it.
func (f Files) Get(context.Context) (*Checkout, error) {
	inputs, err := find(f)
	if err != nil && !errors.Is(err, errNone) {
		return nil, err
	}
	return &Checkout{Inputs: inputs, Seen: time.Now()}, nil
}

// Input is one stack's files.
type Input struct {
	Files []string // merged in order
}

// Paths turns the arguments of -f into inputs. Files are one stack together.
// A directory holds one stack in each *.yaml and *.yml file that lies directly
// in it, by name; hidden files and *.override.yaml are passed over. No
// arguments mean Default. The errors say what to do; a file that cannot be
// read is one of them.
func Paths(args []string) ([]Input, error) {
	inputs, err := find(args)
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		if err := readable(in.Files); err != nil {
			return nil, err
		}
	}
	return inputs, nil
}

// errNone is that folders hold no spec.
var errNone = errors.New("put one there for each stack, or name a file with -f FILE")

// missing is the error of a file that is not there, whole.
type missing string

func (m missing) Error() string { return string(m) }
func (missing) Unwrap() error   { return fs.ErrNotExist }

// find is Paths without a look into the files.
func find(args []string) ([]Input, error) {
	if len(args) == 0 {
		args = []string{Default}
	}
	var files, dirs []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case errors.Is(err, fs.ErrNotExist) && arg == Default:
			return nil, missing(fmt.Sprintf("spec %s: no such file: it is read when no other is named; name yours with -f FILE", arg))
		case errors.Is(err, fs.ErrNotExist):
			return nil, missing(fmt.Sprintf("spec %s: no such file: correct -f FILE; the default is %s", arg, Default))
		case err != nil:
			return nil, fmt.Errorf("spec %s: cannot be read: %w", arg, reason(err))
		case info.IsDir():
			dirs = append(dirs, arg)
		default:
			files = append(files, arg)
		}
	}
	switch {
	case len(dirs) == 0:
		return []Input{{Files: files}}, nil
	case len(files) > 0:
		return nil, fmt.Errorf("spec %s is a directory and %s a file: give files, which are one stack together, or directories, which hold one stack in each file", dirs[0], files[0])
	}
	var out []Input
	var none error
	for _, dir := range dirs {
		found, err := specsIn(dir)
		if err != nil && !errors.Is(err, errNone) {
			return nil, err
		}
		none = cmp.Or(none, err)
		out = append(out, found...)
	}
	return out, none
}

func specsIn(dir string) ([]Input, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("spec directory %s: cannot be read: %w", dir, reason(err))
	}
	var files []string
	for _, e := range list {
		path := filepath.Join(dir, e.Name())
		if !isSpec(e.Name()) {
			continue
		}
		// A link to a file is one; a mounted config directory is full of them.
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			files = append(files, path)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("spec directory %s: no *.yaml or *.yml file in it: %w", dir, errNone)
	}
	slices.Sort(files)
	var out []Input
	for _, f := range files {
		out = append(out, Input{Files: []string{f}})
	}
	return out, nil
}

func isSpec(name string) bool {
	ext := filepath.Ext(name)
	if ext != ".yaml" && ext != ".yml" || strings.HasPrefix(name, ".") {
		return false
	}
	return filepath.Ext(strings.TrimSuffix(name, ext)) != ".override"
}

// readable opens each file once, so that the error comes before any work.
func readable(files []string) error {
	for _, f := range files {
		h, err := os.Open(f)
		if err != nil {
			return fmt.Errorf("spec %s: cannot be read: %w", f, reason(err))
		}
		if err := h.Close(); err != nil {
			return fmt.Errorf("spec %s: %w", f, err)
		}
	}
	return nil
}

// reason is the cause of a file error without the path it repeats.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
