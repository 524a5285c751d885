package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// Standing is how a pass stood to what is remembered of its stack, and what it
// added to that. The zero value is that of a stack of which nothing is.
type Standing struct {
	// Suspended: nothing was written because of it.
	Suspended *Suspension
	// Held: the Swarm was kept at the hold's record because of it, with At as the
	// stack of that record.
	Held *Hold
	At   *spec.Stack
	// Record is the number of the newest one, or of the one that the Swarm was
	// kept at; 0: there is none.
	Record int
	// Answer to what did not work, and Back, the pass that went back to a record
	// because of it; nil where none did.
	Answer Answer
	Back   *Outcome
	// Status after the pass; nil where nobody keeps one.
	Status *Status
}

// text of a suspension, as a sentence without its end.
func (s *Suspension) text() string {
	out := "suspended by " + s.By
	if s.Why != "" {
		out += ": " + s.Why
	}
	return out
}

// Refusal of what would write to the suspended stack, with the way out.
func (s *Suspension) Refusal(stack string) error {
	return fmt.Errorf("stack %s is %s, %s; nothing is written to it until `swarmward resume %s`", stack, s.text(), Ago(s.At, time.Now()), stack)
}

// text of a hold, as a sentence without its end.
func (h *Hold) text() string {
	return fmt.Sprintf("revision %s is not tried again: %s", shortRevision(h.Revision), h.Why)
}

// shortRevision is a revision as people read it.
func shortRevision(s string) string { return s[:min(len(s), 7)] }

// Refusal is why a person's apply of stack is to be refused, as a sentence with
// the way out; nil when it is not. The standing tells it in an outcome.
func (r *Reconciler) Refusal(stack *spec.Stack, seen *Observed) (Standing, error) {
	m, err := MemoryOf(seen, stack.Name)
	switch {
	case err != nil:
		return Standing{}, err
	case m.Suspended != nil:
		return Standing{Suspended: m.Suspended}, m.Suspended.Refusal(stack.Name)
	case m.Held != nil && r.same(m.Held.Target, stack):
		h := m.Held
		return Standing{Held: h, Record: h.Record}, fmt.Errorf("stack %s is held at record %d, %s: %s; correct the spec, or `swarmward resume %s` to try the same again",
			stack.Name, h.Record, Ago(h.Since, time.Now()), h.text(), stack.Name)
	}
	return Standing{}, nil
}

// same says whether a target is that of the stack. A part of one has not all
// secrets, and is known by its revision.
func (r *Reconciler) same(t Target, stack *spec.Stack) bool {
	if stack.Partial != nil {
		return t.says(stack)
	}
	return t.Same(stack, r.Differ.Fingerprints)
}

// recall is what is known of a stack when a pass begins.
type recall struct {
	memory  Memory
	records []Record // newest first
	// What the spec's revision is: the held one, the attempted one, that of the
	// newest record.
	held, attempted, newest bool
}

// recall reads it. Without a plan, made from seen, what is the same is known by
// its revision alone.
func (r *Reconciler) recall(stack *spec.Stack, plan *Plan, seen *Observed) (recall, error) {
	m, err := MemoryOf(seen, stack.Name)
	if err != nil {
		return recall{}, err
	}
	k := recall{memory: m}
	k.records = headRecords(seen, stack.Name)
	k.held = m.Held != nil && r.same(m.Held.Target, stack)
	k.attempted = m.Attempt != nil && r.same(m.Attempt.Target, stack)
	if len(k.records) == 0 {
		return k, nil
	}
	if k.newest = r.same(k.records[0].Target, stack); !k.newest && plan != nil {
		// Another commit may say the same.
		is, err := newRecord(stack, plan, seen, nil, r.Differ)
		k.newest = err == nil && is.Same(k.records[0])
	}
	return k, nil
}

func (k *recall) record(number int) (Record, error) {
	i := slices.IndexFunc(k.records, func(r Record) bool { return r.Number == number })
	if i < 0 {
		return Record{}, fmt.Errorf("record %d is gone", number)
	}
	return k.records[i], nil
}

// newestNumber is 0 where there is no record.
func (k *recall) newestNumber() int {
	if len(k.records) == 0 {
		return 0
	}
	return k.records[0].Number
}

// Proceed applies a plan as Apply does, in the light of what is remembered. A
// suspended stack is looked at and not written. While the spec's revision is
// held, the Swarm is brought to the hold's record instead. A revision that does
// not prove itself is gone back from, where the spec asks for that.
func (r *Reconciler) Proceed(ctx context.Context, stack *spec.Stack, plan *Plan, seen *Observed) *Outcome {
	started := time.Now()
	o := r.proceed(ctx, stack, plan, seen)
	o.Started, o.Took = started, time.Since(started)
	return o
}

