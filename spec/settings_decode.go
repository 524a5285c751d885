package spec

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// setting is a value of x-swarmward with its variables filled in and the
// place it was written.
type setting struct {
	at           position
	node         *yaml.Node
	text         string // of a single value
	interpolated bool
	names        []string // of a mapping, in the order written
	keys         map[string]position
	fields       map[string]*setting
	items        []*setting // of a list
}

func newSetting(d *document, n *yaml.Node, depth int) *setting {
	n = deref(n)
	s := &setting{at: d.at(n), node: n, keys: map[string]position{}, fields: map[string]*setting{}}
	if depth > maxMergeDepth {
		return s
	}
	switch n.Kind {
	case yaml.ScalarNode:
		s.text, s.interpolated = d.text(n)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if item = deref(item); item != nil {
				s.items = append(s.items, newSetting(d, item, depth+1))
			}
		}
	case yaml.MappingNode:
		for _, e := range entries(n) {
			if s.fields[e.key.Value] == nil {
				s.names = append(s.names, e.key.Value)
				s.keys[e.key.Value] = d.at(e.key)
				s.fields[e.key.Value] = newSetting(d, e.value, depth+1)
			}
		}
	}
	return s
}

// mergeSettings lays over upon base.
func mergeSettings(base, over *setting) *setting {
	if base == nil || over.node.Kind != base.node.Kind || over.node.Kind == yaml.ScalarNode {
		return over
	}
	if over.node.Kind == yaml.SequenceNode {
		base.items = append(base.items, over.items...)
		return base
	}
	for _, name := range over.names {
		if base.fields[name] == nil {
			base.names = append(base.names, name)
		}
		base.keys[name] = over.keys[name]
		base.fields[name] = mergeSettings(base.fields[name], over.fields[name])
	}
	return base
}

func (s *setting) isNull() bool { return s.node.Kind == yaml.ScalarNode && s.node.Tag == "!!null" }

func (s *setting) field(name string) *setting { return s.fields[name] }

// decoder turns settings into values, and reports what does not fit.
type decoder struct{ report *report }

// decode puts a setting where it belongs.
type decode func(s *setting, path string)

// fields are the keys that a mapping may have.
type fields map[string]decode

func (d *decoder) fail(s *setting, path, message, remedy string) {
	d.report.fail("settings", s.at, path, message, remedy)
}

func (d *decoder) mapping(s *setting, path string, known fields) {
	d.each(s, path, func(name string, value *setting, here string) {
		if f := known[name]; f != nil {
			f(value, here)
			return
		}
		names := slices.Sorted(maps.Keys(known))
		d.report.fail("unknown-key", s.keys[name], here, "unknown key", didYouMean(name, names, "the keys here are "+strings.Join(names, ", ")))
	})
}

func (d *decoder) each(s *setting, path string, visit func(name string, value *setting, path string)) {
	if s.isNull() {
		return
	}
	if s.node.Kind != yaml.MappingNode {
		d.expected(s, path, "a mapping")
		return
	}
	for _, name := range s.names {
		visit(name, s.fields[name], path+"."+name)
	}
}

// expected reports a setting of the wrong type or form.
func (d *decoder) expected(s *setting, path, want string) {
	if d.report.bad[s.node] {
		return // a variable is missing: that is said already
	}
	found := kindName(s.node)
	if s.node.Kind == yaml.ScalarNode && s.node.Tag != "!!null" {
		found = quoteUnless(s.interpolated, s.text)
	}
	d.report.fail("wrong-type", s.at, path, "expected "+want+", found "+found, "")
}

// single decodes a single value with parse, which says whether it fits.
func (d *decoder) single(want string, parse func(text string) bool) decode {
	return func(s *setting, path string) {
		if s.node.Kind != yaml.ScalarNode || s.isNull() || !parse(s.text) {
			d.expected(s, path, want)
		}
	}
}

func (d *decoder) text(into *string) decode {
	return d.single("a text", func(text string) bool { *into = text; return true })
}

