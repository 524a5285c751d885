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

	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
	"github.com/swarmward/swarmward/spec"
)

// centrifugo starts a stand-in and returns its address.
func centrifugo(t *testing.T, key string, health bool) string {
	t.Helper()
	var c standin.Config
	c.HTTPAPI.Key = key
	c.Health.Enabled = health
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

func TestCentrifugo(t *testing.T) {
	good := centrifugo(t, apiKey, true)
	noHealth := centrifugo(t, apiKey, false)
	bare := centrifugo(t, "", false)
	for _, tt := range []struct {
		name  string
		check spec.Check
		want  string
		says  string
	}{
		{"works", asking(good, "api_key"), "passed", "version 6.9.1, 1 node."},
		{"works, without a key to ask with", asking(good, ""), "passed", "was not asked"},
		{"wrong key", asking(good, "wrong_key"), "failed key_refused", "secret wrong_key"},
		{"no health", asking(noHealth, "api_key"), "failed health_disabled", ""},
		{"no health, without a key to ask with", asking(noHealth, ""), "failed health_disabled", ""},
		{"no health and wrong key", asking(noHealth, "wrong_key"), "failed key_refused", ""},
		{"a server without key", asking(bare, "api_key"), "failed key_refused", "runs without one"},
		{"external secret", asking(good, "external"), "unknown credential_unavailable", "secret external"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := expect(t, tt.check, tt.want, false)
			if !strings.Contains(r.Message, tt.says) {
				t.Errorf("message %q, want it to say %q", r.Message, tt.says)
			}
		})
	}
}

func TestCentrifugoWrongGeneration(t *testing.T) {
	bare := centrifugo(t, "", false)
	good := centrifugo(t, apiKey, true)
	v5 := []string{"CENTRIFUGO_API_KEY=" + apiKey, "CENTRIFUGO_HEALTH=true", "CENTRIFUGO_ADMIN_PASSWORD=x"}
	v6 := []string{"CENTRIFUGO_HTTP_API_KEY=" + apiKey, "CENTRIFUGO_HEALTH_ENABLED=true"}
	for _, tt := range []struct {
		name, address, image string
		env                  []string
		want, remedy         string
	}{
		{"names of 5 on 6", bare, "centrifugo/centrifugo:v6.9.1", v5, "failed wrong_generation",
			"Rename: CENTRIFUGO_API_KEY to CENTRIFUGO_HTTP_API_KEY, CENTRIFUGO_HEALTH to CENTRIFUGO_HEALTH_ENABLED."},
		{"names of 6 on 5", bare, "centrifugo/centrifugo:v5.4.9", v6, "failed wrong_generation",
			"Rename: CENTRIFUGO_HTTP_API_KEY to CENTRIFUGO_API_KEY, CENTRIFUGO_HEALTH_ENABLED to CENTRIFUGO_HEALTH."},
		{"right names", bare, "centrifugo/centrifugo:v6.9.1", v6, "failed key_refused", ""},
		{"generation unknown", bare, "centrifugo/centrifugo:latest", v5, "failed key_refused", ""},
		{"wrong names that do not matter", good, "centrifugo/centrifugo:v6.9.1", v5, "passed", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := stack()
			container := s.Services[0].Spec.TaskTemplate.ContainerSpec
			container.Image, container.Env = tt.image, tt.env
			r := probe(t, check.Prober{}, s, asking(tt.address, "api_key"))
			if got, _, _ := strings.Cut(outcome(r), " via "); got != tt.want {
				t.Errorf("got %s, want %s: %s", got, tt.want, r.Message)
			}
			if tt.remedy != "" && r.Remedy != tt.remedy {
				t.Errorf("remedy %q, want %q", r.Remedy, tt.remedy)
			}
		})
	}
}

// What other servers and proxies answer in Centrifugo's place.
func TestNotCentrifugo(t *testing.T) {
	const nodes = `{"result":{"nodes":[{"version":"6.9.1"},{"version":"6.9.0"},{"version":"6.9.1"}]}}`
	type reply struct {
		status int
		body   string
	}
	ok := reply{200, "{}"}
	for _, tt := range []struct {
		name         string
		health, info reply
		want, says   string
	}{
		{"two versions", ok, reply{200, nodes}, "passed", "version 6.9.0 and 6.9.1, 3 nodes."},
		{"an odd version", ok, reply{200, `{"result":{"nodes":[{"version":"<b>\n"}]}}`}, "passed", "version unknown, 1 node."},
		{"a health page", reply{200, "<h1>up</h1>"}, ok, "failed not_centrifugo", `"<h1>up</h1>"`},
		{"another 404", reply{404, "Not here"}, ok, "failed not_centrifugo", ""},
		{"Traefik without a route", reply{404, "404 page not found\n"}, reply{404, "404 page not found\n"}, "failed not_centrifugo", ""},
		{"Traefik without a server", reply{502, "Bad Gateway"}, ok, "failed bad_status", "502"},
		{"an API switched off", ok, reply{404, "404 page not found\n"}, "failed api_error", ""},
		{"an API that says nothing", ok, ok, "failed not_centrifugo", ""},
		{"an API without nodes", ok, reply{200, `{"result":{"nodes":[]}}`}, "failed not_centrifugo", ""},
		{"an API that speaks HTML", ok, reply{200, "<html>" + apiKey}, "failed not_centrifugo", "(sensitive)"},
		{"an API error", ok, reply{200, `{"error":{"code":100,"message":"internal server error"}}`}, "failed api_error", "error 100"},
		{"an API error as a status", ok, reply{500, `{"code":100}`}, "failed api_error", "500"},
		{"a redirect", ok, reply{302, ""}, "failed bad_status", "302"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := tt.health
				if r.URL.Path == "/api/info" {
					answer = tt.info
					if r.Method != http.MethodPost || r.Header.Get("X-API-Key") != apiKey {
						t.Errorf("%s with key %q", r.Method, r.Header.Get("X-API-Key"))
					}
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
