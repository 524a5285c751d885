package reconcile

import (
	"reflect"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/swarm"
)

// node is one field of swarm.ServiceSpec with its row of the table, ready for
// the walk: what can be looked up once is.
type node struct {
	field
	segment  string        // what it adds to the path in the user's words; may be nothing
	absolute bool          // the segment is the whole path
	def      reflect.Value // of the table, in the field's own type
	none     reflect.Value // what a nil pointer to a struct stands for
	parts    []part        // of a struct, or of the struct that a pointer points to
	elem     *node         // of a keyed list
}

type part struct {
	index int
	*node
}

// fields is the table as a tree, with swarm.ServiceSpec at its root.
var fields = sync.OnceValue(func() *node {
	return compile(reflect.TypeFor[swarm.ServiceSpec](), "", "", fieldTable())
})

func compile(t reflect.Type, goPath, segment string, table map[string]field) *node {
	n := &node{field: table[goPath], segment: segment}
	switch {
	case n.name == ".":
		n.segment = ""
	case strings.HasPrefix(n.name, "."):
		n.segment = n.name[1:]
	case n.name != "":
		n.segment, n.absolute = n.name, true
	}
	if n.field.def != nil {
		n.def = reflect.ValueOf(n.field.def).Convert(indirect(t))
	}
	if n.skip || n.equal != nil {
		return n
	}
	if t.Kind() == reflect.Slice && n.list == keyed {
		n.elem = compile(t.Elem(), goPath+"[]", "", table)
		return n
	}
	s := indirect(t)
	if s.Kind() != reflect.Struct {
		return n
	}
	n.none = reflect.Zero(s)
	if n.nilDef != nil {
		n.none = n.nilDef()
	}
	for i := range s.NumField() {
		f := s.Field(i)
		p := part{index: i}
		if f.Anonymous { // swarm.Annotations: its fields are the parent's
			p.node = compile(f.Type, goPath, "", table)
		} else {
			p.node = compile(f.Type, join(goPath, f.Name), snake(f.Name), table)
		}
		n.parts = append(n.parts, p)
	}
	return n
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
