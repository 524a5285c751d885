package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// Return is what a person's rollback is about to do: the record, its stack, and
// the plan to bring the Swarm there.
type Return struct {
	Current *spec.Stack // the spec; nil when it is not at hand
	Record  Record
	At      *spec.Stack
	Plan    *Plan
	Seen    *Observed
	// Held is the revision that is not to be brought back by the next pass; nil
	// when that is the record's own, or when nobody knows it.
	Held *Target
	// Suspended: a person said that nothing is to be written.
	Suspended *Suspension
}

// Return finds the record of a stack with that number or, for 0, the last one
// that is not what runs. current is the spec; nil when it is not at hand.
func (r *Reconciler) Return(ctx context.Context, name string, current *spec.Stack, number int) (*Return, error) {
	seen, err := r.Observe(ctx, &spec.Stack{Name: name})
	if err != nil {
		return nil, err
	}
	m, err := MemoryOf(seen, name)
	if err != nil {
		return nil, err
	}
	records, lost := Records(seen, name)
	out := &Return{Current: current, Suspended: m.Suspended}
	if out.Record, out.At, err = r.choose(records, lost, current, seen, name, number); err != nil {
		return nil, err
	}
	if out.Plan, out.Seen, err = r.Plan(ctx, out.At); err != nil {
		return nil, err
	}
	switch own := out.Record.Target; {
	case current != nil:
		if t := TargetOf(current, r.Differ.Fingerprints); !t.Is(own) {
			out.Held = &t
		}
	case m.Held != nil:
		out.Held = &m.Held.Target
	case m.Attempt != nil && !m.Attempt.Is(records[0].Target):
		out.Held = &m.Attempt.Target
	case !records[0].Is(own):
		out.Held = &records[0].Target
	}
	return out, nil
}

func (r *Reconciler) choose(records []Record, lost []Unreadable, current *spec.Stack, seen *Observed, name string, number int) (Record, *spec.Stack, error) {
	var have []string
	for _, rec := range records {
		have = append(have, fmt.Sprint(rec.Number))
		if number != 0 && rec.Number != number {
			continue
		}
		at, err := rec.Stack(current, seen, r.Differ.Fingerprints)
		if err != nil || number != 0 || writesFirst(r.Differ.Diff(at, seen)) {
			return rec, at, err
		}
	}
	for _, u := range lost {
		if number != 0 && u.Number == number {
			return Record{}, nil, fmt.Errorf("stack %s: %s", name, u)
		}
	}
	switch {
	case len(records) == 0:
		return Record{}, nil, fmt.Errorf("stack %s has no record to go back to: no revision of it has been verified yet", name)
	case number != 0:
		return Record{}, nil, fmt.Errorf("stack %s has no record %d; it has: %s", name, number, strings.Join(have, ", "))
	}
	return Record{}, nil, fmt.Errorf("stack %s runs what its records say already (%s); say which one to apply all the same: swarmward rollback N", name, strings.Join(have, ", "))
}

// GoBack holds the revision that is not to be brought back, and brings the Swarm
// to the record. Both wait for whoever writes to the stack now: what is not begun
// holds nothing. It holds first: whoever goes on after a crash goes on in the same
// direction.
func (r *Reconciler) GoBack(ctx context.Context, to *Return, h Hold) *Outcome {
	name, started := to.At.Name, time.Now()
	t, end, err := r.turn(ctx, name, to.Seen)
	defer end()
	own := *r
	own.own = t
	plan, seen := to.Plan, to.Seen
	if err == nil {
		plan, seen, err = own.ready(t, plan, seen, func(ctx context.Context) (*Plan, *Observed, error) { return r.Plan(ctx, to.At) })
	}
	var m Memory
	if err == nil {
		m, err = MemoryOf(seen, name)
	}
	if err == nil && m.Suspended == nil && to.Held != nil {
		h.Target, h.Record = *to.Held, to.Record.Number
		_, err = own.Hold(t.ctx, name, h)
	}
	if err != nil || m.Suspended != nil {
		o := t.notBegun(to.At, plan, started, err)
		o.Suspended = m.Suspended
		return o
	}
	o := own.Apply(t.ctx, to.At, plan, seen)
	o.Record, o.At = to.Record.Number, to.At
	return o
}
