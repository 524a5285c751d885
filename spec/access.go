package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// access is how one load reaches files: within bounds, and what is sealed
// opened.
type access struct {
	root    string // absolute; empty: no bounds
	provide func(string) error
	keys    *keys
}

func newAccess(o Options) (*access, error) {
	a := &access{provide: o.Provide, keys: newKeys(o)}
	if o.Root != "" {
		root, err := filepath.Abs(o.Root)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Root, err)
		}
		a.root = root
	}
	return a, nil
}

// Refused is a file that may not be read for a spec, whatever is in it.
type Refused struct {
	Why    string // goes on after the file's name
	Remedy string
}

func (r *Refused) Error() string { return r.Why + "; " + r.Remedy }

const outsideRemedy = "put it into the repository; nothing outside of it is read"

// full is the absolute path of a file that an option names.
func (a *access) full(name string) (string, error) {
	if a.root != "" && !filepath.IsAbs(name) {
		return filepath.Join(a.root, name), nil
	}
	return filepath.Abs(name)
}

// within is a path relative to the root, with slashes; false when it lies
// outside or there are no bounds.
func (a *access) within(path string) (string, bool) {
	if a.root == "" {
		return "", false
	}
	rel, err := filepath.Rel(a.root, path)
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}

// look makes sure that a file that the spec names by this absolute path may be
// read, and is there when it is anywhere. The error is a *Refused.
func (a *access) look(path string) error {
	if a.root == "" {
		return nil
	}
	rel, ok := a.within(path)
	if !ok {
		return &Refused{"lies outside of the repository: " + path, outsideRemedy}
	}
	if a.provide != nil {
		if err := a.provide(rel); err != nil {
			return err
		}
	}
	return a.inside(path)
}

// inside refuses a path that leads out by way of links.
func (a *access) inside(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if target, err := os.Readlink(path); err == nil {
			return &Refused{"is a link to " + target + ", which is not there", "correct the link"}
		}
		return nil
	}
	root, rootErr := filepath.EvalSymlinks(a.root)
	if err = errors.Join(err, rootErr); err != nil {
		return &Refused{"cannot be followed: " + reason(err).Error(), "correct the link"}
	}
	if real != root && !strings.HasPrefix(real, root+string(filepath.Separator)) {
		return &Refused{"is a link that leads out of the repository, to " + real, outsideRemedy}
	}
	return nil
}

// read is the content of a file that the spec names, opened when it is sealed.
func (a *access) read(path string) ([]byte, error) {
	if err := a.look(path); err != nil {
		return nil, err
	}
	return a.open(path)
}

// open is read for a file that the caller of Load names, wherever it is.
func (a *access) open(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil || !isSealed(data) {
		return data, err
	}
	return a.keys.unseal(data)
}

// stat is os.Stat of a file that the spec names.
func (a *access) stat(path string) (fs.FileInfo, error) {
	if err := a.look(path); err != nil {
		return nil, err
	}
	return os.Stat(path)
}

// Rules of findings about files that are there and not read.
const (
	ruleRefused = "file-refused"
	ruleSealed  = "file-sealed"
)

const unreadRemedy = "give the identity with --age-identity FILE to have it checked"

// refusal is what to report about a file that could not be read: what the
// error says where it is a *Refused, otherwise what is given.
func refusal(err error, rule, message, remedy string) (string, string, string) {
	var refused *Refused
	if errors.As(err, &refused) {
		return ruleRefused, refused.Why, refused.Remedy
	}
	return rule, message, remedy
}
