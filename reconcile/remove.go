package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// Destroy plans the removal of a whole stack: what carries its namespace and
// swarmward's mark. Everything else that belongs to it stays, and is told.
func Destroy(stack string, seen *Observed) *Plan {
	x := &diffing{stack: &spec.Stack{Name: stack}, seen: seen, plan: &Plan{Stack: stack}}
	take := func(kind Kind, id, name string, labels map[string]string, mark string, tasks int) {
		switch {
		case x.owns(labels, mark):
			x.remove(kind, id, name, tasks)
			c := &x.plan.Changes[len(x.plan.Changes)-1]
			c.Cause, c.AfterChecks = "the stack is destroyed", false
		case labels[spec.LabelNamespace] == stack:
			x.leftBehind(kind, name, "not made or adopted by swarmward", fmt.Sprintf("docker %s rm %s", kind, name))
		}
	}
	for _, name := range sortedKeys(seen.Services) {
		s := seen.Services[name]
		take(KindService, s.ID, name, s.Spec.Labels, LabelApplied, len(x.runningTasks(s.ID)))
	}
	for _, name := range sortedKeys(seen.Configs) {
		take(KindConfig, seen.Configs[name].ID, name, seen.Configs[name].Spec.Labels, LabelManaged, 0)
	}
	for _, name := range sortedKeys(seen.Secrets) {
		take(KindSecret, seen.Secrets[name].ID, name, seen.Secrets[name].Spec.Labels, LabelManaged, 0)
	}
	for _, name := range sortedKeys(seen.Networks) {
		take(KindNetwork, seen.Networks[name].ID, name, seen.Networks[name].Labels, LabelManaged, 0)
	}
	x.keepVolumes()
	x.sort()
	return x.plan
}

// Forget adds to such a plan the removal of what swarmward itself keeps of the
// stack: its memory and its records.
func (p *Plan) Forget(seen *Observed) {
	x := &diffing{stack: &spec.Stack{Name: p.Stack}, seen: seen, plan: p}
	p.forgets = true
	for _, name := range sortedKeys(seen.Configs) {
		c := seen.Configs[name]
		kind := c.Spec.Labels[LabelKept]
		if c.Spec.Labels[LabelStack] != p.Stack || kind != keptMemory && kind != keptRecord {
			continue
		}
		if err := readableSchema(c.Spec, map[string]int{keptMemory: memorySchema, keptRecord: recordSchema}[kind]); err != nil {
			x.leftBehind(KindConfig, name, err.Error(), "docker config rm "+name)
			continue
		}
		x.remove(KindConfig, c.ID, name, 0)
		gone := &p.Changes[len(p.Changes)-1]
		gone.Cause, gone.AfterChecks = "what swarmward remembers of the stack", false
	}
	x.sort()
}

// leftBehind notes what a destroyed stack leaves behind.
func (x *diffing) leftBehind(kind Kind, name, why, command string) {
	x.add(Change{
		Kind: kind, Name: name, Object: name, Action: ActionNote,
		Notes: []string{fmt.Sprintf("kept: %s; `%s` would remove it", why, command)},
	})
}

// keepVolumes lists the volumes of this node that are the stack's, and those
// that its services mount on any node.
func (x *diffing) keepVolumes() {
	names := map[string]string{}
	for name, v := range x.seen.Volumes {
		if v.Labels[spec.LabelNamespace] == x.stack.Name {
			names[name] = "its data stays"
		}
	}
	for _, s := range x.seen.Services {
		if s.Spec.Labels[spec.LabelNamespace] != x.stack.Name || s.Spec.TaskTemplate.ContainerSpec == nil {
			continue
		}
		for _, m := range s.Spec.TaskTemplate.ContainerSpec.Mounts {
			if m.Type != "volume" || m.Source == "" {
				continue
			}
			where := map[string]bool{}
			for _, t := range x.runningTasks(s.ID) {
				if n, ok := x.seen.Nodes[t.NodeID]; ok {
					where[n.Description.Hostname] = true
				}
			}
			names[m.Source] = "its data stays"
			if len(where) > 0 {
				names[m.Source] += " on " + strings.Join(sortedKeys(where), ", ")
			}
		}
	}
	for _, name := range sortedKeys(names) {
		x.leftBehind(KindVolume, name, names[name], "docker volume rm "+name)
	}
}

