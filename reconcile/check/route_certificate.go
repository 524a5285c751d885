package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// traefikDefault is the name in the certificate that Traefik makes for itself.
const traefikDefault = "TRAEFIK DEFAULT CERT"

// trust is whose signature under a certificate counts; without roots that of
// whom this machine trusts.
type trust struct{ roots *x509.CertPool }

// authorities are whom the check trusts.
func (t *try) authorities(c spec.RouteCheck) (trust, *finding) {
	if c.CA.IsZero() {
		return trust{t.prober.RootCAs}, nil
	}
	name := place(c.CA)
	data, ok := t.stack.MaterialData(c.CA)
	if !ok {
		f := unknown(ReasonCredentialUnavailable, fmt.Sprintf("The content of %s is not known here, so the check does not know whom to trust.", name), t.howToGive(name))
		return trust{}, &f
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		f := unknown(ReasonInvalid, fmt.Sprintf("There is no certificate in %s.", name), "Put the authority's certificate there, in PEM.")
		return trust{}, &f
	}
	return trust{pool}, nil
}

// tlsSession is an established session, whoever the other side is.
type tlsSession struct {
	*tls.Conn
	chain []*x509.Certificate
}

func (s *tlsSession) leaf() *x509.Certificate { return s.chain[0] }

// secure makes a session with whoever answers: which certificate it was, and
// what is wrong with it, is a part of the finding. Nothing secret is sent.
func (t *try) secure(ctx context.Context, conn net.Conn, name string) (*tlsSession, error) {
	secure := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return &tlsSession{secure, secure.ConnectionState().PeerCertificates}, nil
}

// routeFailure is the finding for a request that got no HTTP answer.
func (t *try) routeFailure(ctx context.Context, u *url.URL, err error) finding {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &record):
		return failed(ReasonTLSError, fmt.Sprintf("What listens at %s does not speak TLS.", t.way.Address),
			"Use http:// in the url, or the port of Traefik's TLS entrypoint.")
	case errors.As(err, &alert):
		return failed(ReasonTLSError, fmt.Sprintf("Traefik refused the TLS handshake for %s: %s.", u.Hostname(), alert.Error()),
			"With sniStrict Traefik serves only names that it has a certificate for; a router's TLS options may want a client certificate.")
	}
	return t.exchangeFailure(ctx, "Traefik", ReasonNotHTTP, err)
}

// judgeCertificate is the finding about a certificate that a browser would not
// take.
func (t *try) judgeCertificate(u *url.URL, s *tlsSession, by trust) *finding {
	var f finding
	leaf := s.leaf()
	if leaf.Subject.CommonName == traefikDefault {
		f = failed(ReasonDefaultCertificate, fmt.Sprintf("Traefik serves its default certificate for %s, which no client trusts.", u.Hostname()),
			"See that the router's tls.certresolver is one that Traefik has, and in Traefik's log why it got no certificate.")
		return &f
	}
	between := x509.NewCertPool()
	for _, c := range s.chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: u.Hostname(), Roots: by.roots, Intermediates: between, CurrentTime: t.prober.now()})
	if err == nil {
		return nil
	}
	fault := certificateFault(err)
	if now := t.prober.now(); now.After(leaf.NotAfter) {
		fault = "it expired on " + day(leaf.NotAfter)
	}
	f = failed(ReasonCertificateUntrusted, fmt.Sprintf("The certificate for %s is not valid: %s.", u.Hostname(), strings.TrimSuffix(fault, ".")),
		"See which certificate Traefik has for this name and where from; name a private authority with ca: in the check.")
	return &f
}

// judgeExpiry is the finding about a certificate that is not renewed in time.
func (t *try) judgeExpiry(c spec.RouteCheck, u *url.URL, s *tlsSession) *finding {
	left := s.leaf().NotAfter.Sub(t.prober.now())
	if left >= time.Duration(c.CertificateDays)*24*time.Hour {
		return nil
	}
	f := failed(ReasonCertificateExpiring,
		fmt.Sprintf("The certificate for %s expires on %s, in less than %d days, and has not been renewed.", u.Hostname(), day(s.leaf().NotAfter), c.CertificateDays),
		"See in Traefik's log why its resolver does not renew it; the usual time is 30 days before the end.")
	return &f
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
