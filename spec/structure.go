package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// structure compares files with the Compose schema: unknown keys, values of
// the wrong type or form, keys that are missing.
type structure struct {
	doc      *document
	report   *report
	override bool // the file may be one of several, where an empty value keeps the other's
	legacy   bool
	seen     map[visit]bool
}

// visit keeps a file full of aliases from being walked without end.
type visit struct {
	node   *yaml.Node
	schema *schema
	path   string
}

func (c *structure) check(n *yaml.Node, s *schema, path []string) {
	if len(path) > 40 {
		return
	}
	n = deref(n)
	if n == nil || s == nil || c.report.bad[n] || strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		return // a tag such as !reset takes the value out
	}
	v := visit{n, s, ""}
	if n.Kind == yaml.ScalarNode {
		v.path = dotted(path)
	}
	if c.seen[v] {
		return
	}
	c.seen[v] = true

	if len(s.OneOf) > 0 {
		s = c.choose(n, s)
		if s == nil {
			return
		}
		c.check(n, s, path)
		return
	}
	if !s.admits(kindsOf(n)) && !c.castable(n, s, path) {
		c.wrongType(n, s.kinds(), path)
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		c.mapping(n, s, path)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			c.check(item, s.Items, append(path[:len(path):len(path)], strconv.Itoa(i)))
		}
	case yaml.ScalarNode:
		c.scalar(n, s, path)
	}
}

// choose is the alternative that the kind of value points to.
func (c *structure) choose(n *yaml.Node, s *schema) *schema {
	for _, alternative := range s.OneOf {
		if alternative.admits(kindsOf(n)) {
			return alternative
		}
	}
	c.wrongType(n, s.kinds(), nil)
	return nil
}

func (c *structure) mapping(n *yaml.Node, s *schema, path []string) {
	present := map[string]bool{}
	for _, e := range entries(n) {
		name := e.key.Value
		present[name] = true
		here := append(path[:len(path):len(path)], name)
		sub, known := s.key(name)
		if !known {
			c.unknownKey(e.key, s, here)
			continue
		}
		c.check(e.value, sub, here)
	}
	for _, name := range s.Required {
		if !present[name] && !c.override {
			c.report.fail("missing-key", c.doc.at(n), dotted(path), "the key "+name+" is missing", "add it")
		}
	}
	if matches([]string{"services", "*", "volumes", "*"}, path) {
		c.mount(n, path)
	}
}

// mount reports a source or options that do not go with a mount's type.
func (c *structure) mount(n *yaml.Node, path []string) {
	fail := func(message, remedy string) {
		c.report.fail("mount", c.doc.at(n), dotted(path), message, remedy)
		c.report.bad[n] = true
	}
	_, t := child(n, "type")
	if t == nil || t.Kind != yaml.ScalarNode {
		return
	}
	kind, _ := c.doc.text(t)
	options := kind
	if kind == "npipe" {
		options = "bind"
	}
	for _, key := range []string{"bind", "image", "tmpfs", "volume"} {
		if _, o := child(n, key); o != nil && key != options {
			fail("a mount of type "+kind+" has no options for "+key, "remove `"+key+":`, or change the type")
			return
		}
	}
	_, source := child(n, "source")
	has := source != nil && source.Value != ""
	switch {
	case kind == "tmpfs" && has:
		fail("a mount of type tmpfs has no source", "remove source")
	case kind != "tmpfs" && kind != "volume" && !has:
		fail("a mount of type "+kind+" needs a source", "add source")
	}
}

func (c *structure) unknownKey(key *yaml.Node, s *schema, path []string) {
	c.report.bad[key] = true
	if c.legacy && matches([]string{"services", "*", "cgroupns_mode"}, path) {
		c.report.warn("unsupported", c.doc.at(key), dotted(path), "Swarm ignores this", "remove it")
		return // the one key that docker stack deploy knows and Compose does not
	}
	remedy := misplaced(key.Value, path)
	if remedy == "" {
		remedy = didYouMean(key.Value, s.names(), "remove it, or begin its name with x- to have it ignored")
	}
	message := "unknown key"
	if len(s.names()) == 0 {
		message, remedy = "the name is not allowed", "use letters, digits, dots, dashes and underscores"
	}
	c.report.fail("unknown-key", c.doc.at(key), dotted(path), message, remedy)
}

