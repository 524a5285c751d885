package reconcile

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// Outside of its windows a stack is looked at and checked, and not written; as
// soon as one opens it is, without a nudge.
func TestWindowsOfALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t) // at midnight UTC
		edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=trace"} })
		writes, began := len(f.writes), time.Now()
		var log strings.Builder
		type seen struct {
			after time.Duration
			exit  int
		}
		var passes []seen
		checks := 0
		l := &Loop{
			Reconciler: &Reconciler{Engine: f, Differ: Differ{Fingerprints: &Fingerprints{}}, Prober: fakeProber(func(c spec.Check) CheckResult { checks++; return passing(c) })},
			Load: func(context.Context) (*spec.Stack, error) {
				s := pair()
				s.Settings.Windows = spec.Windows{{Schedule: "0 2 * * *", Duration: time.Hour, Timezone: "UTC"}}
				return s, nil
			},
			Log: slog.New(slog.NewTextHandler(&log, nil)),
			Done: func(_ *spec.Stack, o *Outcome) {
				passes = append(passes, seen{time.Since(began).Round(time.Minute), o.ExitCode()})
				if o.Shut != nil && (len(f.writes) != writes || checks == 0 || !o.Shut.Opens.Equal(time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC))) {
					t.Errorf("%d writes, %d checks, opens at %s", len(f.writes)-writes, checks, o.Shut.Opens)
				}
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Hour)
		defer cancel()
		l.Run(ctx, nil)
		if len(passes) != 2 || passes[0] != (seen{0, ExitStopped}) || passes[1] != (seen{2 * time.Hour, ExitOK}) {
			t.Errorf("passes: %v", passes)
		}
		if len(f.writes) == writes {
			t.Error("nothing was written when the window opened")
		}
		for _, want := range []string{"msg=drift", "outside of the stack's windows", "opens=2000-01-01T02:00:00", "exit=5 created=0 updated=0", "exit=0 created=0 updated=1"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, log.String())
			}
		}
	})
}

// A stack that is not there before its first window is drift, and no service of
// it has failed.
func TestBeforeTheFirstWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		ctx, cancel := context.WithCancel(t.Context())
		l := &Loop{
			Reconciler: &Reconciler{Engine: newFake(), Differ: Differ{Fingerprints: &Fingerprints{}}, Prober: fakeProber(passing)},
			Load: func(context.Context) (*spec.Stack, error) {
				s := pair()
				s.Settings.Windows = spec.Windows{{Schedule: "0 2 * * *", Duration: time.Hour, Timezone: "UTC"}}
				return s, nil
			},
			Log:  slog.New(slog.NewTextHandler(&log, nil)),
			Done: func(*spec.Stack, *Outcome) { cancel() },
		}
		l.Run(ctx, nil)
		if said := log.String(); !strings.Contains(said, "msg=drift") || strings.Contains(said, "not converged") {
			t.Errorf("the log: %s", said)
		}
	})
}

func TestShutText(t *testing.T) {
	s := pair()
	s.Settings.Windows = spec.Windows{{Schedule: "0 2 * * *", Duration: 3 * time.Hour, Timezone: "Europe/Berlin"}}
	got := ShutAt(s, time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)).Refusal("app").Error()
	if want := "stack app is outside of its windows, and nothing was written: its next window opens at Thu 2026-06-11 02:00 CEST; wait until then, or write all the same with --outside-window"; got != want {
		t.Error(got)
	}
	if ShutAt(s, time.Date(2026, 6, 10, 1, 0, 0, 0, time.UTC)) != nil || ShutAt(pair(), time.Now()) != nil {
		t.Error("an open window is told to be shut")
	}
}
