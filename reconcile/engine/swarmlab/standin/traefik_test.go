package standin_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
)

// unused is an address at which nothing listens; silent one that never answers.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}

func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestTraefikAnswers(t *testing.T) {
	const host = "centrifugo.whatrack.com"
	centrifugo := serve(t, full()).Listener.Addr().String()
	server := httptest.NewServer(&standin.Traefik{ResponseTimeout: 50 * time.Millisecond, Routers: []standin.Router{
		{Host: host, Prefix: "/health", Backend: centrifugo},
		{Host: host, Prefix: "/admin", Deny: true, Backend: centrifugo},
		{Host: host, Prefix: "/login", Login: true, Backend: centrifugo},
		{Host: host, Prefix: "/moved", Redirect: "/health"},
		{Host: host, Prefix: "/disabled", Error: "entryPoint \"w\" doesn't exist", Backend: centrifugo},
		{Host: host, Prefix: "/empty"},
		{Host: host, Prefix: "/refused", Backend: unused(t)},
		{Host: host, Prefix: "/silent", Backend: silent(t)},
	}})
	t.Cleanup(server.Close)
	for _, tt := range []struct {
		host, path string
		status     int
		want       string // the body
	}{
		{host, "/health", 200, "{}"},
		{strings.ToUpper(host) + ":443", "/health", 200, "{}"},
		{"other.whatrack.com", "/health", 404, "404 page not found\n"},
		{host, "/api/info", 404, "404 page not found\n"},
		{host, "/disabled", 404, "404 page not found\n"},
		{host, "/healthy", 404, "404 page not found\n"}, // Centrifugo's, and the same
		{host, "/admin/", 403, "Forbidden"},
		{host, "/login", 401, "401 Unauthorized\n"},
		{host, "/moved", 301, "<a href=\"/health\">Moved Permanently</a>.\n\n"},
		{host, "/empty", 503, "no available server\n"},
		{host, "/refused", 502, "Bad Gateway"},
		{host, "/silent", 504, "Gateway Timeout"},
	} {
		r, err := http.NewRequest(http.MethodGet, server.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = tt.host
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != tt.status || string(body) != tt.want {
			t.Errorf("%s%s: %d %q, %v; want %d %q", tt.host, tt.path, response.StatusCode, body, err, tt.status, tt.want)
		}
	}
}

func TestTraefikCertificates(t *testing.T) {
	authority, err := standin.NewAuthority("the authority")
	if err != nil {
		t.Fatal(err)
	}
	own, err := authority.Issue("a.example", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	traefik := &standin.Traefik{Certificates: map[string]tls.Certificate{"a.example": own}}
	if traefik.Default, err = standin.DefaultCertificate(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(traefik)
	server.TLS = traefik.TLS()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM())
	for name, want := range map[string]string{"a.example": "a.example", "A.Example": "a.example", "b.example": "TRAEFIK DEFAULT CERT"} {
		conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		leaf := conn.ConnectionState().PeerCertificates[0]
		_ = conn.Close()
		_, err = leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots})
		if leaf.Subject.CommonName != want || (err == nil) != (want == "a.example") {
			t.Errorf("%s: %s, %v", name, leaf.Subject.CommonName, err)
		}
	}
}

func TestTraefikAPI(t *testing.T) {
	traefik := standin.Traefik{Routers: []standin.Router{
		{Name: "good", Host: "a.example", Prefix: "/a"},
		{Name: "bad", Host: "b.example", Error: "no"},
	}}
	server := httptest.NewServer(traefik.API())
	t.Cleanup(server.Close)
	status, body := ask(t, server, "GET", "/api/http/routers?per_page=1000", "")
	want := "[{\"name\":\"bad@swarm\",\"rule\":\"Host(`b.example`)\",\"status\":\"disabled\",\"error\":[\"no\"]}," +
		"{\"name\":\"good@swarm\",\"rule\":\"Host(`a.example`) \\u0026\\u0026 PathPrefix(`/a`)\",\"status\":\"enabled\"}]"
	if status != 200 || body != want {
		t.Errorf("%d %s\nwant %s", status, body, want)
	}
}
