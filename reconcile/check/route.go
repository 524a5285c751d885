package check

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// maxRedirects is how many are followed before they count as a loop.
const maxRedirects = 10

// route asks Traefik for the URL as a client outside does, and for the paths
// that must not answer. The URL's host is what the request names (Host, SNI,
// certificate); where it goes is where the spec says that Traefik is.
func (t *try) route(ctx context.Context, c spec.RouteCheck) finding {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return unknown(ReasonInvalid, "The check's url is not an absolute http or https URL.",
			"Write it in full, such as https://www.example.com/health.")
	}
	roots, problem := t.authorities(c)
	if problem != nil {
		return *problem
	}
	conn, problem := t.connect(ctx, &reconcile.Way{Kind: "direct", Address: hostPort(u)})
	if problem != nil {
		return *problem
	}
	var page visit
	forbidden := make([]visit, len(c.Refuse))
	parts := []func(){func() { page = t.visit(ctx, conn, u) }}
	for i, path := range c.Refuse {
		parts = append(parts, func() { forbidden[i] = t.knock(ctx, u, path) })
	}
	together(parts...)
	return t.judgeRoute(ctx, c, u, page, forbidden, roots)
}

// visit is what came of a request and of the redirects that followed from it.
type visit struct {
	url     *url.URL // the last one asked for
	answer  answer
	session *tlsSession // of the first connection; nil for http
	looped  bool
	err     error
}

// visit asks for a URL over conn, and follows redirects as long as they stay
// with this host and scheme: others leave the route that is being checked.
func (t *try) visit(ctx context.Context, conn net.Conn, u *url.URL) visit {
	v := visit{url: u}
	seen := map[string]bool{}
	for {
		session, got, err := t.page(ctx, conn, v.url)
		if v.session == nil {
			v.session = session
		}
		if v.answer, v.err = got, err; err != nil {
			return v
		}
		seen[v.url.String()] = true
		next, err := v.url.Parse(got.header.Get("Location"))
		if got.status < 300 || got.status > 399 || got.header.Get("Location") == "" || err != nil || !sameSite(next, u) {
			return v
		}
		if v.looped = seen[next.String()] || len(seen) > maxRedirects; v.looped {
			return v
		}
		v.url = next
		if conn, v.err = t.dial(ctx, t.way); v.err != nil {
			return v
		}
	}
}

func sameSite(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && hostPort(a) == hostPort(b)
}

// page asks for one URL over conn.
func (t *try) page(ctx context.Context, conn net.Conn, u *url.URL) (*tlsSession, answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, answer{}, err
	}
	var session *tlsSession
	if u.Scheme == "https" {
		if session, err = t.secure(ctx, conn, u.Hostname()); err != nil {
			return nil, answer{}, err
		}
		conn = session.Conn
	}
	got, err := exchange(conn, request)
	return session, got, err
}

// behind is a page that a service has behind a prefix: Centrifugo answers /api/
// itself with 404, whether it can be reached or not.
var behind = map[string]string{"/api": "/api/info", "/admin": "/admin/"}

// knock asks for a path that must not answer, and for what is known to be
// behind it.
func (t *try) knock(ctx context.Context, site *url.URL, path string) visit {
	var v visit
	for _, path := range []string{path, behind[strings.TrimRight(path, "/")]} {
		u, err := url.Parse(path)
		if err != nil || path == "" {
			continue
		}
		conn, err := t.dial(ctx, t.way)
		if err != nil {
			return visit{err: err}
		}
		if v = t.visit(ctx, conn, site.ResolveReference(u)); v.open() {
			return v
		}
	}
	return v
}

// open tells whether what must be refused was not. A service says so with any
// answer of its own, "not with this method" included; 404, 403, a demand for a
// password and a way to somewhere else are refusals, and 5xx is Traefik's.
func (v visit) open() bool {
	a := v.answer
	switch {
	case v.err != nil, a.status == http.StatusNotFound, a.status == http.StatusForbidden, a.status >= 500:
		return false
	case a.status == http.StatusUnauthorized:
		return a.header.Get("WWW-Authenticate") == ""
	}
	return a.status < 300 || a.status > 399
}

