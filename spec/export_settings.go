package spec

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// settings is the inverse of readSettings: it leaves out what is the default.
func (x *exporting) settings(s Settings) *object {
	o, plainly := newObject(), defaultSettings()
	checks := newObject()
	for _, c := range s.Checks {
		checks.put(c.Name, &x.check(c).Node)
	}
	o.object("checks", checks)
	if s.OnCheckFailure != plainly.OnCheckFailure {
		o.text("on_check_failure", s.OnCheckFailure)
	}
	o.texts("ignore", s.Ignore)
	if s.Images.Resolve != plainly.Images.Resolve {
		o.mapping("images", map[string]string{"resolve": s.Images.Resolve})
	}
	if !s.Prune {
		o.put("prune", plain(false))
	}
	o.texts("allow", s.Allow)
	o.duration("timeout", s.Timeout, 0)
	lint := newObject()
	lint.texts("off", s.Lint.Off)
	o.object("lint", lint)
	return o
}

// duration adds one that is not the default.
func (o *object) duration(key string, d, usual time.Duration) {
	if d != usual {
		o.put(key, period(d))
	}
}

func (x *exporting) check(c Check) *object {
	o, usual := newObject(), usualCheck
	if c.Withheld != "" {
		x.note("x-swarmward.checks.%s: texts that held a secret are not in the record; (sensitive) or nothing stands for them", c.Name)
	}
	switch {
	case c.Redis != nil:
		o.present("redis", exportRedis(*c.Redis))
	case c.Centrifugo != nil:
		o.present("centrifugo", exportCentrifugo(*c.Centrifugo))
	case c.Route != nil:
		o.present("route", exportRoute(*c.Route))
	case c.HTTP != nil:
		o.present("http", exportHTTP(*c.HTTP))
	case c.TCP != nil:
		tcp := newObject()
		tcp.target(c.TCP.Target)
		tcp.tls(c.TCP.TLS)
		tcp.text("send", c.TCP.Send)
		tcp.text("expect", c.TCP.Expect)
		o.present("tcp", tcp)
	}
	o.duration("timeout", c.Timeout, usual.Timeout)
	o.duration("interval", c.Interval, usual.Interval)
	o.duration("grace", c.Grace, usual.Grace)
	if c.Retries != usual.Retries {
		o.number("retries", int64(c.Retries))
	}
	o.texts("from", c.From)
	return o
}

func (o *object) target(t Target) {
	o.text("service", t.Service)
	o.number("port", int64(t.Port))
	o.text("connect", t.Connect)
}

func (o *object) secret(key string, c Credential) {
	if c.Secret != "" {
		s := newObject()
		s.text("secret", c.Secret)
		o.put(key, s.flow())
	}
}

func (o *object) material(key string, m Material) {
	s := newObject()
	s.text("secret", m.Secret)
	s.text("config", m.Config)
	s.text("file", m.File)
	if !s.empty() {
		o.put(key, s.flow())
	}
}

func (o *object) tls(t *TLS) {
	if t == nil {
		return
	}
	s := newObject()
	s.material("ca", t.CA)
	s.material("cert", t.Cert)
	s.material("key", t.Key)
	s.text("server_name", t.ServerName)
	s.flag("insecure", t.Insecure)
	if s.empty() {
		o.put("tls", plain(true))
		return
	}
	o.object("tls", s)
}

func exportRedis(c RedisCheck) *object {
	o := newObject()
	o.target(c.Target)
	o.text("url", redisAddress(c))
	o.text("username", c.Username)
	o.secret("password", c.Password)
	if c.PasswordOptional {
		o.put("password_required", plain(false))
	}
	if c.Sentinel != nil {
		o.text("sentinel_username", c.Sentinel.Username)
		o.secret("sentinel_password", c.Sentinel.Password)
	}
	o.text("key", c.Key)
	o.number("database", int64(c.Database))
	o.tls(c.TLS)
	expect, e := newObject(), c.Expect
	expect.text("role", e.Role)
	expect.number("replicas", int64(e.Replicas))
	if e.AppendOnly != nil {
		expect.put("append_only", plain(*e.AppendOnly))
	}
	expect.flag("last_save_ok", e.LastSaveOK)
	if e.MemoryBelow != 0 {
		expect.put("memory_below", text(strconv.Itoa(e.MemoryBelow)+"%"))
	}
	o.object("expect", expect)
	return o
}

