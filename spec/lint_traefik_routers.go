package spec

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// routers looks at each router of a service: its rule, where it leads, and
// what it passes through.
func (t linter) routers(r routed, defined map[string]*traefikMiddleware) {
	if http := r.config.HTTP; http != nil {
		for _, name := range slices.Sorted(maps.Keys(http.Routers)) {
			router, at := http.Routers[name], traefikPrefix+"http.routers."+name+"."
			t.rule(r, at, router.Rule, router.RuleSyntax, httpMatchers)
			t.routerService(r, at, router.Service, slices.Sorted(maps.Keys(http.Services)))
			t.middlewareNames(r, at, router.Middlewares, defined)
		}
	}
	if tcp := r.config.TCP; tcp != nil {
		for _, name := range slices.Sorted(maps.Keys(tcp.Routers)) {
			router, at := tcp.Routers[name], traefikPrefix+"tcp.routers."+name+"."
			t.rule(r, at, router.Rule, router.RuleSyntax, tcpMatchers)
			t.routerService(r, at, router.Service, slices.Sorted(maps.Keys(tcp.Services)))
			if router.Rule == "" {
				t.label("traefik-rule", r, at, "a TCP router without a rule is disabled", "add "+at+"rule, such as HostSNI(`*`)")
			}
		}
	}
}

func (t linter) rule(r routed, at, rule, syntax string, known matchers) {
	if rule == "" || syntax == "v2" {
		return
	}
	if _, message, remedy := parseRule(rule, known); message != "" {
		t.label("traefik-rule", r, at+"rule", t.l.redact(message), t.l.redact(remedy))
	}
}

// routerService reports a router that leads nowhere. One with another
// provider's name, or with one that nothing here resembles, may lead to
// another stack.
func (t linter) routerService(r routed, at, service string, defined []string) {
	switch {
	case service == "" && len(defined) > 1:
		t.label("traefik-service", r, at, "the router does not say which of the services "+strings.Join(defined, ", ")+" it leads to, and Traefik drops it",
			"add "+at+"service")
	case service != "" && !slices.Contains(defined, service) && nearest(service, defined) != "":
		t.label("traefik-service", r, at+"service", "the labels define no service "+strconv.Quote(t.l.redact(service))+", and Traefik disables the router",
			"did you mean `"+nearest(service, defined)+"`?")
	}
}

// middlewareNames reports names that are nearly those of the stack. Any other
// may be defined elsewhere.
func (t linter) middlewareNames(r routed, at string, names []string, defined map[string]*traefikMiddleware) {
	for _, written := range names {
		name, ours := ownName(written)
		if !ours || defined[name] != nil {
			continue
		}
		if near := nearest(name, slices.Sorted(maps.Keys(defined))); near != "" {
			t.label("traefik-middleware", r, at+"middlewares", "the stack has no middleware "+strconv.Quote(t.l.redact(name))+", and without it Traefik disables the router",
				"did you mean `"+near+"`?")
		}
	}
}

// ownName is a name without the provider's, and whether it can be one that
// labels define.
func ownName(written string) (name string, ours bool) {
	name, provider, other := strings.Cut(strings.TrimSpace(written), "@")
	return name, !other || provider == "swarm" || provider == "docker"
}

// centrifugoExposed reports a router that leads a stranger to what is for the
// operator and the application alone.
func (t linter) centrifugoExposed(r routed, defined map[string]*traefikMiddleware) {
	if !isCentrifugo(r.spec) || r.config.HTTP == nil || t.internalPort(r) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(r.config.HTTP.Routers)) {
		router := r.config.HTTP.Routers[name]
		if router.Rule == "" || guarded(router.Middlewares, defined, 0) {
			continue
		}
		if own := r.config.HTTP.Services[r.leadsTo(*router)]; own == nil || guarded(own.Middlewares, defined, 0) {
			continue
		}
		rule, message, _ := parseRule(router.Rule, httpMatchers)
		if message != "" {
			continue
		}
		var open []string
		if rule.admits("/api/info") {
			open = append(open, "the server API")
		}
		if rule.admits("/") || rule.admits("/admin") {
			open = append(open, "the admin panel")
		}
		if len(open) > 0 {
			t.label("centrifugo-exposed", r, traefikPrefix+"http.routers."+name+".rule", "this router leads everybody to "+strings.Join(open, " and ")+" of Centrifugo",
				"add && PathPrefix(`/connection`) to the rule, and give the rest a router of its own with an ipallowlist middleware")
		}
	}
}

var internalPort = regexp.MustCompile(`(?i)internal_?port`)

// internalPort reports whether API and panel may listen on a port of their
// own, to which no router leads.
func (t linter) internalPort(r routed) bool {
	for name := range r.spec.Environment {
		if internalPort.MatchString(name) {
			return true
		}
	}
	for _, ref := range r.spec.Configs {
		for _, c := range t.stack.Configs {
			if c.Key == ref.Source && internalPort.Match(c.Spec.Data) {
				return true
			}
		}
	}
	return false
}

// guarded reports whether a middleware among those keeps strangers out, or may
// do so because the stack does not define it.
func guarded(names []string, defined map[string]*traefikMiddleware, depth int) bool {
	for _, written := range names {
		name, ours := ownName(written)
		m := defined[name]
		if !ours || m == nil || depth > maxMergeDepth {
			return true
		}
		if m.IPAllowList != nil || m.IPWhiteList != nil || m.ForwardAuth != nil || m.BasicAuth != nil || m.DigestAuth != nil || len(m.Plugin) > 0 {
			return true
		}
		if m.Chain != nil && guarded(m.Chain.Middlewares, defined, depth+1) {
			return true
		}
	}
	return false
}

// middlewares are those that the labels of all services define.
func middlewares(all []routed) map[string]*traefikMiddleware {
	out := map[string]*traefikMiddleware{}
	for _, r := range all {
		if r.config.HTTP != nil {
			maps.Copy(out, r.config.HTTP.Middlewares)
		}
	}
	return out
}
