package check_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/reality"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
	"github.com/swarmward/swarmward/spec"
)

const site = "centrifugo.whatrack.com"

// gate is a Traefik with a certificate for the site from an authority that the
// stack knows as its config ca, and what routers lead to.
type gate struct {
	traefik    standin.Traefik
	authority  *standin.Authority
	centrifugo string // address of one with everything on
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{centrifugo: centrifugo(t, configured())}
	var err error
	if g.authority, err = standin.NewAuthority("the company's authority"); err != nil {
		t.Fatal(err)
	}
	if g.traefik.Default, err = standin.DefaultCertificate(); err != nil {
		t.Fatal(err)
	}
	g.certify(t, g.authority, 60*24*time.Hour)
	return g
}

// certify gives Traefik a certificate that it serves for the site.
func (g *gate) certify(t *testing.T, by *standin.Authority, life time.Duration) {
	t.Helper()
	c, err := by.Issue(site, time.Now().Add(life))
	if err != nil {
		t.Fatal(err)
	}
	g.traefik.Certificates = map[string]tls.Certificate{site: c}
}

// open opens Traefik's entrypoints and returns a check of the site at that with
// TLS.
func (g *gate) open(t *testing.T) trial {
	t.Helper()
	return g.check(serveTraefik(t, &g.traefik, true).TLS)
}

// serveTraefik runs a Traefik, with its routers at the entrypoint with TLS or at
// the other one.
func serveTraefik(t *testing.T, traefik *standin.Traefik, secure bool) reality.Served {
	t.Helper()
	if standin.Real() != "" {
		return reality.Traefik(t, traefik, secure)
	}
	plain, api, server := httptest.NewServer(traefik), httptest.NewServer(traefik.API()), httptest.NewUnstartedServer(traefik)
	server.TLS = traefik.TLS()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	for _, s := range []*httptest.Server{plain, api, server} {
		t.Cleanup(s.Close)
	}
	return reality.Served{TLS: server.Listener.Addr().String(), Plain: plain.Listener.Addr().String(), API: api.Listener.Addr().String()}
}

func (g *gate) check(address string) trial {
	x := trial{stack: stack(), check: spec.Check{Timeout: 20 * time.Second, Route: &spec.RouteCheck{
		URL: "https://" + site + "/health", Service: "centrifugo", Traefik: spec.Target{Connect: address},
		Body: "{}", CertificateDays: 14, CA: spec.Material{Config: "ca"},
	}}}
	x.stack.Configs = []spec.Config{{Key: "ca", Spec: swarm.ConfigSpec{Data: g.authority.PEM()}}}
	x.label("traefik.http.routers.centrifugo.rule", "Host(`"+site+"`) && (PathPrefix(`/connection`) || Path(`/health`))")
	return x
}

func (x trial) label(name, value string) {
	labels := &x.stack.Services[0].Spec.Labels
	if *labels == nil {
		*labels = map[string]string{}
	}
	(*labels)[name] = value
}

// silent takes connections and says nothing.
func silent(t *testing.T) string {
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
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return l.Addr().String()
}

