package reconcile

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// walker compares two values of one type field by field, and builds the value
// to write while it does: the live one, with only the differing parts
// replaced. One walk for both, so that what a plan shows is what is written.
type walker struct {
	prefix  string                      // of every path: services.redis
	ignored func(path string) bool      // nil: nothing is
	redact  func(string) (string, bool) // nil: nothing is; true when it hid something
	// digests counts an image's digest in, where canonical leaves it out.
	digests bool
	// api is the minor version of the Engine's API; 0 keeps everything.
	api int
	// canonical writes lines, one text for all that means the same, instead of
	// changes for people to read, and builds nothing.
	canonical bool
	lines     []string

	changes []FieldChange
	dropped []droppedField // wanted, and not kept by this Engine: no change
	kept    int            // paths that were ignored
	at      []segment      // where the walk is
}

type droppedField struct {
	path  string
	since int
}

type segment struct {
	text     string
	absolute bool // the path begins here
	key      bool // of a map or list: quoted where a dot would make it ambiguous
	// times is the how manieth of that key it is; the second is called key#2. A
	// rule is for all of them: which is the second depends on the others.
	times int
}

// service merges two specs.
func (w *walker) service(live, want *swarm.ServiceSpec) swarm.ServiceSpec {
	merged := w.merge(fields(), reflect.ValueOf(live).Elem(), reflect.ValueOf(want).Elem())
	return merged.Interface().(swarm.ServiceSpec)
}

// merge returns live where it means the same as want, and otherwise live with
// every difference taken from want, each recorded as a FieldChange.
func (w *walker) merge(n *node, live, want reflect.Value) reflect.Value {
	if n.skip || w.canonical && n.unhashed {
		return live
	}
	depth := len(w.at)
	if n.segment != "" {
		w.at = append(w.at, segment{text: n.segment, absolute: n.absolute})
	}
	out := live
	if !w.skips() {
		out = w.compare(n, live, want)
	}
	w.at = w.at[:depth]
	return out
}

func (w *walker) compare(n *node, live, want reflect.Value) reflect.Value {
	switch {
	case n.elem != nil:
		return w.keyedList(n, live, want)
	case n.none.IsValid() && live.Kind() == reflect.Pointer:
		return w.pointer(n, live, want)
	case n.none.IsValid():
		return w.structs(n, live, want)
	case n.equal == nil && live.Kind() == reflect.Map:
		return w.maps(n, live, want)
	case live.Kind() == reflect.Slice && n.list == set:
		return w.setList(n, live, want)
	}
	return w.leaf(n, live, want)
}

// found counts what the walk has found so far.
func (w *walker) found() int { return len(w.changes) + len(w.dropped) }

// path is where the walk is, in the user's words.
func (w *walker) path() string { return string(w.appendPath(nil, true)) }

func (w *walker) appendPath(b []byte, ordinals bool) []byte {
	first := len(w.at) - 1
	for first > 0 && !w.at[first].absolute {
		first--
	}
	start := len(b)
	b = append(b, w.prefix...)
	for _, s := range w.at[max(first, 0):] {
		if len(b) > start {
			b = append(b, '.')
		}
		if ordinals && s.times > 1 {
			s.text = fmt.Sprintf("%s#%d", s.text, s.times)
		}
		if s.key {
			s.text = quoteKey(s.text)
		}
		b = append(b, s.text...)
	}
	return b
}

func (w *walker) skips() bool {
	if w.ignored == nil || len(w.at) == 0 || !w.ignored(string(w.appendPath(nil, false))) {
		return false
	}
	w.kept++
	return true
}

// under runs f at a key of the map or list where the walk is.
func (w *walker) under(key string, f func()) { w.nth(key, 1, f) }

// nth is under for an element that is not the first of its key.
func (w *walker) nth(key string, times int, f func()) {
	w.at = append(w.at, segment{text: key, key: true, times: times})
	f()
	w.at = w.at[:len(w.at)-1]
}

// pointer: nil stands for the zero struct or the field's nilDef.
func (w *walker) pointer(n *node, live, want reflect.Value) reflect.Value {
	if live.IsNil() && want.IsNil() {
		return live
	}
	before, kept := w.found(), w.kept
	merged := w.structs(n, n.deref(live), n.deref(want))
	switch {
	case w.found() == before || w.canonical:
		return live
	case w.kept == kept && (live.IsNil() || want.IsNil()):
		return want // as it is written there; with something ignored, part is live's
	}
	p := reflect.New(live.Type().Elem())
	p.Elem().Set(merged)
	return p
}

