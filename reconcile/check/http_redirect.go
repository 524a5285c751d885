package check

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// redirects tells whether the answer sends the client elsewhere.
func redirects(got answer) bool {
	return got.header.Get("Location") != "" && slices.Contains([]int{301, 302, 303, 307, 308}, got.status)
}

// redirect is the request that an answer asks for, and a connection for it: by
// the same way to the same server, and straight to another one where the check
// has no way of its own. Credentials stay with the server that they are for.
func (t *try) redirect(ctx context.Context, c spec.HTTPCheck, last *http.Request, got answer) (*http.Request, net.Conn, *finding) {
	u, err := last.URL.Parse(got.header.Get("Location"))
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		f := failed(ReasonRedirectsElsewhere,
			fmt.Sprintf("%s answered %d and redirects to what is no http or https URL.", plainURL(last.URL), got.status),
			"Correct the redirect in the service or in the proxy before it.")
		return nil, nil, &f
	}
	way, same := t.way, u.Scheme == last.URL.Scheme && hostPort(u) == hostPort(last.URL)
	if !same && t.way.Kind != "direct" {
		f := failed(ReasonRedirectsElsewhere,
			fmt.Sprintf("%s answered %d and redirects to %s, where the check's way does not lead.", plainURL(last.URL), got.status, plainURL(u)),
			"Give the check that url, or leave service and connect out of it, or expect the redirect as its status.")
		return nil, nil, &f
	}
	if !same {
		way = reconcile.Way{Kind: "direct", Address: hostPort(u)}
	}
	method, send := last.Method, c.Send
	if got.status < 307 && method != http.MethodHead {
		method, send = http.MethodGet, ""
	}
	u.User = nil
	next, err := http.NewRequestWithContext(ctx, method, u.String(), body(send))
	if err != nil {
		panic(err) // its parts were in a request before
	}
	next.Header = last.Header.Clone()
	if !same {
		next.Header.Del("Authorization")
		for _, h := range c.Headers {
			if h.Secret.Secret != "" {
				next.Header.Del(h.Name)
			}
		}
	}
	conn, err := t.dial(ctx, way)
	if err != nil {
		f := t.unreached(ctx, []reconcile.Way{way}, []error{err})
		return nil, nil, &f
	}
	t.way = way
	return next, conn, nil
}
