package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// CheckStatus is the outcome of a check.
type CheckStatus string

// Unknown means that the check could not be tried; it is neither success nor
// failure.
const (
	CheckPassed  CheckStatus = "passed"
	CheckFailed  CheckStatus = "failed"
	CheckUnknown CheckStatus = "unknown"
)

// Reason says why a check did not pass, as one of a closed set.
type Reason string

// Reasons common to all checks. The redis and centrifugo probes add theirs.
const (
	ReasonNone        Reason = ""
	ReasonNoPath      Reason = "no_path"     // unknown: no way from here to the target
	ReasonNotRunning  Reason = "not_running" // no task of the service runs
	ReasonRefused     Reason = "refused"     // nothing listens
	ReasonTimeout     Reason = "timeout"     // no answer in time
	ReasonUnreachable Reason = "unreachable" // any other network failure
	ReasonPanic       Reason = "panic"       // the probe itself broke
	// The service answers, and one of the ways that were asked for is closed.
	ReasonPortClosed    Reason = "port_closed"    // the published port
	ReasonOverlayClosed Reason = "overlay_closed" // the overlay network
	ReasonWayClosed     Reason = "way_closed"     // any other
	// ReasonEngineError: unknown, the Engine could not say where the target is.
	ReasonEngineError Reason = "engine_error"
)

