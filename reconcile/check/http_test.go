package check_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/spec"
)

func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("centrifugo.whatrack.com/health", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "{}\n")
	})
	mux.HandleFunc("centrifugo.whatrack.com/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/health", http.StatusMovedPermanently)
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != redisPassword {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, r.Header.Get("Authorization"))
		}
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, strings.Repeat("x", 100)+apiKey)
	})
	mux.HandleFunc("/leak", func(w http.ResponseWriter, r *http.Request) {
		// The secret lies across the place where a message is cut.
		_, _ = io.WriteString(w, strings.Repeat("y", 55)+apiKey)
	})
	plain := httptest.NewServer(mux)
	t.Cleanup(plain.Close)
	address := plain.Listener.Addr().String()
	via := spec.Target{Connect: address}

	for _, tt := range []struct {
		name  string
		check spec.HTTPCheck
		want  string
		says  string
	}{
		{"the host of the URL is the Host header", spec.HTTPCheck{Target: via, URL: "http://centrifugo.whatrack.com/health", Body: "{}"}, "passed via explicit " + address, ""},
		{"another host", spec.HTTPCheck{Target: via, URL: "http://other.whatrack.com/health"}, "failed bad_status", `404 instead of 200, with "404 page not found"`},
		{"without a target the URL is where to go", spec.HTTPCheck{URL: plain.URL + "/echo"}, "passed via direct " + address, ""},
		{"another body", spec.HTTPCheck{Target: via, URL: "http://centrifugo.whatrack.com/health", Body: "[]"}, "failed bad_body", `with "{}"`},
		{"a 404 that is wanted", spec.HTTPCheck{URL: plain.URL + "/none", Status: []int{200, 404}, Body: "404 page not found"}, "passed", ""},
		{"a redirect is an answer", spec.HTTPCheck{Target: via, URL: "http://centrifugo.whatrack.com/moved", Status: []int{301}}, "passed", ""},
		{"a redirect is not followed", spec.HTTPCheck{Target: via, URL: "http://centrifugo.whatrack.com/moved"}, "failed bad_status", "301 instead of 200"},
		{"login", spec.HTTPCheck{URL: "http://me:" + redisPassword + "@" + address + "/login"}, "passed", ""},
		{"wrong login", spec.HTTPCheck{URL: "http://me:" + wrongPassword + "@" + address + "/login?q=" + wrongPassword}, "failed bad_status", "http://" + address + "/login answered 401"},
		{"HEAD", spec.HTTPCheck{URL: plain.URL + "/echo", Method: "HEAD"}, "passed", ""},
		{"a body with a secret", spec.HTTPCheck{URL: plain.URL + "/echo", Body: "other"}, "failed bad_body", "and so on"},
		{"a secret where the message is cut", spec.HTTPCheck{URL: plain.URL + "/leak", Body: "other"}, "failed bad_body", "and so on"},
		{"no URL", spec.HTTPCheck{URL: "centrifugo/health"}, "unknown invalid", ""},
		{"no scheme known here", spec.HTTPCheck{URL: "ftp://example.com/"}, "unknown invalid", ""},
		{"no method", spec.HTTPCheck{URL: plain.URL, Method: "A B"}, "unknown invalid", ""},
		{"https to a plain port", spec.HTTPCheck{Target: via, URL: "https://centrifugo.whatrack.com/health"}, "failed tls_error", "does not speak TLS"},
		{"no HTTP", spec.HTTPCheck{URL: "http://" + talker(t, "SSH-2.0\r\n") + "/"}, "failed not_http", ""},
		{"broken HTTP", spec.HTTPCheck{URL: "http://" + talker(t, "HTTP/1.1 nonsense\r\n\r\n") + "/"}, "failed not_http", ""},
		{"half an answer", spec.HTTPCheck{URL: "http://" + talker(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") + "/"}, "failed closed", ""},
		{"no answer", spec.HTTPCheck{URL: "http://" + talker(t, "") + "/"}, "failed closed", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := probe(t, check.Prober{}, stack(), spec.Check{Timeout: 20 * time.Second, HTTP: &tt.check})
			if got := outcome(r); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s: %s", got, tt.want, r.Message)
			}
			if !strings.Contains(r.Message, tt.says) {
				t.Errorf("message %q, want it to say %q", r.Message, tt.says)
			}
			if strings.Contains(r.Message, apiKey[:5]) {
				t.Errorf("message %q has a part of a secret", r.Message)
			}
		})
	}
}

func TestHTTPS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.ServerName+" "+r.Host)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are the point
	server.StartTLS()
	t.Cleanup(server.Close)
	trusting := check.Prober{RootCAs: x509.NewCertPool()}
	trusting.RootCAs.AddCert(server.Certificate())
	via := spec.Target{Connect: server.Listener.Addr().String()}

	for _, tt := range []struct {
		name   string
		prober check.Prober
		check  spec.HTTPCheck
		want   string
		says   string
	}{
		{"the name is in SNI and Host", trusting, spec.HTTPCheck{Target: via, URL: "https://example.com/", Body: "example.com example.com"}, "passed", ""},
		{"a certificate for another name", trusting, spec.HTTPCheck{Target: via, URL: "https://centrifugo.whatrack.com/"}, "failed tls_error", "not for centrifugo.whatrack.com"},
		{"a certificate that nobody signed", check.Prober{}, spec.HTTPCheck{Target: via, URL: "https://example.com/"}, "failed tls_error", "nobody known here has signed it"},
		{"http to a TLS port", trusting, spec.HTTPCheck{Target: via, URL: "http://example.com/"}, "failed bad_status", "400 instead of 200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := probe(t, tt.prober, stack(), spec.Check{Timeout: 20 * time.Second, HTTP: &tt.check})
			if got := outcome(r); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s: %s", got, tt.want, r.Message)
			}
			if !strings.Contains(r.Message, tt.says) {
				t.Errorf("message %q, want it to say %q", r.Message, tt.says)
			}
		})
	}
}
