//go:build reality

package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
)

// A Traefik of another stack, as it usually is: it reads services' labels every
// 15 seconds, and has a certificate for the site from an authority of its own.
const edge = `
name: edge
services:
  traefik:
    image: traefik:v3.7.13
    command:
      - traefik
      - --log.level=ERROR
      - --global.sendAnonymousUsage=false
      - --global.checkNewVersion=false
      - --entrypoints.websecure.address=:443
      - --providers.swarm.endpoint=unix:///var/run/docker.sock
      - --providers.swarm.exposedByDefault=false
      - --providers.file.filename=/etc/traefik/dynamic.yml
      - --serversTransport.forwardingTimeouts.responseHeaderTimeout=3s
      - --api.insecure=true
    networks: [redeinterna]
    configs:
      - {source: dynamic, target: /etc/traefik/dynamic.yml}
      - {source: certificate, target: /etc/traefik/site.pem}
    secrets: [key]
    volumes: ["SOCKET:/var/run/docker.sock"]
    ports:
      - {target: 443, published: 443, mode: host}
      - {target: 8080, published: 8081, mode: host}
    deploy:
      endpoint_mode: dnsrr
      placement: {constraints: [node.role == manager]}
      update_config: {order: stop-first}
networks:
  redeinterna: {external: true}
configs:
  dynamic: {content: "DYNAMIC"}
  certificate: {file: site.pem}
secrets:
  key: {file: site.key}
x-swarmward: {lint: {off: [image-untagged]}}
`

// theWayIn is the check that desired-state.yaml has as a comment.
const theWayIn = `
x-swarmward:
  checks:
    route:
      route:
        url: https://centrifugo.whatrack.com/health
        service: centrifugo
        traefik: ADDRESS:443
        api: http://ADDRESS:8081
        body: "{}"
        refuse: [/admin, /api]
        ca: {file: ca.pem}
      timeout: 5s
      grace: 60s
`

// desired-state.yaml with its checks, on the real Redis, Centrifugo and Traefik.
func TestRealTraefik(t *testing.T) {
	if standin.Real() == "" {
		t.Fatal("it takes the real programs: make reality")
	}
	lab := sharedLab(t)
	if err := lab.LoadImage(t.Context(), "traefik:v"+standin.TraefikVersion, map[string]string{
		"/usr/local/bin/traefik": standin.RealProgram("traefik", standin.TraefikVersion),
	}, `CMD ["traefik"]`); err != nil {
		t.Fatal(err)
	}
	o := newOperator(t, lab.Nodes[0])
	o.gateFiles()
	t.Cleanup(func() { o.clear("edge"); o.clear("whatrack") })
	files := []string{"-f", "desired-state.yaml", "-f", "route.yaml"}
	with := func(args ...string) []string { return append(args, files...) }

	o.want(0, []string{"apply"}, "converged and verified", "version "+standin.Version+", 1 node")
	o.want(3, with("check", "route"), "reason: refused")

	// Traefik has no certificate for the site yet.
	o.write("edge.yaml", o.edge("http: {}"))
	o.want(0, []string{"apply", "-f", "edge.yaml"}, "converged")
	eventually(t, "Traefik serves its default certificate", func() bool { return o.saysReason("default_certificate", with) })
	o.write("edge.yaml", o.edge("tls: {certificates: [{certFile: /etc/traefik/site.pem, keyFile: /run/secrets/key}]}"))
	o.want(0, []string{"apply", "-f", "edge.yaml"}, "converged")
	o.want(0, with("apply"), "route", "refused: /admin, /api")

	// Labels that are changed by hand, and repaired: Traefik hears of either within
	// 15 seconds, and apply is not done before that works.
	for _, c := range []struct{ label, reason string }{
		{"traefik.http.routers.centrifugo.rule=Host(`old.whatrack.com`)", "no_router"},
		{"traefik.http.services.centrifugo.loadbalancer.server.port=8001", "bad_gateway"},
		{"traefik.http.routers.centrifugo-private.middlewares=", "exposed"},
		{"traefik.http.routers.centrifugo.entrypoints=websecur", "no_router"},
	} {
		o.docker("service", "update", "--detach", "--quiet", "--label-add", c.label, "whatrack_centrifugo")
		eventually(t, c.label+" is "+c.reason, func() bool { return o.saysReason(c.reason, with) })
		o.want(0, with("apply"), "changed by hand", "no restart", "converged and verified, 1 written")
		t.Logf("counted: %s: %s", c.label, c.reason)
	}

	// A task that hangs, and one that is no more.
	container := o.docker("ps", "-q", "--filter", "name=whatrack_centrifugo")
	o.docker("pause", container)
	o.want(3, with("check", "route"), "reason: gateway_timeout")
	o.docker("unpause", container)
	o.docker("service", "scale", "--detach", "whatrack_centrifugo=0")
	eventually(t, "no task is no router", func() bool { return o.saysReason("no_router", with) })
	o.want(0, with("apply"), "deploy.replicas", "converged and verified")
}

// edge is the stack of Traefik, which reads that of a file.
func (o *operator) edge(dynamic string) string {
	return strings.NewReplacer("SOCKET", strings.TrimPrefix(o.node.Host, "unix://"), "DYNAMIC", dynamic).Replace(edge)
}

// saysReason tells whether the route check fails for that reason now.
func (o *operator) saysReason(reason string, with func(...string) []string) bool {
	o.t.Helper()
	r := o.run(with("check", "route")...)
	return r.code == 3 && strings.Contains(r.stdout, "reason: "+reason)
}

func (o *operator) gateFiles() {
	o.t.Helper()
	stack, err := os.ReadFile("../../desired-state.yaml")
	if err != nil {
		o.t.Fatal(err)
	}
	authority, err := standin.NewAuthority("the company's authority")
	if err != nil {
		o.t.Fatal(err)
	}
	c, err := authority.Issue("centrifugo.whatrack.com", time.Now().AddDate(0, 2, 0))
	if err != nil {
		o.t.Fatal(err)
	}
	key, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		o.t.Fatal(err)
	}
	o.write("desired-state.yaml", string(stack))
	o.write(".env", dotenv())
	o.write("route.yaml", strings.ReplaceAll(theWayIn, "ADDRESS", o.node.Addr))
	o.write("ca.pem", string(authority.PEM()))
	o.write("site.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})))
	o.write("site.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key})))
}
