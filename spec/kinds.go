package spec

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// kindsOf are the JSON Schema types that a YAML value has.
func kindsOf(n *yaml.Node) []string {
	switch n.Kind {
	case yaml.MappingNode:
		return []string{"object"}
	case yaml.SequenceNode:
		return []string{"array"}
	}
	switch n.Tag {
	case "!!int":
		return []string{"integer", "number"}
	case "!!float":
		return []string{"number"}
	case "!!bool":
		return []string{"boolean"}
	case "!!null":
		return []string{"null"}
	}
	return []string{"string"}
}

// admits reports whether a value of one of these types can be right.
func (s *schema) admits(kinds []string) bool {
	want := s.kinds()
	if len(want) == 0 {
		return true
	}
	return slices.ContainsFunc(kinds, func(k string) bool { return slices.Contains(want, k) })
}

// kinds are the types that the schema allows; none means any.
func (s *schema) kinds() []string {
	if len(s.Type) > 0 {
		return s.Type
	}
	var out []string
	for _, alternative := range s.OneOf {
		out = append(out, alternative.kinds()...)
	}
	for _, part := range s.AllOf {
		out = append(out, part.kinds()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func kindNames(kinds []string) string {
	names := map[string]string{
		"object": "a mapping", "array": "a list", "string": "a text", "integer": "a whole number",
		"number": "a number", "boolean": "true or false", "null": "nothing",
	}
	var out []string
	for _, k := range kinds {
		if k == "null" || k == "integer" && slices.Contains(kinds, "number") {
			continue
		}
		out = append(out, names[k])
	}
	return oneOf(out)
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	}
	return "a text"
}

// oneOf joins names as a sentence does: a, b or c.
func oneOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