// page is a server that says something else than Centrifugo.
func page(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<h1>It works!</h1> "+apiKey)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func routeRows() []probeRow {
	// to is a row with routers for the site that lead where lead says.
	to := func(lead func(*testing.T, *gate) []standin.Router, edit func(*spec.RouteCheck)) func(*testing.T) trial {
		return func(t *testing.T) trial {
			g := newGate(t)
			g.traefik.Routers = lead(t, g)
			x := g.open(t)
			if edit != nil {
				edit(x.check.Route)
			}
			return x
		}
	}
	health := func(_ *testing.T, g *gate) []standin.Router {
		return []standin.Router{{Name: "centrifugo", Host: site, Prefix: "/health", Backend: g.centrifugo}}
	}
	guard := func(r standin.Router) func(*testing.T, *gate) []standin.Router {
		return func(t *testing.T, g *gate) []standin.Router {
			r.Name, r.Host, r.Backend = "private", site, g.centrifugo
			all := health(t, g)
			for _, prefix := range []string{"/admin", "/api"} {
				r.Prefix = prefix
				all = append(all, r)
			}
			return all
		}
	}
	everything := func(_ *testing.T, g *gate) []standin.Router {
		return []standin.Router{{Name: "centrifugo", Host: site, Backend: g.centrifugo}}
	}
	backend := func(b func(*testing.T) string) func(*testing.T, *gate) []standin.Router {
		return func(t *testing.T, _ *gate) []standin.Router {
			return []standin.Router{{Name: "centrifugo", Host: site, Backend: b(t)}}
		}
	}
	redirect := func(where string) func(*testing.T, *gate) []standin.Router {
		return func(t *testing.T, g *gate) []standin.Router {
			return append(health(t, g), standin.Router{Name: "away", Host: site, Prefix: "/healthy", Redirect: where})
		}
	}
	refuse := func(paths ...string) func(*spec.RouteCheck) {
		return func(c *spec.RouteCheck) { c.Refuse = paths }
	}
	at := func(path string) func(*spec.RouteCheck) {
		return func(c *spec.RouteCheck) { c.URL = "https://" + site + path }
	}
	certified := func(by func(*testing.T, *gate) *standin.Authority, life time.Duration) func(*testing.T) trial {
		return func(t *testing.T) trial {
			g := newGate(t)
			g.certify(t, by(t, g), life)
			g.traefik.Routers = health(t, g)
			return g.open(t)
		}
	}
	own := func(_ *testing.T, g *gate) *standin.Authority { return g.authority }
	nothing := func(*testing.T, *gate) []standin.Router { return nil }

	return []probeRow{
		{"works", to(health, nil), "passed", "Traefik leads https://" + site + "/health to the service, which answers as expected; its certificate is valid until 20"},
		{"works, without TLS", func(t *testing.T) trial {
			g := newGate(t)
			g.traefik.Routers = health(t, g)
			x := g.check(serveTraefik(t, &g.traefik, false).Plain)
			x.check.Route.URL = "http://" + strings.ToUpper(site) + "/health"
			return x
		}, "passed", "answers as expected."},
		{"a part of the body", to(everything, func(c *spec.RouteCheck) {
			c.URL, c.Body, c.Contains = "https://"+site+"/admin/", "", "Centrifugo admin"
		}), "passed", ""},
		{"a redirect on the site", to(redirect("/health"), at("/healthy")), "passed", ""},
		{"closed by an allow list", to(guard(standin.Router{Deny: true}), refuse("/admin", "/api")), "passed", "refused: /admin, /api."},
		{"closed by a password", to(guard(standin.Router{Login: true}), refuse("/admin", "/api")), "passed", ""},
		{"closed for want of a router", to(health, refuse("/admin", "/api")), "passed", ""},
		{"closed by a way to a login page", to(guard(standin.Router{Redirect: "https://login.whatrack.com/"}), refuse("/admin")), "passed", ""},

		{"nothing listens", func(t *testing.T) trial { return newGate(t).check(redistest.Unused(t)) }, "failed refused", ""},
		{"not TLS", func(t *testing.T) trial { return newGate(t).check(page(t)) }, "failed tls_error", "does not speak TLS"},
		{"not HTTP", func(t *testing.T) trial {
			x := newGate(t).check(talker(t, "SSH-2.0-OpenSSH_9.2\r\n"))
			x.check.Route.URL = "http://" + site + "/health"
			return x
		}, "failed not_http", ""},
		{"nothing behind the port", func(t *testing.T) trial {
			x := newGate(t).check(talker(t, ""))
			x.check.Route.URL = "http://" + site + "/health"
			return x
		}, "failed closed", ""},
		{"no router", to(nothing, nil), "failed no_router", "swarmward validate"},
		{"no router, and so no certificate", func(t *testing.T) trial {
			g := newGate(t)
			g.traefik.Certificates = nil
			return g.open(t)
		}, "failed no_router", "with its default certificate"},
		{"a router for another host", func(t *testing.T) trial {
			g := newGate(t)
			g.traefik.Routers = []standin.Router{{Name: "centrifugo", Host: "old.whatrack.com", Backend: g.centrifugo}}
			x := g.open(t)
			x.label("traefik.http.routers.centrifugo.rule", "Host(`old.whatrack.com`)")
			return x
		}, "failed no_router", "traefik.http.routers.centrifugo.rule says Host(`old.whatrack.com`), the check asks for " + site},
		{"a router for another path", func(t *testing.T) trial {
			x := to(nothing, nil)(t)
			x.label("traefik.http.routers.centrifugo.rule", "Host(`"+site+"`) && PathPrefix(`/connection`)")
			return x
		}, "failed no_router", "traefik.http.routers.centrifugo.rule does not admit the path /health"},
		{"a label that Traefik does not know", func(t *testing.T) trial {
			x := to(nothing, nil)(t)
			x.label("traefik.http.routers.centrifugo.ruel", "Host(`"+site+"`)")
			return x
		}, "failed no_router", "they are such that Traefik cannot read them, and drops the service"},
		{"a label at which Traefik breaks", func(t *testing.T) trial {
			x := to(nothing, nil)(t)
			x.label("traefik.http.routers.centrifugo].rule", "Host(`"+site+"`)")
			return x
		}, "failed no_router", "at a bracket that closes or opens nothing Traefik breaks, and reads the labels of no service any more."},
		{"no label at all", func(t *testing.T) trial {
			x := to(nothing, nil)(t)
			x.stack.Services[0].Spec.Labels = nil
			return x
		}, "failed no_router", "Service whatrack_centrifugo has no router among its labels"},
		{"a router that Traefik has disabled", func(t *testing.T) trial {
			g := newGate(t)
			g.traefik.Routers = []standin.Router{{Name: "centrifugo", Host: site, Error: []string{`entryPoint "websecur" doesn't exist`, "no valid entryPoint for this router"}, Backend: g.centrifugo}}
			served := serveTraefik(t, &g.traefik, true)
			x := g.check(served.TLS)
			x.check.Route.API = "http://" + served.API
			return x
		}, "failed no_router", `Traefik says of router "centrifugo@swarm", which is "disabled": "entryPoint \"websecur\" doesn't exist".`},
		{"a Traefik that knows of no router", func(t *testing.T) trial {
			g := newGate(t)
			served := serveTraefik(t, &g.traefik, true)
			x := g.check(served.TLS)
			x.check.Route.API = "http://" + served.API
			return x
		}, "failed no_router", "Traefik says that it has no router for " + site},
		{"a Traefik that does not say why", func(t *testing.T) trial {
			x := to(nothing, nil)(t)
			x.check.Route.API = "http://" + redistest.Unused(t)
			return x
		}, "failed no_router", "could not be asked why: connection refused"},
		{"a service without such a page", to(everything, at("/nothing")), "failed no_router", "or what is behind it has no such page"},
		{"no server", to(backend(func(*testing.T) string { return "" }), nil), "failed no_servers", "whatrack_centrifugo"},
		{"nothing listens behind the router", to(backend(func(t *testing.T) string { return redistest.Unused(t) }), nil), "failed bad_gateway", "loadbalancer.server.port"},
		{"a backend that is silent, with a response timeout", func(t *testing.T) trial {
			g := newGate(t)
			g.traefik.ResponseTimeout = 50 * time.Millisecond
			g.traefik.Routers = backend(silent)(t, g)
			return g.open(t)
		}, "failed gateway_timeout", "504"},
		{"a backend that is silent", func(t *testing.T) trial {
			x := to(backend(silent), nil)(t)
			x.check.Timeout = 2 * time.Second
			return x
		}, "failed gateway_timeout", "no answer came within 2s"},
		{"the default certificate", func(t *testing.T) trial {
			g := newGate(t)
			g.traefik.Certificates, g.traefik.Routers = nil, health(t, g)
			return g.open(t)
		}, "failed default_certificate", "tls.certresolver"},
		{"an authority that nobody knows", certified(func(t *testing.T, _ *gate) *standin.Authority {
			other, err := standin.NewAuthority("another")
			if err != nil {
				t.Fatal(err)
			}
			return other
		}, 60*24*time.Hour), "failed certificate_untrusted", "nobody known here has signed it"},
		{"a certificate for another name", func(t *testing.T) trial {
			g := newGate(t)
			c, err := g.authority.Issue("other.whatrack.com", time.Now().AddDate(0, 2, 0))
			if err != nil {
				t.Fatal(err)
			}
			// Somebody has made it Traefik's default: it serves no other that does not fit.
			g.traefik.Certificates, g.traefik.Default, g.traefik.Routers = nil, c, health(t, g)
			return g.open(t)
		}, "failed certificate_untrusted", "it is for other.whatrack.com, not for " + site},
		{"an expired certificate", certified(own, -24*time.Hour), "failed certificate_untrusted", "it expired on 20"},
		{"a certificate that ends soon", certified(own, 10*24*time.Hour), "failed certificate_expiring", "in less than 14 days"},
		{"a certificate that ends soon enough", func(t *testing.T) trial {
			x := certified(own, 10*24*time.Hour)(t)
			x.check.Route.CertificateDays = 7
			return x
		}, "passed", ""},
		{"a redirect to itself", to(redirect("/healthy"), at("/healthy")), "failed redirect_loop", ""},
		{"redirects in a circle", to(func(*testing.T, *gate) []standin.Router {
			return []standin.Router{{Host: site, Prefix: "/a", Redirect: "/b"}, {Host: site, Prefix: "/b", Redirect: "https://" + site + "/a"}}
		}, at("/a")), "failed redirect_loop", "at last from https://" + site + "/b"},
		{"a redirect to elsewhere", to(redirect("http://"+site+"/health"), at("/healthy")), "failed bad_status", "301 instead of 200"},
		{"a middleware that refuses", to(guard(standin.Router{Deny: true}), at("/admin/")), "failed bad_status", "403 instead of 200"},
		{"another service", to(backend(page), nil), "failed wrong_backend", "It works!"},
		{"another service, without TLS to look at", to(backend(page), func(c *spec.RouteCheck) { c.Body, c.Contains = "", "uptime" }), "failed wrong_backend", ""},
		{"the admin panel for everybody", to(everything, refuse("/admin")), "failed exposed", "https://" + site + "/admin/ answers to whoever asks, with 200: /admin must be refused."},
		{"the API for everybody", to(everything, refuse("/api")), "failed exposed", "/api answers to whoever asks, with 405"},
		{"the API for everybody, behind a slash", to(everything, refuse("/api/")), "failed exposed", "/api/info answers to whoever asks, with 405"},
		{"an authority that is not known here", to(health, func(c *spec.RouteCheck) { c.CA = spec.Material{Secret: "external"} }), "unknown credential_unavailable", "secret external"},
		{"an authority without a certificate", to(health, func(c *spec.RouteCheck) { c.CA = spec.Material{Secret: "api_key"} }), "unknown invalid", ""},
		{"no url", to(health, func(c *spec.RouteCheck) { c.URL = "centrifugo" }), "unknown invalid", ""},
	}
}