// misplaced says where a key belongs that stands on the wrong level.
func misplaced(name string, path []string) string {
	root, err := composeSchema()
	if err != nil || len(path) < 2 || path[0] != "services" {
		return ""
	}
	_, ofDeploy := root.Defs["deployment"].Properties[name]
	ofService := slices.Contains(root.Defs["service"].names(), name)
	switch {
	case len(path) == 3 && ofDeploy:
		return "write it under `deploy:` of the service"
	case len(path) == 4 && path[2] == "deploy" && ofService:
		return "write it in the service itself, beside `deploy:`"
	}
	return ""
}

func (c *structure) wrongType(n *yaml.Node, want []string, path []string) {
	if n.Tag == "!!null" && c.override {
		return
	}
	here := dotted(path)
	if path == nil {
		here = c.pathOf(n)
	}
	expected, remedy := kindNames(want), ""
	if f := formOf(path); f.want != "" && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		expected = f.want
	}
	if slices.Contains(want, "array") && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		remedy = "write it as [" + c.show(n, "…") + "]"
	}
	if expected == kindNames(want) && slices.Contains(want, "string") && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		remedy = "put it in quotes"
	}
	c.report.fail("wrong-type", c.doc.at(n), here, "expected "+expected+", found "+kindName(n), remedy)
	c.report.bad[n] = true
}

// scalar checks a single value against the schema's limits and against the
// form that Compose and the Engine want at that place.
func (c *structure) scalar(n *yaml.Node, s *schema, path []string) {
	text, interpolated := c.doc.text(n)
	found := ", found " + quoteUnless(interpolated, text)
	fail := func(expected string) {
		c.report.fail("wrong-value", c.doc.at(n), dotted(path), "expected "+expected+found, "")
		c.report.bad[n] = true
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(v any) bool { return fmt.Sprint(v) == text }) {
		names := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			names[i] = fmt.Sprint(v)
		}
		fail(oneOf(names))
		return
	}
	if s.Pattern != "" {
		if re, err := regexp.Compile(s.Pattern); err == nil && !re.MatchString(text) {
			fail("a value that matches " + s.Pattern)
			return
		}
	}
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		if s.Minimum != nil && number < *s.Minimum {
			fail(fmt.Sprintf("at least %g", *s.Minimum))
			return
		}
		if s.Maximum != nil && number > *s.Maximum {
			fail(fmt.Sprintf("at most %g", *s.Maximum))
			return
		}
	}
	if n.Tag == "!!null" {
		return
	}
	if expected := formOf(path).expected(text); expected != "" {
		fail(expected)
	}
}

// castable reports whether a text stands where Compose turns texts with
// variables into numbers or booleans.
func (c *structure) castable(n *yaml.Node, s *schema, path []string) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!str" && formOf(path).cast && !slices.Contains(s.kinds(), "string")
}

// show is a value for a message, unless a variable is part of it.
func (c *structure) show(n *yaml.Node, otherwise string) string {
	if text, interpolated := c.doc.text(n); !interpolated {
		return text
	}
	return otherwise
}

// pathOf names the place of a node from the root of its file.
func (c *structure) pathOf(n *yaml.Node) string {
	for _, root := range c.doc.roots {
		if p := pathTo(root, n, 0); p != nil {
			return dotted(p)
		}
	}
	return ""
}

func pathTo(from, n *yaml.Node, depth int) []string {
	if from == n {
		return []string{}
	}
	if depth > 40 {
		return nil
	}
	for i, item := range from.Content {
		step := strconv.Itoa(i)
		if from.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			step = from.Content[i-1].Value
		}
		if p := pathTo(item, n, depth+1); p != nil {
			return append([]string{step}, p...)
		}
	}
	return nil
}

func quoteUnless(interpolated bool, text string) string {
	if interpolated {
		return "something else in its variable"
	}
	if len(text) > 60 {
		return "another text"
	}
	return strconv.Quote(text)
}
