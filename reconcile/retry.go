package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// What an error of the Engine's means to a pass. Like ErrStale they are wrapped
// by the methods of Engine; an error that wraps none of them is terminal: the
// same call fails again until the spec or the Swarm is another one.
var (
	// ErrUnreachable: nothing answers where the Engine should be. Nothing was
	// written.
	ErrUnreachable = errors.New("no Engine answers")
	// ErrBrokenOff: the Engine did not answer to the end, not in time, or has no
	// leader to answer with. What was to be written may have been.
	ErrBrokenOff = errors.New("the Engine did not answer to the end")
	// ErrInternal: the Engine answered with an error of its own, for a cause that
	// is not known to last or to pass.
	ErrInternal = errors.New("the Engine failed")
)

const (
	// staleTries bounds how often a write meets a Swarm that has moved on. While
	// an update rolls, the Swarm itself moves the version several times a second.
	staleTries = 10
	// internalTries bounds how often the Engine may fail in a row: Swarm also
	// answers some mistakes in a spec with 500, and they do not pass.
	internalTries = 5
	// engineGrace is how long a pass bears an Engine that does not answer: a
	// leader that was lost is replaced within some 13 s.
	engineGrace = 40 * time.Second
	// firstGrace is the same before a pass has begun, when somebody may be
	// waiting for a plan.
	firstGrace = 3 * time.Second
)

// retries tells how often one thing is tried again.
type retries struct {
	patience time.Duration  // with an Engine that does not answer
	say      func(s string) // hears why there is a pause; may be nil

	stale, failed int
	failing       time.Time // since when
}

// after waits for the right moment to try again. It is false when there is none:
// err will not pass, it was borne for long enough, or ctx has ended.
func (r *retries) after(ctx context.Context, err error) bool {
	if errors.Is(err, ErrStale) {
		r.stale++
		return r.stale < staleTries && pause(ctx, time.Duration(r.stale)*50*time.Millisecond) == nil
	}
	internal := errors.Is(err, ErrInternal)
	if !internal && !errors.Is(err, ErrBrokenOff) && !errors.Is(err, ErrUnreachable) {
		return false
	}
	if r.failed++; r.failed == 1 {
		r.failing = time.Now()
	}
	if internal && r.failed >= internalTries || time.Since(r.failing) > r.patience || ctx.Err() != nil {
		return false
	}
	if r.say != nil {
		r.say(err.Error() + "; trying again")
	}
	return pause(ctx, min(100*time.Millisecond<<min(r.failed-1, 5), 2*time.Second)) == nil
}

func (p *pass) retries(phase Phase, subject string) *retries {
	return &retries{
		patience: cmp.Or(p.Patience, engineGrace),
		say:      func(s string) { p.report(Event{phase, subject, "waiting", s}) },
	}
}

// Observe is the Engine's, tried again where that may help. Where no Engine is,
// it does not wait for one.
func (r *Reconciler) Observe(ctx context.Context, stack *spec.Stack) (*Observed, error) {
	again := retries{patience: min(cmp.Or(r.Patience, firstGrace), firstGrace)}
	if r.Report != nil {
		again.say = func(s string) { r.Report(Event{PhaseObserve, stack.Name, "waiting", s}) }
	}
	for {
		seen, err := r.Engine.Observe(ctx, stack)
		if err == nil || errors.Is(err, ErrUnreachable) || !again.after(ctx, err) {
			return seen, err
		}
	}
}

// left is what is still to be done of a change, now: nothing when it has been
// made, by this pass, whose answer may have been lost, or by another. It fails
// when what is left is not what was planned.
func (p *pass) left(ctx context.Context, c Change) (*Change, error) {
	seen, err := p.Engine.Observe(ctx, p.stack)
	if err != nil {
		return nil, err
	}
	for _, again := range p.Differ.Diff(p.stack, seen).Changes {
		switch {
		case again.Kind != c.Kind || again.Name != c.Name || again.AfterChecks != c.AfterChecks || again.Action == ActionNote:
		case again.Action == ActionBlocked:
			return nil, fmt.Errorf("%w: %s; look at the plan again", ErrMoved, again.Cause)
		case again.Object != c.Object:
			return nil, fmt.Errorf("%w: somebody made a %s %s of other content; look at the plan again", ErrMoved, c.Kind, c.Object)
		default:
			return &again, moved(c, again)
		}
	}
	return nil, nil
}

// insist makes a write that does no harm when it is made twice, and notes how it
// went.
func (p *pass) insist(ctx context.Context, c Change, w Write) error {
	again := p.retries(PhaseApply, subject(c))
	err := p.do(ctx, w)
	for err != nil && !errors.Is(err, ErrStale) && again.after(ctx, err) {
		err = p.do(ctx, w)
	}
	p.result(c, err)
	return err
}
