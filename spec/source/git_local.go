package source

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// localRemote is a repository on this machine, read without git itself, which
// a container has none of.
type localRemote struct {
	repo *git.Repository
}

func openLocalRemote(path string) (remote, error) {
	repo, err := git.PlainOpenWithOptions(path, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		return nil, errors.New("there is no repository; correct --git")
	}
	if err != nil {
		return nil, err
	}
	// As it is opened, it would keep some 100 MB of objects in memory.
	if s, ok := repo.Storer.(*filesystem.Storage); ok {
		small := filesystem.NewStorageWithOptions(listing{s.Filesystem()}, cache.NewObjectLRU(storeMemory), filesystem.Options{})
		if repo, err = git.Open(small, nil); err != nil {
			return nil, err
		}
	}
	return &localRemote{repo}, nil
}

// listing lists a folder while git writes in it. A lock, which is where git
// writes what a branch is to be, is no branch, though go-git takes it for one;
// and when a lock is gone between its name and its size, all of the folder seems
// not to be there, which go-git takes for empty.
type listing struct{ billy.Filesystem }

func (l listing) ReadDir(path string) ([]fs.FileInfo, error) {
	const most = 100
	for n := 1; ; n++ {
		infos, err := l.Filesystem.ReadDir(path)
		if n == most || !errors.Is(err, fs.ErrNotExist) {
			return slices.DeleteFunc(infos, func(i fs.FileInfo) bool { return strings.HasSuffix(i.Name(), ".lock") }), err
		}
		if _, gone := l.Stat(path); gone != nil {
			return infos, err
		}
	}
}

func (l *localRemote) refs(context.Context) (gitRefs, error) {
	out := gitRefs{byName: map[string]plumbing.Hash{}}
	list, err := l.repo.References()
	if err != nil {
		return out, err
	}
	err = list.ForEach(func(r *plumbing.Reference) error {
		switch {
		case r.Type() == plumbing.HashReference && r.Name() == plumbing.HEAD:
			out.at = r.Hash().String()
		case r.Type() == plumbing.HashReference:
			out.byName[r.Name().String()] = r.Hash()
		case r.Name() == plumbing.HEAD:
			out.head = r.Target().String()
		}
		return nil
	})
	if err == nil && len(out.byName) == 0 && out.at == "" {
		err = errEmptyRepository
	}
	return out, err
}

// fetch packs the wanted commits, each with its folder; never their history,
// for a commit that is here can be had by its id.
func (l *localRemote) fetch(ctx context.Context, w want, to io.Writer) error {
	p := packing{ctx: ctx, from: l.repo.Storer, seen: map[plumbing.Hash]bool{}}
	for _, h := range w.have {
		// What is here is not sent again. That the commit may be gone by now is
		// no fault: then more is sent.
		_ = p.commit(h)
	}
	p.list = nil
	for _, h := range w.hashes {
		if err := p.add(h); err != nil {
			return err
		}
	}
	return p.write(to)
}

func (l *localRemote) close() {}

// packing gathers the objects that belong to commits.
type packing struct {
	ctx  context.Context
	from storer.EncodedObjectStorer
	seen map[plumbing.Hash]bool
	list []plumbing.Hash
}

// write writes a pack, an object after the other: they need not all be in
// memory, as they are for go-git's encoder.
func (p *packing) write(to io.Writer) error {
	sum := sha1.New()
	out := bufio.NewWriter(io.MultiWriter(to, sum))
	fmt.Fprintf(out, "PACK%s", binary.BigEndian.AppendUint32([]byte{0, 0, 0, 2}, uint32(len(p.list))))
	z, err := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	if err != nil {
		return err
	}
	for _, h := range p.list {
		if err := errors.Join(p.ctx.Err(), p.object(h, out, z)); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = to.Write(sum.Sum(nil))
	return err
}

// object writes its kind and size, and then the content: four bits of the size
// and then seven at a time, the lowest first.
func (p *packing) object(h plumbing.Hash, out *bufio.Writer, z *zlib.Writer) error {
	o, err := p.from.EncodedObject(plumbing.AnyObject, h)
	if err != nil {
		return err
	}
	size := uint64(o.Size())
	head := []byte{byte(o.Type())<<4 | byte(size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(size&0x7f))
	}
	_, _ = out.Write(head)
	z.Reset(out)
	r, err := o.Reader()
	if err != nil {
		return err
	}
	_, err = io.Copy(z, r)
	return errors.Join(err, r.Close(), z.Close())
}

func (p *packing) put(h plumbing.Hash) (isNew bool) {
	if p.seen[h] {
		return false
	}
	p.seen[h] = true
	p.list = append(p.list, h)
	return true
}

func (p *packing) add(h plumbing.Hash) error {
	tag, err := object.GetTag(p.from, h)
	if err != nil {
		return p.commit(h)
	}
	p.put(h)
	return p.commit(tag.Target)
}

func (p *packing) commit(h plumbing.Hash) error {
	commit, err := object.GetCommit(p.from, h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return fmt.Errorf("commit %s is not in the repository; correct --git-ref", h)
	}
	if err != nil {
		return err
	}
	p.put(h)
	return p.tree(commit.TreeHash)
}

func (p *packing) tree(h plumbing.Hash) error {
	if !p.put(h) {
		return nil
	}
	if err := p.ctx.Err(); err != nil {
		return err
	}
	tree, err := object.GetTree(p.from, h)
	if err != nil {
		return err
	}
	for _, e := range tree.Entries {
		switch e.Mode {
		case filemode.Submodule:
		case filemode.Dir:
			if err := p.tree(e.Hash); err != nil {
				return err
			}
		default:
			if size, err := p.from.EncodedObjectSize(e.Hash); err != nil {
				return err
			} else if size <= maxFile {
				p.put(e.Hash)
			}
		}
	}
	return nil
}
