package standin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/reality"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
)

const (
	apiKey      = "test-api-key-7f5a2d9c"
	tokenSecret = "test-token-secret-1a9e5c7b"
)

// full is a configuration with everything on and the memory engine.
func full() standin.Config {
	var c standin.Config
	c.HTTPAPI.Key = apiKey
	c.Client.Token.HMACSecretKey = tokenSecret
	c.Client.AllowedOrigins = []string{"https://whatrack.com"}
	c.Admin.Enabled = true
	c.Admin.HandlerPrefix = "/admin"
	c.Health.Enabled = true
	return c
}

// serve starts a Centrifugo and returns its URL.
func serve(t *testing.T, c standin.Config) string {
	t.Helper()
	if standin.Real() != "" {
		return "http://" + reality.Centrifugo(t, c)
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
	return server.URL
}

// ask sends one request; headers are "Name: value".
func ask(t *testing.T, server, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, server+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(got)
}

func TestRoutes(t *testing.T) {
	const notFound = "404 page not found\n"
	all, bare := serve(t, full()), serve(t, standin.Config{})
	rootAdmin := full()
	rootAdmin.Admin.HandlerPrefix = ""
	root := serve(t, rootAdmin)
	var open standin.Config
	open.HTTPAPI.Insecure = true
	anybody := serve(t, open)
	var off standin.Config
	off.HTTPAPI.Disabled, off.WebSocket.Disabled, off.Health.Enabled = true, true, true
	nothing := serve(t, off)
	key, wrong := "X-API-Key: "+apiKey, "X-API-Key: guess"
	publish := `{"channel":"news","data":{"a":1}}`

	for _, tt := range []struct {
		name         string
		server       string
		method, path string
		body         string
		headers      []string
		status       int
		want         string // the whole body, or its beginning when it ends in …
	}{
		{"health", all, "GET", "/health", "", nil, 200, "{}"},
		{"health off", bare, "GET", "/health", "", nil, 404, notFound},
		{"ping is no route", all, "GET", "/api/ping", "", []string{key}, 404, notFound},
		{"ping is no route by POST either", all, "POST", "/api/ping", "{}", []string{key}, 404, notFound},
		{"info", all, "POST", "/api/info", "{}", []string{key}, 200, `{"result":{"nodes":[{"uid":"…`},
		{"info with the other header", all, "POST", "/api/info", "{}", []string{"Authorization: apikey " + apiKey}, 200, `{"result":…`},
		{"info by GET", all, "GET", "/api/info", "", []string{key}, 405, ""},
		{"many commands by GET", all, "GET", "/api", "", []string{key}, 405, ""},
		{"many commands without key", all, "POST", "/api", "{}", nil, 401, ""},
		{"many commands that are none", all, "POST", "/api", "", []string{key}, 400, "Bad Request\n"},
		{"nothing behind the slash", all, "GET", "/api/", "", []string{key}, 404, notFound},
		{"info without key", all, "POST", "/api/info", "{}", nil, 401, ""},
		{"info with a wrong key", all, "POST", "/api/info", "{}", []string{wrong}, 401, ""},
		{"info where no key is configured", bare, "POST", "/api/info", "{}", []string{key}, 401, ""},
		{"info for anybody", anybody, "POST", "/api/info", "{}", nil, 200, `{"result":…`},
		{"an API switched off", nothing, "POST", "/api/info", "{}", []string{key}, 404, notFound},
		{"a websocket switched off", nothing, "GET", "/connection/websocket", "", nil, 404, notFound},
		{"an empty key is no key", bare, "POST", "/api/info", "{}", []string{"X-API-Key: "}, 401, ""},
		{"publish", all, "POST", "/api/publish", publish, []string{key}, 200, `{"result":{}}`},
		{"publish without channel", all, "POST", "/api/publish", "{}", []string{key}, 200, `{"error":{"code":107,"message":"bad request"}}`},
		{"publish of no JSON", all, "POST", "/api/publish", "x", []string{key}, 400, "Bad Request\n"},
		{"admin at its prefix", all, "GET", "/admin/", "", nil, 200, "<!doctype html>…"},
		{"admin without slash", all, "GET", "/admin", "", nil, 307, "<a href=\"/admin/\">…"},
		{"admin at / by default", root, "GET", "/", "", nil, 200, "<!doctype html>…"},
		{"then not at /admin", root, "GET", "/admin", "", nil, 404, notFound},
		{"admin off", bare, "GET", "/", "", nil, 404, notFound},
		{"metrics are off", all, "GET", "/metrics", "", nil, 404, notFound},
		{"websocket without upgrade", all, "GET", "/connection/websocket", "", nil, 400, "Bad Request\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := ask(t, tt.server, tt.method, tt.path, tt.body, tt.headers...)
			begin, cut := strings.CutSuffix(tt.want, "…")
			if status != tt.status || (cut && !strings.HasPrefix(body, begin)) || (!cut && body != tt.want) {
				t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.path, status, body, tt.status, tt.want)
			}
		})
	}
}

// token signs a connection token that ends after life.
func token(t *testing.T, secret string, life time.Duration, channels ...string) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "user", "exp": time.Now().Add(life).Unix(), "channels": channels,
	}).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// connect opens a websocket and sends the connect command with a token.
