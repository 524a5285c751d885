package reality

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
)

// Served is where a Traefik listens: its entrypoints and its own API.
type Served struct{ TLS, Plain, API string }

// Traefik runs one with the stand-in's routers, which it finds as labels of the
// services of a Swarm, and with its certificates. They are at the entrypoint with
// TLS where secure, and at the other one otherwise. The routers are there, and the
// health checks have been made, when it returns.
func Traefik(tb testing.TB, t *standin.Traefik, secure bool) Served {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "dynamic.yml")
	if err := writeDynamic(file, t); err != nil {
		tb.Fatal(err)
	}
	args := []string{"--providers.file.filename=" + file}
	if t.ResponseTimeout > 0 {
		args = append(args, "--serversTransport.forwardingTimeouts.responseHeaderTimeout="+t.ResponseTimeout.String())
	}
	return traefik(tb, deploy(tb, services(t, secure)), func(_ *process, api string) bool { return knows(api, t) }, args...)
}

// traefik runs one on the Swarm at host until it is ready.
func traefik(tb testing.TB, host string, ready func(p *process, api string) bool, more ...string) Served {
	tb.Helper()
	for range 5 {
		s := Served{unused(tb), unused(tb), unused(tb)}
		args := append([]string{
			"--global.sendAnonymousUsage=false", "--global.checkNewVersion=false", "--log.level=ERROR", "--api.insecure=true",
			"--entrypoints.websecure.address=" + s.TLS, "--entrypoints.web.address=" + s.Plain, "--entrypoints.traefik.address=" + s.API,
			"--providers.swarm.endpoint=" + host, "--providers.providersThrottleDuration=100ms",
		}, more...)
		p := start(tb, standin.RealProgram("traefik", standin.TraefikVersion), nil, args...)
		err := p.until(func() bool { return ready(p, s.API) })
		if err == nil {
			return s
		}
		if !errors.Is(err, errEnded) || !p.portTaken() {
			tb.Fatalf("reality: Traefik: %v:\n%s", err, p.said())
		}
	}
	tb.Fatal("reality: Traefik found no free port")
	return Served{}
}

// knows tells whether Traefik has read what its two providers say, and asked
// after the servers that it is to ask after.
func knows(api string, t *standin.Traefik) bool {
	routers, err := get(api, "/api/http/routers")
	if err != nil || !strings.Contains(routers, `"`+marker+`@swarm"`) || !strings.Contains(routers, `"`+marker+`@file"`) {
		return false
	}
	services, err := get(api, "/api/http/services")
	empty := 0
	for _, r := range t.Routers {
		if r.NoServer() {
			empty++
		}
	}
	return err == nil && strings.Count(services, `"DOWN"`) == empty
}

func get(address, path string) (string, error) {
	response, err := http.Get("http://" + address + path + "?per_page=1000")
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// writeDynamic writes what Traefik's file provider is to read.
func writeDynamic(file string, t *standin.Traefik) error {
	type pair struct {
		CertFile string `json:"certFile"`
		KeyFile  string `json:"keyFile"`
	}
	pairs, secure := []pair{}, map[string]any{}
	add := func(name string, c tls.Certificate) (pair, error) {
		p := pair{file + "." + name + ".pem", file + "." + name + ".key"}
		return p, writePair(p.CertFile, p.KeyFile, c)
	}
	for name, c := range t.Certificates {
		p, err := add(name, c)
		if err != nil {
			return err
		}
		pairs = append(pairs, p)
	}
	secure["certificates"] = pairs
	// The one that the stand-in has made Traefik makes by itself.
	if c := t.Default; c.Leaf != nil && c.Leaf.Subject.CommonName != standin.TraefikDefault {
		p, err := add("default", c)
		if err != nil {
			return err
		}
		secure["stores"] = map[string]any{"default": map[string]any{"defaultCertificate": p}}
	}
	data, err := json.Marshal(map[string]any{
		"tls": secure,
		"http": map[string]any{"routers": map[string]any{
			marker: map[string]any{"rule": "Host(`file." + marker + "`)", "service": "noop@internal"},
		}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

func writePair(certificate, key string, c tls.Certificate) error {
	private, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("a key of type %T", c.PrivateKey)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return err
	}
	var chain []byte
	for _, one := range c.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one})...)
	}
	return errors.Join(os.WriteFile(certificate, chain, 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600))
}
