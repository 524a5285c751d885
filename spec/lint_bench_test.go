package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkLint lints what is loaded already: services behind Traefik with
// nothing wrong with them, and with a finding each.
func BenchmarkLint(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		for _, rule := range []string{"rule", "ruel"} {
			b.Run(fmt.Sprintf("%d/%s", n, rule), func(b *testing.B) {
				l, m, stack := benchmarkSpec(b, n, rule)
				for b.Loop() {
					found := len(lint(l, m, stack))
					if clean := rule == "rule"; clean != (found == 0) {
						b.Fatal(found, "findings")
					}
				}
			})
		}
	}
}

func benchmarkSpec(b *testing.B, n int, rule string) (*loading, *model, *Stack) {
	var text strings.Builder
	text.WriteString("name: a\nservices:\n")
	for i := range n {
		fmt.Fprintf(&text, `  s%d:
    image: web:1
    environment: {LOG_LEVEL: "${LEVEL}", DB_PASSWORD_FILE: /run/secrets/db}
    deploy:
      labels:
        traefik.enable: "true"
        traefik.swarm.network: a_default
        traefik.http.routers.s%d.%s: Host(`+"`s%d.example`"+`) && PathPrefix(`+"`/`"+`)
        traefik.http.routers.s%d.tls.certresolver: le
        traefik.http.services.s%d.loadbalancer.server.port: "80"
`, i, i, rule, i, i, i)
	}
	path := filepath.Join(b.TempDir(), "spec.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	l := &loading{options: Options{Files: []string{path}, Environ: []string{"LEVEL=info"}}, report: newReport(), contents: map[string][]byte{}}
	if err := l.read(); err != nil {
		b.Fatal(err)
	}
	l.checkFiles()
	m, err := l.compose(b.Context())
	if err != nil || l.report.failed() {
		b.Fatal(err, l.report.findings)
	}
	return l, m, lower(l, m)
}
