package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"golang.org/x/sync/semaphore"

	"github.com/swarmward/swarmward/spec"
)

// ErrStale is what Engine.Do wraps when the object changed since it was
// observed ("update out of sequence").
var ErrStale = errors.New("the object has changed since it was looked at")

// ErrMoved is what a change fails with when somebody changed the same fields by
// hand after the plan was made: what they wrote is shown and left alone.
var ErrMoved = errors.New("changed by hand since the plan was made")

// errNotStarted marks a step whose dependency failed.
var errNotStarted = errors.New("not started")

// step is one node of a pass: a write, the wait for a service, or the checks
// that gate what depends on it. It begins when all it needs have succeeded.
type step struct {
	id    string
	needs []string
	after []string // what has to have ended, however
	heavy bool     // counts against the bound on parallel Engine calls
	run   func(context.Context) error
}

// runSteps runs every step whose needs succeed, at most parallel heavy ones at
// a time, and returns each step's error; errNotStarted where a need failed.
// Needs that are not among the steps count as succeeded.
func runSteps(ctx context.Context, steps []step, parallel int) map[string]error {
	type node struct {
		done chan struct{}
		err  error
	}
	nodes := make(map[string]*node, len(steps))
	for _, s := range steps {
		nodes[s.id] = &node{done: make(chan struct{})}
	}
	slots := semaphore.NewWeighted(int64(parallel))
	for _, s := range steps {
		n := nodes[s.id]
		go func() {
			defer close(n.done)
			for _, id := range s.after {
				if d, ok := nodes[id]; ok {
					<-d.done
				}
			}
			for _, id := range s.needs {
				if d, ok := nodes[id]; ok {
					if <-d.done; d.err == nil {
						continue
					}
					n.err = d.err // what failed first is the reason, however far it is
					if !errors.Is(d.err, errNotStarted) {
						n.err = fmt.Errorf("%w: %s failed", errNotStarted, id)
					}
					return
				}
			}
			if s.heavy {
				if n.err = slots.Acquire(ctx, 1); n.err != nil {
					return
				}
				defer slots.Release(1)
			}
			if n.err = ctx.Err(); n.err == nil {
				n.err = s.run(ctx)
			}
		}()
	}
	out := make(map[string]error, len(nodes))
	for id, n := range nodes {
		<-n.done
		out[id] = n.err
	}
	return out
}

func changeID(k Kind, object string) string { return string(k) + " " + object }
func awaitID(key string) string             { return "convergence of " + key }
func gateID(key string) string              { return "checks of " + key }

// steps turns a plan into steps. A service waits for the networks, secrets and
// configs that it names, and for what depends_on says: that the other service
// has converged and, for service_healthy, that the checks on it passed, also
// when the other service itself does not change.
func (p *pass) steps() []step {
	var out []step
	dependsOn := make(map[string]map[string]spec.Condition, len(p.stack.Services))
	for _, s := range p.stack.Services {
		dependsOn[s.Key] = s.DependsOn
	}
	p.gating, p.made = map[string]bool{}, make(chan struct{})
	for _, c := range p.plan.Changes {
		if c.Write == nil || c.AfterChecks {
			continue
		}
		if c.Kind == KindService {
			for key, condition := range dependsOn[c.Name] {
				p.gating[key] = p.gating[key] || condition == spec.ServiceHealthy
			}
		}
		out = append(out, step{
			id: changeID(c.Kind, c.Object), heavy: true, needs: needs(c, dependsOn[c.Name]),
			run: func(ctx context.Context) error { return p.change(ctx, c) },
		})
	}
	if p.unmade.Store(int64(len(out))); len(out) == 0 {
		close(p.made)
	}
	for _, s := range p.stack.Services {
		out = append(out, step{
			id: awaitID(s.Key), needs: []string{changeID(KindService, s.Spec.Name)},
			run: func(ctx context.Context) error { return p.await(ctx, s) },
		}, step{
			id: gateID(s.Key), needs: []string{awaitID(s.Key)},
			run: func(ctx context.Context) error { return p.gate(ctx, s) },
		})
	}
	if p.self != "" {
		selfLast(out, p.self)
	}
	return out
}

// needs are the steps that have to succeed before a change.
func needs(c Change, dependsOn map[string]spec.Condition) []string {
	if c.Kind != KindService {
		return nil
	}
	var sp swarm.ServiceSpec
	switch w := c.Write.(type) {
	case CreateService:
		sp = w.Spec
	case UpdateService:
		sp = w.Spec
	}
	var out []string
	for _, n := range sp.TaskTemplate.Networks {
		out = append(out, changeID(KindNetwork, n.Target))
	}
	if cs := sp.TaskTemplate.ContainerSpec; cs != nil {
		for _, r := range cs.Secrets {
			out = append(out, changeID(KindSecret, r.SecretName))
		}
		for _, r := range cs.Configs {
			out = append(out, changeID(KindConfig, r.ConfigName))
		}
	}
	for dep, cond := range dependsOn {
		out = append(out, awaitID(dep))
		if cond == spec.ServiceHealthy {
			out = append(out, gateID(dep))
		}
	}
	return out
}

// change makes one change. When the object has moved on since the plan, or it is
// not known whether the write was made, it is observed and compared again, and
// only what still differs is written.
func (p *pass) change(ctx context.Context, c Change) error {
	p.report(Event{Phase: PhaseApply, Subject: subject(c), State: "started", Message: string(c.Action)})
	again := p.retries(PhaseApply, subject(c))
	err := p.do(ctx, c.Write)
	for err != nil && again.after(ctx, err) {
		var rest *Change
		if rest, err = p.left(ctx, c); err != nil {
			continue
		}
		if rest == nil {
			break
		}
		err = p.do(ctx, rest.Write)
	}
	p.result(c, err)
	if p.unmade.Add(-1) == 0 {
		close(p.made)
	}
	return err
}

// moved says which fields of an object became different between the plan c and
// the one that was made again: whoever looked at the plan has not seen them.
// What the Swarm itself moves is no field.
func moved(c, again Change) error {
	planned := make(map[string]FieldChange, len(c.Fields))
	for _, f := range c.Fields {
		planned[f.Path] = f
	}
	var parts []string
	for _, f := range again.Fields {
		if was, ok := planned[f.Path]; !ok || !sameText(was.Old, f.Old) {
			parts = append(parts, f.String())
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return fmt.Errorf("%w, and left as it is now: %s; look at the plan again", ErrMoved, strings.Join(parts, ", "))
}

func sameText(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// drain is how long a write that is under way may go on after ctx ended: one
// that is cut off may or may not have been made.
const drain = 8 * time.Second

func (r *Reconciler) do(ctx context.Context, w Write) error {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drain, cancel) })()
	return r.own.write(lasting, w, func(ctx context.Context) error { return r.Engine.Do(ctx, w) })
}

func subject(c Change) string { return string(c.Kind) + " " + c.Name }

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
