package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// tlsConfig is what the check says about TLS; host is the server's name unless
// the check gives one.
func (t *try) tlsConfig(o *spec.TLS, host string) (*tls.Config, *finding) {
	config := &tls.Config{ServerName: host, RootCAs: t.prober.RootCAs}
	if o == nil {
		return config, nil
	}
	if o.ServerName != "" {
		config.ServerName = o.ServerName
	}
	config.InsecureSkipVerify = o.Insecure
	if !o.CA.IsZero() {
		pem, problem := t.material(o.CA)
		if problem != nil {
			return nil, problem
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			f := unknown(ReasonInvalid, "What the check's tls.ca names holds no certificate.",
				"Give it a PEM file that begins with -----BEGIN CERTIFICATE-----.")
			return nil, &f
		}
	}
	if o.Cert.IsZero() {
		return config, nil
	}
	cert, problem := t.material(o.Cert)
	if problem != nil {
		return nil, problem
	}
	key, problem := t.material(o.Key)
	if problem != nil {
		return nil, problem
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		f := unknown(ReasonInvalid, "What the check's tls.cert and tls.key name is no pair of a certificate and its key in PEM.",
			"Give the certificate, followed by those that signed it, and its own key.")
		return nil, &f
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// material is PEM that the check names.
func (t *try) material(m spec.Material) ([]byte, *finding) {
	data, ok := t.stack.MaterialData(m)
	if ok {
		return data, nil
	}
	what := place(m)
	f := unknown(ReasonCredentialUnavailable,
		fmt.Sprintf("The content of %s is not known here, so the check cannot use TLS.", what), t.howToGive(what))
	return nil, &f
}

// place is where the material is.
func place(m spec.Material) string {
	switch {
	case m.Secret != "":
		return "secret " + m.Secret
	case m.File != "":
		return "file " + m.File
	}
	return "config " + m.Config
}

// handshake makes conn a TLS session. A server that does not speak TLS may wait
// for more for ever: the handshake leaves half of the time to find that out.
func (t *try) handshake(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		part, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
		ctx = part
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}

// tlsFault puts what is wrong with a TLS session in words, where it is TLS that
// is to blame.
func tlsFault(err error) (reason reconcile.Reason, what string, ok bool) {
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	switch alert := remoteAlert(err); {
	case errors.As(err, &record):
		return ReasonTLSError, "the server does not speak TLS on that port", true
	case errors.As(err, &verify):
		return ReasonTLSError, "the server's certificate is not valid: " + certificateFault(verify.Err), true
	case strings.Contains(alert, "certificate"):
		return ReasonClientCertificate, "the server wants a client certificate and refuses this one, or none: " + alert, true
	case alert != "":
		return ReasonTLSError, "the server refused the TLS handshake: " + alert, true
	}
	return "", "", false
}

// remoteAlert is what the server said when it refused a TLS session; empty when
// it was not that.
func remoteAlert(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return ""
}

// hungUp asks a server that closed a TLS session without a word for its reason.
// In TLS 1.3 it looks at the client's certificate when the client is done and
// has sent its request: the alert is lost with the connection. Nothing is sent
// this time, so that it arrives.
func (t *try) hungUp(ctx context.Context, config *tls.Config, err error) error {
	if ctx.Err() != nil || !isClosed(err) || remoteAlert(err) != "" {
		return err
	}
	conn, dialErr := t.dial(ctx, t.way)
	if dialErr != nil {
		return err
	}
	secure, again := t.handshake(ctx, conn, config)
	if again == nil {
		_ = secure.SetReadDeadline(time.Now().Add(time.Second))
		_, again = secure.Read(make([]byte, 1))
	}
	if remoteAlert(again) != "" {
		return again
	}
	return err
}

// speaksTLS tells whether the way leads to a TLS server. Nothing is sent over
// the session, so nobody needs to be trusted.
func (t *try) speaksTLS(ctx context.Context) bool {
	conn, err := t.dial(ctx, t.way)
	if err != nil {
		return false
	}
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	return err == nil || remoteAlert(err) != ""
}
