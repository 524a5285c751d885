package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// ConditionType names one thing that can be said of a stack.
type ConditionType string

// The conditions, in the order in which a status has them. All is well when the
// first three are true and the others false.
const (
	ConditionSynced    ConditionType = "Synced"    // the Swarm has what the spec says
	ConditionConverged ConditionType = "Converged" // every service runs as it should
	ConditionVerified  ConditionType = "Verified"  // every check passed
	ConditionSuspended ConditionType = "Suspended" // a person said that nothing is to be written
	ConditionHeld      ConditionType = "Held"      // the spec's revision is not tried again
	// WindowOpen is there where the spec has windows.
	ConditionWindowOpen ConditionType = "WindowOpen"
)

// ConditionStatus says whether a condition holds.
type ConditionStatus string

// Unknown is what nobody could find out, or has asked for.
const (
	ConditionTrue    ConditionStatus = "true"
	ConditionFalse   ConditionStatus = "false"
	ConditionUnknown ConditionStatus = "unknown"
)

// Condition is one thing that can be said of a stack.
type Condition struct {
	Type    ConditionType   `json:"type"`
	Status  ConditionStatus `json:"status"`
	Reason  string          `json:"reason"`            // short, one of a closed set
	Message string          `json:"message,omitempty"` // for a person
	Remedy  string          `json:"remedy,omitempty"`  // what to do, where somebody has to
	// Since when it is as it is, as far as is known.
	Since time.Time `json:"since"`
	// ObservedRevision is the revision that it is said of.
	ObservedRevision string `json:"observedRevision,omitempty"`
}

// Status is how a stack is, in the manner of Kubernetes conditions.
type Status struct {
	Stack      string         `json:"stack"`
	Revision   string         `json:"revision"`         // that it was compared with
	Commit     *spec.Commit   `json:"commit"`           // that the revision is of; nil where none is known
	Record     int            `json:"record,omitempty"` // the newest, or the one that it is kept at
	At         time.Time      `json:"at"`
	Conditions []Condition    `json:"conditions"`
	Objects    []ObjectStatus `json:"objects"`
	Checks     []CheckResult  `json:"checks"`
}

