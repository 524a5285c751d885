package reconcile

import (
	"encoding/binary"
	"math"
	"reflect"
	"strings"
)

// hash writes a line: the path, and what value appends for what is there.
func (w *walker) hash(value func([]byte) []byte) {
	var room [160]byte
	b := w.appendPath(room[:0], true)
	w.lines = append(w.lines, string(value(append(b, 0))))
}

func (w *walker) appendCanonical(b []byte, n *node, v reflect.Value) []byte {
	if n.canonical == nil {
		if v = n.effective(v); n.fold {
			return append(b, strings.ToLower(v.String())...)
		}
		return appendValue(b, v)
	}
	b = append(b, n.canonical(v)...)
	if w.digests {
		_, digest, _ := strings.Cut(v.String(), "@")
		b = append(append(b, '@'), digest...)
	}
	return b
}

// appendValue tells any two values apart that equalValues does.
func appendValue(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		return append(b, v.String()...)
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case reflect.Slice:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		for i := range v.Len() {
			b = appendValue(b, v.Index(i))
		}
		return b
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, 0)
		}
		return appendValue(append(b, 1), v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			b = appendValue(b, v.Field(i))
		}
		return b
	case reflect.Float32, reflect.Float64:
		return binary.AppendUvarint(b, math.Float64bits(v.Float()))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return binary.AppendUvarint(b, v.Uint())
	}
	return binary.AppendVarint(b, v.Int())
}
