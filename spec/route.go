package spec

import (
	"errors"
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// Router is an HTTP router that a service's labels define for Traefik.
type Router struct {
	Name, Rule string
	Hosts      []string // that the rule names with Host(); none: any
	expr       traefikExpr
}

// Label is the name of the label that has the router's rule.
func (r Router) Label() string { return traefikPrefix + "http.routers." + r.Name + ".rule" }

// Admits reports whether a request for that path may match the rule, whatever
// its host.
func (r Router) Admits(path string) bool { return r.expr.Expr == nil || r.expr.admits(path) }

// Routers reads the labels of a service as Traefik 3 does: its HTTP routers by
// name. An error is one that makes Traefik drop the service or the router.
func Routers(labels map[string]string) ([]Router, error) {
	config, err := decodeTraefik(labels)
	switch {
	case errors.Is(err, errTraefikBreaks):
		return nil, err
	case err != nil:
		return nil, errors.New("they are such that Traefik cannot read them, and drops the service")
	}
	if config.HTTP == nil {
		return nil, nil
	}
	var out []Router
	for _, name := range slices.Sorted(maps.Keys(config.HTTP.Routers)) {
		r := Router{Name: name, Rule: config.HTTP.Routers[name].Rule}
		if r.Rule != "" {
			e, message, _ := parseRule(r.Rule, httpMatchers)
			if message != "" {
				return nil, errors.New(r.Label() + ": " + message)
			}
			r.expr, r.Hosts = e, hostsIn(e.Expr)
		}
		out = append(out, r)
	}
	return out, nil
}

// hostsIn are the values of the Host matchers of a rule.
func hostsIn(e ast.Expr) []string {
	var out []string
	ast.Inspect(e, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if name, values := called(call); strings.EqualFold(name, "host") {
				out = append(out, values...)
			}
		}
		return true
	})
	return out
}
