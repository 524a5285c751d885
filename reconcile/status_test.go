package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// In every state the conditions, the exit code and what to do.
func TestStatus(t *testing.T) {
	at := time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC)
	up := map[string]Verdict{"back": {State: Converged}, "front": {State: Converged}}
	passed := []CheckResult{{Name: "back", Status: CheckPassed}}
	change := Change{Kind: KindService, Name: "back", Object: "app_back", Action: ActionUpdate, Cause: "changed by hand", Write: UpdateService{}}
	const well = "Synced true as_specified, Converged true converged, Verified true passed, Suspended false not_suspended, Held false not_held"
	for _, c := range []struct {
		name string
		o    Outcome
		want string // as far as it differs from well
		exit int
		todo string
	}{
		{"well", Outcome{Plan: &Plan{Unchanged: 4}, Verdicts: up, Checks: passed}, "", ExitOK, ""},
		{"well after writes", Outcome{Plan: &Plan{Changes: []Change{change}}, Applied: []Applied{{Change: change}}, Verdicts: up, Checks: passed}, "", ExitOK, ""},
		{"a note is no difference", Outcome{Plan: &Plan{Changes: []Change{{Action: ActionNote}}}, Verdicts: up, Checks: passed}, "", ExitOK, ""},
		{"differs", Outcome{Plan: &Plan{Changes: []Change{change}}, Verdicts: up, Checks: passed}, "Synced false differs", ExitChanges, "`swarmward apply`"},
		{"not written", Outcome{Plan: &Plan{Changes: []Change{change}}, Applied: []Applied{{Change: change, Err: errors.New("no")}}, Verdicts: up, Checks: passed}, "Synced false differs", ExitChanges, "`swarmward apply`"},
		{"blocked", Outcome{Plan: &Plan{Changes: []Change{change, {Action: ActionBlocked, Kind: KindVolume, Name: "data"}}}, Verdicts: up, Checks: passed}, "Synced false blocked", ExitChanges, "`swarmward plan`"},
		{"the Engine is away", Outcome{Err: errors.New("no Engine answers")}, "Synced unknown error, Converged unknown not_looked, Verified unknown not_checked, Suspended unknown not_known, Held unknown not_known", ExitError, ""},
		{"what is remembered cannot be read", Outcome{Plan: &Plan{Changes: []Change{change}}, Err: errors.New("the label cannot be read")}, "Synced unknown error, Converged unknown not_looked, Verified unknown not_checked, Suspended unknown not_known, Held unknown not_known", ExitError, ""},
		{"the pass broke off", Outcome{Plan: &Plan{}, Err: errors.New("no Engine answers"), Verdicts: up, Checks: passed}, "Synced unknown error", ExitError, ""},
		{"nothing to compare it with", Outcome{Verdicts: up, Checks: passed}, "Synced unknown no_spec", ExitOK, ""},
		{"crash-looping", Outcome{Plan: &Plan{}, Verdicts: map[string]Verdict{"back": {State: NotStarted, Reason: "not_started"}, "front": {State: Failed, Reason: "crash_looping", Remedy: "look"}}, Checks: passed}, "Converged false crash_looping, Verified false not_converged", ExitNotConverged, "look"},
		{"a check fails", Outcome{Plan: &Plan{}, Verdicts: up, Checks: []CheckResult{{Name: "x", Status: CheckUnknown, Reason: "no_path"}, {Name: "back", Status: CheckFailed, Reason: "readonly", Remedy: "make it a master"}}}, "Verified false readonly", ExitCheckFailed, "make it a master"},
		{"a check is unknown", Outcome{Plan: &Plan{}, Verdicts: up, Checks: []CheckResult{{Name: "x", Status: CheckUnknown, Reason: "no_path"}}}, "Verified unknown no_path", ExitUnknown, ""},
		{"no check was run", Outcome{Plan: &Plan{}, Verdicts: up}, "Verified unknown not_checked", ExitOK, ""},
		{"suspended", Outcome{Plan: &Plan{Changes: []Change{change}}, Verdicts: up, Checks: passed, Standing: Standing{Suspended: &Suspension{By: "ana", At: at.Add(-time.Hour)}}}, "Synced false differs, Suspended true suspended", ExitStopped, "`swarmward resume app`"},
		{"held", Outcome{Plan: &Plan{}, Verdicts: up, Checks: passed, Standing: Standing{Record: 3, Held: &Hold{Record: 3, Since: at.Add(-time.Hour)}}}, "Synced false held, Held true held", ExitStopped, "correct the spec"},
		{"held, and not at the record yet", Outcome{Plan: &Plan{Changes: []Change{change}}, Verdicts: up, Checks: passed, Standing: Standing{Record: 3, Held: &Hold{Record: 3, Since: at.Add(-time.Hour)}}}, "Synced false held, Held true held", ExitStopped, "`swarmward rollback 3`"},
		{"held, and a check fails there, too", Outcome{Plan: &Plan{}, Verdicts: up, Checks: []CheckResult{{Status: CheckFailed, Reason: "readonly"}}, Standing: Standing{Held: &Hold{}}}, "Synced false held, Verified false readonly, Held true held", ExitCheckFailed, "correct the spec"},
		{"not rolled back", Outcome{Plan: &Plan{}, Verdicts: up, Checks: []CheckResult{{Status: CheckFailed, Reason: "readonly"}}, Standing: Standing{Answer: Answer{Not: "no record"}}}, "Verified false readonly, Held false not_rolled_back", ExitCheckFailed, ""},
		{"went back", Outcome{Checks: []CheckResult{{Status: CheckFailed}}, Standing: Standing{Back: &Outcome{Stack: "app", Plan: &Plan{}, Verdicts: up, Checks: passed, Standing: Standing{Held: &Hold{}}}}}, "Synced false held, Held true held", ExitStopped, "correct the spec"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Stack = "app"
			s := StatusOf(pair(), &c.o, nil, at)
			var got, todo []string
			want := well
			for _, x := range s.Conditions {
				got = append(got, fmt.Sprintf("%s %s %s", x.Type, x.Status, x.Reason))
				todo = append(todo, x.Remedy)
			}
			for _, part := range strings.Split(c.want, ", ") {
				for _, is := range strings.Split(well, ", ") {
					if kind, _, _ := strings.Cut(is, " "); part != "" && strings.HasPrefix(part, kind+" ") {
						want = strings.Replace(want, is, part, 1)
					}
				}
			}
			if text := strings.Join(got, ", "); text != want {
				t.Errorf("\n%s\nwant\n%s", text, want)
			}
			if s.ExitCode() != c.exit || !strings.Contains(strings.Join(todo, "\n"), c.todo) {
				t.Errorf("exit %d, want %d; to do: %q", s.ExitCode(), c.exit, todo)
			}
		})
	}
}

