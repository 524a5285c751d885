package spec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

func TestRouters(t *testing.T) {
	for _, tt := range []struct {
		name   string
		labels map[string]string
		want   []string // name and hosts
		fails  string
	}{
		{"none", map[string]string{"team": "a", "traefik.enable": "true"}, nil, ""},
		{"two", map[string]string{
			"traefik.http.routers.b.rule": "host(`b.example`) || Host(`c.example`) && PathPrefix(`/api`)",
			"traefik.http.routers.a.rule": "PathPrefix(`/a`)",
		}, []string{"a", "b b.example c.example"}, ""},
		{"no rule", map[string]string{"traefik.http.routers.a.entrypoints": "web"}, []string{"a"}, ""},
		{"misspelt", map[string]string{"traefik.http.routers.a.ruel": "Host(`a`)"}, nil, "cannot read them"},
		{"version 2", map[string]string{"traefik.http.routers.a.rule": "Host(`a`, `b`)"}, nil, "traefik.http.routers.a.rule: several values"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			routers, err := spec.Routers(tt.labels)
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Fatalf("error %v, want %q", err, tt.fails)
			}
			var got []string
			for _, r := range routers {
				got = append(got, strings.Join(append([]string{r.Name}, r.Hosts...), " "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	routers, err := spec.Routers(map[string]string{"traefik.http.routers.a.rule": "Host(`a`) && (PathPrefix(`/connection`) || Path(`/health`))"})
	if err != nil || !routers[0].Admits("/health") || routers[0].Admits("/healthy") {
		t.Errorf("%+v, %v", routers, err)
	}
}

// What is left of a check for who must not write.
func TestReadOnly(t *testing.T) {
	full := &spec.CentrifugoCheck{APIKey: spec.Credential{Secret: "k"}, TokenSecret: spec.Credential{Secret: "t"}}
	less := *full
	less.SkipPublish = true
	route := &spec.RouteCheck{URL: "https://a.example/"}
	for _, tt := range []struct {
		check spec.Check
		want  *spec.Check
	}{
		{spec.Check{Redis: &spec.RedisCheck{}}, nil},
		{spec.Check{Name: "c", Centrifugo: full}, &spec.Check{Name: "c", Centrifugo: &less}},
		{spec.Check{Route: route}, &spec.Check{Route: route}},
	} {
		got, ok := tt.check.ReadOnly()
		if ok != (tt.want != nil) || ok && cmp.Diff(*tt.want, got) != "" {
			t.Errorf("%s: %+v, %v", tt.check.Kind(), got, ok)
		}
	}
	if full.SkipPublish {
		t.Error("the check itself was changed")
	}
}

// Traefik reads labels every 15 seconds, so a route has to have longer than that.
func TestRouteDefaults(t *testing.T) {
	stack := load(t, `
name: a
services: {traefik: {image: "traefik:3.7"}}
x-swarmward:
  checks:
    route: {route: {url: "https://a.example/", traefik: {service: traefik}, body: "{}"}}
`)
	c := stack.Settings.Checks[0]
	if c.Grace < 20*time.Second || c.Kind() != "route" || c.Route.CertificateDays != 14 || c.Route.Traefik.Port != 443 {
		t.Errorf("%+v %+v", c, c.Route)
	}
}
