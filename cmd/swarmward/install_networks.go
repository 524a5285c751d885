package main

import (
	"net"
	"slices"
	"strings"

	"github.com/swarmward/swarmward/spec"
)

// networksOf a stack that swarmward's own service has to be on, so that the
// stack's checks have a way. It joins an attachable one by itself when a check
// needs it, and what is published needs none.
func (o *own) networksOf(stack *spec.Stack) {
	for _, c := range stack.Settings.Checks {
		targets := []spec.Target{c.Target()}
		if c.Route != nil {
			targets = []spec.Target{c.Route.Traefik}
		}
		for _, t := range targets {
			switch {
			case t.Connect != "":
				o.explicit(c, t.Connect)
			case t.Service != "":
				o.toService(stack, c, t)
			}
		}
	}
}

// explicit addresses lead everywhere from anywhere, unless they are a name that
// only a network of the Swarm knows.
func (o *own) explicit(c spec.Check, address string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) != nil || host == "localhost" || strings.Contains(host, ".") || len(o.networks) > 0 {
		return
	}
	o.note("check %s connects to %s, a name that only a network of the Swarm knows: give --network NETWORK", c.Name, host)
}

func (o *own) toService(stack *spec.Stack, c spec.Check, t spec.Target) {
	service, ok := stack.Service(t.Service)
	if !ok {
		return
	}
	var own []string // networks of the stack's own, which are not there before it
	for _, n := range service.Spec.TaskTemplate.Networks {
		i := slices.IndexFunc(stack.Networks, func(x spec.Network) bool { return x.Name == n.Target })
		switch {
		case slices.Contains(o.networks, n.Target):
			return
		case i < 0:
		case stack.Networks[i].Create.Attachable:
			return
		case stack.Networks[i].External || stack.Networks[i].Explicit:
			o.reach = append(o.reach, n.Target)
			return
		default:
			own = append(own, n.Target)
		}
	}
	if e := service.Spec.EndpointSpec; e != nil && len(c.From) == 0 {
		for _, p := range e.Ports {
			if int(p.TargetPort) == t.Port {
				return
			}
		}
	}
	if len(own) > 0 {
		o.note("check %s needs network %s, which is not attachable and is made with the stack: say `attachable: true` in the spec, or deploy the stack and then give --network %s", c.Name, own[0], own[0])
	}
}
