package check_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/spec"
)

// What a check sends and what it asks of the answer.
func TestHTTPAnswers(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"ok","n":1.0,"id":9007199254740993,"big":1e400,"up":true,"gone":null,"nodes":[{"a.b":"x"}],"key":"`+apiKey+`"}`)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.Header.Get("X-Kind"), body)
	})
	mux.HandleFunc("/secret", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+apiKey {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, r.Header.Get("Authorization"))
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	bearer := func(secret string) []spec.Header {
		return []spec.Header{{Name: "authorization", Value: "Bearer ", Secret: spec.Credential{Secret: secret}}}
	}
	where := func(path ...string) []string { return path }
	holds := func(want string, path ...string) spec.HTTPCheck {
		return spec.HTTPCheck{URL: "/json", JSON: []spec.JSONValue{{Path: path, Want: want}}}
	}

	for _, tt := range []struct {
		name  string
		check spec.HTTPCheck
		want  string
		says  string
	}{
		{"a header and a body", spec.HTTPCheck{URL: "/echo", Method: "PUT", Send: "hello", Headers: []spec.Header{{Name: "X-Kind", Value: "k"}}, Body: "PUT k hello"}, "passed", ""},
		{"a header from a secret", spec.HTTPCheck{URL: "/secret", Headers: bearer("api_key")}, "passed", ""},
		{"a header from another secret", spec.HTTPCheck{URL: "/secret", Headers: bearer("wrong_key")}, "failed bad_status", "401"},
		{"a header from a secret that is not known", spec.HTTPCheck{URL: "/secret", Headers: bearer("external")}, "unknown credential_unavailable", "external"},
		{"the body contains", spec.HTTPCheck{URL: "/echo", Contains: []string{"GET", " "}}, "passed", ""},
		{"the body does not contain", spec.HTTPCheck{URL: "/echo", Contains: []string{"GET", "POST"}}, "failed bad_body", `"POST" is missing`},
		{"the body matches", spec.HTTPCheck{URL: "/echo", Regexp: "^G.T"}, "passed", ""},
		{"the body does not match", spec.HTTPCheck{URL: "/echo", Regexp: "^P"}, "failed bad_body", "^P does not match"},
		{"no regular expression", spec.HTTPCheck{URL: "/echo", Regexp: "("}, "unknown invalid", "regexp"},
		{"JSON text", holds("ok", "status"), "passed", ""},
		{"JSON number", holds("1", "n"), "passed", ""},
		{"JSON number of many digits", holds("9007199254740993", "id"), "passed", ""},
		{"JSON number that differs in the last of many digits", holds("9007199254740992", "id"), "failed bad_json", "id is"},
		{"JSON number beyond all bounds", holds("1e400", "big"), "passed", ""},
		{"JSON truth", holds("true", "up"), "passed", ""},
		{"JSON null", holds("null", "gone"), "passed", ""},
		{"JSON in a list", holds("x", "nodes", "0", "a.b"), "passed", ""},
		{"JSON with another value", holds("down", "status"), "failed bad_json", `status is "ok" instead of "down"`},
		{"JSON with another number", holds("2", "n"), "failed bad_json", `n is "1.0"`},
		{"JSON with a secret", holds("x", "key"), "failed bad_json", `key is "(sensitive)"`},
		{"JSON without the key", holds("x", "nodes", "0", "a"), "failed bad_json", "no nodes.0.a"},
		{"JSON with a shorter list", holds("x", "nodes", "1"), "failed bad_json", "no nodes.1"},
		{"JSON below a single value", holds("x", "n", "a.b"), "failed bad_json", `no n."a.b"`},
		{"JSON that is not single", holds("x", "nodes"), "failed bad_json", "not a single value"},
		{"no JSON", spec.HTTPCheck{URL: "/echo", JSON: []spec.JSONValue{{Path: where("a"), Want: "b"}}}, "failed bad_json", "not JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.check.URL = server.URL + tt.check.URL
			r := probe(t, check.Prober{}, stack(), spec.Check{Timeout: 20 * time.Second, HTTP: &tt.check})
			if got := outcome(r); !strings.HasPrefix(got, tt.want) || !strings.Contains(r.Message, tt.says) {
				t.Errorf("got %s, want %s that says %q: %s", got, tt.want, tt.says, r.Message)
			}
		})
	}
}

func TestHTTPRedirects(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, body, r.Header.Get("X-Plain"))
		if r.Header.Get("X-Api-Key") != "" {
			_, _ = io.WriteString(w, "key")
		}
	})
	to := func(path, location string, status int) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(status)
		})
	}
	server, other := httptest.NewServer(mux), httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(other.Close)
	to("/found", "/end", 302)
	to("/kept", "/end", 308)
	to("/two", "/found", 301)
	to("/loop", "loop", 302)
	to("/away", other.URL+"/end", 307)
	to("/down", "http://"+redistest.Unused(t)+"/", 302)
	to("/ftp", "ftp://example.com/", 302)
	via := spec.Target{Connect: server.Listener.Addr().String()}
	post := func(path string, redirects int, want string) spec.HTTPCheck {
		return spec.HTTPCheck{URL: server.URL + path, Method: "POST", Send: "hello", Redirects: redirects, Body: want,
			Headers: []spec.Header{{Name: "X-Plain", Value: "p"}, {Name: "X-Api-Key", Secret: spec.Credential{Secret: "api_key"}}}}
	}
	at := func(target spec.Target, c spec.HTTPCheck) spec.HTTPCheck { c.Target = target; return c }

	for _, tt := range []struct {
		name  string
		check spec.HTTPCheck
		want  string
		says  string
	}{
		{"it becomes a GET", post("/found", 1, "GET  pkey"), "passed via direct " + server.Listener.Addr().String(), "/end answered"},
		{"it stays a POST", post("/kept", 1, "POST hello pkey"), "passed", "/end answered"},
		{"one after the other", post("/two", 2, "GET  pkey"), "passed", ""},
		{"one too many", post("/two", 1, ""), "failed too_many_redirects", "more than 1 times"},
		{"in circles", post("/loop", 10, ""), "failed too_many_redirects", "more than 10 times"},
		{"another server gets no key", post("/away", 1, "POST hello p"), "passed via direct " + other.Listener.Addr().String(), ""},
		{"a server that is down", post("/down", 1, ""), "failed refused", ""},
		{"no web address", post("/ftp", 1, ""), "failed redirects_elsewhere", "no http or https"},
		{"by the same way", at(via, post("/two", 3, "GET  pkey")), "passed via explicit " + via.Connect, ""},
		{"where the way does not lead", at(via, post("/away", 3, "")), "failed redirects_elsewhere", other.URL + "/end"},
		{"not followed", post("/found", 0, ""), "failed bad_status", "302"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := probe(t, check.Prober{}, stack(), spec.Check{Timeout: 20 * time.Second, HTTP: &tt.check})
			if got := outcome(r); !strings.HasPrefix(got, tt.want) || !strings.Contains(r.Message, tt.says) {
				t.Errorf("got %s, want %s that says %q: %s", got, tt.want, tt.says, r.Message)
			}
		})
	}
}

// An answer that is right and late.
func TestHTTPLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := check.Prober{Dial: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				defer func() { _ = there.Close() }()
				_, _ = there.Read(make([]byte, 4096))
				time.Sleep(700 * time.Millisecond)
				_, _ = io.WriteString(there, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
			}()
			return here, nil
		}}
		for limit, want := range map[time.Duration]string{0: "passed", 699 * time.Millisecond: "failed slow", 700 * time.Millisecond: "passed"} {
			r := probe(t, p, stack(), spec.Check{HTTP: &spec.HTTPCheck{URL: "http://www.example.com/", MaxLatency: limit}})
			if got, _, _ := strings.Cut(outcome(r), " via "); got != want || want != "passed" && !strings.Contains(r.Message, "700ms") {
				t.Errorf("%s: got %s, want %s: %s", limit, got, want, r.Message)
			}
		}
	})
}

// tlsServer is a web server for example.com; strict wants a client certificate.
func tlsServer(t *testing.T, strict bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "{}") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if strict {
		server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestHTTPSOptions(t *testing.T) {
	key := redistest.Start(t, redistest.Options{TLS: true}) // for a pair of certificate and key
	loose, strict := tlsServer(t, false), tlsServer(t, true)
	mutual := spec.TLS{Insecure: true, Cert: spec.Material{Secret: "tls_cert"}, Key: spec.Material{Secret: "tls_key"}}
	for _, tt := range []struct {
		name    string
		server  *httptest.Server
		options spec.TLS
		want    string
	}{
		{"insecure", loose, spec.TLS{Insecure: true}, "passed"},
		{"nobody signed it", loose, spec.TLS{ServerName: "example.com"}, "failed tls_error"},
		{"the CA, and the name", loose, spec.TLS{CA: spec.Material{File: "ca.pem", Data: pemOf(loose.Certificate())}, ServerName: "example.com"}, "passed"},
		{"the CA, and another name", loose, spec.TLS{CA: spec.Material{File: "ca.pem", Data: pemOf(loose.Certificate())}, ServerName: "www.example.org"}, "failed tls_error"},
		{"a CA that is not known", loose, spec.TLS{CA: spec.Material{Secret: "external"}}, "unknown credential_unavailable"},
		{"a client certificate", strict, mutual, "passed"},
		{"none", strict, spec.TLS{Insecure: true}, "failed client_certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := spec.HTTPCheck{URL: "https://web.example/", Target: spec.Target{Connect: tt.server.Listener.Addr().String()}, TLS: &tt.options, Body: "{}"}
			r := probe(t, check.Prober{RootCAs: x509.NewCertPool()}, withTLS(key.Cert, key.Key), spec.Check{Timeout: 20 * time.Second, HTTP: &c})
			if got, _, _ := strings.Cut(outcome(r), " via "); got != tt.want {
				t.Errorf("got %s, want %s: %s", got, tt.want, r.Message)
			}
		})
	}
}
