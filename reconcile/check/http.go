package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// http requests the URL and compares status and body. With a target, the URL's
// host is only what the request names: Host header, SNI and certificate.
func (t *try) http(ctx context.Context, c spec.HTTPCheck) finding {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return unknown(ReasonInvalid, "The check's url is not an absolute http or https URL.",
			"Write it in full, such as https://www.example.com/health.")
	}
	method := c.Method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return unknown(ReasonInvalid, fmt.Sprintf("The check's method %q is not one.", method), "Write GET, HEAD or POST.")
	}
	conn, problem := t.connect(ctx, &reconcile.Way{Kind: "direct", Address: hostPort(u)})
	if problem != nil {
		return *problem
	}
	if u.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), RootCAs: t.prober.RootCAs})
		if err := secure.HandshakeContext(ctx); err != nil {
			return t.tlsFailure(ctx, u, err)
		}
		conn = secure
	}
	if u.User != nil {
		password, _ := u.User.Password()
		request.SetBasicAuth(u.User.Username(), password)
	}
	got, err := exchange(conn, request)
	if err != nil {
		return t.exchangeFailure(ctx, plainURL(u), ReasonNotHTTP, err)
	}
	return t.compare(c, u, got)
}

func (t *try) compare(c spec.HTTPCheck, u *url.URL, got answer) finding {
	statuses := c.Status
	if len(statuses) == 0 {
		statuses = []int{http.StatusOK}
	}
	if !slices.Contains(statuses, got.status) {
		want := strings.Trim(fmt.Sprint(statuses), "[]")
		return failed(ReasonBadStatus,
			fmt.Sprintf("%s answered %d instead of %s, with %s.", plainURL(u), got.status, want, t.brief(got.body)),
			"404 or 502 usually comes from a proxy in between: check its route to the service.")
	}
	if c.Body != "" && strings.TrimSpace(got.body) != strings.TrimSpace(c.Body) {
		return failed(ReasonBadBody,
			fmt.Sprintf("%s answered %d with %s instead of the expected body.", plainURL(u), got.status, t.brief(got.body)),
			"See whether another server answers for this name, or correct the check's body.")
	}
	return passed(fmt.Sprintf("%s answered %d as expected.", plainURL(u), got.status))
}

func (t *try) tlsFailure(ctx context.Context, u *url.URL, err error) finding {
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	fail := func(what, remedy string) finding {
		return failed(ReasonTLSError, fmt.Sprintf("%s: %s.", plainURL(u), what), remedy)
	}
	switch {
	case errors.As(err, &record):
		return fail("the server does not speak TLS on that port", "Use http:// in the check, or the server's TLS port.")
	case errors.As(err, &verify):
		return fail("the server's certificate is not valid: "+certificateFault(verify.Err),
			"Traefik serves a default certificate until its resolver has got one: check the resolver's name and its log.")
	case errors.As(err, &alert):
		return fail("the server refused the TLS handshake: "+alert.Error(), "Check which names and TLS versions the server serves.")
	}
	return t.broken(ctx, plainURL(u), err)
}

// certificateFault is what is wrong with a certificate, in words.
func certificateFault(err error) string {
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		names := strings.Join(host.Certificate.DNSNames, ", ")
		if names == "" {
			names = "no name"
		}
		return fmt.Sprintf("it is for %s, not for %s", names, host.Host)
	case errors.As(err, &authority):
		return "nobody known here has signed it"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired or is not valid yet"
	}
	return strings.TrimPrefix(err.Error(), "x509: ")
}

// hostPort is where the URL itself leads to.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
