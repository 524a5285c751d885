package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// looping runs a loop for so long over the stack of pair with one check in the
// interval of 10 s, which fares as status says, and returns what was heard.
func looping(t *testing.T, d time.Duration, l *Loop, status func(since time.Duration) CheckStatus) (heard []CheckResult, passes int, log string) {
	t.Helper()
	start := time.Now()
	var buf bytes.Buffer
	l.Log = slog.New(slog.NewJSONHandler(&buf, nil))
	l.Reconciler.Prober = fakeProber(func(c spec.Check) CheckResult {
		return CheckResult{Name: c.Name, Kind: c.Kind(), Status: status(time.Since(start)), Message: "it is so"}
	})
	if l.Load == nil {
		l.Load = func(context.Context) (*spec.Stack, error) {
			s := pair()
			s.Settings.Checks[0].Interval = 10 * time.Second
			return s, nil
		}
	}
	l.Done = func(*spec.Stack, *Outcome) { passes++ }
	l.Checked = func(_ *spec.Stack, r CheckResult) { heard = append(heard, r) }
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	l.Run(ctx, nil)
	return heard, passes, buf.String()
}

// logged are the messages of a log, without those of passes.
func logged(log string) []string {
	var out []string
	for line := range strings.Lines(log) {
		var l struct{ Msg string }
		if json.Unmarshal([]byte(line), &l) == nil && strings.HasPrefix(l.Msg, "check ") {
			out = append(out, l.Msg)
		}
	}
	return out
}

func TestIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		heard, passes, log := looping(t, 5*time.Minute, &Loop{Reconciler: &Reconciler{Engine: f, Differ: Differ{Fingerprints: &Fingerprints{}}}}, func(since time.Duration) CheckStatus {
			if since > time.Minute && since < 3*time.Minute {
				return CheckFailed
			}
			return CheckPassed
		})
		if passes != 1 {
			t.Errorf("%d passes: a failing check is told, it starts none", passes)
		}
		// Five minutes of ten seconds, each shortened by up to a tenth.
		if len(heard) < 29 || len(heard) > 33 {
			t.Errorf("%d results in 5m with an interval of 10s", len(heard))
		}
		if got := logged(log); !cmp.Equal(got, []string{"check failed", "check passed again"}) {
			t.Errorf("logged %q, want each turn once", got)
		}
		for i := 1; i < len(heard); i++ {
			if gap := heard[i].State.Since.Sub(heard[i-1].State.Since); (gap > 0) != (heard[i].Status != heard[i-1].Status) {
				t.Errorf("result %d: since %s after %s", i, heard[i].State.Since, heard[i-1].State.Since)
			}
		}
		last := heard[len(heard)-1].State
		if last.Flaps != 2 || last.LastPassed == nil || time.Since(*last.LastPassed) > 10*time.Second {
			t.Errorf("state in the end: %+v", last)
		}
	})
}

// Under --dry-run nothing that writes is tried between passes either.
func TestIntervalsDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard, _, _ := looping(t, time.Minute, &Loop{
			DryRun: true, Reconciler: &Reconciler{Engine: applied(t)},
			Load: func(context.Context) (*spec.Stack, error) {
				s := pair()
				s.Settings.Checks[0].Interval = 10 * time.Second
				s.Settings.Checks = append(s.Settings.Checks, spec.Check{Name: "writes", Interval: 10 * time.Second, Redis: &spec.RedisCheck{}})
				return s, nil
			},
		}, func(time.Duration) CheckStatus { return CheckPassed })
		names := map[string]int{}
		for _, r := range heard {
			names[r.Name]++
		}
		if names["back"] < 5 || names["writes"] != 0 {
			t.Errorf("tried %v", names)
		}
	})
}

