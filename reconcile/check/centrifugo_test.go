package check_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/reality"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
	"github.com/swarmward/swarmward/spec"
)

const (
	tokenSecret = "token-secret-3c9e1f7a5b"
	otherSecret = "token-secret-ffff0000aa"
	pageOrigin  = "https://whatrack.com"
)

// configured is a Centrifugo with everything on that the check looks at.
func configured() standin.Config {
	var c standin.Config
	c.HTTPAPI.Key = apiKey
	c.Client.Token.HMACSecretKey = tokenSecret
	c.Client.AllowedOrigins = []string{pageOrigin}
	c.Health.Enabled = true
	c.Admin.Enabled, c.Admin.HandlerPrefix = true, "/admin"
	return c
}

// centrifugo starts one and returns its address.
func centrifugo(t *testing.T, c standin.Config) string {
	t.Helper()
	if standin.Real() != "" {
		return reality.Centrifugo(t, c)
	}
	node, err := standin.New(c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(node)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = node.Close(ctx)
		server.Close()
	})
	return server.Listener.Addr().String()
}

// asking is a centrifugo check of an address with the key of a secret.
func asking(address, secret string) spec.Check {
	return spec.Check{
		Timeout: 20 * time.Second,
		Centrifugo: &spec.CentrifugoCheck{
			Target: spec.Target{Service: "centrifugo", Connect: address}, APIKey: spec.Credential{Secret: secret},
		},
	}
}

// trial is a check with what it is tried on.
type trial struct {
	prober check.Prober
	stack  *spec.Stack
	check  spec.Check
}

// probeRow is one condition, made for real, and what a check must find.
type probeRow struct {
	name string
	make func(t *testing.T) trial
	want string
	says string // in the message or the remedy
}

func (row probeRow) run(t *testing.T) {
	t.Parallel()
	x := row.make(t)
	r := probe(t, x.prober, x.stack, x.check)
	if got, _, _ := strings.Cut(outcome(r), " via "); got != row.want {
		t.Errorf("got %s, want %s: %s", got, row.want, r.Message)
	}
	if !strings.Contains(r.Message+" "+r.Remedy, row.says) {
		t.Errorf("%s %s\nwant it to say %q", r.Message, r.Remedy, row.says)
	}
	if strings.Contains(r.Message+r.Remedy, "eyJ") {
		t.Errorf("a token is in %s %s", r.Message, r.Remedy)
	}
}

// clientOf is a check of an address with everything that it can do. The service
// has the environment that a test gives it.
func clientOf(address string) trial {
	x := trial{stack: stack(), check: asking(address, "api_key")}
	x.stack.Secrets = append(x.stack.Secrets,
		spec.Secret{Key: "token_secret", Data: spec.Sensitive(tokenSecret + "\n")},
		spec.Secret{Key: "other_secret", Data: spec.Sensitive(otherSecret)},
	)
	x.environment("centrifugo/centrifugo:v6.9.1", "CENTRIFUGO_HTTP_API_KEY=x")
	x.check.Centrifugo.TokenSecret.Secret = "token_secret"
	return x
}

func (x trial) environment(image string, env ...string) {
	container := x.stack.Services[0].Spec.TaskTemplate.ContainerSpec
	container.Image, container.Env = image, env
}

// started is clientOf a Centrifugo that begins with its environment alone.
func started(t *testing.T, generation int, image string, env ...string) trial {
	t.Helper()
	var address string
	if standin.Real() != "" {
		address = reality.CentrifugoWith(t, generation, env)
	} else {
		address = startedStandin(t, generation, env)
	}
	x := clientOf(address)
	x.environment(image, env...)
	return x
}

func startedStandin(t *testing.T, generation int, env []string) string {
	t.Helper()
	load := map[int]func(string, func(string) string) (standin.Config, bool, error){5: standin.Load5, 6: standin.Load}[generation]
	set := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		set[name] = value
	}
	c, _, err := load("/nonexistent/config.json", func(name string) string { return set[name] })
	if err != nil {
		t.Fatal(err)
	}
	return centrifugo(t, c)
}

// running says how many tasks of the target run, instead of an address alone.
func (x trial) running(tasks int) trial {
	target := &x.check.Centrifugo.Target
	way := reconcile.Way{Kind: "overlay", Address: target.Connect}
	target.Connect = ""
	x.prober.Locator = locatorFunc(func(context.Context, string, int) (reconcile.Location, error) {
		return reconcile.Location{Running: tasks, Ways: []reconcile.Way{way}}, nil
	})
	return x
}

func with(change func(*standin.Config)) standin.Config {
	c := configured()
	change(&c)
	return c
}