func (r *Reconciler) proceed(ctx context.Context, stack *spec.Stack, plan *Plan, seen *Observed) *Outcome {
	t, end, err := r.turn(ctx, stack.Name, seen)
	defer end()
	if err != nil {
		return r.notBegun(ctx, t, stack, plan, seen, err)
	}
	own := *r
	own.own = t
	o := own.inTurn(stack, plan, seen)
	o.Leader = cmp.Or(o.Leader, t.leader) // that has come to be another one
	if o.Back != nil {
		o.Back.Leader = t.leader
	}
	return o
}

// notBegun is a pass that did not get its turn: a controller that stands by
// looks, and leaves the checks to the one that leads.
func (r *Reconciler) notBegun(ctx context.Context, t *turn, stack *spec.Stack, plan *Plan, seen *Observed, err error) *Outcome {
	o := t.notBegun(stack, plan, time.Now(), err)
	if o.Err != nil {
		return o
	}
	k, err := r.recall(stack, plan, seen)
	if err != nil {
		o.Err = err
		return o
	}
	look := r.look(ctx, stack, plan, seen, k, func(*spec.Stack) []spec.Check { return nil })
	look.Leader = o.Leader
	return look
}

// inTurn is the rest of a pass that has its turn, or leads.
func (r *Reconciler) inTurn(stack *spec.Stack, plan *Plan, seen *Observed) *Outcome {
	ctx := r.own.ctx
	k, err := r.recall(stack, plan, seen)
	if err == nil && k.memory.Suspended == nil && !k.held && plan.Writes() {
		was := plan
		plan, seen, err = r.ready(r.own, plan, seen, func(ctx context.Context) (*Plan, *Observed, error) { return r.Plan(ctx, stack) })
		if err == nil && plan != was {
			k, err = r.recall(stack, plan, seen)
		}
	}
	if err == nil && k.memory.Suspended == nil && !k.held {
		err = r.begin(ctx, stack, plan, &k)
	}
	switch {
	case err != nil:
		return r.notBegun(ctx, r.own, stack, plan, seen, err)
	case k.memory.Suspended != nil:
		return r.look(ctx, stack, plan, seen, k, allChecks)
	case k.held:
		return r.keep(ctx, stack, k, seen)
	}
	changed := writesFirst(plan)
	o := r.Apply(ctx, stack, plan, seen)
	o.Record = k.newestNumber()
	r.conclude(ctx, stack, o, k, changed)
	return o
}

// writesFirst says whether a plan writes anything before the checks run.
func writesFirst(p *Plan) bool {
	return slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Write != nil && !c.AfterChecks })
}

// begin notes what has to be known before the first write: which revision is
// attempted, and that another one is no longer held. Mostly that is nothing.
func (r *Reconciler) begin(ctx context.Context, stack *spec.Stack, plan *Plan, k *recall) error {
	if stack.Partial != nil {
		return nil
	}
	note := func(m *Memory) (changed bool) {
		if m.Held != nil && !m.Held.Same(stack, r.Differ.Fingerprints) {
			m.Held, changed = nil, true
		}
		if stack.Settings.OnCheckFailure != "rollback" || len(k.records) == 0 || !writesFirst(plan) {
			return changed
		}
		switch attempted := m.Attempt != nil && m.Attempt.Same(stack, r.Differ.Fingerprints); {
		case k.newest && m.Attempt != nil && !attempted:
			m.Attempt, changed = nil, true
		case !k.newest && !attempted:
			m.Attempt, changed = &Attempt{Target: TargetOf(stack, r.Differ.Fingerprints), Since: now()}, true
		}
		return changed
	}
	if m := k.memory; !note(&m) {
		return nil
	}
	m, err := r.Remember(ctx, stack.Name, note)
	k.memory, k.attempted = m, m.Attempt != nil && m.Attempt.Same(stack, r.Differ.Fingerprints)
	return err
}

