package check_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/spec"
)

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// Where the alert of a server that wants a client certificate is lost with the
// connection, it is asked for again.
func TestLostAlert(t *testing.T) {
	pair, err := tls.X509KeyPair(selfSigned(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for ask := tls.NoClientCert; ; ask = tls.RequireAnyClientCert {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			session := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: ask})
			if session.Handshake() == nil {
				_, _ = session.Read(make([]byte, 1))
				_ = conn.(*net.TCPConn).SetLinger(0) // close with a reset
			}
			_ = conn.Close()
		}
	}()
	r := probe(t, check.Prober{}, stack(), spec.Check{Timeout: 20 * time.Second, TCP: &spec.TCPCheck{
		Target: spec.Target{Connect: l.Addr().String()}, TLS: &spec.TLS{Insecure: true}, Send: "PING", Expect: "PONG"}})
	if got := outcome(r); got != "failed client_certificate via explicit "+l.Addr().String() {
		t.Errorf("got %s: %s", got, r.Message)
	}
}

// selfSigned is a certificate and its key.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	s := redistest.Start(t, redistest.Options{TLS: true})
	return s.Cert, s.Key
}

func TestTCP(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{})
	secure := redistest.Start(t, redistest.Options{TLS: true})
	strict := redistest.Start(t, redistest.Options{TLS: true, Args: []string{"--tls-auth-clients", "yes"}})
	trusting := &spec.TLS{CA: spec.Material{File: "ca.pem", Data: secure.Cert}, ServerName: "redis"}
	for _, tt := range []struct {
		name, address string
		check         spec.TCPCheck
		want, says    string
	}{
		{"it accepts", redis.Addr, spec.TCPCheck{}, "passed", "accepts connections."},
		{"it answers", redis.Addr, spec.TCPCheck{Send: "PING\r\n", Expect: "+PONG\r\n"}, "passed", "answers as expected"},
		{"it answers something else", redis.Addr, spec.TCPCheck{Send: "PING\r\n", Expect: "+OK\r\n"}, "failed bad_banner", `said "+PONG`},
		{"it says who it is", talker(t, "220 mail.example ESMTP\r\n"), spec.TCPCheck{Send: "QUIT\r\n", Expect: "220 "}, "passed", ""},
		{"it says less", talker(t, "22"), spec.TCPCheck{Send: "QUIT\r\n", Expect: "220 "}, "failed closed", ""},
		{"it says a secret", talker(t, redisPassword), spec.TCPCheck{Send: "QUIT\r\n", Expect: "220 "}, "failed bad_banner", "(sensitive)"},
		{"it says nothing", redis.Addr, spec.TCPCheck{Expect: "220 "}, "failed timeout", "no answer"},
		{"nobody listens", redistest.Unused(t), spec.TCPCheck{Expect: "220 "}, "failed refused", ""},
		{"TLS", secure.Addr, spec.TCPCheck{TLS: trusting, Send: "PING\r\n", Expect: "+PONG"}, "passed", "accepts TLS connections and answers"},
		{"TLS that nobody signed", secure.Addr, spec.TCPCheck{TLS: &spec.TLS{ServerName: "redis"}}, "failed tls_error", "nobody known here"},
		{"no TLS", talker(t, "SSH-2.0\r\n"), spec.TCPCheck{TLS: trusting}, "failed tls_error", "does not speak TLS"},
		{"TLS where the server waits", redis.Addr, spec.TCPCheck{TLS: trusting}, "failed timeout", "no answer"},
		{"TLS with a CA that is not known", secure.Addr, spec.TCPCheck{TLS: &spec.TLS{CA: spec.Material{Secret: "external"}}}, "unknown credential_unavailable", ""},
		{"a client certificate is wanted", strict.Addr, spec.TCPCheck{TLS: &spec.TLS{Insecure: true}, Send: "PING\r\n", Expect: "+PONG"}, "failed client_certificate", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.check.Target.Connect = tt.address
			timeout := 20 * time.Second
			if strings.HasSuffix(tt.want, "timeout") {
				timeout = 300 * time.Millisecond
			}
			r := probe(t, check.Prober{}, stack(), spec.Check{Timeout: timeout, TCP: &tt.check})
			if got, _, _ := strings.Cut(outcome(r), " via "); got != tt.want || !strings.Contains(r.Message, tt.says) {
				t.Errorf("got %s, want %s that says %q: %s", got, tt.want, tt.says, r.Message)
			}
		})
	}
	t.Run("the name is the service's", func(t *testing.T) {
		c := spec.TCPCheck{Target: spec.Target{Service: "redis", Port: 6379}, TLS: &spec.TLS{CA: trusting.CA}}
		r := probe(t, check.Prober{Locator: publishedAt(secure.Addr)}, stack(), spec.Check{Timeout: 20 * time.Second, TCP: &c})
		if outcome(r) != "passed via published "+secure.Addr {
			t.Errorf("got %s: %s", outcome(r), r.Message)
		}
	})
}
