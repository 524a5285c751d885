package reconcile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// walker compares two values of one type field by field, and builds the value
// to write while it does: the live one, with only the differing parts
// replaced. One walk for both, so that what a plan shows is what is written.
type walker struct {
	fields  map[string]field
	prefix  string                      // of every path: services.redis
	ignored func(path string) bool      // nil: nothing is
	redact  func(string) (string, bool) // nil: nothing is; true when it hid something
	// canonical records one text for all that means the same, for hashing,
	// instead of one that people want to read.
	canonical bool
	changes   []FieldChange
	kept      int // paths that were ignored
}

// merge returns live where it means the same as want, and otherwise live with
// every difference taken from want, each recorded as a FieldChange.
func (w *walker) merge(goPath, userPath string, impact fieldImpact, live, want reflect.Value) reflect.Value {
	f := w.fields[goPath]
	userPath = f.path(userPath)
	if f.impact != inherits {
		impact = f.impact
	}
	if f.skip || w.skips(userPath) {
		return live
	}
	switch {
	case f.equal != nil:
		return w.leaf(f, userPath, impact, live, want)
	case live.Kind() == reflect.Pointer && live.Type().Elem().Kind() == reflect.Struct:
		return w.pointer(f, goPath, userPath, impact, live, want)
	case live.Kind() == reflect.Struct:
		return w.structs(goPath, userPath, impact, live, want)
	case live.Kind() == reflect.Map:
		return w.maps(f, userPath, impact, live, want)
	case live.Kind() == reflect.Slice && f.list == keyed:
		return w.keyedList(f, goPath, userPath, impact, live, want)
	case live.Kind() == reflect.Slice && f.list == set:
		return w.setList(f, userPath, impact, live, want)
	}
	return w.leaf(f, userPath, impact, live, want)
}

// path joins the field's name to its parent's path.
func (f field) path(parent string) string {
	switch {
	case f.name == "":
		return parent
	case f.name == ".":
		i := strings.LastIndexByte(parent, '.')
		return parent[:max(i, 0)]
	case strings.HasPrefix(f.name, "."):
		i := strings.LastIndexByte(parent, '.')
		return strings.TrimPrefix(parent[:max(i, 0)]+f.name, ".")
	}
	return f.name
}

func (w *walker) skips(userPath string) bool {
	skips := w.ignored != nil && userPath != "" && w.ignored(w.full(userPath))
	if skips {
		w.kept++
	}
	return skips
}

func (w *walker) full(userPath string) string {
	if w.prefix == "" {
		return userPath
	}
	return w.prefix + "." + userPath
}

// pointer: nil stands for the zero struct or the field's nilDef.
func (w *walker) pointer(f field, goPath, userPath string, impact fieldImpact, live, want reflect.Value) reflect.Value {
	if live.IsNil() && want.IsNil() {
		return live
	}
	n, kept := len(w.changes), w.kept
	merged := w.structs(goPath, userPath, impact, f.deref(live), f.deref(want))
	switch {
	case len(w.changes) == n:
		return live
	case w.kept == kept && (live.IsNil() || want.IsNil()):
		return want // as it is written there; with something ignored, part is live's
	}
	p := reflect.New(live.Type().Elem())
	p.Elem().Set(merged)
	return p
}

func (f field) deref(p reflect.Value) reflect.Value {
	switch {
	case !p.IsNil():
		return p.Elem()
	case f.nilDef != nil:
		return f.nilDef()
	}
	return reflect.Zero(p.Type().Elem())
}

func (w *walker) structs(goPath, userPath string, impact fieldImpact, live, want reflect.Value) reflect.Value {
	out := reflect.New(live.Type()).Elem()
	out.Set(live)
	for i := range live.NumField() {
		sf := live.Type().Field(i)
		if sf.Anonymous { // swarm.Annotations: its fields are the parent's
			out.Field(i).Set(w.structs(goPath, userPath, impact, live.Field(i), want.Field(i)))
			continue
		}
		out.Field(i).Set(w.merge(join(goPath, sf.Name), join(userPath, snake(sf.Name)), impact, live.Field(i), want.Field(i)))
	}
	return out
}

