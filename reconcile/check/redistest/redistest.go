// Package redistest runs real Redis servers for tests, one process each, on
// loopback ports of their own.
package redistest

import (
	"bufio"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a running redis-server.
type Server struct {
	Addr      string // host:port
	Dir       string // its working directory
	Cert, Key []byte // PEM, of a server that speaks TLS: its own CA, and for the name redis

	process *os.Process
	ended   chan struct{}
}

// Options of a server; the zero value is one without a password.
type Options struct {
	Password string
	TLS      bool     // speak TLS instead of plain TCP
	Args     []string // more of the command line, such as --maxmemory 1mb
	Host     string   // address to listen at; default 127.0.0.1
	Dir      string   // working directory; default a new one
	Loading  bool     // do not wait until it has read its data
	Sentinel string   // the lines of its configuration, for a Sentinel
}

// startTimeout bounds how long a server may take to accept connections.
const startTimeout = 30 * time.Second

// Start runs a server until the test ends. Where redis-server is missing it
// skips the test, or fails it when SWARMWARD_REQUIRE_ENGINE is set.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("SWARMWARD_REQUIRE_ENGINE") != "" {
			tb.Fatal("redis-server is missing: apt-get install redis-server")
		}
		tb.Skip("redis-server is missing: apt-get install redis-server")
	}
	// The port is free when it is chosen and may be taken a moment later.
	for range 5 {
		s := &Server{Addr: unused(tb, cmp.Or(o.Host, "127.0.0.1")), Dir: o.Dir, ended: make(chan struct{})}
		if s.Dir == "" {
			s.Dir = tb.TempDir()
		}
		err = s.start(binary, o)
		if err == nil {
			tb.Cleanup(s.Kill)
			return s
		}
	}
	tb.Fatalf("redis-server: %v", err)
	return nil
}

func (s *Server) start(binary string, o Options) error {
	args, err := s.arguments(o)
	if err != nil {
		return err
	}
	cmd := exec.Command(binary, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process = cmd.Process
	ready := make(chan struct{})
	var tell sync.Once
	var said []string // of the goroutine until ended is closed
	go func() {
		defer close(s.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said = append(said, lines.Text())
			if strings.Contains(lines.Text(), o.ready()) {
				tell.Do(func() { close(ready) })
			}
		}
		_ = cmd.Wait()
	}()
	select {
	case <-ready:
	case <-s.ended:
		err = errors.New("ended at once:\n" + strings.Join(said, "\n"))
	case <-time.After(startTimeout):
		err = fmt.Errorf("not ready within %s", startTimeout)
	}
	if err != nil {
		s.Kill()
	}
	return err
}

// ready is what a server logs when it answers.
func (o Options) ready() string {
	switch {
	case o.Sentinel != "":
		return "Sentinel ID is"
	case o.Loading:
		return "Server initialized"
	}
	return "Ready to accept connections"
}

func (s *Server) arguments(o Options) ([]string, error) {
	host, port, _ := net.SplitHostPort(s.Addr)
	args := []string{"--bind", host, "--dir", s.Dir, "--daemonize", "no"}
	if o.Sentinel != "" {
		file := filepath.Join(s.Dir, "sentinel.conf")
		if err := os.WriteFile(file, []byte(o.Sentinel+"\n"), 0o600); err != nil {
			return nil, err
		}
		args = append([]string{file, "--sentinel"}, args...)
	} else {
		args = append(args, "--save", "")
	}
	if o.TLS {
		var err error
		if s.Cert, s.Key, err = newCertificate(); err != nil {
			return nil, err
		}
		cert, key := filepath.Join(s.Dir, "cert.pem"), filepath.Join(s.Dir, "key.pem")
		if err := errors.Join(os.WriteFile(cert, s.Cert, 0o600), os.WriteFile(key, s.Key, 0o600)); err != nil {
			return nil, err
		}
		args = append(args, "--port", "0", "--tls-port", port, "--tls-auth-clients", "no",
			"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
	} else {
		args = append(args, "--port", port)
	}
	if o.Password != "" {
		args = append(args, "--requirepass", o.Password)
	}
	return append(args, o.Args...), nil
}

// Kill ends the server at once and waits until it is gone.
func (s *Server) Kill() {
	_ = s.process.Kill()
	<-s.ended
}

// Freeze stops the process: connections are taken and nothing answers.
func (s *Server) Freeze(tb testing.TB) {
	tb.Helper()
	if err := s.process.Signal(syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
}

// Command runs redis-cli against the server and returns what it prints.
func (s *Server) Command(tb testing.TB, password string, args ...string) string {
	tb.Helper()
	host, port, _ := net.SplitHostPort(s.Addr)
	cmd := exec.Command("redis-cli", append([]string{"-h", host, "-p", port, "--no-auth-warning"}, args...)...)
	if password != "" {
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+password)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("redis-cli %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Unused is a loopback address, host:port, that nobody listens on.
func Unused(tb testing.TB) string {
	tb.Helper()
	return unused(tb, "127.0.0.1")
}

func unused(tb testing.TB, host string) string {
	tb.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// newCertificate makes a self-signed certificate for the name redis.
func newCertificate() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, DNSNames: []string{"redis"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}