func (n *node) deref(p reflect.Value) reflect.Value {
	if p.IsNil() {
		return n.none
	}
	return p.Elem()
}

func (w *walker) structs(n *node, live, want reflect.Value) reflect.Value {
	out, copied := live, false
	for _, p := range n.parts {
		before := w.found()
		v := w.merge(p.node, live.Field(p.index), want.Field(p.index))
		if w.found() == before || w.canonical {
			continue
		}
		if !copied {
			out, copied = reflect.New(live.Type()).Elem(), true
			out.Set(live)
		}
		out.Field(p.index).Set(v)
	}
	return out
}

func (w *walker) maps(n *node, live, want reflect.Value) reflect.Value {
	was, is := live.Interface().(map[string]string), want.Interface().(map[string]string)
	if w.ignored == nil && sameMap(was, is) {
		return live
	}
	before := w.found()
	var out map[string]string
	if !w.canonical {
		out = make(map[string]string, len(is))
	}
	for _, k := range unionKeys(was, is) {
		l, inLive := was[k]
		v, inWant := is[k]
		w.under(k, func() {
			switch {
			case ours(k) || inLive == inWant && l == v || w.skips():
				v, inWant = l, inLive
			case w.canonical:
				w.hash(func(b []byte) []byte { return append(b, v...) })
			default:
				w.record(n.secretive && spec.SoundsSecret(k), mapText(l, inLive), mapText(v, inWant))
			}
		})
		if inWant && out != nil {
			out[k] = v
		}
	}
	if w.found() == before || w.canonical {
		return live
	}
	return reflect.ValueOf(out)
}

// sameMap leaves swarmward's own labels out.
func sameMap(a, b map[string]string) bool {
	in := func(a, b map[string]string) bool {
		for k, v := range a {
			if w, ok := b[k]; (!ok || v != w) && !ours(k) {
				return false
			}
		}
		return true
	}
	return in(a, b) && in(b, a)
}

func mapText(s string, set bool) *string {
	if !set {
		return nil
	}
	return &s
}

func (w *walker) leaf(n *node, live, want reflect.Value) reflect.Value {
	if n.same(live, want) {
		return live
	}
	if n.since > w.api && w.api > 0 && n.isNone(live) && !n.isNone(want) {
		w.dropped = append(w.dropped, droppedField{path: w.path(), since: n.since})
		return want
	}
	if w.canonical {
		w.hash(func(b []byte) []byte { return w.appendCanonical(b, n, want) })
		return live
	}
	was, is := n.text(live), n.text(want)
	if was != nil && is != nil && *was == *is {
		was, is = text(fmt.Sprint(live.Interface())), text(fmt.Sprint(want.Interface())) // the format leaves out what differs
	}
	w.record(false, was, is)
	w.changes[len(w.changes)-1].since = n.since
	return want
}

func (w *walker) record(secret bool, old, new *string) {
	c := FieldChange{Path: w.path(), Old: old, New: new}
	for _, p := range []**string{&c.Old, &c.New} {
		if *p == nil {
			continue
		}
		if secret {
			c.Sensitive = true
			continue
		}
		if w.redact != nil {
			if s, hid := w.redact(**p); hid {
				*p, c.Sensitive = &s, true
			}
		}
		if s, hid := spec.HideURLPasswords(**p); hid {
			*p, c.Sensitive = &s, true
		}
	}
	if secret && c.Sensitive {
		c.Old, c.New = nil, nil
	}
	w.changes = append(w.changes, c)
}

// texts compares a field that is no part of a service spec.
func (w *walker) texts(name, live, want string) {
	if live == want {
		return
	}
	w.at = append(w.at, segment{text: name})
	if !w.skips() {
		w.record(false, setText(live), setText(want))
	}
	w.at = w.at[:len(w.at)-1]
}

func setText(s string) *string { return mapText(s, s != "") }

// ours says whether a label is swarmward's own bookkeeping.
func ours(key string) bool { return strings.HasPrefix(key, labelPrefix) }

// quoteKey quotes a path segment that a dot or a blank would make ambiguous.
func quoteKey(k string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
	}
	if k == "" || strings.ContainsFunc(k, func(r rune) bool { return !plain(r) }) {
		return strconv.Quote(k)
	}
	return k
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return slices.Clip(keys)
}

func unionKeys(a, b map[string]string) []string {
	keys := make([]string, 0, len(a)+len(b))
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}
