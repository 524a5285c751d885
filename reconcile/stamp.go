package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
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
	w := walker{canonical: true, digests: h.digests, api: h.api, ignored: h.ignored}
	w.service(&swarm.ServiceSpec{}, &s)
	lines := make([]string, 0, len(w.changes))
	for _, c := range w.changes {
		lines = append(lines, c.Path+"\x00"+orUnset(c.New))
	}
	slices.Sort(lines)
	sum := sha256.New()
	for _, l := range lines {
		_, _ = io.WriteString(sum, l+"\x01")
	}
	return "v1:" + hex.EncodeToString(sum.Sum(nil)[:12])
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
func (m marking) mark(s swarm.ServiceSpec) string {
	full, rest := hashing{digests: m.pinned}.of(s), m.rest(m.pinned).of(s)
	if full == rest {
		return full
	}
	return full + "+" + rest
}

func (m marking) rest(digests bool) hashing {
	h := hashing{digests: digests, api: m.api}
	if m.rules != nil {
		h.ignored = func(path string) bool { return m.rules(m.prefix + "." + path) }
	}
	return h
}

// written says whether the label is the mark of s.
func (m marking) written(label string, s swarm.ServiceSpec, digests bool) bool {
	full, rest, _ := strings.Cut(label, "+")
	return full == hashing{digests: digests}.of(s) || full == m.rest(digests).of(s) || rest != "" && rest == m.rest(digests).of(s)
}

// cause compares the live spec, the one that was written last and the one that
// is wanted now. What a rule ignores is nobody's change.
func (m marking) cause(live, next swarm.ServiceSpec, changes []FieldChange) string {
	applied := live.Labels[LabelApplied]
	// Whether the mark covers a digest depends on the spec that was written.
	byHand := !m.written(applied, live, m.pinned) && !m.written(applied, live, !m.pinned)
	bySpec := !m.written(applied, next, m.pinned)
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
