package reconcile

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// ErrReplanned is what a pass ends with, before it wrote anything, when somebody
// else wrote to the stack meanwhile and what would be done now is not what was
// agreed to.
var ErrReplanned = errors.New("the plan is another one by now")

// turn is a pass's turn to write to its stack. Nil, and one without a lease, may
// always write.
type turn struct {
	lease  *Lease
	stack  string
	say    func(state, message string)
	ctx    context.Context // of the pass; ends when the turn is lost
	cancel context.CancelCauseFunc
	leader *Leader     // of a controller
	life   *life       // of a controller; its session
	stop   func() bool // ends that it is followed

	mu  sync.Mutex
	own *claim
}

// turn begins one, for a pass over what was seen. A controller that does not
// lead the stack gets none: the error is a standing. Passes within passes share
// the turn of the outermost.
func (r *Reconciler) turn(ctx context.Context, stack string, seen *Observed) (t *turn, end func(), err error) {
	if r.own != nil {
		return r.own, func() {}, nil
	}
	t = &turn{lease: r.Lease, stack: stack}
	t.say = func(state, message string) {
		if r.Report != nil {
			r.Report(Event{PhaseApply, "stack " + stack, state, message})
		}
	}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	if t.lease != nil && t.lease.Session != nil {
		err = t.lead(seen)
	}
	return t, t.end, err
}

// lead the stack as a controller.
func (t *turn) lead(seen *Observed) error {
	s := t.lease.Session
	m, err := MemoryOf(seen, t.stack)
	if err != nil {
		return err
	}
	if t.life, err = s.current(t.ctx); err != nil {
		return err
	}
	t.stop = context.AfterFunc(t.life.ctx, func() { t.cancel(context.Cause(t.life.ctx)) })
	abandoned := m.Writer != nil && t.lease.free(t.stack, m, "")
	err = s.lead(t.ctx, t.stack, m, seen, abandoned)
	if other := (*standing)(nil); errors.As(err, &other) {
		t.leader = &other.Leader
	} else {
		t.leader = &Leader{Holder: s.Holder, Here: true}
	}
	return err
}

// ready for a plan that was computed from seen: where there is something to
// write, the turn is waited for. Where somebody else has written since, the plan
// is made again.
func (r *Reconciler) ready(t *turn, plan *Plan, seen *Observed, replan func(context.Context) (*Plan, *Observed, error)) (*Plan, *Observed, error) {
	if t.lease == nil || !plan.Writes() {
		return plan, seen, nil
	}
	fresh, err := t.take(t.ctx, seen)
	if err != nil || fresh {
		return plan, seen, err
	}
	is, seen, err := replan(t.ctx)
	if err == nil && r.Replanned != nil {
		err = r.Replanned(plan, is)
	}
	if err != nil {
		return plan, seen, err
	}
	return is, seen, nil
}

// take the claim, unless this turn has it.
func (t *turn) take(ctx context.Context, seen *Observed) (fresh bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own != nil {
		return true, nil
	}
	told := ""
	say := func(message string) {
		if message != told {
			told = message
			t.say("waiting", message)
		}
	}
	if t.own, fresh, err = t.lease.take(ctx, t.stack, seen, say); err != nil {
		return false, err
	}
	if told != "" {
		t.say("done", "it has ended")
	}
	go t.follow(t.own)
	return fresh, nil
}

// follow the claim for as long as the turn lasts: with the claim the turn ends.
func (t *turn) follow(c *claim) {
	for {
		_, changed, lost := c.now()
		if lost != nil {
			t.cancel(lost)
			return
		}
		select {
		case <-changed:
		case <-t.ctx.Done():
			return
		}
	}
}

// release what the turn has taken, with the stack's memory where drop says so.
func (t *turn) release(drop func(context.Context, Memory) (bool, error)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own == nil {
		return nil
	}
	own := t.own
	t.own = nil
	return own.release(t.ctx, drop)
}

// end gives the turn up. What cannot be released ends by itself.
func (t *turn) end() {
	_ = t.release(nil)
	if t.stop != nil {
		t.stop()
	}
	t.cancel(nil)
}

// write makes a write, when and as long as it may be made. What is removed is
// removed whatever its version: the claim is looked at once more before that.
func (t *turn) write(ctx context.Context, w Write, do func(context.Context) error) error {
	if t == nil || t.lease == nil {
		return do(ctx)
	}
	if _, err := t.take(ctx, nil); err != nil {
		return err
	}
	if _, removes := w.(Remove); removes {
		looking, cancel := context.WithTimeout(ctx, callTime(t.lease.ttl()))
		_, err := t.own.mine(looking)
		cancel()
		if err != nil {
			return err
		}
	}
	holds := []*hold{t.own.hold}
	if t.life != nil {
		holds = append(holds, t.life.hold)
	}
	for _, h := range holds {
		if err := h.await(ctx, t.lease.ttl()); err != nil {
			return err
		}
	}
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	for _, h := range holds {
		defer h.guard(func() { cut(errCut) })()
	}
	err := do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errCut) {
		return errCut
	}
	return err
}

// errCut is a write that was under way when the lease was over.
var errCut = classedError{"the write was broken off, because the lease of the stack was not renewed in time", ErrBrokenOff}

type classedError struct {
	text  string
	class error
}

func (e classedError) Error() string { return e.text }
func (e classedError) Unwrap() error { return e.class }

// notBegun is what a pass comes to that did not get its turn.
func (t *turn) notBegun(stack *spec.Stack, plan *Plan, started time.Time, err error) *Outcome {
	o := &Outcome{Stack: stack.Name, Revision: stack.Revision, Plan: plan, Leader: t.leader, Started: started, Took: time.Since(started)}
	var other *standing
	if errors.As(err, &other) {
		o.Leader = &other.Leader
	} else {
		o.Err = err
	}
	return o
}

// withoutMemory are the changes of a plan, and the removal of the stack's memory
// by itself: it says whose turn it is, and goes last.
func (t *turn) withoutMemory(plan *Plan) (changes []Change, memory *Change) {
	for _, c := range plan.Changes {
		if t.lease != nil && c.Kind == KindConfig && c.Object == memoryName(t.stack) {
			memory = &c
			continue
		}
		changes = append(changes, c)
	}
	return changes, memory
}

// forget the stack with the end of the turn, where all that was to be removed is
// gone: the memory, too, where that was planned or it was only there for this
// turn.
func (p *pass) forget(memory *Change) {
	if len(p.errs) > 0 || p.own.ctx.Err() != nil {
		return
	}
	if memory == nil {
		if p.own.lease != nil {
			_ = p.own.release(p.own.lease.blank)
		}
		return
	}
	p.result(*memory, p.own.release(func(context.Context, Memory) (bool, error) { return true, nil }))
}
