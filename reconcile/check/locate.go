package check

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// Locator finds the ways from here to a port of a service, best first.
type Locator interface {
	// Locate takes the full name of the service, such as whatrack_redis. An
	// error means that the Engine could not be asked; a service without a way is
	// a Location without Ways. The caller calls the location's Release, if any.
	Locate(ctx context.Context, service string, port int) (reconcile.Location, error)
}

// ways lists the ways to the check's target, best first and never none.
func (t *try) ways(ctx context.Context, fallback *reconcile.Way) ([]reconcile.Way, *finding) {
	target := t.target()
	switch {
	case target.Connect != "" && (t.from == "" || t.from == "explicit"):
		return []reconcile.Way{{Kind: "explicit", Address: target.Connect}}, nil
	case target.Service == "" && fallback != nil:
		return []reconcile.Way{*fallback}, nil
	case target.Service == "":
		f := unknown(ReasonInvalid, "The check names neither a service nor an address to connect to.",
			"Give it service and port, or connect.")
		return nil, &f
	}
	location, f := t.locate(ctx, target)
	if f != nil {
		return nil, f
	}
	return location.Ways, nil
}

// target is where the probe connects to.
func (t *try) target() spec.Target {
	if r := t.check.Route; r != nil {
		return r.Traefik
	}
	return t.check.Target()
}

func (t *try) locate(ctx context.Context, target spec.Target) (reconcile.Location, *finding) {
	name := t.serviceName()
	var f finding
	if t.prober.Locator == nil {
		f = unknown(reconcile.ReasonNoPath, fmt.Sprintf("There is no way from here to service %s.", name),
			"Give the check an explicit address with connect.")
		return reconcile.Location{}, &f
	}
	location, err := t.prober.Locator.Locate(ctx, name, target.Port)
	t.release, t.running = location.Release, location.Running
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		f = interrupted()
	case err != nil:
		f = unknown(reconcile.ReasonEngineError, fmt.Sprintf("The Engine could not say where service %s runs: %v.", name, err),
			"Make sure that the Docker Engine answers and that this node is a manager with a leader.")
	case location.Running == 0:
		f = failed(reconcile.ReasonNotRunning, fmt.Sprintf("No task of service %s is running.", name),
			fmt.Sprintf("See why with: docker service ps --no-trunc %s", name))
	case len(location.Ways) == 0:
		hint := location.Hint
		if hint == "" {
			hint = "Publish the port, make its network attachable, or give the check an explicit address with connect."
		}
		f = unknown(reconcile.ReasonNoPath,
			fmt.Sprintf("There is no way from here to port %d of service %s.", target.Port, name), hint)
	default:
		if location.Ways = t.wanted(location.Ways); len(location.Ways) > 0 {
			return location, nil
		}
		f = unknown(reconcile.ReasonNoPath,
			fmt.Sprintf("There is no way over %s from here to port %d of service %s.", places[t.from], target.Port, name), openings[t.from])
	}
	return reconcile.Location{}, &f
}

// wanted are the ways of the kind that is asked for.
func (t *try) wanted(ways []reconcile.Way) []reconcile.Way {
	if t.from == "" {
		return ways
	}
	return slices.DeleteFunc(slices.Clone(ways), func(w reconcile.Way) bool { return w.Kind != t.from })
}

// openings are what would make a way of each kind.
var openings = map[string]string{
	"overlay":   "Run swarmward as a service on a network of that service, or make the network attachable.",
	"published": "Publish the port under ports in the spec, or take published out of the check's from.",
	"bridge":    "Run swarmward on the node that runs a task of the service, in the host's network.",
}

// serviceName is the full name of the service that the probe connects to.
func (t *try) serviceName() string { return t.fullName(t.target().Service) }

// fullName is the name in the Swarm of a service of the stack.
func (t *try) fullName(key string) string {
	if s, ok := t.stack.Service(key); ok && s.Spec.Name != "" {
		return s.Spec.Name
	}
	return t.stack.Name + "_" + key
}
