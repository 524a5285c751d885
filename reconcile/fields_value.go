package reconcile

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// isNone says that the field is as good as not set.
func (n *node) isNone(v reflect.Value) bool {
	v = n.effective(v)
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 || n.def.IsValid() && equalValues(v, n.def)
}

func (n *node) same(live, want reflect.Value) bool {
	if n.equal != nil {
		return n.equal(live, want)
	}
	l, v := n.effective(live), n.effective(want)
	if n.fold {
		return strings.EqualFold(l.String(), v.String())
	}
	return equalValues(l, v)
}

// effective is the value the Engine works with: pointers followed, a nil one
// and a zero value that is none replaced by the default. A pointer to zero is
// what somebody asked for: no replicas, no delay.
func (n *node) effective(v reflect.Value) reflect.Value {
	pointer := v.Kind() == reflect.Pointer
	if pointer && !v.IsNil() {
		return v.Elem()
	}
	if !n.def.IsValid() || !pointer && !v.IsZero() {
		return v
	}
	return n.def
}

func (n *node) text(v reflect.Value) *string {
	v = n.effective(v)
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
	case reflect.Slice:
		if v.Len() == 0 {
			return nil
		}
		if n.format == nil {
			return listText(v)
		}
	case reflect.String:
		if v.Len() == 0 {
			return nil
		}
	}
	if n.format != nil {
		return text(n.format(v))
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return text(formatDuration(d))
	}
	return text(fmt.Sprint(v.Interface()))
}

// equalValues is reflect.DeepEqual without its allocations, nil and empty lists
// being equal.
func equalValues(a, b reflect.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equalValues(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() && b.IsNil()
		}
		return equalValues(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if !equalValues(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		return reflect.DeepEqual(a.Interface(), b.Interface())
	}
	return a.Equal(b)
}
