package reconcile

import (
	"context"
	"strings"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// Look is a pass that writes nothing: it plans, judges every service, and runs
// those checks of the stack that it is given back.
func (r *Reconciler) Look(ctx context.Context, stack *spec.Stack, checks func(*spec.Stack) []spec.Check) *Outcome {
	started := time.Now()
	plan, seen, err := r.Plan(ctx, stack)
	if err != nil {
		return &Outcome{Stack: stack.Name, Revision: stack.Revision, Err: err, Started: started, Took: time.Since(started)}
	}
	k, err := r.recall(stack, plan, seen)
	if err != nil {
		return &Outcome{Stack: stack.Name, Revision: stack.Revision, Plan: plan, Err: err, Started: started, Took: time.Since(started)}
	}
	o := r.look(ctx, stack, plan, seen, k, checks)
	o.Started, o.Took = started, time.Since(started)
	return o
}

func (r *Reconciler) look(ctx context.Context, stack *spec.Stack, plan *Plan, seen *Observed, k recall, checks func(*spec.Stack) []spec.Check) *Outcome {
	o := &Outcome{Stack: stack.Name, Standing: k.standing(nil)}
	if k.held {
		var err error
		if stack, plan, seen, err = r.recorded(ctx, stack, k, seen); err != nil {
			o.Err = err
			return o
		}
		o.At = stack
	}
	o.Revision, o.Plan, o.Verdicts = stack.Revision, plan, map[string]Verdict{}
	for _, s := range stack.Services {
		if !hasKey(seen.Services, s.Spec.Name) {
			o.Verdicts[s.Key] = Verdict{State: NotStarted, Reason: "missing", Message: "it is not in the Swarm"}
			continue
		}
		o.Verdicts[s.Key] = Judge(seen, s.Spec.Name, time.Time{}, seen.At)
	}
	o.Checks = r.Verify(ctx, stack, checks(stack))
	return o
}

// LookByName looks at a stack whose spec is not at hand. It is compared with the
// record that it is held at or with its newest one; without any, what runs is
// judged. The stack is what it was compared with.
func (r *Reconciler) LookByName(ctx context.Context, name string, checks func(*spec.Stack) []spec.Check) (*spec.Stack, *Outcome) {
	started, stack := time.Now(), &spec.Stack{Name: name}
	failed := func(err error) (*spec.Stack, *Outcome) {
		return stack, &Outcome{Stack: name, Err: err, Started: started, Took: time.Since(started)}
	}
	seen, err := r.Observe(ctx, stack)
	if err != nil {
		return failed(err)
	}
	k, err := r.recall(stack, nil, seen)
	if err != nil {
		return failed(err)
	}
	var plan *Plan
	if k.held = k.memory.Held != nil; !k.held {
		if len(k.records) > 0 {
			if stack, err = k.records[0].Stack(nil, seen, r.Differ.Fingerprints); err == nil {
				plan, seen, err = r.Plan(ctx, stack)
			}
		} else {
			stack.Services = running(name, seen)
		}
		if err != nil {
			return failed(err)
		}
	}
	o := r.look(ctx, stack, plan, seen, k, checks)
	o.Started, o.Took = started, time.Since(started)
	return stack, o
}

// running are the services of a stack as they are in the Swarm.
func running(stack string, seen *Observed) []spec.Service {
	var out []spec.Service
	for _, name := range sortedKeys(seen.Services) {
		if s := seen.Services[name]; s.Spec.Labels[spec.LabelNamespace] == stack {
			out = append(out, spec.Service{Key: strings.TrimPrefix(name, stack+"_"), Spec: s.Spec})
		}
	}
	return out
}