// Destroy makes the removals of such a plan, which was computed from seen.
func (r *Reconciler) Destroy(ctx context.Context, stack string, plan *Plan, seen *Observed) *Outcome {
	started, empty := time.Now(), &spec.Stack{Name: stack}
	t, end, err := r.turn(ctx, stack, seen)
	defer end()
	if err == nil {
		plan, _, err = r.ready(t, plan, seen, func(ctx context.Context) (*Plan, *Observed, error) {
			seen, err := r.Observe(ctx, empty)
			if err != nil {
				return nil, nil, err
			}
			again := Destroy(stack, seen)
			if plan.forgets {
				again.Forget(seen)
			}
			return again, seen, nil
		})
	}
	if err != nil {
		return t.notBegun(empty, plan, started, err)
	}
	p := newPass(r, empty, plan)
	own := *r
	own.own, p.Reconciler = t, &own
	changes, memory := t.withoutMemory(plan)
	p.removeAll(t.ctx, changes)
	p.forget(memory)
	p.end(t.ctx, started)
	return p.out
}

// removeAll makes the removals among changes in the reverse order of creation:
// services, then what they named. A network is removed once the tasks on it are
// gone: Swarm would let it go at once, and then for some 4 s neither know it nor
// let another have its name.
func (p *pass) removeAll(ctx context.Context, changes []Change) {
	var stopping []string
	for _, kind := range []Kind{KindService, KindConfig, KindSecret, KindNetwork} {
		if kind == KindNetwork && slices.ContainsFunc(changes, func(c Change) bool { return c.Kind == kind && c.Write != nil }) {
			if err := p.gone(ctx, stopping); err != nil {
				p.notRemoved(changes, err)
				return
			}
		}
		var steps []step
		for _, c := range changes {
			if c.Kind != kind || c.Write == nil {
				continue
			}
			w, _ := c.Write.(Remove)
			if kind == KindService {
				stopping = append(stopping, w.ID)
			}
			steps = append(steps, step{id: changeID(c.Kind, c.Object), heavy: true, run: func(ctx context.Context) error {
				return p.insist(ctx, c, c.Write)
			}})
		}
		runSteps(ctx, steps, cmp.Or(p.Parallel, 8))
	}
}

// stopTime is how long tasks may take to go beyond their grace period.
const stopTime = 30 * time.Second

// gone waits until the tasks of removed services are no longer there.
func (p *pass) gone(ctx context.Context, services []string) error {
	began, limit, again := time.Now(), stopTime, p.retries(PhaseApply, "removed services")
	for len(services) > 0 {
		seen, err := p.watch.look(ctx, time.Now())
		if err != nil {
			if !again.after(ctx, err) {
				return err
			}
			continue
		}
		left := 0
		for _, id := range services {
			for _, t := range seen.Tasks[id] {
				if c := t.Spec.ContainerSpec; c != nil && c.StopGracePeriod != nil {
					limit = max(limit, stopTime+*c.StopGracePeriod)
				}
				if !ended(t.Status.State) && (&judging{seen: seen}).nodeUp(t) {
					left++
				}
			}
		}
		if left == 0 {
			return nil
		}
		if time.Since(began) > limit {
			return fmt.Errorf("tasks of removed services that still stop after %[2]s: %[1]d; do it again once they are gone: docker ps", left, limit)
		}
		p.report(Event{PhaseApply, "removed services", "waiting", fmt.Sprintf("tasks that still stop: %d", left)})
		if err := pause(ctx, cmp.Or(p.Poll, 500*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// notRemoved tells which networks stay because of err.
func (p *pass) notRemoved(changes []Change, err error) {
	for _, c := range changes {
		if c.Kind == KindNetwork && c.Write != nil {
			p.result(c, err)
		}
	}
}
