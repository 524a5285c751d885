package reconcile

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every rule, one fact away from a rollback.
func TestDecide(t *testing.T) {
	const (
		x       = "cannot roll back"
		none    = ""
		another = "is not known to be the cause"
	)
	failed := CheckResult{Name: "redis", Status: CheckFailed, Reason: "readonly"}
	unknown := CheckResult{Name: "redis", Status: CheckUnknown, Reason: ReasonNoPath}
	passed := CheckResult{Name: "redis", Status: CheckPassed}
	up := map[string]Verdict{"redis": {State: Converged}}
	down := func(reason string) map[string]Verdict {
		return map[string]Verdict{"redis": {State: Failed, Reason: reason, Message: "Swarm rolled the update back: exit 1\nthe log"}, "app": {State: NotStarted}}
	}
	undecided := func(t *Trial) { t.Memory.Attempt.Undecided = true }
	for _, c := range []struct {
		name   string
		change func(*Trial)
		want   int
		not    string
	}{
		{"a check fails in the first pass", func(*Trial) {}, 3, none},
		{"a check fails in the first pass, after a crash left nothing to write", func(t *Trial) { t.Changed = false }, 3, none},
		{"two checks fail", func(t *Trial) {
			t.Outcome.Checks = append(t.Outcome.Checks, CheckResult{Name: "app", Status: CheckFailed, Reason: "refused"})
		}, 3, none},
		{"one fails and one is unknown", func(t *Trial) { t.Outcome.Checks = append(t.Outcome.Checks, unknown) }, 3, none},
		{"on_check_failure is report", func(t *Trial) { t.Mode = "report" }, 0, none},
		{"all passed", func(t *Trial) { t.Outcome.Checks = []CheckResult{passed} }, 0, none},
		{"no path", func(t *Trial) { t.Outcome.Checks = []CheckResult{unknown} }, 0, none},
		{"no path to one, and one passed", func(t *Trial) { t.Outcome.Checks = []CheckResult{passed, unknown} }, 0, none},
		{"no checks", func(t *Trial) { t.Outcome.Checks = nil }, 0, none},

		{"Swarm rolled it back", func(t *Trial) { t.Outcome.Verdicts = down("rolled_back"); t.Outcome.Checks = nil }, 3, none},
		{"its tasks crash", func(t *Trial) { t.Outcome.Verdicts = down("crash_looping"); t.Outcome.Checks = nil }, 3, none},
		{"the Engine did not answer", func(t *Trial) { t.Outcome.Verdicts = down("engine_error"); t.Outcome.Checks = nil }, 0, none},
		{"somebody removed the service meanwhile", func(t *Trial) { t.Outcome.Verdicts = down("removed"); t.Outcome.Checks = nil }, 0, none},
		{"the pass broke off", func(t *Trial) { t.Outcome.Err = errors.New("no Engine answers") }, 0, none},
		{"somebody changed the same by hand meanwhile", func(t *Trial) { t.Outcome.Applied = []Applied{{Err: ErrMoved}} }, 0, none},

		{"Redis is killed at night under a verified revision", func(t *Trial) { t.Attempted, t.Changed, t.Memory = false, false, Memory{} }, 0, another},
		{"and somebody had changed a label by hand, too", func(t *Trial) {
			t.Attempted, t.Memory = false, Memory{}
			t.Before = map[string]CheckStatus{"redis": CheckPassed}
		}, 0, another},
		{"a label was tried and repaired, of another revision", func(t *Trial) { t.Attempted = false }, 0, another},

		{"killed at night under one that could never be checked", func(t *Trial) {
			undecided(t)
			t.Changed = false
			t.Before = map[string]CheckStatus{"redis": CheckPassed}
		}, 0, another},
		{"the same, written once more, and the check passed until then", func(t *Trial) { undecided(t); t.Before = map[string]CheckStatus{"redis": CheckPassed} }, 3, none},
		{"the same, and it was unknown until then", func(t *Trial) { undecided(t); t.Before = map[string]CheckStatus{"redis": CheckUnknown} }, 0, another},
		{"the same, and it failed before", func(t *Trial) { undecided(t); t.Before = map[string]CheckStatus{"redis": CheckFailed} }, 0, another},
		{"the same, and nobody watched", undecided, 0, another},
		{"the same, and a service does not come up", func(t *Trial) { undecided(t); t.Outcome.Verdicts = down("crash_looping"); t.Outcome.Checks = nil }, 0, another},

		{"nothing was verified yet", func(t *Trial) { t.Records = nil }, 0, x + ": no revision of this stack has been verified yet"},
		{"nothing was verified yet, and nothing attempted", func(t *Trial) { t.Records, t.Attempted, t.Memory = nil, false, Memory{} }, 0, x},
		{"a secret is gone", func(t *Trial) { t.Gone = errors.New("cannot roll back to 3: secret web_password.r2 is gone") }, 0, x + " to 3: secret web_password.r2 is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			trial := Trial{
				Mode: "rollback", Changed: true, Attempted: true, Memory: Memory{Attempt: &Attempt{}},
				Outcome: &Outcome{Verdicts: up, Checks: []CheckResult{failed}},
				Records: []Record{{Number: 3}, {Number: 2}},
			}
			c.change(&trial)
			got := Decide(trial)
			if got.Record != c.want || (got.Not == "") != (c.not == "") || !strings.Contains(got.Not, c.not) {
				t.Errorf("%+v", got)
			}
			if (got.Why == "") != (got.Record == 0 && got.Not == "") {
				t.Errorf("it does not say what did not work: %+v", got)
			}
		})
	}
}

func TestDecideSaysWhatFailed(t *testing.T) {
	got := Decide(Trial{
		Mode: "rollback", Attempted: true, Memory: Memory{Attempt: &Attempt{}}, Records: []Record{{Number: 1}},
		Outcome: &Outcome{
			Verdicts: map[string]Verdict{"app": {State: Failed, Message: "Swarm rolled the update back: exit 4\nits log"}},
			Checks:   []CheckResult{{Name: "a", Status: CheckPassed}, {Name: "b", Status: CheckFailed, Reason: "refused"}, {Name: "c", Status: CheckFailed, Reason: "readonly"}},
		},
	})
	want := Answer{Record: 1, Why: "service app: Swarm rolled the update back: exit 4; check b failed: refused; check c failed: readonly"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
