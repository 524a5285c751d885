package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// Phase of a pass.
type Phase string

// The phases in their order.
const (
	PhaseObserve  Phase = "observe"
	PhaseApply    Phase = "apply"
	PhaseConverge Phase = "converge"
	PhaseVerify   Phase = "verify"
	PhaseRecord   Phase = "record"
)

// Event is one step of progress, for people and logs. State is started, done,
// waiting, failed, or not started.
type Event struct {
	Phase   Phase
	Subject string
	State   string
	Message string
}

// Reconciler makes passes. Engine and Prober must be set; the other zero
// values are useful. Its methods are safe for concurrent use.
type Reconciler struct {
	Engine   Engine
	Prober   Prober
	Differ   Differ
	Parallel int           // Engine writes at a time; 0 means 8
	Poll     time.Duration // how often convergence is looked at; 0 means 500 ms
	// Heartbeat is how often a wait that goes nowhere says so; 0 means 10 s.
	Heartbeat time.Duration
	// Patience is how long a pass bears an Engine that does not answer; 0 means
	// 40 s.
	Patience time.Duration
	// Journal of earlier passes, for diagnoses; nil: there were none.
	Journal *Journal
	// Self is the full name of the service that this process is a task of, empty
	// for none; nil: it is none.
	Self   func(context.Context) string
	Report func(Event) // nil: nobody listens; called from several goroutines
	// Lease gives passes their turns; nil: nobody else writes.
	Lease *Lease
	// Replanned is asked when a pass had to wait for somebody else's and the plan
	// was made again; an error ends it before anything is written. Nil: go on.
	Replanned func(was, is *Plan) error

	own    *turn                  // of the pass that this is a copy for
	before map[string]CheckStatus // of the checks before a pass, as far as anybody watched
}

// Outcome is all that a pass found and did.
type Outcome struct {
	Stack    string
	Revision string
	Plan     *Plan
	Applied  []Applied          // one per write, in the order in which they ended
	Verdicts map[string]Verdict // by service key
	Checks   []CheckResult      // in the spec's order
	Recorded *Record            // that this pass kept; nil: nothing new has proved itself
	Err      error              // an error of the Engine or the input
	Shut     *Shut              // nothing was written because of it
	Leader   *Leader            // among several controllers; nil: no controller made the pass
	Started  time.Time
	Took     time.Duration
	Standing
}

// Applied is a change and how it went. Err is nil when it was made.
type Applied struct {
	Change Change
	Err    error
}

// Exit codes, the contract with scripts.
const (
	ExitOK           = 0
	ExitError        = 1
	ExitChanges      = 2
	ExitCheckFailed  = 3
	ExitNotConverged = 4
	ExitStopped      = 5
	ExitUnknown      = 6
)

// ExitCode of the pass; the worst finding wins.
func (o *Outcome) ExitCode() int {
	switch {
	case errors.Is(o.Err, ErrLeased), errors.Is(o.Err, ErrReplanned):
		return ExitStopped
	case o.Err != nil:
		return ExitError
	case o.moved():
		return ExitStopped
	case o.anyVerdict():
		return ExitNotConverged
	}
	if code := ChecksExitCode(o.Checks); code == ExitCheckFailed {
		return code
	}
	if o.Plan != nil && o.Plan.Summary().Blocked > 0 || o.Suspended != nil || o.Held != nil {
		return ExitStopped
	}
	if o.Shut != nil && o.Plan != nil && o.Plan.Writes() {
		return ExitStopped
	}
	return ChecksExitCode(o.Checks)
}

func (o *Outcome) anyVerdict() bool {
	for _, v := range o.Verdicts {
		if v.State != Converged {
			return true
		}
	}
	return false
}

func (o *Outcome) moved() bool {
	return slices.ContainsFunc(o.Applied, func(a Applied) bool { return errors.Is(a.Err, ErrMoved) })
}

