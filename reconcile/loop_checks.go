package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// checks that may run here.
func (l *Loop) checks(stack *spec.Stack) []spec.Check {
	var out []spec.Check
	for _, c := range stack.Settings.Checks {
		if l.DryRun {
			var reads bool
			if c, reads = c.ReadOnly(); !reads {
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// between starts the checks of the time until the next pass, which runs them
// all itself, and returns what ends them.
func (l *Loop) between(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if stack := l.last; stack != nil && (l.leader == Leader{} || l.leader.Here) {
		for _, c := range l.checks(stack) {
			if c.Interval > 0 {
				wg.Go(func() { l.repeat(ctx, stack, c) })
			}
		}
	}
	return func() { cancel(); wg.Wait() }
}

// repeat tries a check on its interval. What it finds is told and starts no
// pass: a pass repairs what differs from the spec, and that has its own nudges.
func (l *Loop) repeat(ctx context.Context, stack *spec.Stack, c spec.Check) {
	defer func() {
		if r := recover(); r != nil {
			l.Log.Error("a check broke; this is a bug of swarmward", "check", c.Name, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	for pause(ctx, l.until(c, time.Now())) == nil {
		around := l.Reconciler.surroundings(stack)
		around.grace = func(ctx context.Context, c spec.Check) time.Duration {
			if s, ok := stack.Service(c.Target().Service); ok {
				if seen, err := l.Reconciler.Engine.Progress(ctx, stack); err == nil {
					return GraceLeft(seen, s.Spec.Name, c.Grace)
				}
			}
			return 0
		}
		res := l.Reconciler.verify(ctx, stack, []spec.Check{c}, around)[0]
		if ctx.Err() != nil {
			return // the next pass has the word
		}
		l.heard(stack, res)
	}
}

// until the check is due: its interval after it was tried last, shortened by up
// to a tenth so that checks do not march in step.
func (l *Loop) until(c spec.Check, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := c.Interval - rand.N(c.Interval/10+1)
	if p := l.past[c.Name]; p != nil {
		wait -= now.Sub(p.tried)
	}
	return max(0, wait)
}

// heard of a result between passes: it is logged where the status is another
// than before.
func (l *Loop) heard(stack *spec.Stack, res CheckResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.past.note(&res, time.Now())
	log := l.Log.With("stack", stack.Name, "revision", stack.Revision)
	switch {
	case res.Status == was:
	case res.Status != CheckPassed:
		log.Error("check "+string(res.Status), told(res)...)
	case was != "":
		log.Info("check passed again", "check", res.Name, "message", res.Message)
	}
	if l.Checked != nil {
		l.Checked(stack, res)
	}
}

// remember the results of a pass.
func (l *Loop) remember(stack *spec.Stack, o *Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.past.keep(stack.Settings.Checks)
	for i := range o.Checks {
		was := l.past.note(&o.Checks[i], time.Now())
		if c := o.Checks[i]; c.Status == CheckPassed && was != "" && was != c.Status {
			l.Log.Info("check passed again", "stack", stack.Name, "revision", stack.Revision, "check", c.Name, "message", c.Message)
		}
	}
}

// told of a check that did not pass, as attributes of a log line.
func told(c CheckResult) []any {
	out := []any{"check", c.Name, "reason", string(c.Reason), "message", c.Message, "remedy", c.Remedy}
	if c.Diagnosis != nil {
		out = append(out, "diagnosis", c.Diagnosis)
	}
	return out
}

// LogValue is the diagnosis in a log line: without what docker says at length.
func (d *Diagnosis) LogValue() slog.Value {
	var attrs []slog.Attr
	add := func(key string, values ...string) {
		if text := strings.Join(values, "; "); text != "" {
			attrs = append(attrs, slog.String(key, text))
		}
	}
	add("service", d.Verdict)
	if d.Restarts > 0 {
		attrs = append(attrs, slog.Int("restarts", d.Restarts))
	}
	for _, t := range d.Tasks {
		if t.Error != "" {
			add("task", t.Name+" "+t.State+": "+t.Error)
			break
		}
	}
	add("log", d.Log...)
	for _, c := range d.Changes {
		add("changed", c.Text(d.At))
		break
	}
	add("try", d.Commands...)
	return slog.GroupValue(attrs...)
}
