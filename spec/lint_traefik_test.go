package spec

import (
	"strings"
	"testing"
)

// FuzzTraefik looks for labels and rules that make lint panic, and for rules
// that it finds nothing wrong with and cannot judge.
func FuzzTraefik(f *testing.F) {
	f.Add("http.routers.a.rule", "Host(`a`) && (PathPrefix(`/a`) || !Path(`/`))")
	f.Add("http.services.a.loadbalancer.server.port", "80")
	f.Add("http.routers.a].tls.domains[0].main", "x")
	f.Add("http.middlewares.a.plugin.p.a", "Header(`a`, \"b\")")
	f.Fuzz(func(t *testing.T, label, value string) {
		label = traefikPrefix + label
		_, err := decodeTraefik(map[string]string{label: value})
		if element, _ := misspelt(label); element != "" && traefikReads(label) && err == nil && notFromLabels(label) == "" {
			t.Errorf("%s: the parser knows it, and %s is called misspelt", label, element)
		}
		rule, message, remedy := parseRule(value, httpMatchers)
		if (message == "") != (remedy == "") {
			t.Errorf("%q: message %q, remedy %q", value, message, remedy)
		}
		if rule.Expr != nil {
			rule.admits("/api/info")
		}
	})
}

func TestAdmits(t *testing.T) {
	tests := []struct {
		rule string
		want string // the paths that a stranger gets to
	}{
		{"Host(`a`)", "/ /api/info /admin /connection/websocket"},
		{"Host(`a`) && PathPrefix(`/connection`)", "/connection/websocket"},
		{"Host(`a`) && !PathPrefix(`/a`)", "/ /connection/websocket"},
		{"!(Host(`a`) || PathPrefix(`/a`))", "/ /connection/websocket"},
		{"PathRegexp(`^/a(pi|dmin)`) || Path(`/`)", "/ /api/info /admin"},
		{"PathPrefix(`/`) && ClientIP(`10.0.0.0/8`)", ""},
		{"!ClientIP(`10.0.0.0/8`) && Path(`/admin`)", "/admin"},
		{"ClientIP(`10.0.0.0/8`) && Host(`a`) || Path(`/`)", "/"},
		{"Method(`POST`) && Header(`X-A`, `b`) && pathprefix(`/api`)", "/api/info"},
	}
	for _, tt := range tests {
		rule, message, _ := parseRule(tt.rule, httpMatchers)
		if message != "" {
			t.Errorf("%s: %s", tt.rule, message)
			continue
		}
		var got []string
		for _, path := range []string{"/", "/api/info", "/admin", "/connection/websocket"} {
			if rule.admits(path) {
				got = append(got, path)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: admits %q, want %q", tt.rule, got, tt.want)
		}
	}
}