// ChecksExitCode is the exit code that check results alone amount to.
func ChecksExitCode(results []CheckResult) int {
	code := ExitOK
	for _, r := range results {
		switch r.Status {
		case CheckFailed:
			return ExitCheckFailed
		case CheckUnknown:
			code = ExitUnknown
		}
	}
	return code
}

// Plan observes and compares. It writes nothing.
func (r *Reconciler) Plan(ctx context.Context, stack *spec.Stack) (*Plan, *Observed, error) {
	seen, err := r.Observe(ctx, stack)
	if err != nil {
		return nil, nil, err
	}
	plan := r.Differ.Diff(stack, seen)
	for i := range plan.Changes {
		if c := &plan.Changes[i]; c.Kind == KindNetwork && c.Action == ActionBlocked {
			if on, err := r.Engine.Attached(ctx, c.Object); err == nil {
				c.attached(stack.Name, on)
			}
		}
	}
	return plan, seen, nil
}

// Pass observes, compares, applies, waits for convergence and verifies.
func (r *Reconciler) Pass(ctx context.Context, stack *spec.Stack) *Outcome {
	started := time.Now()
	plan, seen, err := r.Plan(ctx, stack)
	if err != nil {
		return &Outcome{Stack: stack.Name, Revision: stack.Revision, Err: err, Started: started, Took: time.Since(started)}
	}
	o := r.Proceed(ctx, stack, plan, seen)
	o.Started, o.Took = started, time.Since(started)
	return o
}

// Apply makes the changes of a plan that was computed from seen, waits for
// every service of the stack to converge, runs the checks and, when they
// passed, removes what the plan keeps back for then. With ctx cancelled it
// starts nothing new and returns what was done.
func (r *Reconciler) Apply(ctx context.Context, stack *spec.Stack, plan *Plan, seen *Observed) *Outcome {
	started := time.Now()
	t, end, err := r.turn(ctx, stack.Name, seen)
	defer end()
	if err == nil {
		plan, seen, err = r.ready(t, plan, seen, func(ctx context.Context) (*Plan, *Observed, error) { return r.Plan(ctx, stack) })
	}
	if err != nil {
		return t.notBegun(stack, plan, started, err)
	}
	ctx = t.ctx
	p := newPass(r, stack, plan)
	p.since, p.out.Leader = seen.At, t.leader
	own := *r
	own.Prober, own.own = relabelled{r.Prober, p}, t
	own.Differ.Fingerprints = cmp.Or(own.Differ.Fingerprints, &Fingerprints{})
	p.Reconciler = &own
	if p.idle = !slices.ContainsFunc(plan.Changes, func(c Change) bool { return c.Write != nil }); p.idle {
		p.watch.seen, p.watch.at = seen, started
	}
	if r.Self != nil && !p.idle {
		p.self = r.Self(ctx)
	}
	errs := runSteps(ctx, p.steps(), cmp.Or(r.Parallel, 8))
	p.notStarted(errs)
	if ctx.Err() == nil {
		p.verify(ctx)
		p.confirm(ctx)
		p.cleanup(ctx)
		p.keepRecord(ctx, seen)
	}
	p.end(ctx, started)
	return p.out
}

func newPass(r *Reconciler, stack *spec.Stack, plan *Plan) *pass {
	return &pass{
		Reconciler: r, stack: stack, plan: plan, redact: Redactor(stack), watch: newWatch(r.Engine, stack),
		out:     &Outcome{Stack: stack.Name, Revision: stack.Revision, Plan: plan, Verdicts: map[string]Verdict{}},
		written: map[string]bool{}, labels: map[string]time.Time{}, journal: cmp.Or(r.Journal, &Journal{}),
	}
}

func (p *pass) end(ctx context.Context, started time.Time) {
	p.out.Err = errors.Join(append(p.errs, context.Cause(ctx))...)
	p.out.Started, p.out.Took = started, time.Since(started)
}

