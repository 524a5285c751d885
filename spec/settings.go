package spec

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// settingsKey is the top-level key of our own settings.
const settingsKey = "x-swarmward"

func defaultSettings() Settings {
	return Settings{
		OnCheckFailure: "report",
		Images:         Images{Resolve: "changed"},
		Prune:          true,
	}
}

// readSettings decodes x-swarmward of all files, merged in their order: a
// later value wins, lists are appended.
func readSettings(docs []*document, r *report) Settings {
	var merged *setting
	for _, d := range docs {
		for _, root := range d.roots {
			if _, n := child(root, settingsKey); n != nil {
				merged = mergeSettings(merged, newSetting(d, n, 0))
			}
		}
	}
	out := defaultSettings()
	if merged == nil || merged.isNull() {
		return out
	}
	d := &decoder{report: r}
	d.mapping(merged, settingsKey, fields{
		"checks":           func(s *setting, path string) { out.Checks = d.checks(s, path) },
		"on_check_failure": d.choice(&out.OnCheckFailure, "report", "rollback"),
		"ignore":           d.list(d.ignoreRule(&out.Ignore)),
		"images": func(s *setting, path string) {
			d.mapping(s, path, fields{"resolve": d.choice(&out.Images.Resolve, "changed", "always", "never")})
		},
		"prune":   d.boolean(&out.Prune),
		"allow":   d.list(d.allowed(&out.Allow)),
		"timeout": d.duration(&out.Timeout),
		"lint": func(s *setting, path string) {
			d.mapping(s, path, fields{"off": d.rules(&out.Lint.Off)})
		},
		"windows": d.list(d.window(&out.Windows)),
	})
	return out
}

func (d *decoder) checks(s *setting, path string) []Check {
	var out []Check
	d.each(s, path, func(name string, s *setting, path string) {
		out = append(out, d.check(name, s, path))
	})
	slices.SortFunc(out, func(a, b Check) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// usualCheck has what holds where a check says nothing else.
var usualCheck = Check{Timeout: 5 * time.Second, Interval: 30 * time.Second, Grace: 30 * time.Second, Retries: 1}

func (d *decoder) check(name string, s *setting, path string) Check {
	c := usualCheck
	c.Name = name
	d.mapping(s, path, fields{
		"timeout":    d.duration(&c.Timeout),
		"interval":   d.duration(&c.Interval),
		"grace":      d.duration(&c.Grace),
		"retries":    d.integer(&c.Retries, 1, 100),
		"from":       d.ways(&c.From),
		"redis":      func(s *setting, path string) { c.Redis = d.redis(s, path) },
		"centrifugo": func(s *setting, path string) { c.Centrifugo = d.centrifugo(s, path) },
		"route":      func(s *setting, path string) { c.Route = d.route(s, path) },
		"http":       func(s *setting, path string) { c.HTTP = d.http(s, path) },
		"tcp":        func(s *setting, path string) { c.TCP = d.tcp(s, path) },
	})
	var kinds []string
	for _, kind := range []string{"redis", "centrifugo", "route", "http", "tcp"} {
		if s.field(kind) != nil {
			kinds = append(kinds, kind)
		}
	}
	switch {
	case s.node.Kind != yaml.MappingNode && !s.isNull():
	case len(kinds) == 0:
		d.fail(s, path, "the check does not say what to check", "add redis, centrifugo, route, http or tcp")
	case len(kinds) > 1:
		d.fail(s, path, "the check has more than one kind: "+strings.Join(kinds, " and "), "write one check for each")
	default:
		d.needWays(s, path, c)
	}
	return c
}

// needWays reports a way that the check's target cannot have.
func (d *decoder) needWays(s *setting, path string, c Check) {
	for _, way := range c.From {
		switch t := c.Target(); {
		case way == "explicit" && t.Connect == "":
			d.fail(s.field("from"), path+".from", "the check has no explicit address to go from", "add connect: HOST:PORT, or take explicit away")
		case way != "explicit" && t.Service == "":
			d.fail(s.field("from"), path+".from", "the check names no service that could be reached by "+way, "add service: NAME, or take "+way+" away")
		}
	}
}

// target adds the keys that say where a check connects to.
func (d *decoder) target(t *Target, own fields) fields {
	own["service"] = d.text(&t.Service)
	own["port"] = d.integer(&t.Port, 1, 65535)
	own["connect"] = d.address(&t.Connect)
	return own
}

func (d *decoder) centrifugo(s *setting, path string) *CentrifugoCheck {
	c := CentrifugoCheck{Target: Target{Port: 8000}}
	d.mapping(s, path, d.target(&c.Target, fields{
		"api_key":      d.credential(&c.APIKey),
		"token_secret": d.credential(&c.TokenSecret),
		"publish":      d.unless(&c.SkipPublish),
		"websocket":    d.unless(&c.SkipWebsocket),
		"origin":       d.origin(&c.Origin),
	}))
	d.needTarget(s, path, c.Target)
	d.centrifugoParts(s, path, c)
	return &c
}

// needTarget reports a check that does not say where to connect to.
func (d *decoder) needTarget(s *setting, path string, t Target) bool {
	if t.Service != "" || t.Connect != "" || s.field("service") != nil || s.field("connect") != nil {
		return true
	}
	d.fail(s, path, "the check has neither a service nor an address", "add service: NAME, or connect: HOST:PORT")
	return false
}
