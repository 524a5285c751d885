package standin_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/reality"
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

// talker says something to everybody who connects, and hangs up.
func talker(t *testing.T, says string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// The request is read first: what is unread when it hangs up is a reset.
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, says)
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// gate starts a Traefik.
func gate(t *testing.T, traefik *standin.Traefik, secure bool) reality.Served {
	t.Helper()
	if standin.Real() != "" {
		return reality.Traefik(t, traefik, secure)
	}
	plain, api := httptest.NewServer(traefik), httptest.NewServer(traefik.API())
	server := httptest.NewUnstartedServer(traefik)
	server.TLS = traefik.TLS()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	for _, s := range []*httptest.Server{plain, api, server} {
		t.Cleanup(s.Close)
	}
	return reality.Served{TLS: server.Listener.Addr().String(), Plain: plain.Listener.Addr().String(), API: api.Listener.Addr().String()}
}

func TestTraefikAnswers(t *testing.T) {
	const host = "centrifugo.whatrack.com"
	centrifugo := strings.TrimPrefix(serve(t, full()), "http://")
	served := gate(t, &standin.Traefik{ResponseTimeout: 50 * time.Millisecond, Routers: []standin.Router{
		{Host: host, Prefix: "/health", Backend: centrifugo},
		{Host: host, Prefix: "/admin", Deny: true, Backend: centrifugo},
		{Host: host, Prefix: "/login", Login: true, Backend: centrifugo},
		{Host: host, Prefix: "/moved", Redirect: "/health"},
		{Host: host, Prefix: "/disabled", Error: []string{"middleware \"w@swarm\" does not exist"}, Backend: centrifugo},
		{Host: host, Prefix: "/empty"},
		{Host: host, Prefix: "/refused", Backend: unused(t)},
		{Host: host, Prefix: "/silent", Backend: silent(t)},
		{Host: host, Prefix: "/closing", Backend: talker(t, "")},
		{Host: host, Prefix: "/ssh", Backend: talker(t, "SSH-2.0-OpenSSH_9.2\r\n")},
	}}, false)
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
		{host, "/moved", 301, "Moved Permanently"},
		{host, "/empty", 503, "no available server\n"},
		{host, "/refused", 502, "Bad Gateway"},
		{host, "/silent", 504, "Gateway Timeout"},
		{host, "/closing", 502, "Bad Gateway"},
		{host, "/ssh", 500, "Internal Server Error"},
	} {
		r, err := http.NewRequest(http.MethodGet, "http://"+served.Plain+tt.path, nil)
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
	address := gate(t, traefik, true).TLS
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM())
	for name, want := range map[string]string{"a.example": "a.example", "A.Example": "a.example", "b.example": "TRAEFIK DEFAULT CERT"} {
		conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
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
		{Name: "bad", Host: "b.example", Error: []string{`entryPoint "websecur" doesn't exist`, "no valid entryPoint for this router"}},
	}}
	status, body := ask(t, "http://"+gate(t, &traefik, true).API, "GET", "/api/http/routers?per_page=1000", "")
	type router struct {
		Name, Rule, Status string
		Error              []string
	}
	var all []router
	if err := json.Unmarshal([]byte(body), &all); status != 200 || err != nil {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	// The real one has routers of its own, and one to tell when it is ready.
	all = slices.DeleteFunc(all, func(r router) bool { return !strings.Contains(r.Rule, ".example") })
	want := []router{
		{"bad@swarm", "Host(`b.example`)", "disabled", traefik.Routers[1].Error},
		{"good@swarm", "Host(`a.example`) && PathPrefix(`/a`)", "enabled", nil},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
}
