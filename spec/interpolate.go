package spec

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// interpolation fills in variables, remembers which were used, and reports
// those that are missing.
type interpolation struct {
	legacy bool // written for docker stack deploy: what is not set is empty
	unread bool // some variables are in a sealed file that was not opened
	used   map[string]string
	report *report
}

// check reports every variable of a file that cannot be filled in.
func (in *interpolation) check(d *document) {
	for _, root := range d.roots {
		in.walk(d, root, nil)
	}
}

// walk looks at values alone, as Compose does, and at each anchor once.
func (in *interpolation) walk(d *document, n *yaml.Node, path []string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			in.walk(d, n.Content[i+1], append(path[:len(path):len(path)], n.Content[i].Value))
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			in.walk(d, item, path)
		}
	case yaml.ScalarNode:
		if n.Tag != "!!str" || !strings.Contains(n.Value, "$") {
			return
		}
		_, gaps := expand(n.Value, func(name string) (string, bool) {
			v, ok := d.env.get(name)
			if ok {
				in.used[name] = v
			}
			return v, ok
		})
		for _, g := range gaps {
			in.tell(d, n, path, g)
		}
	}
}

func (in *interpolation) tell(d *document, n *yaml.Node, path []string, g gap) {
	p := d.within(n, g.offset)
	switch {
	case g.name == "":
		in.report.fail("malformed-variable", p, dotted(path),
			"the text after this dollar sign is not a variable reference", "write ${NAME}, or $$ for a dollar sign")
	case g.required:
		message := "the variable " + g.name + " must be set"
		if g.message != "" {
			message += ": " + g.message
		}
		in.missing("required-variable", p, dotted(path), message, "set it in .env or in the environment")
	case in.legacy:
		in.report.warn("undefined-variable", p, dotted(path), "the variable "+g.name+" is not set and taken as empty, as docker stack deploy does",
			"set it in the environment, or write ${"+g.name+":-default}")
		return
	default:
		in.missing("undefined-variable", p, dotted(path), "the variable "+g.name+" is not set",
			"set it in .env or in the environment, or write ${"+g.name+":-default}")
	}
	in.report.bad[n] = true
}

// missing reports a variable that is not set, as far as is known.
func (in *interpolation) missing(rule string, p position, path, message, remedy string) {
	if in.unread {
		in.report.leave(rule, path)
		return
	}
	in.report.fail(rule, p, path, message, remedy)
}

// within is the position of the byte at offset in a text, as well as the
// style it is written in lets it be known.
func (d *document) within(n *yaml.Node, offset int) position {
	p := d.at(n)
	before := n.Value[:offset]
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		p.line += 1 + strings.Count(before, "\n")
		if i := strings.IndexByte(d.line(p.line), '$'); i >= 0 {
			p.column = i + 1
		}
	case n.Style&yaml.FoldedStyle != 0 || strings.Contains(n.Value, "\n"):
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		p.column += offset + 1
	default:
		p.column += offset
	}
	return p
}

// line is the text of a line, counted from 1.
func (d *document) line(n int) string {
	lines := strings.Split(string(d.data), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return lines[n-1]
}

// text is a scalar with its variables filled in, and whether it had any.
func (d *document) text(n *yaml.Node) (value string, interpolated bool) {
	if !strings.Contains(n.Value, "$") {
		return n.Value, false
	}
	value, _ = expand(n.Value, d.env.get)
	return value, value != n.Value
}
