package standin

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Traefik answers as Traefik 3 does for its routers. The zero value knows none.
type Traefik struct {
	Routers []Router
	// Certificates by the name that they are for; who asks for any other gets
	// Default.
	Certificates map[string]tls.Certificate
	Default      tls.Certificate
	// ResponseTimeout is how long a backend may be silent; 0: for ever.
	ResponseTimeout time.Duration
}

// Router is one HTTP router with what it leads to.
type Router struct {
	Name   string
	Host   string
	Prefix string // of the path; empty: any
	// Error disables the router, as an unknown entrypoint or middleware does.
	Error []string
	// Redirect sends every request there; Deny is an ipallowlist that the client
	// is not on; Login is basic auth.
	Redirect    string
	Deny, Login bool
	// Backend is host:port of the service; empty: it has no server.
	Backend string
}

func (r Router) matches(req *http.Request) bool {
	host, _, err := net.SplitHostPort(req.Host)
	if err != nil {
		host = req.Host
	}
	return r.Error == nil && strings.EqualFold(host, r.Host) && strings.HasPrefix(req.URL.Path, r.Prefix)
}

// NoServer tells whether it would lead to a service, which has no server.
func (r Router) NoServer() bool {
	return r.Backend == "" && r.Redirect == "" && r.Error == nil && !r.Deny && !r.Login
}

// Rule is the router's rule, as Traefik's API shows it.
func (r Router) Rule() string {
	rule := "Host(`" + r.Host + "`)"
	if r.Prefix != "" {
		rule += " && PathPrefix(`" + r.Prefix + "`)"
	}
	return rule
}

// ServeHTTP answers what comes in at an entrypoint.
func (t *Traefik) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var best *Router
	for i, r := range t.Routers {
		if r.matches(req) && (best == nil || len(r.Rule()) > len(best.Rule())) {
			best = &t.Routers[i]
		}
	}
	switch {
	case best == nil:
		http.NotFound(w, req)
	case best.Redirect != "":
		w.Header().Set("Location", best.Redirect)
		answer(w, http.StatusMovedPermanently)
	case best.Deny:
		answer(w, http.StatusForbidden)
	case best.Login:
		w.Header().Set("WWW-Authenticate", `Basic realm="traefik"`)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "401 Unauthorized\n")
	case best.Backend == "":
		http.Error(w, "no available server", http.StatusServiceUnavailable)
	default:
		t.proxy(best.Backend).ServeHTTP(w, req)
	}
}

func (t *Traefik) proxy(backend string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: backend})
			p.Out.Host = p.In.Host
		},
		Transport: &http.Transport{ResponseHeaderTimeout: t.ResponseTimeout, DisableKeepAlives: true},
		ErrorLog:  log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			// An answer that is no HTTP is neither, and then it is Traefik's fault.
			status := http.StatusInternalServerError
			var netErr net.Error
			switch isNet := errors.As(err, &netErr); {
			case errors.Is(err, context.Canceled):
				status = clientClosedRequest
			case isNet && netErr.Timeout():
				status = http.StatusGatewayTimeout
			case isNet, errors.Is(err, io.EOF):
				status = http.StatusBadGateway
			}
			answer(w, status)
		},
	}
}

// clientClosedRequest is what Traefik notes of a client that did not wait.
const clientClosedRequest = 499

// answer is one of Traefik's own: the status, and its name as the body.
func answer(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, cmp.Or(http.StatusText(status), "Client Closed Request"))
}

// TLS is the configuration of a TLS entrypoint.
func (t *Traefik) TLS() *tls.Config {
	return &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if c, ok := t.Certificates[strings.ToLower(hello.ServerName)]; ok {
			return &c, nil
		}
		return &t.Default, nil
	}}
}

// API is Traefik's own, as far as it tells of HTTP routers.
func (t *Traefik) API() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/http/routers", func(w http.ResponseWriter, _ *http.Request) {
		type shown struct {
			Name   string   `json:"name"`
			Rule   string   `json:"rule"`
			Status string   `json:"status"`
			Error  []string `json:"error,omitempty"`
		}
		all := []shown{}
		for _, r := range t.Routers {
			s := shown{Name: r.Name + "@swarm", Rule: r.Rule(), Status: "enabled"}
			if r.Error != nil {
				s.Status, s.Error = "disabled", r.Error
			}
			all = append(all, s)
		}
		slices.SortFunc(all, func(a, b shown) int { return cmp.Compare(a.Name, b.Name) })
		writeJSON(w, http.StatusOK, all)
	})
	return mux
}
