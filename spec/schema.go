package spec

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sync"

	composeschema "github.com/compose-spec/compose-go/v2/schema"
)

// schema is the part of JSON Schema that the Compose schema uses.
type schema struct {
	Ref         string             `json:"$ref"`
	Type        schemaTypes        `json:"type"`
	Properties  map[string]*schema `json:"properties"`
	Patterns    map[string]*schema `json:"patternProperties"`
	Additional  openness           `json:"additionalProperties"`
	Unevaluated openness           `json:"unevaluatedProperties"`
	Items       *schema            `json:"items"`
	AllOf       []*schema          `json:"allOf"`
	OneOf       []*schema          `json:"oneOf"`
	Enum        []any              `json:"enum"`
	Pattern     string             `json:"pattern"`
	Required    []string           `json:"required"`
	Minimum     *float64           `json:"minimum"`
	Maximum     *float64           `json:"maximum"`
	Defs        map[string]*schema `json:"$defs"`

	patterns []keyPattern
}

type keyPattern struct {
	match  *regexp.Regexp
	schema *schema
}

// schemaTypes is one type name or a list of them.
type schemaTypes []string

func (t *schemaTypes) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = schemaTypes{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// openness is false only where the schema says that no other keys may appear.
type openness struct{ closed bool }

func (o *openness) UnmarshalJSON(data []byte) error {
	o.closed = string(data) == "false"
	return nil
}

// composeSchema is the Compose schema, parsed once: it never changes.
var composeSchema = sync.OnceValues(func() (*schema, error) {
	root := &schema{}
	if err := json.Unmarshal([]byte(composeschema.Schema), root); err != nil {
		return nil, fmt.Errorf("compose schema: %w", err)
	}
	return root, root.link(root, map[*schema]bool{})
})

// link replaces references by what they refer to and compiles the patterns.
func (s *schema) link(root *schema, done map[*schema]bool) error {
	if s == nil || done[s] {
		return nil
	}
	done[s] = true
	for _, def := range s.Defs {
		if err := def.link(root, done); err != nil {
			return err
		}
	}
	for key, p := range s.Properties {
		s.Properties[key] = p.target(root)
		if err := s.Properties[key].link(root, done); err != nil {
			return err
		}
	}
	for expr, p := range s.Patterns {
		re, err := regexp.Compile(expr)
		if err != nil {
			return fmt.Errorf("compose schema: %w", err)
		}
		s.patterns = append(s.patterns, keyPattern{re, p.target(root)})
		if err := p.target(root).link(root, done); err != nil {
			return err
		}
	}
	for _, list := range [][]*schema{s.AllOf, s.OneOf} {
		for i := range list {
			list[i] = list[i].target(root)
			if err := list[i].link(root, done); err != nil {
				return err
			}
		}
	}
	if s.Items != nil {
		s.Items = s.Items.target(root)
	}
	return s.Items.link(root, done)
}

func (s *schema) target(root *schema) *schema {
	const prefix = "#/$defs/"
	for s.Ref != "" && root.Defs[s.Ref[len(prefix):]] != nil {
		s = root.Defs[s.Ref[len(prefix):]]
	}
	return s
}

// key is the schema of a key of a mapping; known is false when the schema
// does not allow the key.
func (s *schema) key(name string) (sub *schema, known bool) {
	if sub, ok := s.Properties[name]; ok {
		return sub, true
	}
	for _, p := range s.patterns {
		if p.match.MatchString(name) {
			return p.schema, true
		}
	}
	for _, part := range s.AllOf {
		if sub, ok := part.key(name); ok && sub != nil {
			return sub, true
		}
	}
	return nil, !s.Additional.closed && !s.Unevaluated.closed && len(s.AllOf) == 0
}

// names are the keys that the schema names.
func (s *schema) names() []string {
	var out []string
	for name := range s.Properties {
		out = append(out, name)
	}
	for _, part := range s.AllOf {
		out = append(out, part.names()...)
	}
	return out
}