func engine(redis *redistest.Server) standin.Config {
	return with(func(c *standin.Config) {
		c.Engine.Type, c.Engine.Redis.Address, c.Engine.Redis.Password = "redis", redis.Addr, redisPassword
	})
}

func centrifugoRows() []probeRow {
	const six, five = "centrifugo/centrifugo:v6.9.1", "centrifugo/centrifugo:v5.4.9"
	// on is a row on a Centrifugo of its own; edit changes the check.
	on := func(c standin.Config, edit func(*spec.CentrifugoCheck)) func(*testing.T) trial {
		return func(t *testing.T) trial {
			x := clientOf(centrifugo(t, c))
			if edit != nil {
				edit(x.check.Centrifugo)
			}
			return x
		}
	}
	v5 := []string{"CENTRIFUGO_API_KEY=" + apiKey, "CENTRIFUGO_TOKEN_HMAC_SECRET_KEY=" + tokenSecret, "CENTRIFUGO_HEALTH=true", "CENTRIFUGO_ADMIN_PASSWORD=x"}
	v6 := []string{"CENTRIFUGO_HTTP_API_KEY=" + apiKey, "CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY=" + tokenSecret, "CENTRIFUGO_HEALTH_ENABLED=true"}
	noHealth := with(func(c *standin.Config) { c.Health.Enabled = false })
	return []probeRow{
		{"works", on(configured(), nil), "passed", "version 6.9.1, 1 node; it takes publications and lets in clients with a good token alone."},
		{"works, in generation 5", func(t *testing.T) trial { return started(t, 5, five, v5...) }, "passed", "version 5.4.9, 1 node; it takes"},
		{"works, in generation 6", func(t *testing.T) trial { return started(t, 6, six, v6...) }, "passed", "version 6.9.1, 1 node; it takes"},
		{"an allowed origin", on(configured(), func(c *spec.CentrifugoCheck) { c.Origin = pageOrigin }), "passed", ""},
		{"nothing but an origin", on(configured(), func(c *spec.CentrifugoCheck) { *c = spec.CentrifugoCheck{Target: c.Target, Origin: pageOrigin} }), "passed",
			"was not asked: the check has no api_key; it opens its websocket to pages of https://whatrack.com."},
		{"no credentials", on(configured(), func(c *spec.CentrifugoCheck) { *c = spec.CentrifugoCheck{Target: c.Target} }), "passed", "was not asked: the check has no api_key."},
		{"parts switched off", on(with(func(c *standin.Config) { c.Client.Token.HMACSecretKey = "" }), func(c *spec.CentrifugoCheck) { c.SkipWebsocket, c.SkipPublish = true, true }),
			"passed", "version 6.9.1, 1 node."},
		{"two nodes that know one another", func(t *testing.T) trial {
			redis := redistest.Start(t, redistest.Options{Password: redisPassword})
			address := centrifugo(t, engine(redis))
			centrifugo(t, engine(redis))
			untilNodes(t, address, 2)
			return clientOf(address).running(2)
		}, "passed", "2 nodes; it"},
		{"more nodes than tasks", func(t *testing.T) trial {
			redis := redistest.Start(t, redistest.Options{Password: redisPassword})
			address := centrifugo(t, engine(redis))
			centrifugo(t, engine(redis))
			untilNodes(t, address, 2)
			return clientOf(address).running(1)
		}, "passed", "2 nodes (1 running: others are just gone, or share its Redis)"},

		{"a Traefik without a router", func(t *testing.T) trial {
			return clientOf(serveTraefik(t, &standin.Traefik{}, false).Plain)
		}, "failed not_centrifugo", "404 everywhere"},
		{"no HTTP", func(t *testing.T) trial { return clientOf(talker(t, "SSH-2.0-OpenSSH_9.2\r\n")) }, "failed not_centrifugo", ""},
		{"health off", on(noHealth, nil), "failed health_disabled", "CENTRIFUGO_HEALTH_ENABLED"},
		{"health off, without a key to ask with", on(noHealth, func(c *spec.CentrifugoCheck) { *c = spec.CentrifugoCheck{Target: c.Target} }), "failed health_disabled", ""},
		{"another key", on(configured(), func(c *spec.CentrifugoCheck) { c.APIKey.Secret = "wrong_key" }), "failed key_refused", "secret wrong_key"},
		{"another key, and health off", on(noHealth, func(c *spec.CentrifugoCheck) { c.APIKey.Secret = "wrong_key" }), "failed key_refused", ""},
		{"no key given to the server", func(t *testing.T) trial { return started(t, 6, six, "CENTRIFUGO_HEALTH_ENABLED=true") }, "failed key_missing", "nothing in the spec gives service whatrack_centrifugo one"},
		{"no key, as far as can be seen", func(t *testing.T) trial {
			x := clientOf(centrifugo(t, with(func(c *standin.Config) { c.HTTPAPI.Key = "" })))
			x.environment(six, "CENTRIFUGO_HTTP_API_KEY=")
			return x
		}, "failed key_refused", "or runs without one"},
		{"names of 5 on 6", func(t *testing.T) trial { return started(t, 6, six, v5...) }, "failed wrong_generation",
			"Rename: CENTRIFUGO_API_KEY to CENTRIFUGO_HTTP_API_KEY, CENTRIFUGO_TOKEN_HMAC_SECRET_KEY to CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY, CENTRIFUGO_HEALTH to CENTRIFUGO_HEALTH_ENABLED."},
		{"names of 6 on 5", func(t *testing.T) trial { return started(t, 5, five, v6...) }, "failed wrong_generation",
			"Rename: CENTRIFUGO_HTTP_API_KEY to CENTRIFUGO_API_KEY"},
		{"one name of 5 on 6", func(t *testing.T) trial { return started(t, 6, six, v6[0], v6[2], v5[1]) }, "failed wrong_generation",
			"Rename: CENTRIFUGO_TOKEN_HMAC_SECRET_KEY to CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY."},
		{"names of 5 on an image that tells no version", func(t *testing.T) trial { return started(t, 6, "centrifugo/centrifugo:latest", v5...) }, "failed key_refused", ""},
		{"wrong names that do not matter", func(t *testing.T) trial {
			x := clientOf(centrifugo(t, configured()))
			x.environment(six, v5...)
			return x
		}, "passed", ""},
		{"an API for anybody", on(with(func(c *standin.Config) { c.HTTPAPI.Insecure = true }), nil), "failed accepts_any_key", "http_api.insecure"},
		{"no API", on(with(func(c *standin.Config) { c.HTTPAPI.Disabled = true }), nil), "failed api_error", "/api/info"},
		{"Redis is gone", func(t *testing.T) trial {
			redis := redistest.Start(t, redistest.Options{Password: redisPassword})
			x := clientOf(centrifugo(t, engine(redis)))
			redis.Kill()
			return x
		}, "failed engine_down", "answered /api/publish with 500"},
		{"Redis is frozen", func(t *testing.T) trial {
			redis := redistest.Start(t, redistest.Options{Password: redisPassword})
			x := clientOf(centrifugo(t, engine(redis)))
			redis.Freeze(t)
			return x
		}, "failed engine_down", "answered /api/publish with 500"},
		{"Redis is frozen for longer than the check has", func(t *testing.T) trial {
			redis := redistest.Start(t, redistest.Options{Password: redisPassword})
			x := clientOf(centrifugo(t, engine(redis)))
			redis.Freeze(t)
			x.check.Timeout = 2 * time.Second
			return x
		}, "failed engine_down", "no answer came within 2s"},
		{"nodes that do not know one another", func(t *testing.T) trial { return clientOf(centrifugo(t, configured())).running(2) },
			"failed nodes_missing", "2 tasks of service whatrack_centrifugo run, and Centrifugo at"},
		{"no websocket", on(with(func(c *standin.Config) { c.WebSocket.Disabled = true }), nil), "failed no_websocket", "/connection/websocket with 404"},
		{"another origin", on(configured(), func(c *spec.CentrifugoCheck) { c.Origin = "https://evil.example" }), "failed origin_refused", "https://evil.example"},
		{"another token secret", on(configured(), func(c *spec.CentrifugoCheck) { c.TokenSecret.Secret = "other_secret" }), "failed token_refused", "secret other_secret"},
		{"clocks that differ", func(t *testing.T) trial {
			x := clientOf(centrifugo(t, configured()))
			x.prober.Now = func() time.Time { return time.Now().Add(-time.Hour) }
			return x
		}, "failed clocks_differ", "clocks"},
		{"a token that anybody made", on(with(func(c *standin.Config) { c.Client.SkipSignature = true }), nil), "failed accepts_bad_token", "insecure_skip_token_signature_verify"},
		{"a key that is not known here", on(configured(), func(c *spec.CentrifugoCheck) { c.APIKey.Secret = "external" }), "unknown credential_unavailable", "secret external"},
		{"a token secret that is not known here", on(configured(), func(c *spec.CentrifugoCheck) { c.TokenSecret.Secret = "external" }), "unknown credential_unavailable", ""},
		{"what fails counts more than what is not known", on(configured(), func(c *spec.CentrifugoCheck) {
			c.TokenSecret.Secret, c.APIKey.Secret = "external", "wrong_key"
		}), "failed key_refused", ""},
	}
}

