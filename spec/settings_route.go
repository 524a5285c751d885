package spec

import (
	"net/url"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

func (d *decoder) route(s *setting, path string) *RouteCheck {
	c := RouteCheck{CertificateDays: 14}
	d.mapping(s, path, fields{
		"url":              d.url(&c.URL),
		"service":          d.text(&c.Service),
		"traefik":          d.traefik(&c.Traefik),
		"body":             d.text(&c.Body),
		"contains":         d.text(&c.Contains),
		"refuse":           d.list(d.page(&c.Refuse)),
		"certificate_days": d.integer(&c.CertificateDays, 0, 365),
		"ca":               d.material(&c.CA, "secret", "config", "file"),
		"api": d.single("an http URL such as http://traefik:8080", func(text string) bool {
			u, err := url.Parse(text)
			c.API = text
			return err == nil && u.Scheme == "http" && u.Host != "" && u.User == nil
		}),
	})
	if s.node.Kind != yaml.MappingNode && !s.isNull() {
		return &c
	}
	if s.field("url") == nil {
		d.fail(s, path, "the check has no url", "add one, such as url: https://example.com/health")
	}
	// Traefik's 404 and the default page of many a server look like an answer.
	if c.Body == "" && c.Contains == "" {
		d.fail(s, path, "the check does not say what the service answers", "add body: or contains: with what only this service says")
	}
	for _, key := range []string{"ca", "certificate_days"} {
		if own := s.field(key); own != nil && strings.HasPrefix(c.URL, "http:") {
			d.fail(own, path+"."+key, "the url is http, which has no certificate", "write https:// in the url, or remove the key")
		}
	}
	if c.Traefik.Service != "" && c.Traefik.Port == 0 {
		c.Traefik.Port = urlPort(c.URL)
	}
	return &c
}

// traefik decodes HOST:PORT, or a service of the stack and its port.
func (d *decoder) traefik(into *Target) decode {
	return func(s *setting, path string) {
		if s.node.Kind != yaml.MappingNode {
			d.single("an address of the form HOST:PORT, or {service: NAME, port: PORT}", func(text string) bool {
				into.Connect = text
				return isAddress(text)
			})(s, path)
			return
		}
		d.mapping(s, path, fields{"service": d.text(&into.Service), "port": d.integer(&into.Port, 1, 65535)})
		if s.field("service") == nil {
			d.fail(s, path, "the check does not say which service Traefik is", "add service: NAME, or write HOST:PORT")
		}
	}
}

// page decodes a path of a site.
func (d *decoder) page(into *[]string) decode {
	return func(s *setting, path string) {
		d.single("a path such as /admin", func(text string) bool {
			u, err := url.Parse(text)
			*into = append(*into, text)
			return err == nil && strings.HasPrefix(text, "/") && u.Host == ""
		})(s, path)
	}
}

// unless decodes true or false into the opposite.
func (d *decoder) unless(into *bool) decode {
	return d.single("true or false", func(text string) bool {
		b, err := strconv.ParseBool(text)
		*into = !b
		return err == nil
	})
}

// origin decodes what a browser sends as Origin.
func (d *decoder) origin(into *string) decode {
	return d.single("an origin such as https://example.com", func(text string) bool {
		u, err := url.Parse(text)
		*into = text
		return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && text == u.Scheme+"://"+u.Host
	})
}

// centrifugoParts reports parts of a centrifugo check that are asked for and
// cannot be done.
func (d *decoder) centrifugoParts(s *setting, path string, c CentrifugoCheck) {
	if own := s.field("publish"); own != nil && !c.SkipPublish && s.field("api_key") == nil {
		d.fail(own, path+".publish", "only who has the API key may publish, and the check has none", "add api_key: {secret: NAME}")
	}
	if own := s.field("websocket"); own != nil && !c.SkipWebsocket && s.field("token_secret") == nil && c.Origin == "" {
		d.fail(own, path+".websocket", "a client connects with a token, and the check has nothing to sign one with", "add token_secret: {secret: NAME}")
	}
	if own := s.field("origin"); own != nil && c.SkipWebsocket {
		d.fail(own, path+".origin", "an origin is sent with the websocket alone, which is switched off", "remove the origin, or websocket: false")
	}
}

// route reports what a route check names and the spec does not have.
func (v validator) route(c *RouteCheck, at []string) {
	v.checkedService(c.Traefik.Service, "name a service, or where Traefik is with traefik: HOST:PORT", append(at, "traefik", "service"))
	v.authority(&c.CA, at)
}
