package reconcile

import (
	"fmt"
	"slices"
	"strings"
)

// Trial is what is known of a revision when a pass for it has ended.
type Trial struct {
	Mode    string   // on_check_failure
	Outcome *Outcome // of the pass
	Changed bool     // the pass wrote something before it ran the checks
	Memory  Memory
	// Attempted: the memory's attempt is this very revision's. It has not proved
	// itself since it was begun.
	Attempted bool
	Records   []Record // newest first
	// Before is how the checks were before the pass, as far as anybody watched.
	Before map[string]CheckStatus
	// Gone is the error that says why the last record cannot be gone back to; nil:
	// it can.
	Gone error
}

// Answer is what follows from a pass whose revision did not prove itself. The
// zero value is nothing.
type Answer struct {
	Record int    // to go back to; 0: none
	Why    string // what did not work
	Not    string // why there is no going back although something did not work
}

// Decide says whether to go back to the last verified record after a pass: only
// for a fault of the revision itself. Who keeps the Swarm at a record does not ask:
// it never goes back twice. It is a function of its argument.
func Decide(t Trial) Answer {
	why := t.faults()
	if t.Mode != "rollback" || why == "" {
		return Answer{}
	}
	for _, rule := range []func(*Trial) string{
		(*Trial).nothing, (*Trial).proved, (*Trial).later, (*Trial).gone,
	} {
		if not := rule(&t); not != "" {
			return Answer{Why: why, Not: not}
		}
	}
	return Answer{Record: t.Records[0].Number, Why: why}
}

// faults are what may be held against the revision: checks that failed, and
// services that did not come up. Not what could not be tried, and nothing of a
// pass that did not get to its end.
func (t *Trial) faults() string {
	if t.Outcome.Err != nil || t.Outcome.moved() {
		return ""
	}
	var all []string
	for _, key := range sortedKeys(t.Outcome.Verdicts) {
		if v := t.Outcome.Verdicts[key]; v.State == Failed && v.Reason != "engine_error" && v.Reason != "removed" {
			all = append(all, fmt.Sprintf("service %s: %s", key, firstLine(v.Message)))
		}
	}
	for _, c := range t.Outcome.Checks {
		if c.Status == CheckFailed {
			all = append(all, fmt.Sprintf("check %s failed: %s", c.Name, c.Reason))
		}
	}
	return strings.Join(all, "; ")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (t *Trial) nothing() string {
	if len(t.Records) > 0 {
		return ""
	}
	return "cannot roll back: no revision of this stack has been verified yet"
}

// proved: what worked once and stops working does so for another reason.
func (t *Trial) proved() string {
	if t.Attempted {
		return ""
	}
	return "nothing is rolled back: the revision was there before, and is not known to be the cause"
}

// later: after a pass that neither proved nor refuted the revision, its fault is
// only what broke while it was written once more.
func (t *Trial) later() string {
	if !t.Memory.Attempt.Undecided {
		return ""
	}
	broke := slices.ContainsFunc(t.Outcome.Checks, func(c CheckResult) bool {
		return c.Status == CheckFailed && t.Before[c.Name] == CheckPassed
	})
	if t.Changed && broke {
		return ""
	}
	return "nothing is rolled back: the revision ran before this pass, and is not known to be the cause"
}

func (t *Trial) gone() string {
	if t.Gone == nil {
		return ""
	}
	return t.Gone.Error()
}

// undecided says that a pass came to its end and could neither prove its
// revision nor refute it.
func (o *Outcome) undecided() bool {
	return o.Err == nil && !o.moved() && !o.anyVerdict() && ChecksExitCode(o.Checks) == ExitUnknown
}