// A pass counts as a try, and takes the spec's new intervals and checks up.
func TestIntervalsFollowTheSpec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tried []string
		began := time.Now()
		l := &Loop{
			Reconciler: &Reconciler{Engine: applied(t), Prober: fakeProber(func(c spec.Check) CheckResult {
				tried = append(tried, fmt.Sprintf("%s %ds", c.Name, int(time.Since(began).Seconds())/20*20))
				return passing(c)
			})},
			Load: func(context.Context) (*spec.Stack, error) {
				s := pair()
				s.Settings.Checks[0].Name, s.Settings.Checks[0].Interval = "first", time.Minute
				if time.Since(began) > 40*time.Second {
					s.Settings.Checks[0].Name, s.Settings.Checks[0].Interval = "second", 21*time.Second
				}
				return s, nil
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		nudges := make(chan struct{}, 1)
		time.AfterFunc(30*time.Second, func() { nudges <- struct{}{} })
		time.AfterFunc(50*time.Second, func() { nudges <- struct{}{} })
		l.Run(ctx, nudges)
		want := []string{"first 0s", "first 20s", "second 40s", "second 60s", "second 80s"}
		if !cmp.Equal(tried, want) {
			t.Errorf("tried %q, want %q", tried, want)
		}
	})
}

// While passes end before they come to the checks, and begin again sooner than
// the interval is over, the interval still counts from the last try.
func TestIntervalsGoOnWithoutPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &deaf{fakeSwarm: applied(t)}
		tries, passes := 0, 0
		l := &Loop{
			Reconciler: &Reconciler{Engine: engine, Prober: fakeProber(func(c spec.Check) CheckResult { tries++; return passing(c) })},
			Load: func(context.Context) (*spec.Stack, error) {
				s := pair()
				s.Settings.Checks[0].Interval = 10 * time.Second
				return s, nil
			},
			Done: func(_ *spec.Stack, o *Outcome) {
				passes++
				engine.is = true // after the first pass
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		nudges := make(chan struct{}, 1)
		go func() {
			for pause(ctx, 4*time.Second) == nil {
				select {
				case nudges <- struct{}{}:
				default:
				}
			}
		}()
		l.Run(ctx, nudges)
		if passes < 20 || tries < 8 {
			t.Errorf("%d tries in 2m with an interval of 10s and %d passes", tries, passes)
		}
	})
}

// deaf is an Engine that stops to answer, and whose logs have a secret in them.
type deaf struct {
	*fakeSwarm
	is bool
}

func (d *deaf) Observe(ctx context.Context, s *spec.Stack) (*Observed, error) {
	if d.is {
		return nil, fmt.Errorf("the Engine does not answer")
	}
	return d.fakeSwarm.Observe(ctx, s)
}

func (*deaf) Remains(context.Context, swarm.Task, int) Remains {
	return Remains{Log: []string{"password hunter2hunter2 refused"}}
}

// A service whose tasks are young is in grace although this pass has written
// nothing, as after a pass that was killed; one that has run for long is not.
func TestGraceOfTheYoung(t *testing.T) {
	for _, c := range []struct {
		name     string
		age      time.Duration
		up       time.Duration // from then on the check passes
		want     CheckStatus
		min, max time.Duration
	}{
		{"a slow starter", 0, 20 * time.Second, CheckPassed, 20 * time.Second, 30 * time.Second},
		{"never up", 0, time.Hour, CheckFailed, 25 * time.Second, 40 * time.Second},
		{"has run for longer", time.Minute, time.Hour, CheckFailed, 0, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := applied(t)
				for id, tasks := range f.seen.Tasks {
					for i := range tasks {
						f.seen.Tasks[id][i].CreatedAt = time.Now()
					}
				}
				_ = pause(t.Context(), c.age)
				writes, began := len(f.writes), time.Now()
				r := &Reconciler{Engine: f, Prober: fakeProber(func(x spec.Check) CheckResult {
					if time.Since(began) >= c.up {
						return passing(x)
					}
					return failing(x)
				})}
				o := r.Pass(t.Context(), pair())
				if got := o.Checks[0].Status; got != c.want || len(f.writes) != writes {
					t.Errorf("%s, %d writes", got, len(f.writes)-writes)
				}
				if o.Took < c.min || o.Took > c.max {
					t.Errorf("took %s, want %s to %s", o.Took, c.min, c.max)
				}
			})
		})
	}
}