// redisAddress is the URL that alone says that there are Sentinels or a Cluster.
func redisAddress(c RedisCheck) string {
	scheme, query, addresses := "redis-cluster", url.Values{}, c.Cluster
	if c.Sentinel != nil {
		scheme, addresses = "redis-sentinel", c.Sentinel.Addresses
		query.Set("master_name", c.Sentinel.Master)
	}
	if len(addresses) == 0 {
		return ""
	}
	if c.TLS != nil {
		scheme = strings.Replace(scheme, "redis", "rediss", 1)
	}
	for _, more := range addresses[1:] {
		query.Add("addr", more)
	}
	u := url.URL{Scheme: scheme, Host: addresses[0], RawQuery: query.Encode()}
	return u.String()
}

func exportCentrifugo(c CentrifugoCheck) *object {
	o := newObject()
	o.target(c.Target)
	o.secret("api_key", c.APIKey)
	o.secret("token_secret", c.TokenSecret)
	if c.SkipPublish {
		o.put("publish", plain(false))
	}
	if c.SkipWebsocket {
		o.put("websocket", plain(false))
	}
	o.text("origin", c.Origin)
	return o
}

func exportRoute(c RouteCheck) *object {
	o := newObject()
	o.text("url", c.URL)
	o.text("service", c.Service)
	if t := c.Traefik; t.Service != "" {
		s := newObject()
		s.text("service", t.Service)
		s.number("port", int64(t.Port))
		o.put("traefik", s.flow())
	} else {
		o.text("traefik", t.Connect)
	}
	o.text("body", c.Body)
	o.text("contains", c.Contains)
	o.texts("refuse", c.Refuse)
	if c.CertificateDays != 14 && !strings.HasPrefix(c.URL, "http:") {
		o.put("certificate_days", plain(c.CertificateDays))
	}
	o.material("ca", c.CA)
	o.text("api", c.API)
	return o
}

func exportHTTP(c HTTPCheck) *object {
	o := newObject()
	o.target(c.Target)
	o.text("url", c.URL)
	o.text("method", c.Method)
	headers := newObject()
	for _, h := range c.Headers {
		if h.Secret.Secret == "" {
			headers.put(h.Name, text(h.Value))
			continue
		}
		s := newObject()
		s.text("secret", h.Secret.Secret)
		s.text("prefix", h.Value)
		headers.put(h.Name, s.flow())
	}
	o.object("headers", headers)
	o.text("send", c.Send)
	var status []*yaml.Node
	for _, s := range c.Status {
		status = append(status, plain(s))
	}
	if len(status) > 0 {
		o.put("status", list(status...))
	}
	o.text("body", c.Body)
	o.texts("contains", c.Contains)
	o.text("regexp", c.Regexp)
	values := newObject()
	for _, v := range c.JSON {
		values.put(joinPath(v.Path), text(v.Want))
	}
	o.object("json", values)
	o.tls(c.TLS)
	o.duration("max_latency", c.MaxLatency, 0)
	o.number("redirects", int64(c.Redirects))
	return o
}

// joinPath is the inverse of SplitPath.
func joinPath(names []string) string {
	parts := make([]string, len(names))
	for i, n := range names {
		if parts[i] = n; n == "" || strings.ContainsAny(n, `."`) {
			parts[i] = strconv.Quote(n)
		}
	}
	return strings.Join(parts, ".")
}
