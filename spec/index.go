package spec

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// index finds where something stands in the files of a spec. The files are in
// merge order: what a later one says wins.
type index struct {
	docs []*document
}

// find is the position of a path, or of the nearest thing above it that is
// written down. An element of a list is named by its number, by its text
// (networks: [a]), by what stands before its = (labels: [a=b]) or by its
// source (secrets: [{source: a}]).
func (x *index) find(path ...string) position {
	best, depth := position{}, 0
	if len(x.docs) > 0 {
		best = position{file: x.docs[len(x.docs)-1].name}
	}
	for i := len(x.docs) - 1; i >= 0; i-- {
		d := x.docs[i]
		for j := len(d.roots) - 1; j >= 0; j-- {
			if p, n := d.descend(d.roots[j], path); n > depth {
				best, depth = p, n
			}
		}
	}
	return best
}

// has reports whether a path is written down in some file.
func (x *index) has(path ...string) bool {
	for _, d := range x.docs {
		for _, root := range d.roots {
			if _, n := d.descend(root, path); n == len(path) {
				return true
			}
		}
	}
	return false
}

// descend follows path as far as it goes, and says how far that was.
func (d *document) descend(n *yaml.Node, path []string) (position, int) {
	p := position{file: d.name}
	for i, step := range path {
		key, value := d.child(n, step)
		if value == nil {
			return p, i
		}
		p = d.at(key)
		if value.Kind == yaml.ScalarNode && value.Line == key.Line {
			p = d.at(value)
		}
		n = value
	}
	return p, len(path)
}

// child is one step down: the node that names the place and the value there.
func child(n *yaml.Node, step string) (key, value *yaml.Node) {
	n = deref(n)
	if n == nil {
		return nil, nil
	}
	if n.Kind == yaml.SequenceNode {
		return element(n, step)
	}
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	merged := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		merged = merged || key.Tag == "!!merge"
		if key.Value == step && key.Tag != "!!merge" {
			if value := deref(n.Content[i+1]); value != nil {
				return key, value
			}
		}
	}
	if !merged {
		return nil, nil
	}
	for _, e := range entries(n) {
		if e.key.Value == step {
			return e.key, e.value
		}
	}
	return nil, nil
}

// child is the same for a document's own nodes, where a mapping of a thousand
// services is asked for each of them.
func (d *document) child(n *yaml.Node, step string) (key, value *yaml.Node) {
	n = deref(n)
	if n == nil || n.Kind != yaml.MappingNode || len(n.Content) < 32 {
		return child(n, step)
	}
	keys, ok := d.keys[n]
	if !ok {
		keys = map[string]entry{}
		for _, e := range entries(n) {
			if _, ok := keys[e.key.Value]; !ok {
				keys[e.key.Value] = e
			}
		}
		if d.keys == nil {
			d.keys = map[*yaml.Node]map[string]entry{}
		}
		d.keys[n] = keys
	}
	return keys[step].key, keys[step].value
}

func element(n *yaml.Node, step string) (key, value *yaml.Node) {
	for i, raw := range n.Content {
		item := deref(raw)
		if item == nil {
			continue
		}
		if strconv.Itoa(i) == step {
			return item, item
		}
		switch item.Kind {
		case yaml.ScalarNode:
			if item.Value == step || strings.HasPrefix(item.Value, step+"=") {
				return item, item
			}
		case yaml.MappingNode:
			if _, source := child(item, "source"); source != nil && source.Value == step {
				return source, source
			}
		}
	}
	return nil, nil
}

// entry is one key of a mapping with its value.
type entry struct{ key, value *yaml.Node }

// entries are the keys of a mapping, those that `<<` merges in included; a key
// of the mapping itself comes first and wins.
func entries(n *yaml.Node) []entry { return mergedEntries(n, 0) }

// The depth ends a chain of merges that an evil file could make endless.
const maxMergeDepth = 16

func mergedEntries(n *yaml.Node, depth int) []entry {
	var own, merged []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], deref(n.Content[i+1])
		if value == nil {
			continue
		}
		if key.Tag != "!!merge" {
			own = append(own, entry{key, value})
			continue
		}
		if depth == maxMergeDepth {
			continue
		}
		if value.Kind == yaml.MappingNode {
			merged = append(merged, mergedEntries(value, depth+1)...)
		}
		if value.Kind == yaml.SequenceNode {
			for _, item := range value.Content {
				if m := deref(item); m != nil && m.Kind == yaml.MappingNode {
					merged = append(merged, mergedEntries(m, depth+1)...)
				}
			}
		}
	}
	return append(own, merged...)
}
