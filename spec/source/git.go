package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/swarmward/swarmward/spec"
)

// Git is the source of specs that are in a git repository. It asks the server
// at every Get, fetches one commit without its history when that is a new one,
// and keeps it on disk: after a restart without a server the last good one is
// there. Nothing is set after the first Get.
type Git struct {
	URL string // https, http, ssh, git@host:path, file or a path
	// Ref is a branch, a tag or the full id of a commit; a name that is both is
	// written refs/heads/NAME or refs/tags/NAME. Empty: the remote's HEAD.
	Ref string
	// Paths are files, one stack together, or folders, which hold one stack in
	// each file. Empty: Default.
	Paths []string
	// Cache is the folder that fetched commits are kept in. Several processes and
	// several repositories may share one.
	Cache string
	// MaxSize is how many bytes of a repository are kept on disk; 0 means 1 GB.
	MaxSize int64
	// Timeout of one Get; 0 means 10 min.
	Timeout time.Duration
	Access  GitAccess
	Verify  GitVerify

	turn  chan struct{} // holds one token; who has it may use what follows
	cache *gitCache
	last  *Checkout
	// refused has what may not be used (yet), and would be fetched again.
	refused *gitStore
}

// GitAccess is how the server is reached. Files are read at every Get, so that
// a new token or key needs no restart.
type GitAccess struct {
	TokenFile, Username string // over HTTP
	CAFile              string // certificates that an HTTPS server may be signed by, beside the machine's
	SSHKeyFile          string // empty: those of the SSH agent
	KnownHosts          string // empty: the user's and the machine's
}

const (
	gitMaxSize = 1 << 30
	gitTimeout = 10 * time.Minute
)

// NewGit is a Git that is ready for Get.
func NewGit(g Git) *Git {
	g.turn, g.last, g.refused = make(chan struct{}, 1), nil, nil
	g.turn <- struct{}{}
	g.MaxSize = cmp.Or(g.MaxSize, gitMaxSize)
	g.Timeout = cmp.Or(g.Timeout, gitTimeout)
	g.cache = newGitCache(g.Cache, g.URL, g.Ref)
	if len(g.Paths) == 0 {
		g.Paths = []string{Default}
	}
	return &g
}

// Get asks the server. One Get works at a time; others wait for their turn. An
// *Unverified is among its errors.
func (g *Git) Get(ctx context.Context) (*Checkout, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-g.turn:
	}
	defer func() { g.turn <- struct{}{} }()
	ctx, cancel := context.WithTimeoutCause(ctx, g.Timeout, fmt.Errorf("no answer within %s", g.Timeout))
	defer cancel()
	next, err := g.get(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return g.last, fmt.Errorf("git %s: %w", Masked(g.URL), err)
	}
	g.last = next
	return next, nil
}

func (g *Git) get(ctx context.Context) (*Checkout, error) {
	release, err := g.cache.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if g.cache.own == "" {
		if err := g.cache.begin(); err != nil {
			return nil, err
		}
		g.resume()
	}
	remote, err := newRemote(g.URL, g.Access)
	if err != nil {
		return nil, err
	}
	defer remote.close()
	target, err := g.target(ctx, remote)
	if err != nil {
		return nil, err
	}
	store, err := g.fetch(ctx, remote, target)
	if err != nil {
		return nil, err
	}
	next, err := g.accept(store, target, time.Now())
	if err != nil {
		g.refused = store
		return nil, err
	}
	g.refused = nil
	if err := g.cache.keep(store, target, next.Seen); err != nil {
		if g.last == nil || g.last.Root != next.Root {
			g.cache.discard(next.Root)
		}
		return nil, err
	}
	return next, nil
}

// resume takes up the last good commit of an earlier process, unless it would
// not be accepted now.
func (g *Git) resume() {
	kept, ok := g.cache.kept()
	if !ok {
		return
	}
	store, err := g.cache.open(kept.Store)
	if err != nil {
		return
	}
	if last, err := g.accept(store, kept.Target, kept.Seen); err == nil {
		g.last = last
	}
}

// target is what Ref leads to. A commit that is here needs no server: it is
// what it is.
func (g *Git) target(ctx context.Context, remote remote) (gitTarget, error) {
	if kept, ok := g.cache.kept(); ok && plumbing.IsHash(g.Ref) && kept.Target.Hash == g.Ref {
		if store, err := g.cache.open(kept.Store); err == nil && store.whole(kept.Target.hash()) {
			return kept.Target, nil
		}
	}
	refs, err := remote.refs(ctx)
	if err != nil {
		return gitTarget{}, err
	}
	return refs.resolve(g.Ref)
}

