package check_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/spec"
)

// withTLS is the test stack with a server's certificate and key in it.
func withTLS(cert, key []byte) *spec.Stack {
	s := stack()
	s.Secrets = append(s.Secrets, spec.Secret{Key: "tls_cert", Data: cert}, spec.Secret{Key: "tls_key", Data: key})
	s.Configs = []spec.Config{
		{Key: "ca", Spec: swarm.ConfigSpec{Data: cert}},
		{Key: "external_ca", External: true},
		{Key: "no_ca", Spec: swarm.ConfigSpec{Data: []byte("not PEM")}},
	}
	return s
}

func secure(c spec.Check, o spec.TLS) spec.Check {
	c.Redis.TLS = &o
	return c
}

func TestRedisTLS(t *testing.T) {
	server := redistest.Start(t, redistest.Options{TLS: true, Password: redisPassword})
	open := redistest.Start(t, redistest.Options{TLS: true})
	strict := redistest.Start(t, redistest.Options{TLS: true, Args: []string{"--tls-auth-clients", "yes"}})
	plain := redistest.Start(t, redistest.Options{})
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)

	fromConfig, fromSecret := spec.Material{Config: "ca"}, spec.Material{Secret: "tls_cert"}
	trusting := func(s *redistest.Server) spec.TLS {
		return spec.TLS{CA: spec.Material{File: "ca.pem", Data: s.Cert}, ServerName: "redis"}
	}
	mutual := trusting(strict)
	mutual.Cert, mutual.Key = spec.Material{File: "cert.pem", Data: strict.Cert}, spec.Material{File: "key.pem", Data: strict.Key}
	stranger := mutual
	stranger.Cert, stranger.Key = fromSecret, spec.Material{Secret: "tls_key"}
	unpaired := mutual
	unpaired.Key = spec.Material{Secret: "tls_key"}

	for _, tt := range []struct {
		name  string
		check spec.Check
		want  string
		says  string
	}{
		{"the CA in a config", secure(at(server.Addr, "redis_password"), spec.TLS{CA: fromConfig, ServerName: "redis"}), "passed", ""},
		{"the CA in a secret", secure(at(server.Addr, "redis_password"), spec.TLS{CA: fromSecret, ServerName: "redis"}), "passed", ""},
		{"the CA in a file", secure(at(server.Addr, "redis_password"), trusting(server)), "passed", ""},
		{"insecure", secure(at(server.Addr, "redis_password"), spec.TLS{Insecure: true}), "passed", ""},
		{"a wrong password", secure(at(server.Addr, "wrong_password"), trusting(server)), "failed auth_failed", ""},
		{"an open server, a password wanted", secure(at(open.Addr, "redis_password"), trusting(open)), "failed no_password_required", ""},
		{"nobody signed it", secure(at(server.Addr, "redis_password"), spec.TLS{ServerName: "redis"}), "failed tls_error", "nobody known here has signed it"},
		{"somebody else signed it", secure(at(open.Addr, ""), trusting(server)), "failed tls_error", "certificate is not valid"},
		{"another name", secure(at(server.Addr, "redis_password"), spec.TLS{CA: fromConfig, ServerName: "db"}), "failed tls_error", "for redis, not for db"},
		{"an address for a name", secure(at(server.Addr, "redis_password"), spec.TLS{CA: fromConfig}), "failed tls_error", "127.0.0.1"},
		{"no TLS", at(server.Addr, "redis_password"), "failed tls_mismatch", "expects TLS"},
		{"no TLS where a certificate is wanted", at(strict.Addr, ""), "failed tls_mismatch", "expects TLS"},
		{"TLS on a plain port", secure(within(time.Second, at(plain.Addr, "")), trusting(server)), "failed tls_mismatch", "does not speak TLS"},
		{"TLS to a web server", secure(at(web.Listener.Addr().String(), ""), trusting(server)), "failed tls_mismatch", "does not speak TLS"},
		{"a client certificate", secure(at(strict.Addr, ""), mutual), "passed", ""},
		{"none", secure(at(strict.Addr, "redis_password"), trusting(strict)), "failed client_certificate", "certificate"},
		{"a stranger's", secure(at(strict.Addr, ""), stranger), "failed client_certificate", "certificate"},
		{"no pair", secure(at(strict.Addr, ""), unpaired), "unknown invalid", "no pair"},
		{"a CA that is none", secure(at(server.Addr, ""), spec.TLS{CA: spec.Material{Config: "no_ca"}}), "unknown invalid", "no certificate"},
		{"a CA that is not known", secure(at(server.Addr, ""), spec.TLS{CA: spec.Material{Config: "external_ca"}}), "unknown credential_unavailable", "config external_ca"},
		{"a certificate that is not known", secure(at(server.Addr, ""), spec.TLS{Cert: spec.Material{Secret: "nonesuch"}}), "unknown credential_unavailable", "secret nonesuch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := probe(t, check.Prober{}, withTLS(server.Cert, server.Key), tt.check)
			if got, _, _ := strings.Cut(outcome(r), " via "); got != tt.want || !strings.Contains(r.Message, tt.says) {
				t.Errorf("got %s, want %s that says %q: %s", got, tt.want, tt.says, r.Message)
			}
		})
	}
	t.Run("the name is the service's", func(t *testing.T) {
		c := secure(at("", "redis_password"), spec.TLS{CA: fromConfig})
		c.Redis.Target = spec.Target{Service: "redis", Port: 6379}
		r := probe(t, check.Prober{Locator: publishedAt(server.Addr)}, withTLS(server.Cert, server.Key), c)
		if got := outcome(r); got != "passed via published "+server.Addr {
			t.Errorf("got %s: %s", got, r.Message)
		}
	})
	t.Run("it hangs", func(t *testing.T) {
		server.Freeze(t)
		expect(t, secure(within(400*time.Millisecond, at(server.Addr, "redis_password")), trusting(server)), "failed timeout", false)
	})
}

func within(d time.Duration, c spec.Check) spec.Check {
	c.Timeout = d
	return c
}
