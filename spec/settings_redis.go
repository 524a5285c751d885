package spec

import (
	"cmp"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

func (d *decoder) redis(s *setting, path string) *RedisCheck {
	c := RedisCheck{Target: Target{Port: 6379}, Key: "redis-health-check"}
	var address, sentinelUser string
	var sentinelPassword Credential
	required := true
	d.mapping(s, path, d.target(&c.Target, fields{
		"url":               d.text(&address),
		"username":          d.text(&c.Username),
		"password":          d.credential(&c.Password),
		"password_required": d.boolean(&required),
		"sentinel_username": d.text(&sentinelUser),
		"sentinel_password": d.credential(&sentinelPassword),
		"key":               d.text(&c.Key),
		"database":          d.integer(&c.Database, 0, 1<<20),
		"tls":               d.tls(&c.TLS),
		"expect":            d.redisExpect(&c.Expect),
	}))
	c.PasswordOptional = !required
	if s.field("password_required") != nil && required && s.field("password") == nil {
		d.fail(s.field("password_required"), path+".password_required", "the check gives no password that could be required", "add password: {secret: NAME}")
	}
	if u := s.field("url"); u != nil {
		d.redisURL(u, path+".url", address, s, &c)
	} else {
		d.needTarget(s, path, c.Target)
	}
	switch {
	case c.Sentinel != nil:
		c.Sentinel.Username, c.Sentinel.Password = sentinelUser, sentinelPassword
		if s.field("port") == nil {
			c.Target.Port = 26379
		}
	case s.field("sentinel_username") != nil || s.field("sentinel_password") != nil:
		d.fail(s, path, "the check has a credential for Sentinel and no Sentinel", "add url: redis-sentinel://HOST:26379?master_name=NAME, or remove it")
	}
	return &c
}

func (d *decoder) redisExpect(into *RedisExpect) decode {
	return func(s *setting, path string) {
		var appendOnly bool
		d.mapping(s, path, fields{
			"role":         d.choice(&into.Role, "master", "replica"),
			"replicas":     d.integer(&into.Replicas, 1, 1000),
			"append_only":  d.boolean(&appendOnly),
			"last_save_ok": d.boolean(&into.LastSaveOK),
			"memory_below": d.percent(&into.MemoryBelow),
		})
		if s.field("append_only") != nil {
			into.AppendOnly = &appendOnly
		}
	}
}

func (d *decoder) percent(into *int) decode {
	return d.single("a share from 1% to 100%", func(text string) bool {
		n, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
		*into = n
		return err == nil && strings.HasSuffix(text, "%") && n >= 1 && n <= 100
	})
}

// redisURLs are what a URL's scheme says: the kind of Redis and its port.
var redisURLs = map[string]struct {
	kind string
	tls  bool
	port string
}{
	"redis": {"", false, "6379"}, "rediss": {"", true, "6379"},
	"redis-sentinel": {"sentinel", false, "26379"}, "rediss-sentinel": {"sentinel", true, "26379"},
	"redis-cluster": {"cluster", false, "6379"}, "rediss-cluster": {"cluster", true, "6379"},
}

// redisURL fills in what the URL of a check says. No message repeats the URL:
// a password could be in it.
func (d *decoder) redisURL(s *setting, path, text string, check *setting, c *RedisCheck) {
	if d.report.bad[s.node] || s.isNull() || s.node.Kind != yaml.ScalarNode {
		return // that is said already
	}
	u, err := url.Parse(text)
	if err != nil {
		d.fail(s, path, "the URL cannot be read", "write it as redis://HOST:6379/0, and leave credentials out of it")
		return
	}
	query := u.Query()
	scheme, known := redisURLs[u.Scheme]
	parameters := map[string][]string{"sentinel": {"addr", "db", "master_name"}, "cluster": {"addr"}, "": {"db"}}[scheme.kind]
	switch {
	case u.User != nil || query.Has("password") || query.Has("username"):
		d.fail(s, path, "the URL holds a credential", "leave it out, and give username: NAME and password: {secret: NAME}")
	case !known:
		d.fail(s, path, "the URL has no scheme known here", "begin with "+oneOf(slices.Sorted(maps.Keys(redisURLs)))+", and ://")
	case u.Hostname() == "":
		d.fail(s, path, "the URL has no host", "write "+u.Scheme+"://HOST:"+scheme.port)
	case scheme.kind == "" && (query.Has("master_name") || query.Has("addr")):
		d.fail(s, path, "the URL is that of a single server and names others", "begin with redis-sentinel:// or redis-cluster://")
	case scheme.kind == "sentinel" && query.Get("master_name") == "":
		d.fail(s, path, "the URL does not say which master Sentinel is to be asked for", "add ?master_name=NAME")
	case !scheme.tls && c.TLS != nil:
		d.fail(s, path, "the check has tls: and a URL without TLS", "write "+strings.Replace(u.Scheme, "redis", "rediss", 1)+"://, or remove tls:")
	default:
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if !slices.Contains(parameters, name) {
				d.fail(s, path, "the URL has a parameter that is not known here: "+name, didYouMean(name, parameters, "remove it"))
			}
		}
		if scheme.tls && c.TLS == nil {
			c.TLS = &TLS{}
		}
		d.redisDatabase(s, path, u, check, c)
		d.redisAddresses(s, path, u, scheme.kind, scheme.port, c)
	}
}

func (d *decoder) redisDatabase(s *setting, path string, u *url.URL, check *setting, c *RedisCheck) {
	text := cmp.Or(strings.Trim(u.Path, "/"), u.Query().Get("db"))
	if text == "" {
		return
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 0:
		d.fail(s, path, "the URL's database is not a number", "write it as redis://HOST:6379/0")
	case redisURLs[u.Scheme].kind == "cluster" && n != 0:
		d.fail(s, path, "a Redis Cluster has database 0 alone", "remove the database")
	case check.field("database") != nil && n != c.Database:
		d.fail(s, path, "the URL names another database than database: does", "keep one of them")
	default:
		c.Database = n
	}
}

func (d *decoder) redisAddresses(s *setting, path string, u *url.URL, kind, port string, c *RedisCheck) {
	first := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	addresses := []string{first}
	for _, more := range u.Query()["addr"] {
		if host, own, err := net.SplitHostPort(more); err != nil || host == "" || !isPort(own) {
			d.fail(s, path, "an addr of the URL is not of the form HOST:PORT", "write it as addr=HOST:"+port)
			continue
		}
		addresses = append(addresses, more)
	}
	switch kind {
	case "sentinel":
		c.Sentinel = &Sentinel{Master: u.Query().Get("master_name"), Addresses: addresses}
	case "cluster":
		c.Cluster = addresses
	default:
		if c.TLS != nil && c.TLS.ServerName == "" {
			c.TLS.ServerName = u.Hostname()
		}
		if c.Target.Service == "" && c.Target.Connect == "" {
			c.Target.Connect = first
			c.Target.Port, _ = strconv.Atoi(cmp.Or(u.Port(), port))
		}
	}
}