func connect(t *testing.T, server, origin, token string) (*websocket.Conn, error) {
	t.Helper()
	url := "ws" + strings.TrimPrefix(server, "http") + "/connection/websocket"
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	conn, response, err := websocket.DefaultDialer.Dial(url, header)
	if err != nil {
		if response != nil {
			return nil, fmt.Errorf("upgrade: %d", response.StatusCode)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	command := map[string]any{"id": 1, "connect": map[string]any{"token": token}}
	if token == "" {
		command["connect"] = map[string]any{}
	}
	if err := conn.WriteJSON(command); err != nil {
		t.Fatal(err)
	}
	return conn, nil
}

func TestWebsocketTokens(t *testing.T) {
	server := serve(t, full())
	bare := serve(t, standin.Config{})
	trusting := full()
	trusting.Client.SkipSignature = true
	insecure := serve(t, trusting)
	good := token(t, tokenSecret, time.Hour)
	for _, tt := range []struct {
		name          string
		server        string
		origin, token string
		want          string
	}{
		{"good", server, "", good, `"connect":{"client":`},
		{"allowed origin", server, "https://whatrack.com", good, `"connect":{"client":`},
		{"other origin", server, "https://evil.example", good, "upgrade: 403"},
		{"wrong secret", server, "", token(t, "another", time.Hour), "close 3500: invalid token"},
		{"wrong secret where nobody looks", insecure, "", token(t, "another", time.Hour), `"connect":{"client":`},
		{"expired where nobody looks", insecure, "", token(t, "another", -time.Hour), `"error":{"code":109,"message":"token expired"}`},
		{"expired", server, "", token(t, tokenSecret, -time.Hour), `"error":{"code":109,"message":"token expired"}`},
		{"none", server, "", "", "close 3501: bad request"},
		{"no secret configured", bare, "", token(t, "", time.Hour), "close 3500: invalid token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			conn, err := connect(t, tt.server, tt.origin, tt.token)
			if err == nil {
				var data []byte
				_, data, err = conn.ReadMessage()
				got = string(data)
			}
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// redisEngine is a configuration with the engine on a Redis server.
func redisEngine(address, password string) standin.Config {
	c := full()
	c.Engine.Type = "redis"
	c.Engine.Redis.Address = address
	c.Engine.Redis.Password = password
	return c
}

func TestEngineNeedsRedisAtStart(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{Password: "right-password"})
	dead := redistest.Start(t, redistest.Options{})
	dead.Kill()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	for name, c := range map[string]standin.Config{
		"refused":        redisEngine(dead.Addr, ""),
		"wrong password": redisEngine(redis.Addr, "wrong-password"),
		"no password":    redisEngine(redis.Addr, ""),
		"no such engine": func() standin.Config { c := full(); c.Engine.Type = "nats"; return c }(),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := standin.New(c, log); err == nil {
				t.Fatal("it started")
			} else if strings.Contains(err.Error(), "password-") {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

func TestNodesShareARedisEngine(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{Password: "right-password"})
	first := serve(t, redisEngine(redis.Addr, "right-password"))
	second := serve(t, redisEngine(redis.Addr, "right-password"))
	key := "X-API-Key: " + apiKey

	eventually(t, "both nodes see two", func() bool {
		for _, s := range []string{first, second} {
			_, body := ask(t, s, "POST", "/api/info", "{}", key)
			var info struct {
				Result struct{ Nodes []struct{ Version string } }
			}
			if json.Unmarshal([]byte(body), &info) != nil || len(info.Result.Nodes) != 2 || info.Result.Nodes[0].Version != "6.9.1 OSS" {
				return false
			}
		}
		return true
	})

	conn, err := connect(t, second, "", token(t, tokenSecret, time.Hour, "news"))
	if err != nil {
		t.Fatal(err)
	}
	if _, data, err := conn.ReadMessage(); err != nil || !strings.Contains(string(data), `"subs":{"news":`) {
		t.Fatalf("connect: %s, %v", data, err)
	}
	if status, body := ask(t, first, "POST", "/api/publish", `{"channel":"news","data":{"n":42}}`, key); status != 200 || body != `{"result":{}}` {
		t.Fatalf("publish: %d %s", status, body)
	}
	if _, data, err := conn.ReadMessage(); err != nil || !strings.Contains(string(data), `"data":{"n":42}`) {
		t.Fatalf("publication on the other node: %s, %v", data, err)
	}

	redis.Kill()
	publish := `{"channel":"news","data":{}}`
	status, body := ask(t, first, "POST", "/api/publish", publish, key)
	if want := `{"error":{"code":100,"message":"internal server error"}}`; status != 200 || body != want {
		t.Errorf("publish without Redis: %d %s", status, body)
	}
	if status, _ := ask(t, first, "POST", "/api/publish", publish, key, "X-Centrifugo-Error-Mode: transport"); status != 500 {
		t.Errorf("publish without Redis in transport mode: %d", status)
	}
	if status, body := ask(t, first, "GET", "/health", ""); status != 200 || body != "{}" {
		t.Errorf("health without Redis: %d %s", status, body)
	}
	if status, _ := ask(t, first, "POST", "/api/info", "{}", key); status != 200 {
		t.Errorf("info without Redis: %d", status)
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}
