package reconcile

import (
	"context"
	"fmt"
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

// Verify runs checks side by side and returns their results in order. A check
// whose service is in grace (changed moments ago) may fail until its grace is
// over; any other is tried as often as its retries say.
func (r *Reconciler) Verify(ctx context.Context, stack *spec.Stack, checks []spec.Check, inGrace func(service string) bool) []CheckResult {
	results := make([]CheckResult, len(checks))
	redact := Redactor(stack)
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() {
			grace := time.Duration(0)
			if inGrace != nil && inGrace(c.Target().Service) {
				grace = c.Grace
			}
			results[i] = r.probe(ctx, stack, c, grace)
			results[i].Message, _ = redact(results[i].Message)
			r.tell(results[i])
		})
	}
	wg.Wait()
	return results
}

// retryEvery is the pause between two tries of one check.
const retryEvery = time.Second

func (r *Reconciler) probe(ctx context.Context, stack *spec.Stack, c spec.Check, grace time.Duration) CheckResult {
	began, said, again := time.Now(), "", retries{patience: engineGrace}
	for try := 1; ; try++ {
		res := r.Prober.Probe(ctx, stack, c)
		for res.Reason == ReasonEngineError && again.after(ctx, ErrInternal) {
			res = r.Prober.Probe(ctx, stack, c)
		}
		patient := time.Since(began) < grace || try < c.Retries
		if res.Status != CheckFailed || !patient {
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
	results := p.Verify(ctx, p.stack, checks, p.inGrace)
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

// inGrace: written in this pass, and not known to have failed already.
func (p *pass) inGrace(service string) bool {
	s, ok := p.stack.Service(service)
	if !ok || p.wrote(s.Spec.Name).IsZero() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Verdicts[service].State != Failed
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
	results := p.Verify(ctx, p.stack, rest, p.inGrace)
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
