package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// document is one YAML file of a spec: what the user wrote, with positions.
type document struct {
	name  string // as the user named it
	path  string // absolute
	dir   string // what relative paths in it are relative to
	data  []byte
	roots []*yaml.Node // top-level mappings, one for each YAML document in the file
	env   environment  // what its variables are looked up in
	main  bool         // named by the user, not by an include or extends
	files *access
	keys  map[*yaml.Node]map[string]entry
	// envFiles are those of the files that it includes, or where they would be.
	envFiles []string
	// broken means that there is no tree to check, or only the beginning of one.
	broken bool
}

// position is a place in a file; the zero value is nowhere.
type position struct {
	file         string
	line, column int
}

func (d *document) at(n *yaml.Node) position {
	return position{file: d.name, line: n.Line, column: n.Column}
}

// missing is the error of what there is not.
type missing string

func (m missing) Error() string { return string(m) + ": no such file" }
func (missing) Unwrap() error   { return os.ErrNotExist }

// readDocument reads a file; it is not parsed yet.
func readDocument(name, dir string, files *access) (*document, error) {
	abs, err := files.full(name)
	if err != nil {
		return nil, fmt.Errorf("spec %s: %w", name, err)
	}
	if err := files.look(abs); err != nil {
		return nil, fmt.Errorf("spec %s: %w", name, err)
	}
	data, err := os.ReadFile(abs)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, missing("spec " + name)
	case err != nil:
		return nil, fmt.Errorf("spec %s: cannot be read: %w", name, reason(err))
	}
	if dir == "" {
		dir = filepath.Dir(abs)
	}
	return &document{name: name, path: abs, dir: dir, data: data, files: files}, nil
}

// reason is the cause of a file error without the path it repeats.
func reason(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// parse builds the node trees and reports what is not a YAML mapping with
// unique text keys.
func (d *document) parse(r *report) {
	dec := yaml.NewDecoder(bytes.NewReader(d.data))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			d.broken = true
			d.syntaxError(r, err)
			return
		}
		root := deref(&n)
		if root == nil || root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
			continue
		}
		if root.Kind != yaml.MappingNode {
			d.broken = true
			r.fail("not-a-spec", d.at(root), "", "the file holds "+kindName(root)+" where a mapping is expected",
				"begin with `services:`")
			return
		}
		d.roots = append(d.roots, root)
		d.checkCycles(r, root, map[*yaml.Node]bool{})
		d.checkKeys(r, root, nil)
	}
	if len(d.roots) == 0 {
		d.broken = true
		r.fail("empty", position{file: d.name}, "", "the file is empty", "describe the stack in it, beginning with `services:`")
	}
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+)`)
	yamlAnchor = regexp.MustCompile(`unknown anchor '(.+)' referenced`)
)

func (d *document) syntaxError(r *report, err error) {
	if line, column := d.tabIndent(); line > 0 {
		r.fail("yaml", position{d.name, line, column}, "", "the line is indented with a tab", "YAML wants spaces")
		return
	}
	if line, column := d.invalidText(); line > 0 {
		r.fail("yaml", position{d.name, line, column}, "", "this is no UTF-8 text", "save the file as UTF-8")
		return
	}
	if m := yamlAnchor.FindStringSubmatch(err.Error()); m != nil {
		line, column := d.alias(m[1])
		r.fail("yaml", position{d.name, line, column}, "", "there is no anchor "+m[1]+" before this alias", "write &"+m[1]+" where its value begins, in this file and above")
		return
	}
	p := position{file: d.name}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		p.line, _ = strconv.Atoi(m[1])
		p.column = 1
		text = strings.TrimPrefix(strings.Replace(text, m[0], "", 1), ": ")
	}
	r.fail("yaml", p, "", "not valid YAML: "+strings.TrimSpace(text), "check indentation, quotes and colons on this line and the one before")
}

// invalidText is where the file is not UTF-8, if it is not.
func (d *document) invalidText() (line, column int) {
	for i, l := range bytes.Split(d.data, []byte("\n")) {
		for at := 0; at < len(l); {
			r, size := utf8.DecodeRune(l[at:])
			if r == utf8.RuneError && size == 1 {
				return i + 1, utf8.RuneCount(l[:at]) + 1
			}
			at += size
		}
	}
	return 0, 0
}

// alias is where the file first names that anchor.
func (d *document) alias(name string) (line, column int) {
	used := regexp.MustCompile(`(?:^|[\s\[{,])(\*` + regexp.QuoteMeta(name) + `)(?:$|[\s\]},])`)
	for i, l := range strings.Split(string(d.data), "\n") {
		if at := used.FindStringSubmatchIndex(l); at != nil && !strings.HasPrefix(strings.TrimSpace(l), "#") {
			return i + 1, at[2] + 1
		}
	}
	return 0, 0
}

// tabIndent is the first line that a tab indents.
func (d *document) tabIndent() (line, column int) {
	for i, l := range strings.Split(string(d.data), "\n") {
		indent := l[:len(l)-len(strings.TrimLeft(l, " \t"))]
		if c := strings.IndexByte(indent, '\t'); c >= 0 && strings.TrimSpace(l) != "" {
			return i + 1, c + 1
		}
	}
	return 0, 0
}

// checkCycles reports an alias for something that it is a part of.
func (d *document) checkCycles(r *report, n *yaml.Node, open map[*yaml.Node]bool) {
	if n.Kind == yaml.AliasNode && open[n.Alias] {
		d.broken = true
		r.fail("alias-cycle", d.at(n), "", "the alias *"+n.Value+" stands for something that contains it", "remove it")
	}
	open[n] = true
	for _, item := range n.Content {
		d.checkCycles(r, item, open)
	}
	delete(open, n)
}

// checkKeys reports keys that appear twice and keys that are not text.
func (d *document) checkKeys(r *report, n *yaml.Node, path []string) {
	switch n.Kind {
	case yaml.MappingNode:
		first := map[string]*yaml.Node{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			here := append(path[:len(path):len(path)], key.Value)
			switch {
			case key.Kind != yaml.ScalarNode || key.Tag != "!!str" && key.Tag != "!!merge":
				r.fail("not-a-text-key", d.at(key), dotted(path), fmt.Sprintf("the key %s is not text", key.Value), "put it in quotes")
				r.bad[key] = true
			case first[key.Value] != nil:
				r.fail("duplicate-key", d.at(key), dotted(here),
					fmt.Sprintf("the key appears twice, first on line %d", first[key.Value].Line), "keep one of them")
				r.bad[key] = true
			default:
				first[key.Value] = key
			}
			d.checkKeys(r, value, here)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			d.checkKeys(r, item, append(path[:len(path):len(path)], strconv.Itoa(i)))
		}
	}
}

// deref follows a document or alias to what it stands for.
func deref(n *yaml.Node) *yaml.Node {
	for n != nil {
		switch n.Kind {
		case yaml.DocumentNode:
			if len(n.Content) == 0 {
				return nil
			}
			n = n.Content[0]
		case yaml.AliasNode:
			n = n.Alias
		case 0:
			return nil
		default:
			return n
		}
	}
	return nil
}

// dotted writes a path as the user would: services.web.ports.0.
func dotted(path []string) string { return strings.Join(path, ".") }
