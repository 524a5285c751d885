package serve

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testContext(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serving serves until the test ends, and is back when it does.
func serving(t *testing.T, s *Server) string {
	t.Helper()
	addr := free(t)
	running(t, addr, func(ctx context.Context) error { return s.ListenAndServe(ctx, addr) })
	return addr
}

func running(t *testing.T, addr string, serve func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serving ended: %v", err)
		}
	})
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it does not serve: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
}

// pair is a certificate for 127.0.0.1 with that name, and its key.
func pair(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

func put(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	// A file system may count whole milliseconds.
	later := time.Now().Add(time.Duration(puts) * time.Second)
	puts++
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
}

var puts int

// A renewed certificate is served without a restart, a broken one is not.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	first, firstKey := pair(t, "first")
	put(t, cert, first)
	put(t, key, firstKey)
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	c, err := NewCertificate(cert, key, log)
	if err != nil {
		t.Fatal(err)
	}
	s := testServer()
	s.Certificate = c
	addr := serving(t, s)
	served := func(most uint16) (string, error) {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: most})
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
	}
	expect := func(want string) {
		t.Helper()
		if got, err := served(tls.VersionTLS13); err != nil || got != want {
			t.Errorf("served %q (%v), want %q", got, err, want)
		}
	}
	expect("first")
	if name, err := served(tls.VersionTLS11); err == nil {
		t.Errorf("TLS 1.1 is spoken: %s", name)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	res, err := client.Get("https://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if string(body) != "ok\n" {
		t.Errorf("%s: %q", res.Status, body)
	}
	second, secondKey := pair(t, "second")
	put(t, cert, second)
	expect("first") // its key is still that of the first
	put(t, key, secondKey)
	expect("second")
	put(t, cert, []byte("nothing"))
	expect("second")
	if n := strings.Count(logged.String(), "cannot be used"); n != 2 {
		t.Errorf("%d complaints about 2 certificates:\n%s", n, logged.String())
	}
	if _, err := NewCertificate(cert, key, log); err == nil || !strings.Contains(err.Error(), cert) {
		t.Errorf("a broken certificate: %v", err)
	}
}

func TestDebugIsForThisMachine(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, addr := range []string{":6060", "0.0.0.0:6060", "10.0.0.1:6060", "[::]:6060", "example.com:6060"} {
		if err := ListenDebug(t.Context(), addr, false, log); err == nil || !strings.Contains(err.Error(), "--debug-anywhere") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	addr := free(t)
	running(t, addr, func(ctx context.Context) error { return ListenDebug(ctx, addr, false, log) })
	for path, want := range map[string]int{"/debug/pprof/": 200, "/debug/pprof/goroutine?debug=1": 200, "/healthz": 404, "/metrics": 404} {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	// Nor are profiles where everything else is.
	if rec := ask(testServer().Handler(), "GET", "/debug/pprof/", ""); rec.Code != 404 {
		t.Errorf("profiles on the main address: %d", rec.Code)
	}
}
