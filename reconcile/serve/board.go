package serve

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// Board holds what the last passes of every stack found. The zero value is
// ready; it is safe for concurrent use.
type Board struct {
	mu        sync.Mutex
	stacks    map[string]entry
	standings map[string]Standing
	sources   map[string]SourceState
	metrics   *Metrics // that count what is posted; nil: none do
}

// remembered is how many passes of a stack are kept for /api/v1/history.
const remembered = 20

// entry is what is known of a stack. A reader has it to itself: what changes is
// replaced, never written to.
type entry struct {
	stack   *spec.Stack
	outcome *reconcile.Outcome
	passes  []PassNote // the newest first
	// plan and checks are the last there were: a pass that ended early has none.
	plan   *reconcile.Outcome
	checks map[string]reconcile.CheckResult
}

// PassNote is a pass in a few words.
type PassNote struct {
	Revision    string    `json:"revision"`
	Started     time.Time `json:"started"`
	TookSeconds float64   `json:"tookSeconds"`
	ExitCode    int       `json:"exitCode"`
	Result      string    `json:"result"` // as in swarmward_passes_total
	Written     int       `json:"written"`
	Differing   int       `json:"differing"`          // objects that still differ
	WentBack    bool      `json:"wentBack,omitempty"` // to a revision that worked
	Error       string    `json:"error,omitempty"`
}

// Post replaces what is known of a stack.
func (b *Board) Post(stack *spec.Stack, o *reconcile.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stacks == nil {
		b.stacks = map[string]entry{}
	}
	was := b.stacks[stack.Name]
	e := entry{stack: stack, outcome: o, plan: was.plan, checks: map[string]reconcile.CheckResult{}}
	e.passes = append([]PassNote{note(o)}, was.passes[:min(len(was.passes), remembered-1)]...)
	if o.Plan != nil {
		e.plan = o
	}
	if standby(o) { // how the stack is, is for its leader to say
		e.plan, was.checks = nil, nil
	}
	for _, c := range stack.Settings.Checks {
		if r, ok := was.checks[c.Name]; ok {
			e.checks[c.Name] = r
		}
	}
	for _, r := range o.Checks {
		e.checks[r.Name] = r
	}
	b.stacks[stack.Name] = e
	b.stands(stack.Name, o)
	if b.metrics != nil {
		b.metrics.pass(o)
	}
}

// Checked replaces the result of one check of a stack that was posted.
func (b *Board) Checked(stack *spec.Stack, r reconcile.CheckResult) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.stacks[stack.Name]
	if !ok {
		return
	}
	o := *e.outcome
	o.Checks = slices.Clone(o.Checks)
	i := slices.IndexFunc(o.Checks, func(c reconcile.CheckResult) bool { return c.Name == r.Name })
	if i < 0 {
		o.Checks = append(o.Checks, r)
	} else {
		o.Checks[i] = r
	}
	if o.Status != nil {
		o.Status = reconcile.StatusOf(e.stack, &o, o.Status, r.At)
		b.stands(stack.Name, &o)
	}
	if e.plan == e.outcome {
		e.plan = &o
	}
	e.outcome = &o
	e.checks = maps.Clone(e.checks)
	e.checks[r.Name] = r
	b.stacks[stack.Name] = e
}

// Forget a stack that nobody reconciles any more.
func (b *Board) Forget(stack string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.stacks, stack)
	delete(b.standings, stack)
	if b.metrics != nil {
		b.metrics.forget(stack)
	}
}

// result of a check that the controller has last; zero where it has none.
func (b *Board) result(stack, check string) reconcile.CheckResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stacks[stack].checks[check]
}

// entries are sorted by stack name.
func (b *Board) entries() []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.stacks), func(x, y entry) int { return cmp.Compare(x.stack.Name, y.stack.Name) })
}

func note(o *reconcile.Outcome) PassNote {
	n := PassNote{
		Revision: o.Revision, Started: o.Started, TookSeconds: o.Took.Seconds(),
		ExitCode: o.ExitCode(), Result: result(o), Differing: len(differing(o)),
	}
	applied := o.Applied
	if o.Back != nil {
		n.WentBack, applied = true, slices.Concat(applied, o.Back.Applied)
	}
	for _, a := range applied {
		if a.Err == nil {
			n.Written++
		}
	}
	if o.Err != nil {
		n.Error = o.Err.Error()
	}
	return n
}

// The results of a pass.
var results = map[int]string{
	reconcile.ExitOK: "ok", reconcile.ExitError: "error", reconcile.ExitCheckFailed: "check_failed",
	reconcile.ExitNotConverged: "not_converged", reconcile.ExitStopped: "stopped", reconcile.ExitUnknown: "unknown",
}

func result(o *reconcile.Outcome) string {
	if standby(o) {
		return resultStandby
	}
	return cmp.Or(results[o.ExitCode()], "error")
}

// resultStandby is that of a pass that left the stack to another controller.
const resultStandby = "standby"

func standby(o *reconcile.Outcome) bool { return o.Leader != nil && !o.Leader.Here }

// differing are the changes of the plan that are still to be made when the pass
// has ended, by somebody. An object that only has to be adopted is as the spec
// says.
func differing(o *reconcile.Outcome) []reconcile.Change {
	if o.Back != nil {
		o = o.Back // which undid the rest
	}
	if o.Plan == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(o.Plan.Changes), func(c reconcile.Change) bool {
		return c.Action == reconcile.ActionNote || c.Action == reconcile.ActionAdopt ||
			slices.ContainsFunc(o.Applied, func(a reconcile.Applied) bool {
				return a.Err == nil && a.Change.Kind == c.Kind && a.Change.Object == c.Object
			})
	})
}