func TestCentrifugo(t *testing.T) {
	t.Parallel()
	for _, row := range centrifugoRows() {
		t.Run(row.name, row.run)
	}
}

// untilNodes waits until a Centrifugo knows of so many nodes.
func untilNodes(t *testing.T, address string, nodes int) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); ; {
		request, err := http.NewRequest(http.MethodPost, "http://"+address+"/api/info", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-API-Key", apiKey)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if strings.Count(string(body), `"uid"`) == nodes {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("not %d nodes: %s", nodes, body)
		case <-tick.C:
		}
	}
}

// What other servers and proxies answer in Centrifugo's place.
func TestNotCentrifugo(t *testing.T) {
	const nodes = `{"result":{"nodes":[{"version":"6.9.1"},{"version":"6.9.0"},{"version":"6.9.1"}]}}`
	type reply struct {
		status int
		body   string
	}
	ok, done, known := reply{200, "{}"}, reply{200, `{"result":{}}`}, reply{200, nodes}
	for _, tt := range []struct {
		name                  string
		health, info, publish reply
		want, says            string
	}{
		{"two versions", ok, reply{200, nodes}, done, "passed", "version 6.9.0 and 6.9.1, 3 nodes;"},
		{"an edition", ok, reply{200, `{"result":{"nodes":[{"version":"6.9.1 PRO"}]}}`}, done, "passed", "version 6.9.1, 1 node;"},
		{"an odd version", ok, reply{200, `{"result":{"nodes":[{"version":"<b>\n"}]}}`}, done, "passed", "version unknown, 1 node;"},
		{"a health page", reply{200, "<h1>up</h1>"}, ok, done, "failed not_centrifugo", `"<h1>up</h1>"`},
		{"another 404", reply{404, "Not here"}, ok, done, "failed not_centrifugo", ""},
		{"Traefik without a route", reply{404, "404 page not found\n"}, reply{404, "404 page not found\n"}, done, "failed not_centrifugo", ""},
		{"Traefik without a server", reply{502, "Bad Gateway"}, ok, done, "failed bad_status", "502"},
		{"an API switched off", ok, reply{404, "404 page not found\n"}, done, "failed api_error", ""},
		{"an API that says nothing", ok, ok, done, "failed not_centrifugo", ""},
		{"an API without nodes", ok, reply{200, `{"result":{"nodes":[]}}`}, done, "failed not_centrifugo", ""},
		{"an API that speaks HTML", ok, reply{200, "<html>" + apiKey}, done, "failed not_centrifugo", "(sensitive)"},
		{"an API error", ok, reply{200, `{"error":{"code":100,"message":"internal server error"}}`}, done, "failed api_error", "error 100"},
		{"an API error as a status", ok, reply{500, `{"code":100}`}, done, "failed api_error", "500"},
		{"a publication into a namespace that is not there", ok, known, reply{404, `{"code":102}`}, "failed api_error", "404"},
		{"the same as an error object", ok, known, reply{200, `{"error":{"code":102}}`}, "failed api_error", "error 102"},
		{"a dead engine that is told as an error object", ok, known, reply{200, `{"error":{"code":100}}`}, "failed engine_down", "error 100"},
		{"a publication that nobody understands", ok, known, reply{200, "[]"}, "failed api_error", ""},
		{"a redirect", ok, reply{302, ""}, done, "failed bad_status", "302"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := tt.health
				switch key := r.Header.Get("X-API-Key"); {
				case r.URL.Path == "/health":
				case r.Method != http.MethodPost || key != "" && key != apiKey:
					t.Errorf("%s %s with key %q", r.Method, r.URL.Path, key)
				case key == "":
					answer = reply{401, ""}
				case r.URL.Path == "/api/info":
					answer = tt.info
				default:
					answer = tt.publish
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(answer.status)
				_, _ = io.WriteString(w, answer.body)
			}))
			t.Cleanup(server.Close)
			r := expect(t, asking(server.Listener.Addr().String(), "api_key"), tt.want, false)
			if !strings.Contains(r.Message, tt.says) {
				t.Errorf("message %q, want it to say %q", r.Message, tt.says)
			}
		})
	}
	t.Run("no HTTP", func(t *testing.T) {
		expect(t, asking(talker(t, "SSH-2.0-OpenSSH_9.2\r\n"), "api_key"), "failed not_centrifugo", false)
	})
	t.Run("nothing behind the port", func(t *testing.T) {
		expect(t, asking(talker(t, ""), "api_key"), "failed closed", false)
	})
	t.Run("nothing listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		expect(t, asking(l.Addr().String(), "api_key"), "failed refused", false)
	})
}