// pass is one Apply under way.
type pass struct {
	*Reconciler
	stack  *spec.Stack
	plan   *Plan
	since  time.Time // the Engine's time before the first write
	watch  *watch
	redact func(string) (string, bool)
	idle   bool            // the plan writes nothing
	self   string          // the service that this process is a task of, by its full name
	gating map[string]bool // services that one that is written waits for, by key; true: for their checks too
	unmade atomic.Int64    // changes of the steps
	made   chan struct{}   // closed when all of them were tried
	// journal is the Reconciler's, or one for this pass alone.
	journal *Journal

	mu      sync.Mutex
	out     *Outcome
	errs    []error
	written map[string]bool        // services, by name; adopting one is no write of its tasks
	gated   map[string]CheckResult // checks that ran as gates, by name
	writing *Record                // that this pass has begun to keep
	labels  map[string]time.Time   // when this pass changed those of a service, by its name
}

func (p *pass) report(e Event) {
	if p.Report != nil {
		e.Message, _ = p.redact(e.Message)
		p.Report(e)
	}
}

// result notes how a change went. A context that ended is not the change's
// fault and is reported once, by Apply.
func (p *pass) result(c Change, err error) {
	if err != nil {
		if s, hid := p.redact(err.Error()); hid {
			err = &redacted{text: s, error: err}
		}
	}
	p.mu.Lock()
	p.out.Applied = append(p.out.Applied, Applied{c, err})
	if c.Kind == KindService && c.Action != ActionAdopt && err == nil {
		p.written[c.Object] = true
	}
	if err == nil && relabels(c) {
		p.labels[c.Object] = time.Now()
	}
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrMoved) && !errors.Is(err, ErrLeased) {
		p.errs = append(p.errs, fmt.Errorf("%s: %w", subject(c), err))
	}
	p.mu.Unlock()
	if err != nil {
		p.report(Event{PhaseApply, subject(c), "failed", err.Error()})
		return
	}
	if c.Kind == KindService && c.Action != ActionAdopt {
		p.journal.note(c.Object, Recent{At: time.Now(), By: "swarmward", What: past[c.Action] + " by swarmward, because: " + c.Cause + fieldPaths(c)})
	}
	p.report(Event{PhaseApply, subject(c), "done", past[c.Action]})
}

// redacted is an error whose text shows no secret.
type redacted struct {
	text string
	error
}

func (r *redacted) Error() string { return r.text }
func (r *redacted) Unwrap() error { return r.error }

var past = map[Action]string{ActionCreate: "created", ActionUpdate: "updated", ActionAdopt: "adopted", ActionRemove: "removed"}

// notStarted lists the changes that were never tried because something before
// them failed, and gives their services a verdict.
func (p *pass) notStarted(errs map[string]error) {
	for _, c := range p.plan.Changes {
		err := errs[changeID(c.Kind, c.Object)]
		if c.Write == nil || c.AfterChecks || !errors.Is(err, errNotStarted) {
			continue
		}
		p.out.Applied = append(p.out.Applied, Applied{c, err})
		p.report(Event{PhaseApply, subject(c), "not started", err.Error()})
	}
	for _, s := range p.stack.Services {
		if err := errs[awaitID(s.Key)]; err != nil && errors.Is(err, errNotStarted) {
			p.out.Verdicts[s.Key] = Verdict{State: NotStarted, Reason: "not_started", Message: strings.TrimPrefix(err.Error(), "not started: ")}
		}
	}
}

// cleanup removes what was kept back, if everything was made and converged and no
// check says otherwise: what could not be made may be what replaces it. A check that could not be tried verifies nothing.
func (p *pass) cleanup(ctx context.Context) {
	if p.out.ExitCode() != ExitOK && p.out.ExitCode() != ExitStopped || p.out.moved() || len(p.errs) > 0 {
		return
	}
	p.removeAll(ctx, slices.DeleteFunc(slices.Clone(p.plan.Changes), func(c Change) bool { return !c.AfterChecks }))
}
