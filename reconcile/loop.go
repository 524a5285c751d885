package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// Loop reconciles one stack again and again: whenever it is nudged, and sooner
// after a failure. Every pass loads the spec anew; one that fails to load never
// replaces the last good one.
type Loop struct {
	Reconciler *Reconciler
	Load       func(context.Context) (*spec.Stack, error)
	// DryRun reports drift, writes nothing, and runs no check that writes.
	DryRun bool
	Log    *slog.Logger // nil: discarded
	// Done hears of every pass. Nil: nobody does.
	Done func(*spec.Stack, *Outcome)
	// Checked hears of every result between passes, one at a time. Nil: nobody
	// does.
	Checked func(*spec.Stack, CheckResult)
	// Rested hears after every pass how many have failed in a row and, where one
	// has, when the next one is made on that account. Nil: nobody does.
	Rested func(failures int, retry time.Time)
	// Events are nudges for what happened in the Swarm. They wait where somebody
	// else keeps changing back what the passes write. Nil: there are none.
	Events <-chan struct{}

	last     *spec.Stack
	status   *Status
	leader   Leader // as the last pass found it
	failures int
	contests contests
	mu       sync.Mutex // of past; checks run side by side
	past     history
}

// coalesce is how long a nudge waits for others to join it.
const coalesce = 200 * time.Millisecond

// The pauses after failed passes, before jitter.
const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
)

// Run makes a first pass at once and then one for each burst of nudges, until
// ctx ends; between passes each check runs on its own interval. A nudge says
// when, never what. Run does not return because a pass failed or panicked.
func (l *Loop) Run(ctx context.Context, nudges <-chan struct{}) {
	if l.Log == nil {
		l.Log = slog.New(slog.DiscardHandler)
	}
	l.past = history{}
	for ctx.Err() == nil {
		ok := l.pass(ctx)
		var retry <-chan time.Time
		var at time.Time
		if ok {
			l.failures = 0
		} else {
			after := backoff(l.failures)
			retry, at = time.After(after), time.Now().Add(after)
			l.failures++
		}
		if l.Rested != nil {
			l.Rested(l.failures, at)
		}
		l.wait(ctx, retry, nudges)
	}
}

// wait for the next pass to be due.
func (l *Loop) wait(ctx context.Context, retry <-chan time.Time, nudges <-chan struct{}) {
	defer l.between(ctx)()
	select {
	case <-ctx.Done():
	case <-retry:
	case <-opening(l.last, time.Now()):
	case <-nudges:
		l.join(ctx, nudges)
	case <-l.Events:
		select {
		case <-ctx.Done():
		case <-nudges:
		case <-time.After(l.contests.wait(time.Now())):
		}
		l.join(ctx, nudges)
	}
}

// join the nudges that come within a moment to one.
func (l *Loop) join(ctx context.Context, nudges <-chan struct{}) {
	if pause(ctx, coalesce) != nil {
		return
	}
	for _, more := range []<-chan struct{}{nudges, l.Events} {
		select {
		case <-more:
		default:
		}
	}
}

// backoff doubles from one second to five minutes, each shortened by up to a
// quarter so that several stacks do not march in step.
func backoff(failures int) time.Duration {
	d := backoffMost
	if failures < 9 {
		d = min(backoffFirst<<failures, backoffMost)
	}
	return d - rand.N(d/4)
}

// pass says whether the pass leaves nothing to be retried soon. What only a
// person can change (a blocked difference) and what could not be tried are not
// retried before the next nudge.
func (l *Loop) pass(ctx context.Context) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			l.Log.Error("the pass broke; this is a bug of swarmward", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			ok = false
		}
	}()
	stack, err := l.Load(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return true
		}
		l.Log.Error("the spec cannot be used", "error", err.Error(), "keeping", l.last != nil)
		if l.last == nil {
			return false
		}
		stack = l.last
	} else {
		l.last = stack
	}
	var o *Outcome
	if shut := ShutAt(stack, time.Now()); l.DryRun || shut != nil {
		o = l.Reconciler.Look(ctx, stack, l.checks)
		o.Shut = shut
	} else {
		r := *l.Reconciler
		r.before = l.statuses()
		o = r.Pass(ctx, stack)
	}
	if ctx.Err() != nil {
		l.Log.Info("stopped in the middle of a pass; the next one continues", "stack", stack.Name)
		return true
	}
	standby := l.follows(o)
	l.contested(stack.Name, o)
	o = l.settle(stack, o)
	if !standby {
		l.log(stack, o)
	}
	if l.Done != nil {
		l.Done(stack, o)
	}
	code := o.ExitCode()
	if l.DryRun || o.Shut != nil || o.Suspended != nil { // another look soon would find the same
		return err == nil && code != ExitError
	}
	switch code {
	case ExitOK, ExitStopped, ExitUnknown:
		return err == nil && !errors.Is(o.Err, ErrLeased)
	}
	return false
}

// made sums up the changes that were written, on the way back too.
func (o *Outcome) made() Summary {
	var p Plan
	for x := o; x != nil; x = x.Back {
		for _, a := range x.Applied {
			if a.Err == nil {
				p.Changes = append(p.Changes, a.Change)
			}
		}
	}
	return p.Summary()
}

// log tells what a pass found in one line, and what is wrong in one line each.
func (l *Loop) log(stack *spec.Stack, o *Outcome) {
	log := l.Log.With("stack", o.Stack, "revision", o.Revision)
	if o.Err != nil {
		log.Error("the pass failed", "error", o.Err.Error(), "took", o.Took.Round(time.Millisecond).String())
		return
	}
	for _, c := range o.rest() {
		switch {
		case c.Action == ActionBlocked:
			log.Warn("blocked: a person has to act", "object", subject(c), "cause", c.Cause, "remedy", fmt.Sprint(c.Remedy))
		case (l.DryRun || o.Shut != nil || o.Suspended != nil) && c.Write != nil:
			log.Warn("drift", "object", subject(c), "action", string(c.Action), "cause", c.Cause)
		}
	}
	if o.Shut != nil && o.Plan.Writes() {
		log.Warn("outside of the stack's windows: what differs is reported and not written", "opens", o.Shut.Opens)
	}
	if o.At != nil {
		stack = o.At
	}
	for _, s := range stack.Services {
		if v, ok := o.Verdicts[s.Key]; ok && v.State != Converged && v.Reason != "missing" { // that was told as drift
			log.Error("not converged", "service", s.Key, "reason", v.Reason, "message", v.Message, "remedy", v.Remedy)
		}
	}
	for _, c := range o.Checks {
		if c.Status != CheckPassed {
			log.Error("check "+string(c.Status), told(c)...)
		}
	}
	made := o.made()
	log.Info("pass done", "exit", o.ExitCode(), "created", made.Create, "updated", made.Update, "removed", made.Remove,
		"blocked", o.Plan.Summary().Blocked, "unchanged", o.Plan.Unchanged, "checks", len(o.Checks), "took", o.Took.Round(time.Millisecond).String())
}