func TestRoute(t *testing.T) {
	t.Parallel()
	for _, row := range routeRows() {
		t.Run(row.name, row.run)
	}
}

// Without ca: the prober's own authorities count, and where the spec does not
// say where Traefik is, the URL does.
func TestRouteWithoutAddress(t *testing.T) {
	g := newGate(t)
	c, err := g.authority.Issue("localhost", time.Now().AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	g.traefik.Certificates = map[string]tls.Certificate{"localhost": c}
	g.traefik.Routers = []standin.Router{{Host: "localhost", Backend: g.centrifugo}}
	x := g.open(t)
	_, port, _ := net.SplitHostPort(x.check.Route.Traefik.Connect)
	x.check.Route.Traefik, x.check.Route.CA = spec.Target{}, spec.Material{}
	x.check.Route.URL = "https://localhost:" + port + "/health"
	x.prober = check.Prober{RootCAs: x509.NewCertPool()}
	x.prober.RootCAs.AddCert(g.authority.Certificate)
	r := probe(t, x.prober, x.stack, x.check)
	if got := outcome(r); got != "passed via direct localhost:"+port {
		t.Errorf("got %s: %s", got, r.Message)
	}
}

// A Traefik of the stack is located as every service is; the service whose route
// it is, is not.
func TestRouteThroughAServiceOfTheStack(t *testing.T) {
	g := newGate(t)
	g.traefik.Routers = []standin.Router{{Host: site, Backend: g.centrifugo}}
	x := g.open(t)
	address := x.check.Route.Traefik.Connect
	x.check.Route.Traefik = spec.Target{Service: "traefik", Port: 443}
	for _, tt := range []struct {
		location reconcile.Location
		want     string
	}{
		{reconcile.Location{Running: 1, Ways: []reconcile.Way{{Kind: "published", Address: address}}}, "passed via published " + address},
		{reconcile.Location{}, "failed not_running"},
		{reconcile.Location{Running: 1}, "unknown no_path"},
	} {
		x.prober.Locator = locatorFunc(func(_ context.Context, service string, port int) (reconcile.Location, error) {
			if service != "whatrack_traefik" || port != 443 {
				t.Errorf("asked for %s:%d", service, port)
			}
			return tt.location, nil
		})
		if got := outcome(probe(t, x.prober, x.stack, x.check)); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// Every reason that is these probes' own has a row in which it is made for real.
func TestEveryReasonIsProvoked(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for probe, rows := range map[string][]probeRow{"centrifugo": centrifugoRows(), "route": routeRows()} {
		var provoked []string
		for _, row := range rows {
			if _, reason, ok := strings.Cut(row.want, " "); ok {
				provoked = append(provoked, reason)
			}
		}
		own := 0
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || !strings.HasPrefix(g.Doc.Text(), "Reasons of the "+probe+" probe") {
				continue
			}
			for _, s := range g.Specs {
				own++
				reason, err := strconv.Unquote(s.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(provoked, reason) {
					t.Errorf("no row provokes %s", reason)
				}
			}
		}
		if own < 10 {
			t.Errorf("only %d reasons of the %s probe found", own, probe)
		}
	}
}