func (d *decoder) choice(into *string, names ...string) decode {
	return d.single(oneOf(names), func(text string) bool {
		*into = text
		return slices.Contains(names, text)
	})
}

func (d *decoder) boolean(into *bool) decode {
	return d.single("true or false", func(text string) bool {
		b, err := strconv.ParseBool(text)
		*into = b
		return err == nil
	})
}

func (d *decoder) duration(into *time.Duration) decode {
	return d.single("a duration above zero such as 30s or 5m", func(text string) bool {
		v, err := time.ParseDuration(text)
		*into = v
		return err == nil && v > 0
	})
}

func (d *decoder) integer(into *int, low, high int) decode {
	want := "a whole number from " + strconv.Itoa(low) + " to " + strconv.Itoa(high)
	return d.single(want, func(text string) bool {
		n, err := strconv.Atoi(text)
		*into = n
		return err == nil && n >= low && n <= high
	})
}

func (d *decoder) integers(into *[]int, low, high int) decode {
	return d.list(func(s *setting, path string) {
		var n int
		d.integer(&n, low, high)(s, path)
		*into = append(*into, n)
	})
}

func (d *decoder) texts(into *[]string) decode {
	return d.list(func(s *setting, path string) {
		var text string
		d.text(&text)(s, path)
		*into = append(*into, text)
	})
}

// allowed decodes what a stack may do that is more often an accident.
func (d *decoder) allowed(into *[]string) decode {
	return func(s *setting, path string) {
		var what string
		d.choice(&what, AllowPruneAll)(s, path)
		if !slices.Contains(*into, what) {
			*into = append(*into, what)
		}
	}
}

// ways decodes ways to a target; one that is named twice counts once.
func (d *decoder) ways(into *[]string) decode {
	return d.list(func(s *setting, path string) {
		var way string
		d.choice(&way, "overlay", "published", "bridge", "explicit")(s, path)
		if !slices.Contains(*into, way) {
			*into = append(*into, way)
		}
	})
}

// rules decodes names of rules that can be silenced.
func (d *decoder) rules(into *[]string) decode {
	return d.list(func(s *setting, path string) {
		var name string
		d.text(&name)(s, path)
		known := SilenceableRules()
		if s.node.Kind == yaml.ScalarNode && !slices.Contains(known, name) {
			message := "there is no rule " + strconv.Quote(name)
			if s.interpolated {
				message = "the variable holds no rule's name"
			}
			d.fail(s, path, message, didYouMean(name, known, "the rules are "+strings.Join(known, ", ")))
		}
		*into = append(*into, name)
	})
}

// list decodes a list, or a single value as a list of one.
func (d *decoder) list(item decode) decode {
	return func(s *setting, path string) {
		switch {
		case s.isNull():
		case s.node.Kind == yaml.SequenceNode:
			for i, v := range s.items {
				item(v, path+"."+strconv.Itoa(i))
			}
		case s.node.Kind == yaml.ScalarNode:
			item(s, path)
		default:
			d.expected(s, path, "a list")
		}
	}
}

// address decodes host:port.
func (d *decoder) address(into *string) decode {
	return d.single("an address of the form HOST:PORT", func(text string) bool {
		*into = text
		return isAddress(text)
	})
}

func isAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	return err == nil && host != "" && isPort(port)
}

func (d *decoder) url(into *string) decode {
	return d.single("an absolute http or https URL", func(text string) bool {
		u, err := url.Parse(text)
		*into = text
		return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	})
}

// urlPort is the port that a URL means.
func urlPort(text string) int {
	u, err := url.Parse(text)
	if err != nil {
		return 0
	}
	if n, err := strconv.Atoi(u.Port()); err == nil {
		return n
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

// credential decodes {secret: NAME}. A bare text is refused: it would most
// likely be the secret itself.
func (d *decoder) credential(into *Credential) decode {
	return func(s *setting, path string) {
		if s.node.Kind != yaml.MappingNode {
			d.fail(s, path, "expected {secret: NAME}, the name of a secret of this stack", "never write the credential itself here")
			return
		}
		d.mapping(s, path, fields{"secret": d.text(&into.Secret)})
	}
}