// fetch makes sure that a store has all of the target.
func (g *Git) fetch(ctx context.Context, remote remote, target gitTarget) (*gitStore, error) {
	store, have := g.cache.current()
	for _, s := range []*gitStore{store, g.refused} {
		if s != nil && s.whole(target.hash()) {
			return s, nil
		}
	}
	var tooLarge *tooLargeError
	if store != nil && !g.cache.bloated() {
		err := store.fetch(ctx, remote, want{hashes: []plumbing.Hash{target.hash()}, have: have}, g.MaxSize)
		if err == nil && store.whole(target.hash()) {
			return store, nil
		}
		if err != nil && !errors.As(err, &tooLarge) && !store.damaged(have) {
			return g.deeper(ctx, remote, target, err)
		}
	}
	return g.anew(ctx, remote, target)
}

// anew fetches the target into a store of its own, which also gets rid of what
// has piled up and of what is damaged.
func (g *Git) anew(ctx context.Context, remote remote, target gitTarget) (*gitStore, error) {
	store, err := g.cache.create()
	if err != nil {
		return nil, err
	}
	err = store.fetch(ctx, remote, want{hashes: []plumbing.Hash{target.hash()}}, g.MaxSize)
	if err == nil && !store.whole(target.hash()) {
		err = errors.New("the server sent something else than the commit that was asked for")
	}
	if err == nil {
		return store, nil
	}
	g.cache.drop(store)
	var tooLarge *tooLargeError
	if errors.As(err, &tooLarge) {
		return nil, err
	}
	return g.deeper(ctx, remote, target, err)
}

// deeper fetches the history of all branches and tags, where a server gives no
// commit by its id alone.
func (g *Git) deeper(ctx context.Context, remote remote, target gitTarget, reason error) (*gitStore, error) {
	if target.Name != "" || ctx.Err() != nil {
		return nil, reason
	}
	refs, err := remote.refs(ctx)
	if err != nil {
		return nil, err
	}
	store, err := g.cache.create()
	if err != nil {
		return nil, err
	}
	err = store.fetch(ctx, remote, want{hashes: refs.all(), deep: true}, g.MaxSize)
	if err == nil && !store.whole(target.hash()) {
		err = fmt.Errorf("commit %s is not in the repository, neither on a branch nor under a tag; correct --git-ref", target.Hash)
	}
	if err != nil {
		g.cache.drop(store)
		return nil, err
	}
	return store, nil
}

// accept is the checkout of a target that the store holds, if it may be used:
// its signature is what was asked for, and the paths are in it.
func (g *Git) accept(store *gitStore, target gitTarget, seen time.Time) (*Checkout, error) {
	commit, about, err := store.commit(target)
	if err != nil {
		return nil, err
	}
	about.Ref = cmp.Or(target.short(), about.ID)
	if about.Signer, err = g.Verify.signer(store, target, commit); err != nil {
		return nil, &Unverified{Commit: about, Err: err}
	}
	// The files that an unchanged commit has brought already stay in use.
	if g.last != nil && g.last.tree.store == store && g.last.Commit.ID == about.ID {
		again := *g.last
		again.Commit, again.Seen = &about, seen
		return &again, nil
	}
	dir, err := g.cache.checkout(about.ID)
	if err != nil {
		return nil, err
	}
	tree, err := newGitTree(store, commit, dir)
	if err != nil {
		g.cache.discard(dir)
		return nil, err
	}
	inputs, err := tree.inputs(g.Paths)
	if err != nil {
		g.cache.discard(dir)
		return nil, fmt.Errorf("commit %s: %w", about.ID[:7], err)
	}
	return &Checkout{Inputs: inputs, Root: dir, Commit: &about, Seen: seen, tree: tree}, nil
}

// Unverified is the error of a commit that is there and may not be deployed.
type Unverified struct {
	Commit spec.Commit
	Err    error // what is wrong with its signature, and what to do
}

func (u *Unverified) Error() string {
	return fmt.Sprintf("commit %s of %s, %q, is not deployed: %v", u.Commit.ID[:7], u.Commit.Author, u.Commit.Subject, u.Err)
}

func (u *Unverified) Unwrap() error { return u.Err }

// DefaultCache is where a Git keeps what it fetched, unless told otherwise: in
// the user's cache folder.
func DefaultCache(userCacheDir string) string { return filepath.Join(userCacheDir, "swarmward", "git") }