// A failed check comes with what swarmward did and what somebody did by hand;
// for one that passed, nobody is asked.
func TestFailedChecksAreDiagnosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		_ = pause(t.Context(), time.Hour)
		edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=trace"} })
		s := pair()
		r := &Reconciler{Engine: f, Prober: fakeProber(failing), Journal: &Journal{}}

		// Alone: the difference is still there.
		d := r.Verify(t.Context(), s, s.Settings.Checks)[0].Diagnosis
		if d == nil || len(d.Changes) != 1 || d.Changes[0].By != "hand" || !strings.Contains(d.Changes[0].What, "changed by hand: environment.LOG_LEVEL") {
			t.Fatalf("%+v", d)
		}
		if !cmp.Equal(d.Log, []string{"cannot open the door"}) || !strings.HasPrefix(d.LogOf, "app_back.") {
			t.Errorf("log of %q: %q", d.LogOf, d.Log)
		}
		// In a pass: it has been removed, and that is what happened last.
		d = r.Pass(t.Context(), s).Checks[0].Diagnosis
		if d == nil || len(d.Changes) != 1 || d.Changes[0].By != "swarmward" || !strings.Contains(d.Changes[0].What, "updated by swarmward, because: changed by hand: environment.LOG_LEVEL") {
			t.Fatalf("%+v", d)
		}
		// The next pass writes nothing, and remembers.
		if d = r.Pass(t.Context(), s).Checks[0].Diagnosis; len(d.Changes) != 1 || d.Changes[0].By != "swarmward" {
			t.Errorf("%+v", d)
		}

		r.Engine = &deaf{fakeSwarm: f}
		if d = r.Verify(t.Context(), s, s.Settings.Checks)[0].Diagnosis; !cmp.Equal(d.Log, []string{"password (sensitive) refused"}) {
			t.Errorf("log: %q", d.Log)
		}

		silent := &deaf{fakeSwarm: f, is: true}
		r = &Reconciler{Engine: silent, Prober: fakeProber(passing)}
		if res := r.Verify(t.Context(), s, s.Settings.Checks)[0]; res.Diagnosis != nil || res.Status != CheckPassed {
			t.Errorf("%+v", res)
		}
		// An Engine that does not answer costs the diagnosis, not the result.
		r.Prober = fakeProber(failing)
		if d = r.Verify(t.Context(), s, s.Settings.Checks)[0].Diagnosis; d == nil || d.Service != "" || len(d.Commands) == 0 {
			t.Errorf("%+v", d)
		}
	})
}

func TestHistory(t *testing.T) {
	h := history{}
	at := noon
	var states []string
	for _, status := range []CheckStatus{CheckPassed, CheckUnknown, CheckPassed, CheckFailed, CheckUnknown, CheckFailed, CheckPassed} {
		at = at.Add(10 * time.Minute)
		r := CheckResult{Name: "c", Status: status}
		h.note(&r, at)
		states = append(states, fmt.Sprintf("%s since %s, %d flaps", status, r.State.Since.Format("15:04"), r.State.Flaps))
	}
	r := CheckResult{Name: "c", Status: CheckPassed}
	h.note(&r, at.Add(2*time.Hour))
	states = append(states, fmt.Sprintf("%s since %s, %d flaps", r.Status, r.State.Since.Format("15:04"), r.State.Flaps))
	want := []string{
		"passed since 12:10, 0 flaps", "unknown since 12:20, 0 flaps", "passed since 12:30, 0 flaps", "failed since 12:40, 1 flaps",
		"unknown since 12:50, 1 flaps", "failed since 13:00, 1 flaps", "passed since 13:10, 2 flaps", "passed since 13:10, 0 flaps",
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.keep(nil)
	if len(h) != 0 {
		t.Error("a check that the spec no longer has is remembered")
	}
}
