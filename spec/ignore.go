package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// ignorable are the first words of an ignore rule.
var ignorable = []string{"services", "networks", "volumes", "secrets", "configs"}

// SplitPath takes a path as a plan shows it apart: names between dots, those
// that hold a dot in double quotes, as in services.web.deploy.labels."a.b".
func SplitPath(path string) ([]string, error) {
	var out []string
	for rest := path; ; {
		var name string
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("a quote is not closed")
			}
			name, _ = strconv.Unquote(quoted) // QuotedPrefix has seen to it
			rest = rest[len(quoted):]
			if rest != "" && rest[0] != '.' {
				return nil, fmt.Errorf("after a closing quote comes a dot or the end, not %q", rest)
			}
		} else {
			n := strings.IndexByte(rest, '.')
			if n < 0 {
				n = len(rest)
			}
			name, rest = rest[:n], rest[n:]
			if strings.Contains(name, `"`) {
				return nil, fmt.Errorf("a quote stands within %s; quote the whole name", name)
			}
		}
		if name == "" {
			return nil, fmt.Errorf("a name is empty")
		}
		out = append(out, name)
		if rest == "" {
			return out, nil
		}
		rest = rest[1:]
	}
}

// ignoreRule decodes an entry of x-swarmward.ignore.
func (d *decoder) ignoreRule(into *[]string) decode {
	return func(s *setting, path string) {
		var text string
		d.text(&text)(s, path)
		if text == "" {
			if s.node.Kind == yaml.ScalarNode && !s.isNull() {
				d.fail(s, path, "the rule is empty", "write a path, such as services.web.deploy.replicas")
			}
			return
		}
		*into = append(*into, text)
		names, err := SplitPath(text)
		switch {
		case err != nil:
			d.fail(s, path, fmt.Sprintf("%s is no path: %v", text, err), `write it as a plan shows it, such as services.web.deploy.labels."a.b"`)
		case !slices.Contains(ignorable, names[0]):
			d.fail(s, path, "a rule begins with "+oneOf(ignorable)+", not "+names[0],
				didYouMean(names[0], ignorable, "write a path as a plan shows it, such as services.web.deploy.replicas"))
		case len(names) == 1:
			d.fail(s, path, "the rule names no object", "write "+names[0]+".NAME, or "+names[0]+".* for all of them")
		}
	}
}