func (w *walker) maps(f field, userPath string, impact fieldImpact, live, want reflect.Value) reflect.Value {
	out := reflect.MakeMap(live.Type())
	n := len(w.changes)
	keys := map[string]bool{}
	for _, m := range []reflect.Value{live, want} {
		for _, k := range m.MapKeys() {
			keys[k.String()] = true
		}
	}
	for _, k := range sortedKeys(keys) {
		key, path := reflect.ValueOf(k), join(userPath, quoteKey(k))
		l, v := live.MapIndex(key), want.MapIndex(key)
		if ours(k) || w.skips(path) || (l.IsValid() && v.IsValid() && l.Interface() == v.Interface()) {
			if l.IsValid() {
				out.SetMapIndex(key, l)
			}
			continue
		}
		w.record(path, impact, f.secretive && spec.SoundsSecret(k), mapText(l), mapText(v))
		if v.IsValid() {
			out.SetMapIndex(key, v)
		}
	}
	if len(w.changes) == n {
		return live
	}
	return out
}

func mapText(v reflect.Value) *string {
	if !v.IsValid() {
		return nil
	}
	return text(v.String())
}

func (w *walker) leaf(f field, userPath string, impact fieldImpact, live, want reflect.Value) reflect.Value {
	if f.same(live, want) {
		return live
	}
	if w.canonical && f.canonical != nil {
		w.record(userPath, impact, false, nil, text(f.canonical(want)))
	} else {
		was, is := f.text(live), f.text(want)
		if f.format != nil && was != nil && is != nil && *was == *is {
			was, is = text(fmt.Sprint(live.Interface())), text(fmt.Sprint(want.Interface())) // the format leaves out what differs
		}
		w.record(userPath, impact, false, was, is)
	}
	return want
}

func (f field) same(live, want reflect.Value) bool {
	if f.equal != nil {
		return f.equal(live, want)
	}
	l, v := f.effective(live), f.effective(want)
	if l.Kind() == reflect.Slice && l.Len() == 0 && v.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(l.Interface(), v.Interface())
}

// effective is the value the Engine works with: pointers followed, a nil one
// and a zero value that is none replaced by the default. A pointer to zero is
// what somebody asked for: no replicas, no delay.
func (f field) effective(v reflect.Value) reflect.Value {
	pointer := v.Kind() == reflect.Pointer
	if pointer && !v.IsNil() {
		return v.Elem()
	}
	if f.def == nil || !pointer && !v.IsZero() {
		return v
	}
	return reflect.ValueOf(f.def).Convert(indirect(v.Type()))
}

func (f field) text(v reflect.Value) *string {
	v = f.effective(v)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	if v.Kind() == reflect.Slice {
		return listText(v)
	}
	if v.IsZero() && v.Kind() == reflect.String {
		return nil
	}
	if f.format != nil {
		return text(f.format(v))
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return text(d.String())
	}
	return text(fmt.Sprint(v.Interface()))
}

// elementText is a whole list element, as a person would write it.
func (f field) elementText(v reflect.Value) *string {
	if f.value != nil {
		return text(f.value(v))
	}
	if reflect.Indirect(v).Kind() != reflect.Struct {
		return text(fmt.Sprint(v.Interface()))
	}
	return text(summary(reflect.Indirect(v)))
}

// summary writes the fields of a struct that are set: {source: a, target: b}.
func summary(v reflect.Value) string {
	var parts []string
	for i := range v.NumField() {
		fv := reflect.Indirect(v.Field(i))
		if !fv.IsValid() || fv.IsZero() {
			continue
		}
		val := fmt.Sprint(fv.Interface())
		if fv.Kind() == reflect.Struct {
			val = summary(fv)
		}
		parts = append(parts, snake(v.Type().Field(i).Name)+": "+val)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (w *walker) record(path string, impact fieldImpact, secret bool, old, new *string) {
	c := FieldChange{Path: w.full(path), Old: old, New: new, impact: impact}
	secret = secret && !w.canonical
	for _, p := range []**string{&c.Old, &c.New} {
		if *p == nil {
			continue
		}
		if secret {
			c.Sensitive = true
		} else if w.redact != nil {
			if s, hid := w.redact(**p); hid {
				*p, c.Sensitive = &s, true
			}
		}
	}
	if secret && c.Sensitive {
		c.Old, c.New = nil, nil
	}
	w.changes = append(w.changes, c)
}

// ours says whether a label is swarmward's own bookkeeping.
func ours(key string) bool { return strings.HasPrefix(key, labelPrefix) }

func text(s string) *string { return &s }

func listText(v reflect.Value) *string {
	if v.Len() == 0 {
		return nil
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return text(fmt.Sprint(v.Interface()))
	}
	return text(string(b))
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// quoteKey quotes a path segment that a dot or a blank would make ambiguous.
func quoteKey(k string) string {
	if plainKey.MatchString(k) {
		return k
	}
	return strconv.Quote(k)
}

// snake turns MaxReplicas into max_replicas.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r >= 'A' && r <= 'Z' {
			if i > 0 && (s[i-1] < 'A' || s[i-1] > 'Z') {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return slices.Clip(keys)
}
