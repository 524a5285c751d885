package serve

import (
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swarmward/swarmward/reconcile"
)

// gauges tell what the board knows at the moment of a scrape.
type gauges struct{ board *Board }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("swarmward_"+name, help, labels, nil)
}

// Of a stack.
var (
	descDrift     = gauge("drift", "Objects that differ from the spec, as of the last pass.", "stack")
	descBlocked   = gauge("blocked", "Differences that only a person may remove, as of the last pass.", "stack")
	descNotReady  = gauge("services_not_converged", "Services that had not converged when the last pass ended.", "stack")
	descLastPass  = gauge("last_pass_timestamp_seconds", "When the last pass ended.", "stack")
	descExitCode  = gauge("last_pass_exit_code", "Exit code of the last pass, as of swarmward apply.", "stack")
	descRevision  = gauge("revision_info", "1, with the revision that the last pass was for.", "stack", "revision", "ref", "author", "subject")
	descHeld      = gauge("held", "1 when a revision is held: it is not tried again before the spec changes or a person says so.", "stack")
	descSuspended = gauge("suspended", "1 when a person has suspended the stack: nothing is written.", "stack")
	descSuspSince = gauge("suspended_timestamp_seconds", "Since when the stack is suspended.", "stack")
	descShut      = gauge("window_closed", "1 when no maintenance window of the stack is open: nothing is written.", "stack")
	descRetry     = gauge("next_retry_timestamp_seconds", "When the pass after a failed one is due; 0 when none failed.", "stack")
	descFailures  = gauge("consecutive_failures", "Failed passes in a row.", "stack")
	descUnusable  = gauge("spec_unusable", "1 when the spec cannot be used as it is now; the last good one holds.", "stack")
)

// Of a check.
var (
	descResult   = gauge("check_result", "1 for what the check found last: passed, failed or unknown; 0 for the others.", "stack", "check", "kind", "result")
	descReason   = gauge("check_reason", "1, with the reason for which the check did not pass.", "stack", "check", "kind", "reason")
	descLatency  = gauge("check_latency_seconds", "How long the check took last.", "stack", "check", "kind")
	descFlaps    = gauge("check_flaps", "Turns from passed to failed or back, in the last hour.", "stack", "check", "kind")
	descLastGood = gauge("check_last_success_timestamp_seconds", "When the check passed last, since the controller began.", "stack", "check", "kind")
	descSince    = gauge("check_since_timestamp_seconds", "Since when the check is in the state that it is in.", "stack", "check", "kind")
)

// Of the controller.
var (
	descSourceAge    = gauge("source_age_seconds", "How long ago the source of the specs last said what it holds.", "source")
	descSourceFailed = gauge("source_failing", "1 when the source of the specs could not be had or used when it was asked last.", "source")
	descLease        = gauge("lease_holder", "1 when this controller leads the stack, 0 when it stands by.", "stack")
	descStacks       = gauge("stacks", "Stacks that this controller has made a pass for.")
)

func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descDrift, descBlocked, descNotReady, descLastPass, descExitCode, descRevision,
		descHeld, descSuspended, descSuspSince, descShut, descRetry, descFailures, descUnusable,
		descResult, descReason, descLatency, descFlaps, descLastGood, descSince,
		descSourceAge, descSourceFailed, descLease, descStacks,
	} {
		to <- d
	}
}

func (g *gauges) Collect(to chan<- prometheus.Metric) {
	send := sender(func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	})
	entries, rest := g.board.entries(), g.board.about()
	send(descStacks, float64(len(entries)))
	for _, e := range entries {
		if l := e.outcome.Leader; l != nil {
			send(descLease, bit(l.Here), e.stack.Name)
		}
		if standby(e.outcome) {
			delete(rest.standings, e.stack.Name)
			continue
		}
		send.stack(e)
		for _, c := range e.stack.Settings.Checks {
			if r, ok := e.checks[c.Name]; ok {
				send.check(e.stack.Name, r)
			}
		}
		if _, ok := rest.standings[e.stack.Name]; !ok {
			send.standing(e.stack.Name, Standing{})
		}
	}
	for name, s := range rest.standings {
		send.standing(name, s)
	}
	for name, s := range rest.sources {
		if !s.Seen.IsZero() {
			send(descSourceAge, time.Since(s.Seen).Seconds(), name)
		}
		send(descSourceFailed, bit(s.Error != ""), name)
	}
}

// sender sends one value.
type sender func(d *prometheus.Desc, v float64, labels ...string)

func (send sender) stack(e entry) {
	name, o := e.stack.Name, e.outcome
	send(descLastPass, seconds(o.Started.Add(o.Took)), name)
	send(descExitCode, float64(o.ExitCode()), name)
	var ref, author, subject string
	if c := e.stack.Commit; c != nil {
		ref, author, subject = c.Ref, c.Author, c.Subject
	}
	send(descRevision, 1, name, label(o.Revision), label(ref), label(author), label(subject))
	unready := 0
	for _, v := range o.Verdicts {
		if v.State != reconcile.Converged {
			unready++
		}
	}
	send(descNotReady, float64(unready), name)
	if e.plan == nil {
		return
	}
	// What a pass that ended early could not look at is as it was.
	o = e.plan
	send(descDrift, float64(len(differing(o))), name)
	send(descBlocked, float64(o.Plan.Summary().Blocked), name)
	send(descShut, bit(o.Shut != nil), name)
}

func (send sender) standing(stack string, s Standing) {
	send(descHeld, bit(s.Held != nil), stack)
	send(descSuspended, bit(s.Suspended != nil), stack)
	if s.Suspended != nil {
		send(descSuspSince, seconds(s.Suspended.Since), stack)
	}
	send(descRetry, seconds(s.Retry), stack)
	send(descFailures, float64(s.Failures), stack)
	send(descUnusable, bit(s.SpecError != ""), stack)
}

func (send sender) check(stack string, r reconcile.CheckResult) {
	for _, status := range []reconcile.CheckStatus{reconcile.CheckPassed, reconcile.CheckFailed, reconcile.CheckUnknown} {
		send(descResult, bit(r.Status == status), stack, r.Name, r.Kind, string(status))
	}
	if r.Reason != reconcile.ReasonNone {
		send(descReason, 1, stack, r.Name, r.Kind, string(r.Reason))
	}
	send(descLatency, r.Latency.Seconds(), stack, r.Name, r.Kind)
	if r.State == nil {
		return
	}
	send(descFlaps, float64(r.State.Flaps), stack, r.Name, r.Kind)
	send(descSince, seconds(r.State.Since), stack, r.Name, r.Kind)
	if r.State.LastPassed != nil {
		send(descLastGood, seconds(*r.State.LastPassed), stack, r.Name, r.Kind)
	}
}

// labelled is how long the value of a label may be that somebody else wrote.
const labelled = 80

// label is text that somebody else wrote as a label's value.
func label(text string) string {
	out := make([]rune, 0, labelled)
	for _, r := range text {
		if len(out) == labelled {
			break
		}
		if r == utf8.RuneError {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}

func bit(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// seconds since 1970; 0 for no time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
