package spec

import (
	compose "github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/tree"
	"gopkg.in/yaml.v3"
)

// casts are those of all casts from text to numbers and booleans that some text
// of the files can need: most files need none. compose-go tries every cast on
// every text, and takes most of its time for that.
func (l *loading) casts(all map[tree.Path]compose.Cast) map[tree.Path]compose.Cast {
	texts := map[string]bool{}
	for _, d := range l.index.docs {
		for _, root := range d.roots {
			textKeys(root, texts)
		}
	}
	out := map[tree.Path]compose.Cast{}
	for path, cast := range all {
		last := path.Last()
		if last == tree.PathMatchAll {
			last = path.Parent().Last()
		}
		if texts[last] {
			out[path] = cast
		}
	}
	return out
}

// textKeys collects the keys that have a text as their value, or a mapping or
// list with a text in it.
func textKeys(n *yaml.Node, into map[string]bool) {
	for i, item := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			if v := deref(item); v != nil && (textual(v) || holdsText(v)) {
				into[n.Content[i-1].Value] = true
			}
		}
		textKeys(item, into)
	}
}

func holdsText(n *yaml.Node) bool {
	for i, item := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && item.Tag != "!!merge" {
			continue
		}
		v := deref(item)
		if v != nil && (textual(v) || v.Kind != yaml.ScalarNode && item.Kind == yaml.AliasNode) {
			return true // what an alias stands for may be merged in
		}
	}
	return false
}

// textual is not sure about a tag that it does not know.
func textual(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode {
		return false
	}
	switch n.Tag {
	case "!!int", "!!float", "!!bool", "!!null":
		return false
	}
	return true
}