// now as it is kept: whole seconds, in UTC.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// conclude goes back to the last record where the pass asks for it.
func (r *Reconciler) conclude(ctx context.Context, stack *spec.Stack, o *Outcome, k recall, changed bool) {
	if stack.Partial != nil || stack.Settings.OnCheckFailure != "rollback" {
		return
	}
	t := Trial{
		Mode: "rollback", Outcome: o, Changed: changed, Memory: k.memory, Records: k.records,
		Attempted: k.attempted && !k.newest, Before: r.before,
	}
	o.Answer = Decide(t)
	if o.Answer.Record == 0 {
		r.leaveUndecided(ctx, stack, o, t)
		return
	}
	seen, err := r.Observe(ctx, stack)
	if err != nil {
		o.Err = errors.Join(o.Err, err)
		return
	}
	if m, err := MemoryOf(seen, stack.Name); err == nil && m.Suspended != nil {
		o.Suspended = m.Suspended
		o.Answer = Answer{Why: o.Answer.Why, Not: "nothing is rolled back: the stack is " + m.Suspended.text()}
		return
	}
	if _, t.Gone = k.records[0].Stack(stack, seen, r.Differ.Fingerprints); t.Gone != nil {
		o.Answer = Decide(t)
		return
	}
	hold := Hold{Target: TargetOf(stack, r.Differ.Fingerprints), Why: o.Answer.Why, Since: now(), Record: o.Answer.Record}
	if k.memory, err = r.Hold(ctx, stack.Name, hold); err != nil {
		o.Err = errors.Join(o.Err, err)
		return
	}
	k.held = true
	o.Back = r.keep(ctx, stack, k, seen)
	o.Err = errors.Join(o.Err, o.Back.Err)
}

// leaveUndecided notes that a pass could neither prove its revision nor refute
// it: what breaks from now on is not the revision's fault by itself.
func (r *Reconciler) leaveUndecided(ctx context.Context, stack *spec.Stack, o *Outcome, t Trial) {
	if !t.Attempted || t.Memory.Attempt.Undecided || !o.undecided() {
		return
	}
	_, err := r.Remember(ctx, stack.Name, func(m *Memory) bool {
		if m.Attempt == nil || m.Attempt.Undecided || !m.Attempt.Same(stack, r.Differ.Fingerprints) {
			return false
		}
		a := *m.Attempt
		a.Undecided = true
		m.Attempt = &a
		return true
	})
	o.Err = errors.Join(o.Err, err)
}

// Hold keeps a stack's Swarm at the record of h from now on, for as long as the
// spec is what h says.
func (r *Reconciler) Hold(ctx context.Context, stack string, h Hold) (Memory, error) {
	return r.Remember(ctx, stack, func(m *Memory) bool {
		if m.Held != nil && m.Held.Is(h.Target) && m.Held.Record == h.Record {
			return false
		}
		m.Held, m.Attempt = &h, nil
		return true
	})
}

// keep brings the Swarm to the record of the hold.
func (r *Reconciler) keep(ctx context.Context, stack *spec.Stack, k recall, seen *Observed) *Outcome {
	at, plan, seen, err := r.recorded(ctx, stack, k, seen)
	if err != nil {
		return &Outcome{Stack: stack.Name, Revision: stack.Revision, Err: err, Standing: k.standing(nil)}
	}
	if r.own.lease != nil && plan.Writes() {
		// Who was waited for may have ended the hold, or suspended the stack.
		fresh, err := r.own.take(ctx, seen)
		if err == nil && !fresh {
			if plan, seen, err = r.Plan(ctx, stack); err == nil {
				return r.inTurn(stack, plan, seen)
			}
		}
		if err != nil {
			return r.notBegun(ctx, r.own, stack, plan, seen, err)
		}
	}
	o := r.Apply(ctx, at, plan, seen)
	o.Standing = k.standing(at)
	return o
}

func (k *recall) standing(at *spec.Stack) Standing {
	s := Standing{Suspended: k.memory.Suspended, Record: k.newestNumber()}
	if k.held || at != nil {
		s.Held, s.At = k.memory.Held, at
		s.Record = s.Held.Record
	}
	return s
}

// recorded is the stack of the record that the Swarm is kept at, and the plan to
// bring it there.
func (r *Reconciler) recorded(ctx context.Context, stack *spec.Stack, k recall, seen *Observed) (*spec.Stack, *Plan, *Observed, error) {
	failed := func(err error) (*spec.Stack, *Plan, *Observed, error) {
		return nil, nil, nil, fmt.Errorf("stack %s cannot be kept at record %d: %w; correct the spec, or `swarmward resume %s`", stack.Name, k.memory.Held.Record, err, stack.Name)
	}
	record, err := k.record(k.memory.Held.Record)
	if err != nil {
		return failed(err)
	}
	at, err := record.Stack(stack, seen, r.Differ.Fingerprints)
	if err != nil {
		return failed(err)
	}
	plan, seen, err := r.Plan(ctx, at)
	return at, plan, seen, err
}

// allChecks of a stack.
func allChecks(s *spec.Stack) []spec.Check { return s.Settings.Checks }
