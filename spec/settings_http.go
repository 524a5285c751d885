package spec

import (
	"cmp"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

func (d *decoder) http(s *setting, path string) *HTTPCheck {
	c := HTTPCheck{}
	d.mapping(s, path, d.target(&c.Target, fields{
		"url":         d.url(&c.URL),
		"method":      d.method(&c.Method),
		"headers":     d.headers(&c.Headers),
		"send":        d.text(&c.Send),
		"status":      d.integers(&c.Status, 100, 599),
		"body":        d.text(&c.Body),
		"contains":    d.texts(&c.Contains),
		"regexp":      d.regexp(&c.Regexp),
		"json":        d.json(&c.JSON),
		"tls":         d.tls(&c.TLS),
		"max_latency": d.duration(&c.MaxLatency),
		"redirects":   d.integer(&c.Redirects, 0, 10),
	}))
	switch {
	case c.Method != "":
	case c.Send != "":
		c.Method = "POST"
	default:
		c.Method = "GET"
	}
	if len(c.Status) == 0 {
		c.Status = []int{200}
	}
	if !s.isNull() && s.field("url") == nil {
		d.fail(s, path, "the check has no url", "add one, such as url: https://example.com/health")
	}
	if c.TLS != nil && strings.HasPrefix(c.URL, "http:") {
		d.fail(s.field("tls"), path+".tls", "the check has tls: and a URL without TLS", "write https://, or remove tls:")
	}
	if c.Target.Service != "" && c.Target.Port == 0 {
		c.Target.Port = urlPort(c.URL)
	}
	return &c
}

var methodName = regexp.MustCompile(`^[A-Z]+$`)

func (d *decoder) method(into *string) decode {
	return d.single("a method in capitals such as GET or POST", func(text string) bool {
		*into = text
		return methodName.MatchString(text)
	})
}

func (d *decoder) regexp(into *string) decode {
	return d.single("a regular expression as Go has them", func(text string) bool {
		*into = text
		_, err := regexp.Compile(text)
		return err == nil
	})
}

// secretHeaders are those whose values are credentials.
var secretHeaders = []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key"}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// headers decodes names with a text each, or {secret: NAME, prefix: TEXT}.
func (d *decoder) headers(into *[]Header) decode {
	return func(s *setting, path string) {
		d.each(s, path, func(name string, s *setting, path string) {
			h := Header{Name: name}
			canonical := textproto.CanonicalMIMEHeaderKey(name)
			switch {
			case s.node.Kind == yaml.MappingNode:
				d.mapping(s, path, fields{"secret": d.text(&h.Secret.Secret), "prefix": d.text(&h.Value)})
				if s.field("secret") == nil {
					d.fail(s, path, "the header names no secret", "write {secret: NAME}, or its value alone")
				}
			case slices.Contains(secretHeaders, canonical):
				d.fail(s, path, "expected {secret: NAME}, the name of a secret of this stack, perhaps with prefix: \"Bearer \"", "never write the credential itself here")
			default:
				d.text(&h.Value)(s, path)
			}
			switch {
			case !headerName.MatchString(name):
				d.fail(s, path, "this is not the name of a header", "use letters, digits and dashes")
			case slices.Contains([]string{"Connection", "Content-Length", "Host", "Transfer-Encoding"}, canonical):
				d.fail(s, path, "the header "+canonical+" follows from the rest of the check", "remove it; the host is that of the url")
			case strings.ContainsAny(h.Value, "\r\n"):
				d.fail(s, path, "the header's value has more than one line", "write it on one")
			}
			*into = append(*into, h)
		})
		slices.SortFunc(*into, func(a, b Header) int { return cmp.Compare(a.Name, b.Name) })
	}
}

// json decodes paths with the value that each must have.
func (d *decoder) json(into *[]JSONValue) decode {
	return func(s *setting, path string) {
		d.each(s, path, func(name string, s *setting, path string) {
			names, err := SplitPath(name)
			if err != nil {
				d.fail(s, path, name+" is no path: "+err.Error(), `write the keys with dots between them, such as data.items.0."a.b"`)
			}
			v := JSONValue{Path: names, Want: "null"}
			if !s.isNull() {
				d.text(&v.Want)(s, path)
			}
			*into = append(*into, v)
		})
		slices.SortFunc(*into, func(a, b JSONValue) int { return slices.Compare(a.Path, b.Path) })
	}
}

func (d *decoder) tcp(s *setting, path string) *TCPCheck {
	c := TCPCheck{}
	d.mapping(s, path, d.target(&c.Target, fields{
		"tls":    d.tls(&c.TLS),
		"send":   d.text(&c.Send),
		"expect": d.text(&c.Expect),
	}))
	if d.needTarget(s, path, c.Target) && c.Target.Connect == "" && s.field("port") == nil {
		d.fail(s, path, "the check has no port", "add the port that the container listens on")
	}
	return &c
}
