package spec

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// object is a YAML mapping under construction, in the order in which it is
// written. Its put methods leave out what says nothing.
type object struct{ yaml.Node }

func newObject() *object { return &object{yaml.Node{Kind: yaml.MappingNode}} }

func (o *object) empty() bool { return len(o.Content) == 0 }

// put adds a value; nil adds nothing.
func (o *object) put(key string, value *yaml.Node) {
	if value != nil {
		o.Content = append(o.Content, plain(key), value)
	}
}

// object adds a mapping unless it is empty.
func (o *object) object(key string, value *object) {
	if !value.empty() {
		o.put(key, &value.Node)
	}
}

// present adds a mapping even when it is empty: to Swarm, that it is there
// makes a difference.
func (o *object) present(key string, value *object) {
	if value.empty() {
		value.Style = yaml.FlowStyle
	}
	o.put(key, &value.Node)
}

func (o *object) text(key, value string) {
	if value != "" {
		o.put(key, text(value))
	}
}

func (o *object) flag(key string, value bool) {
	if value {
		o.put(key, plain(true))
	}
}

// number adds an integer other than 0.
func (o *object) number(key string, value int64) {
	if value != 0 {
		o.put(key, plain(value))
	}
}

// texts adds a list of texts.
func (o *object) texts(key string, values []string) {
	if len(values) > 0 {
		o.put(key, list(texts(values)...))
	}
}

// unique adds a list in which Compose wants nothing twice.
func (o *object) unique(key string, values []string) {
	var out []string
	for _, v := range values {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	o.texts(key, out)
}

// mapping adds names with their values, sorted.
func (o *object) mapping(key string, values map[string]string) {
	m := newObject()
	for _, k := range slices.Sorted(maps.Keys(values)) {
		m.put(k, text(values[k]))
	}
	o.object(key, m)
}

// pairs adds names with their values where Compose takes a list of NAME=value
// too. It takes a key that begins with x- for an extension of its own.
func (o *object) pairs(key string, values map[string]string) {
	var lines []string
	extended := false
	for _, k := range slices.Sorted(maps.Keys(values)) {
		lines = append(lines, k+"="+values[k])
		extended = extended || strings.HasPrefix(k, "x-")
	}
	if extended {
		o.texts(key, lines)
		return
	}
	o.mapping(key, values)
}

// flow writes the mapping on one line.
func (o *object) flow() *yaml.Node {
	o.Style = yaml.FlowStyle
	return &o.Node
}

// plain is a value without variables: a key, a number, a boolean.
func plain(v any) *yaml.Node {
	if v == "<<" { // not the merging of mappings
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: "<<"}
	}
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		panic(err) // only scalars are given
	}
	return &n
}

// literal is a number as it is to be read: 0400.
func literal(digits string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: digits}
}

// text is a text in which the loader finds no variables.
func text(s string) *yaml.Node {
	s = strings.ReplaceAll(s, "$", "$$")
	switch {
	case !strings.Contains(s, "\n"):
		return plain(s)
	case blockText(s):
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.LiteralStyle, Value: s}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: s}
}

var (
	ragged   = regexp.MustCompile(`^[ \t\n]|[ \t](\n|$)|\n\n$`)
	onlyEnds = regexp.MustCompile(`^\n*$`)
)

// blockText says whether a text is one that yaml.v3 writes as a block and can
// read again, and that people can read. Empty lines at its end would be one with
// those between the sections.
func blockText(s string) bool {
	return !ragged.MatchString(s) && !onlyEnds.MatchString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && r != '\t' && !unicode.IsPrint(r)
	})
}

func texts(values []string) []*yaml.Node {
	out := make([]*yaml.Node, len(values))
	for i, v := range values {
		out[i] = text(v)
	}
	return out
}

// list is on one line when it is short and flat, as people write it.
func list(items ...*yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Content: items}
	width := 0
	for _, item := range items {
		width += len(item.Value) + 2
		if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, "\n") {
			return n
		}
	}
	if width <= 70 {
		n.Style = yaml.FlowStyle
	}
	return n
}

// encode writes the sections of a document with a blank line before each, and
// before each service.
func encode(sections *object) ([]byte, error) {
	var out bytes.Buffer
	for i := 0; i < len(sections.Content); i += 2 {
		key, value := sections.Content[i], sections.Content[i+1]
		parts := []*yaml.Node{{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}}}
		if key.Value == "services" {
			parts = nil
			for j := 0; j < len(value.Content); j += 2 {
				one := &yaml.Node{Kind: yaml.MappingNode, Content: value.Content[j : j+2]}
				parts = append(parts, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, one}})
			}
		}
		for j, part := range parts {
			var b bytes.Buffer
			e := yaml.NewEncoder(&b)
			e.SetIndent(2)
			if err := e.Encode(part); err != nil {
				return nil, err
			}
			written := b.Bytes()
			if j > 0 { // the next service, without the line "services:"
				written = written[bytes.IndexByte(written, '\n')+1:]
			}
			if out.Len() > 0 {
				out.WriteByte('\n')
			}
			out.Write(written)
		}
	}
	return out.Bytes(), nil
}
