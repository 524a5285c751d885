package reconcile

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/swarmward/swarmward/spec"
)

// keyedList keeps the live order: what is equal stays in its place, since a
// mere reorder replaces tasks.
func (w *walker) keyedList(f field, goPath, userPath string, impact fieldImpact, live, want reflect.Value) reflect.Value {
	n := len(w.changes)
	out := reflect.MakeSlice(live.Type(), 0, max(live.Len(), want.Len()))
	wanted, order := byKey(f, want)
	has, liveOrder := byKey(f, live)
	for _, k := range liveOrder {
		path := join(userPath, quoteKey(k))
		v, ok := wanted[k]
		switch {
		case ok:
			out = reflect.Append(out, w.element(f, goPath+"[]", k, path, impact, has[k], v))
		case w.skips(path):
			out = reflect.Append(out, has[k])
		default:
			w.record(path, impact, f.secretive && spec.SoundsSecret(k), f.elementText(has[k]), nil)
		}
	}
	for _, k := range order {
		path := join(userPath, quoteKey(k))
		if _, ok := has[k]; ok || w.skips(path) {
			continue
		}
		if e := wanted[k]; w.canonical && indirect(e.Type()).Kind() == reflect.Struct {
			w.record(path, impact, false, nil, text("present"))
			w.element(f, goPath+"[]", k, path, impact, reflect.Zero(e.Type()), e)
		} else {
			w.record(path, impact, f.secretive && spec.SoundsSecret(k), nil, f.elementText(e))
		}
		out = reflect.Append(out, wanted[k])
	}
	if len(w.changes) == n {
		return live
	}
	return out
}

// element compares two elements with one key. Pointers to structs and structs
// are walked; anything else is one value.
func (w *walker) element(f field, goPath, key, path string, impact fieldImpact, live, want reflect.Value) reflect.Value {
	if indirect(live.Type()).Kind() == reflect.Struct {
		return w.merge(goPath, path, impact, live, want)
	}
	if w.skips(path) || live.Interface() == want.Interface() {
		return live
	}
	w.record(path, impact, f.secretive && spec.SoundsSecret(key), f.elementText(live), f.elementText(want))
	return want
}

// byKey indexes a list; the second of two equal keys gets an ordinal, so that
// duplicates, which the Engine keeps, are neither lost nor merged.
func byKey(f field, list reflect.Value) (map[string]reflect.Value, []string) {
	m, order := map[string]reflect.Value{}, []string(nil)
	for i := range list.Len() {
		k := f.key(list.Index(i))
		if _, dup := m[k]; dup {
			k = fmt.Sprintf("%s#%d", k, i)
		}
		m[k] = list.Index(i)
		order = append(order, k)
	}
	return m, order
}

func (w *walker) setList(f field, userPath string, impact fieldImpact, live, want reflect.Value) reflect.Value {
	key := f.key
	if key == nil {
		key = func(v reflect.Value) string { return v.String() }
	}
	wanted, has := map[string]bool{}, map[string]bool{}
	for i := range want.Len() {
		wanted[key(want.Index(i))] = true
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
	if w.canonical {
		w.record(userPath, impact, false, nil, text(strings.Join(sortedKeys(wanted), "\x00")))
	} else {
		w.record(userPath, impact, false, listText(live), listText(want))
	}
	return out
}
