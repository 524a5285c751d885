package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// gitCache is the folder of one repository and ref:
//
//	state.json     the last good commit, and the store that has it
//	lock           held by who fetches
//	store-N/       git objects; a new one is begun when the old one is bloated
//	checkouts/X/   the files of one process, by commit; X.lock is held by it
//
// Everything in it can be made anew from the repository.
type gitCache struct {
	dir    string
	state  *gitState
	stores map[string]*gitStore
	own    string   // this process's folder of checkouts
	hold   *os.File // keeps others from removing it
	recent []string // checkouts, the newest last
}

// gitState is state.json.
type gitState struct {
	Target gitTarget `json:"target"`
	Store  string    `json:"store"`
	Size   int64     `json:"size"` // of the store when it was new
	Seen   time.Time `json:"seen"`
}

func newGitCache(parent, url, ref string) *gitCache {
	name := sha256.Sum256([]byte(withoutUser(url) + "\n" + ref))
	return &gitCache{dir: filepath.Join(parent, hex.EncodeToString(name[:8])), stores: map[string]*gitStore{}}
}

// begin takes up what is there. The cache is locked.
func (c *gitCache) begin() error {
	checkouts := filepath.Join(c.dir, "checkouts")
	err := os.MkdirAll(checkouts, 0o700)
	if err == nil {
		c.sweep(checkouts)
		c.own, err = os.MkdirTemp(checkouts, "")
	}
	if err == nil {
		c.hold, err = lockFile(c.own + ".lock")
	}
	if err != nil {
		return fmt.Errorf("--git-cache: %w", err)
	}
	return nil
}

// look at what the last process to fetch has left, which may be another one.
func (c *gitCache) look() {
	data, err := os.ReadFile(filepath.Join(c.dir, "state.json"))
	if err != nil {
		return
	}
	var s gitState
	if json.Unmarshal(data, &s) == nil {
		c.state = &s
	}
}

var errLocked = errors.New("another process has it")

// lockFile takes a lock that goes when the process does.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, err
	}
	return f, nil
}

// sweep removes the checkouts of processes that are gone.
func (c *gitCache) sweep(checkouts string) {
	locks, _ := filepath.Glob(filepath.Join(checkouts, "*.lock"))
	for _, path := range locks {
		f, err := lockFile(path)
		if err != nil {
			continue
		}
		_ = os.RemoveAll(strings.TrimSuffix(path, ".lock"))
		_ = os.Remove(path)
		_ = f.Close()
	}
}

// lock waits until no other process fetches.
func (c *gitCache) lock(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("--git-cache: %w", err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := lockFile(filepath.Join(c.dir, "lock"))
		if err == nil {
			c.look()
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("--git-cache: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another process fetches into %s: %w", c.dir, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func (c *gitCache) kept() (gitState, bool) {
	if c.state == nil {
		return gitState{}, false
	}
	return *c.state, true
}

func (c *gitCache) open(name string) (*gitStore, error) {
	if s, ok := c.stores[name]; ok {
		return s, nil
	}
	if name == "" || name != filepath.Base(name) {
		return nil, fs.ErrNotExist
	}
	s, err := openStore(filepath.Join(c.dir, name))
	if err == nil {
		c.stores[name] = s
	}
	return s, err
}

// current is the store of the last good commit, and that commit; nil when it
// has to be made anew.
func (c *gitCache) current() (*gitStore, []plumbing.Hash) {
	if c.state == nil {
		return nil, nil
	}
	s, err := c.open(c.state.Store)
	if err != nil {
		return nil, nil
	}
	commit, err := s.peel(c.state.Target.hash())
	if err != nil {
		return nil, nil
	}
	return s, []plumbing.Hash{commit.Hash}
}

// bloated says whether so much has piled up that fetching anew is worth it.
func (c *gitCache) bloated() bool {
	const slack = 32 << 20
	s, _ := c.current()
	return s != nil && s.size() > 2*c.state.Size+slack
}

// create begins a new store. Those of earlier attempts go; the one before the
// current stays for who still reads from it.
func (c *gitCache) create() (*gitStore, error) {
	current := ""
	if c.state != nil {
		current = c.state.Store
	}
	all, _ := filepath.Glob(filepath.Join(c.dir, "store-*"))
	n := 0
	for _, path := range all {
		var number int
		if _, err := fmt.Sscanf(filepath.Base(path), "store-%d", &number); err == nil {
			n = max(n, number)
		}
		if name := filepath.Base(path); name != current {
			delete(c.stores, name)
			_ = os.RemoveAll(path)
		}
	}
	name := fmt.Sprintf("store-%d", n+1)
	s, err := createStore(filepath.Join(c.dir, name))
	if err != nil {
		return nil, fmt.Errorf("--git-cache: %w", err)
	}
	c.stores[name] = s
	return s, nil
}

// drop removes a store that is not the current one.
func (c *gitCache) drop(s *gitStore) {
	name := filepath.Base(s.dir)
	if c.state == nil || c.state.Store != name {
		delete(c.stores, name)
		_ = os.RemoveAll(s.dir)
	}
}

// keep notes the last good commit, in one step.
func (c *gitCache) keep(s *gitStore, t gitTarget, seen time.Time) error {
	next := gitState{Target: t, Store: filepath.Base(s.dir), Seen: seen}
	if c.state != nil && c.state.Store == next.Store {
		next.Size = c.state.Size
	} else {
		next.Size = s.size()
	}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.dir, "state.json"), data); err != nil {
		return fmt.Errorf("--git-cache: %w", err)
	}
	c.state = &next
	return nil
}

// checkout is an empty folder for the files of a commit. It and the one before
// stay; older ones go.
func (c *gitCache) checkout(commit string) (string, error) {
	dir, err := os.MkdirTemp(c.own, commit[:12]+"-")
	if err != nil {
		return "", fmt.Errorf("--git-cache: %w", err)
	}
	c.recent = append(c.recent, dir)
	for len(c.recent) > 3 {
		_ = os.RemoveAll(c.recent[0])
		c.recent = slices.Delete(c.recent, 0, 1)
	}
	return dir, nil
}

// discard a checkout that is of no use, so that it pushes out none that is.
func (c *gitCache) discard(dir string) {
	c.recent = slices.DeleteFunc(c.recent, func(other string) bool { return other == dir })
	_ = os.RemoveAll(dir)
}

// writeFile writes a file whole or not at all.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
