package reconcile

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// traefikReads is how long Traefik may go on with the labels that it knows: it
// reads them every 15 s, and takes changes at most every 2 s.
const traefikReads = 20 * time.Second

// relabelled is the Prober of a pass. A route check right after a write would
// meet the labels of before, and pass; it waits until Traefik has read the new ones.
type relabelled struct {
	Prober
	pass *pass
}

func (r relabelled) Probe(ctx context.Context, stack *spec.Stack, c spec.Check) CheckResult {
	if s, ok := stack.Service(c.Target().Service); ok && c.Route != nil {
		if left := time.Until(r.pass.labelled(s.Spec.Name).Add(traefikReads)); left > 0 {
			r.pass.report(Event{PhaseVerify, c.Name, "waiting", "Traefik reads labels every 15 seconds: waiting until it has read those of service " + s.Spec.Name})
			_ = pause(ctx, left)
		}
	}
	return r.Prober.Probe(ctx, stack, c)
}

// labelled is when this pass last changed the labels of a service; zero when it
// did not. A new service has no labels of before.
func (p *pass) labelled(name string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.labels[name]
}

func relabels(c Change) bool {
	return c.Kind == KindService && c.Action == ActionUpdate && slices.ContainsFunc(c.Fields, func(f FieldChange) bool {
		return strings.HasPrefix(f.Path, "services."+c.Name+".deploy.labels.\"traefik.")
	})
}