// Since is when a condition turned, not when it was seen again.
func TestStatusSince(t *testing.T) {
	at := time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC)
	o := &Outcome{Stack: "app", Plan: &Plan{}, Verdicts: map[string]Verdict{"back": {State: Converged}}, Checks: []CheckResult{{Status: CheckPassed}}}
	first := StatusOf(pair(), o, nil, at)
	second := StatusOf(pair(), o, first, at.Add(time.Minute))
	o.Checks = []CheckResult{{Status: CheckFailed}}
	o.Suspended = &Suspension{At: at.Add(-time.Hour)}
	third := StatusOf(pair(), o, second, at.Add(2*time.Minute))
	for _, c := range []struct {
		s    *Status
		kind ConditionType
		want time.Time
	}{
		{first, ConditionVerified, at}, {second, ConditionVerified, at}, {third, ConditionVerified, at.Add(2 * time.Minute)},
		{third, ConditionSynced, at}, {third, ConditionSuspended, at.Add(-time.Hour)},
	} {
		if got := c.s.Condition(c.kind).Since; !got.Equal(c.want) {
			t.Errorf("%s since %s, want %s", c.kind, got, c.want)
		}
	}
}

func TestStatusOfObjects(t *testing.T) {
	o := &Outcome{
		Stack: "app", Verdicts: map[string]Verdict{"back": {State: Failed, Message: "it dies\nits log", Remedy: "look"}},
		Plan: &Plan{Changes: []Change{
			{Kind: KindService, Name: "back", Action: ActionUpdate, Cause: "changed by hand"},
			{Kind: KindConfig, Name: "app_old", Action: ActionRemove, Cause: "no longer in the spec"},
		}},
	}
	var got []string
	for _, x := range StatusOf(pair(), o, nil, time.Time{}).Objects {
		got = append(got, fmt.Sprintf("%s %s %v %q %s %s %s", x.Kind, x.Name, x.Synced, x.Differs, x.State, x.Message, x.Remedy))
	}
	want := []string{
		`network net true ""   `, `secret password true ""   `, `config conf true ""   `,
		`service back false "update: changed by hand" failed it dies look`, `service front true ""   `,
		`config app_old false "remove: no longer in the spec"   `,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	if o.Plan = nil; StatusOf(&spec.Stack{Services: pair().Services}, o, nil, time.Time{}).Objects[1].Synced {
		t.Error("without anything to compare it with an object is called synced")
	}
}
