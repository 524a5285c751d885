package source

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// gitTarget is where a ref leads to.
type gitTarget struct {
	Name string `json:"name,omitempty"` // refs/…; empty: a commit that no ref leads to
	Hash string `json:"hash"`           // of a commit, or of a tag that says something of its own
}

func (t gitTarget) hash() plumbing.Hash { return plumbing.NewHash(t.Hash) }

// short is the name as people write it.
func (t gitTarget) short() string {
	return cmp.Or(strings.TrimPrefix(strings.TrimPrefix(t.Name, headsPrefix), tagsPrefix), t.Hash)
}

// tag is the name of the tag that the target is; false for a branch.
func (t gitTarget) tag() (string, bool) { return strings.CutPrefix(t.Name, tagsPrefix) }

const (
	headsPrefix = "refs/heads/"
	tagsPrefix  = "refs/tags/"
)

// gitRefs are what a repository has.
type gitRefs struct {
	head   string // the branch that HEAD is, in full
	at     string // the commit that HEAD is, where it is no branch
	byName map[string]plumbing.Hash
}

func (r gitRefs) all() []plumbing.Hash {
	var out []plumbing.Hash
	for name, hash := range r.byName {
		if strings.HasPrefix(name, headsPrefix) || strings.HasPrefix(name, tagsPrefix) {
			out = append(out, hash)
		}
	}
	plumbing.HashesSort(out)
	return slices.Compact(out)
}

// resolve is what a branch, tag or commit leads to; the empty one is HEAD.
func (r gitRefs) resolve(ref string) (gitTarget, error) {
	found := func(name string) (gitTarget, bool) {
		hash, ok := r.byName[name]
		return gitTarget{Name: name, Hash: hash.String()}, ok
	}
	if ref == "" {
		if t, ok := found(r.head); ok {
			return t, nil
		}
		if r.at != "" {
			return gitTarget{Hash: r.at}, nil
		}
		return gitTarget{}, fmt.Errorf("the branch that its HEAD names is not there; name one with --git-ref: %s", r.list())
	}
	if t, ok := found(ref); ok && strings.HasPrefix(ref, "refs/") {
		return t, nil
	}
	branch, isBranch := found(headsPrefix + ref)
	tag, isTag := found(tagsPrefix + ref)
	switch {
	case isBranch && isTag:
		return gitTarget{}, fmt.Errorf("%s is a branch and a tag; write --git-ref %s or --git-ref %s", ref, branch.Name, tag.Name)
	case isBranch:
		return branch, nil
	case isTag:
		return tag, nil
	case plumbing.IsHash(ref):
		return gitTarget{Hash: strings.ToLower(ref)}, nil
	case isShortHash(ref):
		return gitTarget{}, fmt.Errorf("there is no branch and no tag %s; a commit is named by all 40 characters of its id", ref)
	}
	return gitTarget{}, fmt.Errorf("there is no branch and no tag %s (any more); correct --git-ref: %s", ref, r.list())
}

func isShortHash(ref string) bool {
	return len(ref) >= 7 && strings.Trim(ref, "0123456789abcdef") == ""
}

// list is some of the branches and tags, for people to choose from.
func (r gitRefs) list() string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.byName)) {
		if short, ok := strings.CutPrefix(name, headsPrefix); ok {
			names = append(names, short)
		} else if short, ok := strings.CutPrefix(name, tagsPrefix); ok {
			names = append(names, short)
		}
	}
	const most = 8
	switch {
	case len(names) == 0:
		return "it has none"
	case len(names) > most:
		return "it has " + strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return "it has " + strings.Join(names, ", ")
}

var errEmptyRepository = errors.New("the repository is empty; push a commit to it")