// CheckResult is what one try of a check found.
type CheckResult struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`
	Status  CheckStatus   `json:"status"`
	Reason  Reason        `json:"reason,omitempty"`
	Message string        `json:"message"`          // a sentence: what was found
	Remedy  string        `json:"remedy,omitempty"` // what to do about it
	Via     string        `json:"via,omitempty"`    // the way it took: published 10.0.0.1:6379
	Latency time.Duration `json:"latencyNanoseconds"`
	At      time.Time     `json:"at"`
	Redis   *RoundTrip    `json:"redis,omitempty"` // evidence of a redis check
	// Ways has the result of each way that the check asks for with from; the
	// check fails if one of them does.
	Ways []WayResult `json:"ways,omitempty"`
	// Diagnosis is there when the check failed, and State when somebody watches
	// the check for longer than one try.
	Diagnosis *Diagnosis  `json:"diagnosis,omitempty"`
	State     *CheckState `json:"state,omitempty"`
	// Tried are the ways that were tried; the last one is that of Via, if any.
	Tried []Way `json:"-"`
}

// WayResult is what one way to the target led to.
type WayResult struct {
	From    string        `json:"from"` // overlay, published, bridge or explicit
	Status  CheckStatus   `json:"status"`
	Reason  Reason        `json:"reason,omitempty"`
	Message string        `json:"message"`
	Via     string        `json:"via,omitempty"`
	Latency time.Duration `json:"latencyNanoseconds"`
}

// RoundTrip is the evidence of a redis check, in the shape of whatrack's own
// health endpoint.
type RoundTrip struct {
	Connected  bool    `json:"connected"`
	TestPassed bool    `json:"testPassed"`
	TestKey    string  `json:"testKey"`
	TestValue  string  `json:"testValue"`
	Retrieved  *string `json:"retrieved"` // null when disconnected
}

// Prober tries a check once, within the check's timeout. It never panics and
// reports every failure as a result.
type Prober interface {
	Probe(ctx context.Context, stack *spec.Stack, check spec.Check) CheckResult
}

// Verify runs checks side by side and returns their results in order. Each is
// tried as often as its retries say. What failed comes with a diagnosis, for
// which alone the Engine is asked.
func (r *Reconciler) Verify(ctx context.Context, stack *spec.Stack, checks []spec.Check) []CheckResult {
	return r.verify(ctx, stack, checks, r.surroundings(stack))
}

// surroundings of a check that fails; nothing in it is asked for another.
type surroundings struct {
	// grace is how long the check may go on failing.
	grace func(context.Context, spec.Check) time.Duration
	// look at the Swarm, and at what of the spec is not in it. Either may be nil.
	look func(context.Context) (*Observed, *Plan)
	// written to a service by swarmward.
	written func(service string) []Recent
}

// surroundings outside of a pass: no grace, and one look for all checks.
func (r *Reconciler) surroundings(stack *spec.Stack) surroundings {
	var mu sync.Mutex
	var seen *Observed
	var plan *Plan
	return surroundings{
		grace: func(context.Context, spec.Check) time.Duration { return 0 },
		look: func(ctx context.Context) (*Observed, *Plan) {
			mu.Lock()
			defer mu.Unlock()
			if seen == nil {
				if p, s, err := r.Plan(ctx, stack); err == nil {
					seen, plan = s, p
				}
			}
			return seen, plan
		},
		written: r.Journal.of,
	}
}

func (r *Reconciler) verify(ctx context.Context, stack *spec.Stack, checks []spec.Check, around surroundings) []CheckResult {
	results := make([]CheckResult, len(checks))
	redact := Redactor(stack)
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() {
			res := r.probe(ctx, stack, c, around.grace)
			res.Message, _ = redact(res.Message)
			if res.Status == CheckFailed {
				res.Diagnosis = r.diagnose(ctx, stack, c, res, around)
			}
			r.tell(res)
			results[i] = res
		})
	}
	wg.Wait()
	return results
}

// lookTimeout bounds what a diagnosis asks for: it is a courtesy.
const lookTimeout = 10 * time.Second

func (r *Reconciler) diagnose(ctx context.Context, stack *spec.Stack, c spec.Check, res CheckResult, around surroundings) *Diagnosis {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var seen *Observed
	var plan *Plan
	s, ok := stack.Service(c.Target().Service)
	if ok {
		seen, plan = around.look(ctx)
	}
	d := Diagnose(stack, c, res, seen, plan, around.written(s.Spec.Name))
	if seen != nil {
		if t, ok := suspect(seen, s.Spec.Name); ok {
			if left := r.Engine.Remains(ctx, t, logLines); len(left.Log) > 0 {
				d.LogOf, d.Log = noteTask(seen, s.Spec.Name, t).Name, slices.Clone(left.Log)
			}
		}
	}
	d.mask(Redactor(stack))
	return d
}

// retryEvery is the pause between two tries of one check.
const retryEvery = time.Second

func (r *Reconciler) probe(ctx context.Context, stack *spec.Stack, c spec.Check, graceOf func(context.Context, spec.Check) time.Duration) CheckResult {
	began, said, again := time.Now(), "", retries{patience: engineGrace}
	grace := time.Duration(-1) // not asked for yet
	for try := 1; ; try++ {
		res := r.Prober.Probe(ctx, stack, c)
		for res.Reason == ReasonEngineError && again.after(ctx, ErrInternal) {
			res = r.Prober.Probe(ctx, stack, c)
		}
		if res.Status != CheckFailed {
			return res
		}
		if grace < 0 {
			grace = graceOf(ctx, c)
		}
		if time.Since(began) >= grace && try >= c.Retries {
			return res
		}
		if r.Report != nil && res.Message != said {
			said = res.Message
			r.Report(Event{PhaseVerify, c.Name, "waiting", res.Message})
		}
		if pause(ctx, retryEvery) != nil {
			return res
		}
	}
}

func (r *Reconciler) tell(res CheckResult) {
	if r.Report == nil {
		return
	}
	state := map[CheckStatus]string{CheckPassed: "done", CheckFailed: "failed", CheckUnknown: "unknown"}[res.Status]
	r.Report(Event{PhaseVerify, res.Name, state, res.Message})
}

// gate runs the checks on one service, once it has converged. Only the gate of
// a service that another waits for has to: the rest run together at the end.
func (p *pass) gate(ctx context.Context, s spec.Service) error {
	if !p.gating[s.Key] {
		return nil
	}
	var checks []spec.Check
	for _, c := range p.stack.Settings.Checks {
		if c.Target().Service == s.Key {
			checks = append(checks, c)
		}
	}
	results := p.Reconciler.verify(ctx, p.stack, checks, p.around())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gated == nil {
		p.gated = map[string]CheckResult{}
	}
	var err error
	for _, r := range results {
		p.gated[r.Name] = r
		if r.Status == CheckFailed {
			err = fmt.Errorf("check %s: %s", r.Name, r.Reason)
		}
	}
	return err
}

// around a check of this pass: what converged moments ago is in grace, and what
// the pass has not written is still different.
func (p *pass) around() surroundings {
	out := p.surroundings(p.stack)
	out.grace = p.graceOf
	out.written = p.journal.of
	out.look = func(ctx context.Context) (*Observed, *Plan) {
		seen, err := p.watch.look(ctx, time.Now())
		if err != nil {
			return nil, nil
		}
		return seen, p.unwritten()
	}
	return out
}

// graceOf a check: all of it after a write of this pass; what is left of it
// where the service's tasks are younger, as after a pass that was killed; none
// for a service that is known to have failed already.
func (p *pass) graceOf(_ context.Context, c spec.Check) time.Duration {
	s, ok := p.stack.Service(c.Target().Service)
	if !ok {
		return 0
	}
	p.mu.Lock()
	bad := p.out.Verdicts[s.Key].State == Failed
	p.mu.Unlock()
	switch {
	case bad:
		return 0
	case p.unsettled(s):
		return c.Grace
	}
	if seen := p.watch.last(); seen != nil {
		return GraceLeft(seen, s.Spec.Name, c.Grace)
	}
	return 0
}

// unwritten is the plan without what was made.
func (p *pass) unwritten() *Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := *p.plan
	rest.Changes = slices.DeleteFunc(slices.Clone(rest.Changes), func(c Change) bool {
		return slices.ContainsFunc(p.out.Applied, func(a Applied) bool {
			return a.Err == nil && a.Change.Kind == c.Kind && a.Change.Object == c.Object
		})
	})
	return &rest
}

// verify runs the checks that have not run as gates; what a gate found holds
// for this pass.
func (p *pass) verify(ctx context.Context) {
	var rest []spec.Check
	for _, c := range p.stack.Settings.Checks {
		if _, ran := p.gated[c.Name]; !ran {
			rest = append(rest, c)
		}
	}
	results := p.Reconciler.verify(ctx, p.stack, rest, p.around())
	byName := p.gated
	if byName == nil {
		byName = map[string]CheckResult{}
	}
	for _, r := range results {
		byName[r.Name] = r
	}
	for _, c := range p.stack.Settings.Checks {
		p.out.Checks = append(p.out.Checks, byName[c.Name])
	}
}
