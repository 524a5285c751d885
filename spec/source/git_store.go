package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/swarmward/swarmward/spec"
)

// gitStore holds git objects on disk. Specs are read from it while more is
// fetched.
type gitStore struct {
	dir     string
	objects *lockedObjects
}

// lockedObjects are objects for several readers, each of which is in memory
// once it is read.
type lockedObjects struct {
	*filesystem.Storage
	mu sync.Mutex
}

func (l *lockedObjects) EncodedObject(kind plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Storage.EncodedObject(kind, h)
}

func (l *lockedObjects) EncodedObjectSize(h plumbing.Hash) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Storage.EncodedObjectSize(h)
}

func (l *lockedObjects) Reindex() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Storage.Reindex()
}

// The objects that are kept in memory, trees above all.
const storeMemory = 4 * cache.MiByte

func openStore(dir string) (*gitStore, error) {
	if _, err := os.Stat(filepath.Join(dir, "objects")); err != nil {
		return nil, err
	}
	return &gitStore{dir: dir, objects: &lockedObjects{Storage: newStorage(dir)}}, nil
}

func newStorage(dir string) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(osfs.New(dir, osfs.WithBoundOS()), cache.NewObjectLRU(storeMemory), filesystem.Options{})
}

func createStore(dir string) (*gitStore, error) {
	if err := newStorage(dir).Init(); err != nil {
		return nil, err
	}
	return openStore(dir)
}

// want is what to fetch, and what is here already.
type want struct {
	hashes []plumbing.Hash
	have   []plumbing.Hash // commits that are here without their history
	deep   bool            // with all history
}

type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the repository takes more than %d MB; raise --git-max-size, or keep the specs in a smaller one", e.limit>>20)
}

// fetch adds what a remote sends. The store takes up at most limit bytes.
func (s *gitStore) fetch(ctx context.Context, from remote, w want, limit int64) error {
	if err := s.tidy(); err != nil {
		return err
	}
	pack, err := newStorage(s.dir).PackfileWriter()
	if err != nil {
		return err
	}
	to := &limited{to: pack, left: limit - s.size(), limit: limit}
	err = from.fetch(ctx, w, to)
	if closeErr := pack.Close(); err == nil {
		err = closeErr
	}
	s.objects.Reindex()
	if err != nil {
		_ = s.tidy()
		return err
	}
	return s.sync()
}

// limited refuses what goes beyond a size.
type limited struct {
	to          io.Writer
	left, limit int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, &tooLargeError{l.limit}
	}
	return l.to.Write(p)
}

// tidy removes what a fetch that was killed has left: half a pack, or an index
// without one.
func (s *gitStore) tidy() error {
	packs := filepath.Join(s.dir, "objects", "pack")
	list, err := os.ReadDir(packs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range list {
		name, isIndex := strings.CutSuffix(e.Name(), ".idx")
		if isIndex {
			_, err := os.Stat(filepath.Join(packs, name+".pack"))
			isIndex = errors.Is(err, fs.ErrNotExist)
		}
		if isIndex || strings.HasPrefix(e.Name(), "tmp_") {
			if err := os.Remove(filepath.Join(packs, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// sync makes what was fetched last through a power cut.
func (s *gitStore) sync() error {
	list, err := filepath.Glob(filepath.Join(s.dir, "objects", "pack", "*"))
	for _, path := range append(list, filepath.Join(s.dir, "objects", "pack")) {
		f, openErr := os.Open(path)
		if openErr != nil {
			return openErr
		}
		err = errors.Join(err, f.Sync(), f.Close())
	}
	return err
}

// size is what the store takes up on disk.
func (s *gitStore) size() int64 {
	var n int64
	_ = filepath.WalkDir(s.dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // removed meanwhile, and then it has no size
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// whole says whether a commit or tag is here with the folder that it is of.
func (s *gitStore) whole(hash plumbing.Hash) bool {
	commit, err := s.peel(hash)
	if err != nil {
		return false
	}
	_, err = commit.Tree()
	return err == nil
}

// damaged says whether what should be here is not.
func (s *gitStore) damaged(have []plumbing.Hash) bool {
	for _, h := range have {
		if !s.whole(h) {
			return true
		}
	}
	return false
}

// peel is the commit that a commit or tag is.
func (s *gitStore) peel(hash plumbing.Hash) (*object.Commit, error) {
	if commit, err := object.GetCommit(s.objects, hash); err == nil {
		return commit, nil
	}
	tag, err := object.GetTag(s.objects, hash)
	if err != nil {
		return nil, err
	}
	if tag.TargetType != plumbing.CommitObject {
		return nil, fmt.Errorf("the tag %s is one of a %s; tag a commit", tag.Name, tag.TargetType)
	}
	return object.GetCommit(s.objects, tag.Target)
}

// commit is the commit that a target leads to, and what there is to say of it.
func (s *gitStore) commit(t gitTarget) (*object.Commit, spec.Commit, error) {
	commit, err := s.peel(t.hash())
	if err != nil {
		return nil, spec.Commit{}, err
	}
	subject, _, _ := strings.Cut(strings.TrimSpace(commit.Message), "\n")
	return commit, spec.Commit{
		ID: commit.Hash.String(), Subject: strings.TrimSpace(subject), At: commit.Committer.When,
		Author: fmt.Sprintf("%s <%s>", commit.Author.Name, commit.Author.Email),
	}, nil
}

// raw is an object as it is hashed and signed.
func (s *gitStore) raw(kind plumbing.ObjectType, hash plumbing.Hash) ([]byte, error) {
	o, err := s.objects.EncodedObject(kind, hash)
	if err != nil {
		return nil, err
	}
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}
