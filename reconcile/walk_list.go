package reconcile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/swarmward/swarmward/spec"
)

// keyedList keeps the live order: what is equal stays in its place, since a
// mere reorder replaces tasks.
func (w *walker) keyedList(n *node, live, want reflect.Value) reflect.Value {
	if w.canonical {
		for i := range want.Len() {
			key := n.key(want.Index(i))
			w.under(key, func() { w.added(n, key, want.Index(i)) })
		}
		return live
	}
	before := w.found()
	out := reflect.MakeSlice(live.Type(), 0, max(live.Len(), want.Len()))
	for _, p := range n.pairs(live, want) {
		w.nth(p.key, p.times, func() {
			var v reflect.Value
			switch {
			case p.live < 0:
				v = w.added(n, p.key, want.Index(p.want))
			case p.want < 0:
				v = w.removed(n, p.key, live.Index(p.live))
			default:
				v = w.element(n, p.key, live.Index(p.live), want.Index(p.want))
			}
			if v.IsValid() {
				out = reflect.Append(out, v)
			}
		})
	}
	if w.found() == before {
		return live
	}
	return out
}

func (w *walker) removed(n *node, key string, live reflect.Value) reflect.Value {
	if w.skips() {
		return live
	}
	w.record(n.secretive && spec.SoundsSecret(key), n.elementText(live), nil)
	return reflect.Value{}
}

func (w *walker) added(n *node, key string, want reflect.Value) reflect.Value {
	if w.skips() {
		return reflect.Value{}
	}
	if w.canonical {
		return w.present(n, want)
	}
	if !n.elem.none.IsValid() {
		w.record(n.secretive && spec.SoundsSecret(key), nil, n.elementText(want))
		return want
	}
	w.record(false, nil, n.elementText(want))
	if w.api > 0 {
		inside := walker{prefix: w.prefix, api: w.api, canonical: true, at: slices.Clone(w.at)}
		inside.merge(n.elem, reflect.Zero(want.Type()), want)
		w.dropped = append(w.dropped, inside.dropped...)
	}
	return want
}

// present hashes an element: that it is there, and all that is in it.
func (w *walker) present(n *node, want reflect.Value) reflect.Value {
	if !n.elem.none.IsValid() {
		w.hash(func(b []byte) []byte { return appendValue(b, want) })
		return want
	}
	w.hash(func(b []byte) []byte { return b })
	return w.merge(n.elem, reflect.Zero(want.Type()), want)
}

// element compares two elements with one key. Pointers to structs and structs
// are walked; anything else is one value.
func (w *walker) element(n *node, key string, live, want reflect.Value) reflect.Value {
	if n.elem.none.IsValid() {
		return w.merge(n.elem, live, want)
	}
	if equalValues(live, want) || w.skips() {
		return live
	}
	w.record(n.secretive && spec.SoundsSecret(key), n.elementText(live), n.elementText(want))
	return want
}

// elementText is a whole list element, as a person would write it.
func (n *node) elementText(v reflect.Value) *string {
	if n.value != nil {
		return n.value(v)
	}
	if reflect.Indirect(v).Kind() != reflect.Struct {
		return text(fmt.Sprint(v.Interface()))
	}
	return text(summary(reflect.Indirect(v)))
}

// pairing is an element of one list or of both; -1 where it is missing.
type pairing struct {
	key        string
	times      int // the how manieth of its key
	live, want int
}

// pairs finds for each live element the wanted one with its key, in the live
// order; what is new comes last. The Engine keeps duplicates, so neither are
// they lost here nor merged: equal ones belong together, and the second of a
// key is called key#2.
func (n *node) pairs(live, want reflect.Value) []pairing {
	liveKeys, wantKeys := n.keys(live), n.keys(want)
	out := make([]pairing, 0, max(len(liveKeys), len(wantKeys)))
	if slices.Equal(liveKeys, wantKeys) && distinct(liveKeys) {
		for i, k := range liveKeys {
			out = append(out, pairing{k, 1, i, i})
		}
		return out
	}
	open := make(map[string][]int, len(wantKeys))
	for j, k := range wantKeys {
		open[k] = append(open[k], j)
	}
	partner := n.partners(live, want, liveKeys, open)
	times := map[string]int{}
	count := func(k string) int {
		times[k]++
		return times[k]
	}
	taken := make([]bool, len(wantKeys))
	for i, k := range liveKeys {
		out = append(out, pairing{k, count(k), i, partner[i]})
		if partner[i] >= 0 {
			taken[partner[i]] = true
		}
	}
	for j, k := range wantKeys {
		if !taken[j] {
			out = append(out, pairing{k, count(k), -1, j})
		}
	}
	return out
}

// partners: first those that are equal, where a key has several, then in order.
func (n *node) partners(live, want reflect.Value, liveKeys []string, open map[string][]int) []int {
	partner, single := make([]int, len(liveKeys)), distinct(liveKeys)
	for i, k := range liveKeys {
		partner[i] = -1
		if single && len(open[k]) < 2 {
			continue
		}
		for at, j := range open[k] {
			if n.means(live.Index(i), want.Index(j)) {
				partner[i], open[k] = j, slices.Delete(open[k], at, at+1)
				break
			}
		}
	}
	for i, k := range liveKeys {
		if partner[i] < 0 && len(open[k]) > 0 {
			partner[i], open[k] = open[k][0], open[k][1:]
		}
	}
	return partner
}

// means says whether two elements mean the same.
func (n *node) means(live, want reflect.Value) bool {
	w := walker{}
	w.element(n, "", live, want)
	return w.found() == 0
}

func (n *node) keys(list reflect.Value) []string {
	out := make([]string, list.Len())
	for i := range out {
		out[i] = n.key(list.Index(i))
	}
	return out
}

func distinct(keys []string) bool {
	if ascending(keys) {
		return true
	}
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if seen[k] {
			return false
		}
		seen[k] = true
	}
	return true
}

// ascending: strictly, as most lists are that Compose files become.
func ascending(keys []string) bool {
	for i := 1; i < len(keys); i++ {
		if keys[i] <= keys[i-1] {
			return false
		}
	}
	return true
}

func (w *walker) setList(n *node, live, want reflect.Value) reflect.Value {
	if equalValues(live, want) {
		return live
	}
	key := n.key
	if key == nil {
		key = func(v reflect.Value) string { return v.String() }
	}
	wanted, has := map[string]bool{}, map[string]bool{}
	for i := range want.Len() {
		wanted[key(want.Index(i))] = true
	}
	if w.canonical {
		w.hash(func(b []byte) []byte { return append(b, strings.Join(sortedKeys(wanted), "\x00")...) })
		return live
	}
	out := reflect.MakeSlice(live.Type(), 0, want.Len())
	same := true
	for i := range live.Len() {
		k := key(live.Index(i))
		has[k] = true
		if wanted[k] {
			out = reflect.Append(out, live.Index(i))
		} else {
			same = false
		}
	}
	for i := range want.Len() {
		if !has[key(want.Index(i))] {
			out = reflect.Append(out, want.Index(i))
			same = false
		}
	}
	if same {
		return live
	}
	w.record(false, n.setText(live), n.setText(want))
	return out
}

func (n *node) setText(v reflect.Value) *string {
	if n.key == nil || v.Type().Elem().Kind() == reflect.String {
		return listText(v)
	}
	keys := n.keys(v)
	return listText(reflect.ValueOf(keys))
}
