package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

// SpecHash identifies what a service spec means: two specs that Diff finds
// equal have one hash, whatever the Engine filled in. It covers neither
// swarmward's own labels nor an image's digest.
func SpecHash(s swarm.ServiceSpec) string { return hashing{}.of(s) }

// hashing says what a hash is to cover.
type hashing struct {
	digests bool                   // the image's digest too
	api     int                    // only what this minor version of the API keeps; 0: everything
	ignored func(path string) bool // not this
}

func (h hashing) of(s swarm.ServiceSpec) string {
	hash, _ := h.sum(s)
	return hash
}

// sum also says whether the hash covers everything.
func (h hashing) sum(s swarm.ServiceSpec) (hash string, whole bool) {
	w := walker{canonical: true, digests: h.digests, api: h.api, ignored: h.ignored}
	w.service(&swarm.ServiceSpec{}, &s)
	slices.Sort(w.lines)
	sum := sha256.Sum256([]byte(strings.Join(w.lines, "\x01")))
	return "v1:" + hex.EncodeToString(sum[:12]), len(w.dropped) == 0 && w.kept == 0
}

// marking is how a service's writes are marked and recognised.
type marking struct {
	pinned bool // the spec pins the image's digest
	api    int
	prefix string                 // of the paths that ignored is asked about
	rules  func(path string) bool // nil: nothing is ignored
}

// mark is what the label swarmward.applied says: the hash of the spec that was
// written and, where that is less, the hash of what this Engine keeps of it and
// no rule ignores. With both, neither a change of a rule nor an upgrade of the
// Engine, which keeps more from then on, is taken for anybody's change.
type mark struct{ full, rest string }

// mark of s; pinned counts an image's digest in.
func (m marking) mark(s swarm.ServiceSpec, pinned bool) mark {
	h := hashing{digests: pinned, api: m.api}
	if m.rules != nil {
		h.ignored = func(path string) bool { return m.rules(m.prefix + "." + path) }
	}
	rest, whole := h.sum(s)
	if whole {
		return mark{rest, rest}
	}
	return mark{hashing{digests: pinned}.of(s), rest}
}

func (m mark) String() string {
	if m.full == m.rest {
		return m.full
	}
	return m.full + "+" + m.rest
}

// on says whether a service with that label was written with this mark.
func (m mark) on(label string) bool {
	full, rest, _ := strings.Cut(label, "+")
	return full == m.full || full == m.rest || rest == m.rest
}

// cause compares the live spec, the one that was written last and the one that
// is wanted now. What a rule ignores is nobody's change.
func (m marking) cause(live swarm.ServiceSpec, next mark, changes []FieldChange) string {
	applied := live.Labels[LabelApplied]
	// Whether the mark covers a digest depends on the spec that was written.
	byHand := !m.mark(live, m.pinned).on(applied) && !m.mark(live, !m.pinned).on(applied)
	bySpec := !next.on(applied)
	switch {
	case applied == "":
		return "not under swarmward yet"
	case byHand && bySpec:
		return "the spec changed, and so did somebody by hand"
	case byHand:
		return "changed by hand"
	case !bySpec && !slices.ContainsFunc(changes, func(c FieldChange) bool { return c.since == 0 }):
		return "this Engine keeps what an older one dropped"
	}
	return "the spec changed"
}

// minorVersion of an Engine's API: 41 of 1.41; 0 for one that cannot be read.
func minorVersion(api string) int {
	minor, ok := strings.CutPrefix(api, "1.")
	n, err := strconv.Atoi(minor)
	if !ok || err != nil {
		return 0
	}
	return n
}
