package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// A suspended stack is looked at: what differs is found, and the checks run.
func TestSuspended(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1"))
		suspend := func(m *Memory) bool { m.Suspended = &Suspension{By: "ana"}; return true }
		if _, err := x.r.Remember(t.Context(), "app", suspend); err != nil {
			t.Fatal(err)
		}
		x.wrote()
		o := x.pass(ExitStopped, x.spec("2"))
		if len(x.wrote()) > 0 || o.Suspended == nil || !o.Plan.Writes() || len(o.Checks) != 1 || o.Checks[0].Status != CheckPassed || o.Verdicts["back"].State != Converged {
			t.Errorf("%+v", o)
		}
	})
}

// Somebody suspends the stack while a pass is about to note its attempt: it
// does not begin.
func TestSuspendedMeanwhile(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1"))
		once := true
		x.f.fail = func(w Write) error {
			if made, ok := w.(CreateConfig); ok && once {
				once = false
				sp := Memory{Suspended: &Suspension{By: "ana"}}.Write("app").(CreateConfig).Spec
				x.f.seen.Configs[made.Spec.Name] = swarm.Config{ID: "id-" + made.Spec.Name, Spec: sp}
				return fmt.Errorf("create: %w", ErrStale)
			}
			return nil
		}
		o := x.pass(ExitStopped, x.spec("2"))
		if o.Suspended == nil || x.image("back") != "back:1" {
			t.Errorf("%+v", o)
		}
	})
}

// Somebody suspends the stack while a pass is about to find that its revision does
// not work: it is not gone back from, until the suspension has ended.
func TestSuspendedBeforeGoingBack(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1"))
		x.works = func(image string) CheckStatus {
			if !strings.Contains(image, "bad") {
				return CheckPassed
			}
			x.f.remember(t, func(m *Memory) { m.Suspended = &Suspension{By: "ana"} })
			return CheckFailed
		}
		o := x.pass(ExitCheckFailed, x.spec("bad"))
		if o.Back != nil || o.Suspended == nil || !strings.Contains(o.Answer.Not, "suspended by ana") || x.image("back") != "back:bad" {
			t.Errorf("%+v\n%+v", o.Answer, o.Back)
		}
		x.works = func(image string) CheckStatus {
			return map[bool]CheckStatus{true: CheckFailed, false: CheckPassed}[strings.Contains(image, "bad")]
		}
		x.pass(ExitCheckFailed, x.spec("bad")) // it looks
		x.f.remember(t, func(m *Memory) { m.Suspended = nil })
		if o = x.pass(ExitCheckFailed, x.spec("bad")); o.Back == nil || x.image("back") != "back:1" {
			t.Errorf("resumed: %+v\n%+v", o.Answer, o.Back)
		}
	})
}