// ObjectStatus is how one object is.
type ObjectStatus struct {
	Kind    Kind   `json:"kind"`
	Name    string `json:"name"`
	Synced  bool   `json:"synced"`
	Differs string `json:"differs,omitempty"` // what would become of it, and why
	// State, Message and Remedy are those of a service's verdict.
	State   State  `json:"state,omitempty"`
	Message string `json:"message,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}

// Condition of that type; the zero value where there is none.
func (s *Status) Condition(t ConditionType) Condition {
	for _, c := range s.Conditions {
		if c.Type == t {
			return c
		}
	}
	return Condition{}
}

// ExitCode of a status; the worst condition wins.
func (s *Status) ExitCode() int {
	is := func(t ConditionType, status ConditionStatus) bool { return s.Condition(t).Status == status }
	switch {
	case is(ConditionSynced, ConditionUnknown) && s.Condition(ConditionSynced).Reason == "error":
		return ExitError
	case is(ConditionConverged, ConditionFalse):
		return ExitNotConverged
	case is(ConditionVerified, ConditionFalse):
		return ExitCheckFailed
	case is(ConditionSuspended, ConditionTrue), is(ConditionHeld, ConditionTrue), is(ConditionWindowOpen, ConditionFalse) && is(ConditionSynced, ConditionFalse):
		return ExitStopped
	case is(ConditionSynced, ConditionFalse):
		return ExitChanges
	}
	return ChecksExitCode(s.Checks)
}

// StatusOf is how a stack is after a pass, or after a look at it. was is the
// status before, nil where there is none. It is a function of its arguments.
func StatusOf(stack *spec.Stack, o *Outcome, was *Status, now time.Time) *Status {
	if o.Back != nil {
		o = o.Back
	}
	windows := len(stack.Settings.Windows) > 0
	if o.At != nil {
		stack = o.At
	}
	s := &Status{
		Stack: o.Stack, Revision: o.Revision, Commit: stack.Commit, Record: o.Record, At: now,
		Objects: objectStatuses(stack, o), Checks: slices.Clone(o.Checks),
	}
	s.Conditions = []Condition{o.synced(), o.converged(), o.verified(stack), o.suspended(), o.held()}
	if windows {
		s.Conditions = append(s.Conditions, o.windowOpen())
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		c.ObservedRevision = cmp.Or(c.ObservedRevision, o.Revision)
		if !c.Since.IsZero() {
			continue
		}
		c.Since = now
		if was != nil {
			if before := was.Condition(c.Type); before.Status == c.Status {
				c.Since = before.Since
			}
		}
	}
	return s
}

// rest is what a pass has left of its plan: what a look only found.
func (o *Outcome) rest() []Change {
	if o.Plan == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(o.Plan.Changes), func(c Change) bool {
		return c.Action == ActionNote || slices.ContainsFunc(o.Applied, func(a Applied) bool {
			return a.Err == nil && a.Change.Kind == c.Kind && a.Change.Object == c.Object && a.Change.Action == c.Action
		})
	})
}

// notBegun: it failed before it knew how things are, or what it remembers of them.
func (o *Outcome) notBegun() bool {
	return o.Err != nil && (o.Plan == nil || len(o.Verdicts)+len(o.Applied) == 0)
}

func (o *Outcome) synced() Condition {
	c := Condition{Type: ConditionSynced, Status: ConditionFalse}
	rest := o.rest()
	blocked := slices.IndexFunc(rest, func(c Change) bool { return c.Action == ActionBlocked })
	switch {
	case o.notBegun():
		c.Status, c.Reason, c.Message = ConditionUnknown, "error", o.Err.Error()
	case o.Plan == nil:
		c.Status, c.Reason, c.Message = ConditionUnknown, "no_spec", "nothing is at hand to compare it with: neither a spec nor a record"
	case o.Held != nil:
		c.Reason, c.ObservedRevision = "held", o.Held.Revision
		c.Message = fmt.Sprintf("the Swarm is kept at record %d, not at what the spec says", o.Held.Record)
		if len(rest) > 0 {
			c.Message += fmt.Sprintf("; objects that are not there yet: %d", len(rest))
			c.Remedy = fmt.Sprintf("the next pass of run brings them there, or `swarmward rollback %d`", o.Held.Record)
		}
	case blocked >= 0:
		c.Reason, c.Remedy = "blocked", "`swarmward plan` shows what a person would do"
		c.Message = fmt.Sprintf("%s: %s", subject(rest[blocked]), rest[blocked].Cause)
	case len(rest) > 0:
		c.Reason, c.Remedy = "differs", "`swarmward plan` shows it, `swarmward apply` removes it"
		c.Message = fmt.Sprintf("objects that differ: %d", len(rest))
	case o.Err != nil:
		c.Status, c.Reason, c.Message = ConditionUnknown, "error", o.Err.Error()
	default:
		c.Status, c.Reason = ConditionTrue, "as_specified"
		c.Message = fmt.Sprintf("objects that are as the spec says: %d", o.Plan.Unchanged+len(o.Applied))
	}
	return c
}

func (o *Outcome) converged() Condition {
	c := Condition{Type: ConditionConverged, Status: ConditionTrue, Reason: "converged"}
	if len(o.Verdicts) == 0 {
		c.Status, c.Reason, c.Message = ConditionUnknown, "not_looked", "no service was looked at"
		return c
	}
	c.Message = fmt.Sprintf("services that run as they should: %d", len(o.Verdicts))
	for _, key := range sortedKeys(o.Verdicts) {
		// What failed says more than what waits for it.
		if v := o.Verdicts[key]; v.State != Converged && (c.Status == ConditionTrue || v.State == Failed && c.Reason == "not_started") {
			c.Status, c.Reason, c.Remedy = ConditionFalse, v.Reason, v.Remedy
			c.Message = fmt.Sprintf("service %s: %s", key, firstLine(v.Message))
		}
	}
	return c
}

func (o *Outcome) verified(stack *spec.Stack) Condition {
	c := Condition{Type: ConditionVerified, Status: ConditionUnknown}
	worst := slices.IndexFunc(o.Checks, func(r CheckResult) bool { return r.Status == CheckFailed })
	if worst < 0 {
		worst = slices.IndexFunc(o.Checks, func(r CheckResult) bool { return r.Status == CheckUnknown })
	}
	switch {
	case worst >= 0:
		r := o.Checks[worst]
		if r.Status == CheckFailed {
			c.Status = ConditionFalse
		}
		c.Reason, c.Remedy = string(r.Reason), r.Remedy
		c.Message = fmt.Sprintf("check %s: %s", r.Name, firstLine(r.Message))
	case len(o.Checks) == 0 && len(stack.Settings.Checks) == 0:
		c.Reason, c.Message = "no_checks", "the spec has no checks"
	case len(o.Checks) == 0:
		c.Reason, c.Message = "not_checked", "no check was run"
	case o.anyVerdict():
		c.Status, c.Reason, c.Message = ConditionFalse, "not_converged", "the checks pass, and not every service runs as it should"
	default:
		c.Status, c.Reason = ConditionTrue, "passed"
		c.Message = fmt.Sprintf("checks that passed: %d", len(o.Checks))
	}
	return c
}

func (o *Outcome) suspended() Condition {
	c := Condition{Type: ConditionSuspended, Status: ConditionFalse, Reason: "not_suspended"}
	if s := o.Suspended; s == nil && o.notBegun() {
		c.Status, c.Reason = ConditionUnknown, "not_known"
	} else if s != nil {
		c.Status, c.Reason, c.Message, c.Since = ConditionTrue, "suspended", s.text(), s.At
		c.Remedy = "`swarmward resume " + o.Stack + "` lets swarmward write again"
	}
	return c
}

func (o *Outcome) held() Condition {
	c := Condition{Type: ConditionHeld, Status: ConditionFalse, Reason: "not_held"}
	if h := o.Held; h == nil && o.notBegun() {
		c.Status, c.Reason = ConditionUnknown, "not_known"
	} else if h != nil {
		c.Status, c.Reason, c.Message, c.Since, c.ObservedRevision = ConditionTrue, "held", h.text(), h.Since, h.Revision
		c.Remedy = "correct the spec, or `swarmward resume " + o.Stack + "` to try the same again"
	} else if o.Answer.Not != "" {
		c.Reason, c.Message = "not_rolled_back", o.Answer.Not
	}
	return c
}

func (o *Outcome) windowOpen() Condition {
	if o.Shut == nil {
		return Condition{Type: ConditionWindowOpen, Status: ConditionTrue, Reason: "open"}
	}
	return Condition{Type: ConditionWindowOpen, Status: ConditionFalse, Reason: "outside_window", Message: "nothing is written: " + o.Shut.Text()}
}

// objectStatuses are those of the stack, and of what is to be removed.
func objectStatuses(stack *spec.Stack, o *Outcome) []ObjectStatus {
	var out []ObjectStatus
	differs := map[object]Change{}
	for _, c := range o.rest() {
		differs[object{c.Kind, c.Name}] = c
	}
	add := func(kind Kind, name string) *ObjectStatus {
		s := ObjectStatus{Kind: kind, Name: name, Synced: o.Plan != nil}
		if c, ok := differs[object{kind, name}]; ok {
			s.Synced, s.Differs = false, fmt.Sprintf("%s: %s", c.Action, c.Cause)
			delete(differs, object{kind, name})
		}
		out = append(out, s)
		return &out[len(out)-1]
	}
	for _, n := range stack.Networks {
		add(KindNetwork, n.Key)
	}
	for _, v := range stack.Volumes {
		add(KindVolume, v.Key)
	}
	for _, s := range stack.Secrets {
		add(KindSecret, s.Key)
	}
	for _, c := range stack.Configs {
		add(KindConfig, c.Key)
	}
	for _, s := range stack.Services {
		x, v := add(KindService, s.Key), o.Verdicts[s.Key]
		if x.State, x.Message, x.Remedy = v.State, firstLine(v.Message), v.Remedy; v.Reason == "missing" && x.Differs != "" {
			x.Message = "" // which says so
		}
	}
	for _, c := range o.rest() {
		if _, left := differs[object{c.Kind, c.Name}]; left {
			add(c.Kind, c.Name)
		}
	}
	return out
}