// judgeRoute is the verdict; first match wins. What keeps the service from
// answering comes before the certificate: without a router Traefik has no
// certificate to serve either.
func (t *try) judgeRoute(ctx context.Context, c spec.RouteCheck, u *url.URL, page visit, forbidden []visit, roots trust) finding {
	if f := t.notRouted(ctx, c, u, page); f != nil {
		return *f
	}
	if page.session != nil {
		if f := t.judgeCertificate(u, page.session, roots); f != nil {
			return *f
		}
	}
	if f := t.judgePage(c, u, page); f != nil {
		return *f
	}
	for i, v := range forbidden {
		if v.open() {
			return failed(ReasonExposed,
				fmt.Sprintf("%s answers to whoever asks, with %d: %s must be refused.", plainURL(v.url), v.answer.status, c.Refuse[i]),
				"Take it out of the router's rule, or put an ipallowlist middleware in front that does not let this machine in.")
		}
		if v.err != nil && t.hung(ctx, v.err) {
			return t.broken(ctx, "Traefik", v.err)
		}
	}
	if page.session != nil {
		if f := t.judgeExpiry(c, u, page.session); f != nil {
			return *f
		}
	}
	return passed(routeWorks(c, u, page))
}

func routeWorks(c spec.RouteCheck, u *url.URL, page visit) string {
	message := fmt.Sprintf("Traefik leads %s to the service, which answers as expected", plainURL(u))
	if page.session != nil {
		message += fmt.Sprintf("; its certificate is valid until %s", day(page.session.leaf().NotAfter))
	}
	if len(c.Refuse) > 0 {
		message += "; refused: " + strings.Join(c.Refuse, ", ")
	}
	return message + "."
}

// notRouted is the finding when Traefik had no answer of the service to give.
func (t *try) notRouted(ctx context.Context, c spec.RouteCheck, u *url.URL, page visit) *finding {
	var f finding
	a, site := page.answer, plainURL(u)
	service := "the service"
	if c.Service != "" {
		service = "service " + t.fullName(c.Service)
	}
	switch {
	case page.err != nil && t.hung(ctx, page.err):
		f = failed(ReasonGatewayTimeout, fmt.Sprintf("Traefik takes the request for %s, and no answer came within %s.", site, t.timeout),
			fmt.Sprintf("Either %s hangs, or Traefik cannot reach its tasks: see that both are on the network that traefik.swarm.network names.", service))
	case page.err != nil:
		f = t.routeFailure(ctx, u, page.err)
	case a.status == http.StatusNotFound && strings.TrimSpace(a.body) == goNotFound:
		f = t.noRouter(ctx, c, u, page)
	case a.status == http.StatusServiceUnavailable && strings.Contains(strings.ToLower(a.body), "no available server"):
		f = failed(ReasonNoServers, fmt.Sprintf("Traefik has a router for %s, and no server behind it.", site),
			fmt.Sprintf("See whether tasks of %s run and are healthy, Traefik's own health check included.", service))
	case a.status == http.StatusBadGateway:
		f = failed(ReasonBadGateway, fmt.Sprintf("Traefik has a router for %s, and cannot connect to what is behind it (502).", site),
			fmt.Sprintf("See whether %s listens on the port that the label loadbalancer.server.port names.", service))
	case a.status == http.StatusGatewayTimeout:
		f = failed(ReasonGatewayTimeout, fmt.Sprintf("Traefik has a router for %s, and what is behind it does not answer in time (504).", site),
			fmt.Sprintf("Either %s hangs, or Traefik cannot reach its tasks: see that both are on the network that traefik.swarm.network names.", service))
	case page.looped:
		f = failed(ReasonRedirectLoop, fmt.Sprintf("%s redirects in a circle, at last from %s.", site, plainURL(page.url)),
			"Look for two redirects that undo one another: of the entrypoint, of a redirectscheme middleware, and of what ends TLS in front of Traefik.")
	default:
		return nil
	}
	return &f
}

// judgePage compares the answer with what only the service says.
func (t *try) judgePage(c spec.RouteCheck, u *url.URL, page visit) *finding {
	var f finding
	a, body := page.answer, strings.TrimSpace(page.answer.body)
	switch {
	case a.status != http.StatusOK:
		f = failed(ReasonBadStatus, fmt.Sprintf("%s answered %d instead of 200, with %s.", plainURL(u), a.status, t.brief(a.body)),
			"A redirect leads away from the route; 401 and 403 come from a middleware or the service itself: see the router's middlewares and the service's log.")
	case c.Body != "" && body != strings.TrimSpace(c.Body), !strings.Contains(body, c.Contains):
		f = failed(ReasonWrongBackend, fmt.Sprintf("Something else answers at %s: %s instead of what the check expects.", plainURL(u), t.brief(a.body)),
			"See which other router takes this host and path, and to which service this one leads; or correct the check's body.")
	default:
		return nil
	}
	return &f
}