// While a rollback or a pass that holds waits for somebody else's, a person may
// say something else: that is heeded, and what is not begun holds nothing.
func TestSaidWhileWaiting(t *testing.T) {
	waiting := func(t *testing.T, x *trials, said func(*Memory), act func() *Outcome) *Outcome {
		x.r.Lease = &Lease{Engine: x.f, Holder: "here", What: "rollback", Wait: time.Minute}
		x.f.remember(t, func(m *Memory) { m.Writer = other(0) })
		var word sync.WaitGroup
		word.Go(func() {
			time.Sleep(10 * time.Second)
			x.f.remember(t, func(m *Memory) { m.Writer = nil; said(m) })
		})
		defer word.Wait()
		return act()
	}
	suspended := func(m *Memory) { m.Suspended = &Suspension{By: "ana"} }
	back := func(t *testing.T, x *trials) func() *Outcome {
		x.pass(ExitOK, x.spec("1"))
		x.pass(ExitOK, x.spec("2"))
		to, err := x.r.Return(t.Context(), "app", x.spec("2"), 1)
		if err != nil {
			t.Fatal(err)
		}
		return func() *Outcome { return x.r.GoBack(t.Context(), to, Hold{Why: "by hand"}) }
	}
	trial(t, func(t *testing.T, x *trials) {
		o := waiting(t, x, suspended, back(t, x))
		if o.ExitCode() != ExitStopped || o.Suspended == nil || len(o.Applied) > 0 || x.image("back") != "back:2" || x.memory().Held != nil {
			t.Errorf("a rollback, suspended meanwhile: exit %d, %v, %+v", o.ExitCode(), o.Err, x.memory())
		}
	})
	trial(t, func(t *testing.T, x *trials) {
		act := back(t, x)
		o := waiting(t, x, func(*Memory) {}, func() *Outcome { x.r.Lease.Wait = 5 * time.Second; return act() })
		if o.ExitCode() != ExitStopped || !errors.Is(o.Err, ErrLeased) || x.memory().Held != nil {
			t.Errorf("a rollback that waited in vain: exit %d, %v, %+v", o.ExitCode(), o.Err, x.memory())
		}
	})
	trial(t, func(t *testing.T, x *trials) {
		act := back(t, x)
		o := waiting(t, x, func(*Memory) {}, act)
		if o.ExitCode() != ExitOK || o.Record != 1 || x.image("back") != "back:1" || x.memory().Held == nil {
			t.Errorf("a rollback that waited: exit %d, %v, %+v", o.ExitCode(), o.Err, x.memory())
		}
	})
	for _, c := range []struct {
		what  string
		said  func(*Memory)
		image string
		exit  int
	}{
		{"suspended", suspended, "back:1", ExitStopped},
		{"no longer held", func(m *Memory) { m.Held = nil }, "back:2", ExitOK},
		{"nothing", func(*Memory) {}, "back:1", ExitStopped},
	} {
		trial(t, func(t *testing.T, x *trials) {
			back(t, x)()
			x.drift("back")
			o := waiting(t, x, c.said, func() *Outcome { return x.r.Pass(t.Context(), x.spec("2")) })
			env := x.f.seen.Services["app_back"].Spec.TaskTemplate.ContainerSpec.Env
			if byHand := slices.Contains(env, "LOG_LEVEL=by-hand"); o.ExitCode() != c.exit || x.image("back") != c.image || byHand != (c.what == "suspended") {
				t.Errorf("a pass that holds, %s meanwhile: exit %d, %v, runs %s with %q", c.what, o.ExitCode(), o.Err, x.image("back"), env)
			}
		})
	}
}

// A suspended controller looks, tells what differs, and looks again when it is
// nudged, not sooner.
func TestLoopSuspended(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1"))
		if _, err := x.r.Remember(t.Context(), "app", func(m *Memory) bool { m.Suspended = &Suspension{By: "ana"}; return true }); err != nil {
			t.Fatal(err)
		}
		x.works = func(string) CheckStatus { return CheckFailed }
		x.wrote()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		passes := 0
		var log strings.Builder
		l := &Loop{
			Reconciler: x.r, Load: func(context.Context) (*spec.Stack, error) { return x.spec("2"), nil }, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Done: func(_ *spec.Stack, o *Outcome) {
				if passes++; o.Status.Condition(ConditionSuspended).Status != ConditionTrue || o.Status.Condition(ConditionSynced).Status != ConditionFalse {
					t.Errorf("%+v", o.Status.Conditions)
				}
			},
		}
		l.Run(ctx, nil)
		if passes != 1 || len(x.wrote()) > 0 {
			t.Errorf("%d passes, wrote %q", passes, x.wrote())
		}
		if said := log.String(); strings.Count(said, "msg=drift") != 2 || !strings.Contains(said, "created=0 updated=0 removed=0") {
			t.Errorf("what is told is not what was found and written:\n%s", said)
		}

		// Suspended in the middle of a pass, what it has written is no drift.
		x.f.remember(t, func(m *Memory) { m.Suspended = nil })
		log.Reset()
		l.Reconciler.Prober = fakeProber(func(c spec.Check) CheckResult {
			x.f.remember(t, func(m *Memory) { m.Suspended = &Suspension{By: "ana"} })
			return failing(c)
		})
		ctx, cancel = context.WithCancel(t.Context())
		l.Done = func(*spec.Stack, *Outcome) { cancel() }
		l.Run(ctx, nil)
		if said := log.String(); strings.Contains(said, "msg=drift") || !strings.Contains(said, "created=0 updated=2 removed=0") {
			t.Errorf("suspended in the middle of a pass:\n%s", said)
		}
	})
}
