package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// http requests the URL and compares the answer. With a target, the URL's host
// is only what the request names: Host header, SNI and certificate.
func (t *try) http(ctx context.Context, c spec.HTTPCheck) finding {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return unknown(ReasonInvalid, "The check's url is not an absolute http or https URL.",
			"Write it in full, such as https://www.example.com/health.")
	}
	request, problem := t.request(ctx, c, u)
	if problem != nil {
		return *problem
	}
	conn, problem := t.connect(ctx, &reconcile.Way{Kind: "direct", Address: hostPort(u)})
	if problem != nil {
		return *problem
	}
	start := t.prober.now()
	got, problem := t.send(ctx, c, conn, request)
	for hops := 0; problem == nil && c.Redirects > 0 && redirects(got); hops++ {
		if hops == c.Redirects {
			return failed(ReasonTooManyRedirects,
				fmt.Sprintf("%s redirects more than %d times, at last from %s.", plainURL(u), c.Redirects, plainURL(request.URL)),
				"See with curl -IL whether the redirects go round in circles; otherwise raise the check's redirects.")
		}
		if request, conn, problem = t.redirect(ctx, c, request, got); problem != nil {
			return *problem
		}
		got, problem = t.send(ctx, c, conn, request)
	}
	if problem != nil {
		return *problem
	}
	if f := t.compare(c, request.URL, got); f.status != reconcile.CheckPassed {
		return f
	}
	if took := t.prober.now().Sub(start); c.MaxLatency > 0 && took > c.MaxLatency {
		return failed(ReasonSlow,
			fmt.Sprintf("%s answered %d as expected, but took %s; the check allows %s.", plainURL(u), got.status, took.Round(time.Millisecond), c.MaxLatency),
			"See how busy the service and its node are, and what it waits for itself.")
	}
	return passed(fmt.Sprintf("%s answered %d as expected.", plainURL(request.URL), got.status))
}

// request is the first request of a check, its credentials filled in.
func (t *try) request(ctx context.Context, c spec.HTTPCheck, u *url.URL) (*http.Request, *finding) {
	method := c.Method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), body(c.Send))
	if err != nil {
		f := unknown(ReasonInvalid, fmt.Sprintf("The check's method %q is not one.", method), "Write GET, HEAD or POST.")
		return nil, &f
	}
	if u.User != nil {
		password, _ := u.User.Password()
		request.SetBasicAuth(u.User.Username(), password)
	}
	for _, h := range c.Headers {
		secret, problem := t.credential(h.Secret)
		if problem != nil {
			return nil, problem
		}
		request.Header.Set(h.Name, h.Value+secret)
	}
	return request, nil
}

func body(text string) io.Reader {
	if text == "" {
		return nil
	}
	return strings.NewReader(text)
}

// send makes the request over conn, in a TLS session where its URL is https.
func (t *try) send(ctx context.Context, c spec.HTTPCheck, conn net.Conn, request *http.Request) (answer, *finding) {
	var config *tls.Config
	u := request.URL
	if u.Scheme == "https" {
		var problem *finding
		if config, problem = t.tlsConfig(c.TLS, u.Hostname()); problem != nil {
			return answer{}, problem
		}
		secure, err := t.handshake(ctx, conn, config)
		if err != nil {
			f := t.tlsFailure(ctx, u, t.hungUp(ctx, config, err))
			return answer{}, &f
		}
		conn = secure
	}
	got, err := exchange(conn, request)
	if err == nil {
		return got, nil
	}
	if config != nil {
		err = t.hungUp(ctx, config, err)
	}
	f := t.exchangeFailure(ctx, plainURL(u), ReasonNotHTTP, err)
	if _, _, isTLS := tlsFault(err); isTLS {
		f = t.tlsFailure(ctx, u, err)
	}
	return answer{}, &f
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
	return t.compareBody(c, u, got)
}

func (t *try) tlsFailure(ctx context.Context, u *url.URL, err error) finding {
	reason, what, isTLS := tlsFault(err)
	if !isTLS {
		return t.broken(ctx, plainURL(u), err)
	}
	remedy := "Check which names and TLS versions the server serves."
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.As(err, &record):
		remedy = "Use http:// in the check, or the server's TLS port."
	case errors.As(err, &verify):
		remedy = "Traefik serves a default certificate until its resolver has got one: check the resolver's name and its log."
	case reason == ReasonClientCertificate:
		remedy = "Give the check tls.cert and tls.key, signed by a CA that the server knows."
	}
	return failed(reason, fmt.Sprintf("%s: %s.", plainURL(u), what), remedy)
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
