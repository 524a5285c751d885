package reconcile

import (
	"reflect"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/swarm"
)

// sameImage compares references as Swarm resolves them.
func sameImage(live, want reflect.Value) bool {
	return SameImage(live.String(), want.String())
}

// SameImage says whether a service that runs live is what a spec that says
// want asks for: equal names and tags and, where want pins a digest, that too.
// Where want pins none, any will do: the registry's, pinned by whoever wrote
// the service last, or one that somebody chose by hand.
func SameImage(live, want string) bool {
	// The usual case, and parsing is slow: the tag, pinned by the registry.
	if name, _, _ := strings.Cut(live, "@"); live == want || name == want && tagged(want) {
		return true
	}
	l, err1 := reference.ParseNormalizedNamed(live)
	w, err2 := reference.ParseNormalizedNamed(want)
	if err1 != nil || err2 != nil || l.Name() != w.Name() {
		return false
	}
	wd, pinned := w.(reference.Digested)
	if !pinned {
		return imageTag(l) == imageTag(w) && imageTag(l) != ""
	}
	ld, ok := l.(reference.Digested)
	return ok && ld.Digest() == wd.Digest() && imageTag(l) == imageTag(w)
}

// imageTag is latest where there is neither tag nor digest, and empty where
// there is a digest alone.
func imageTag(n reference.Named) string {
	if t, ok := reference.TagNameOnly(n).(reference.Tagged); ok {
		return t.Tag()
	}
	return ""
}

// pinned says whether the image names its digest.
func pinned(c *swarm.ContainerSpec) bool { return c != nil && strings.Contains(c.Image, "@") }

// canonicalImage is the name and tag in full, without the digest that the
// Engine may have pinned.
func canonicalImage(v reflect.Value) string {
	n, err := reference.ParseNormalizedNamed(v.String())
	if err != nil {
		return v.String()
	}
	if tag := imageTag(n); tag != "" {
		return n.Name() + ":" + tag
	}
	return n.Name() // pinned by digest alone
}

// formatImage leaves out the digest beside a tag: people choose tags.
func formatImage(v reflect.Value) string {
	name, _, pinned := strings.Cut(v.String(), "@")
	if pinned && !tagged(name) {
		return v.String()
	}
	return name
}

// tagged says whether a name without a digest has a tag.
func tagged(name string) bool {
	return strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":")
}
