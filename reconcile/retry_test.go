package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// flaky is a Swarm whose answers may get lost: after says what the caller hears
// of a write that was made.
type flaky struct {
	*fakeSwarm
	after   func(w Write) error
	observe func() error
	writes  map[string]int // tries
}

func (f *flaky) Do(ctx context.Context, w Write) error {
	f.mu.Lock()
	f.writes[fmt.Sprintf("%T", w)]++
	f.mu.Unlock()
	if err := f.fakeSwarm.Do(ctx, w); err != nil || f.after == nil {
		return err
	}
	return f.after(w)
}

func (f *flaky) Observe(ctx context.Context, s *spec.Stack) (*Observed, error) {
	if f.observe != nil {
		if err := f.observe(); err != nil {
			return nil, err
		}
	}
	return f.fakeSwarm.Observe(ctx, s)
}

func newFlaky(f *fakeSwarm) *flaky { return &flaky{fakeSwarm: f, writes: map[string]int{}} }

// A write whose answer was lost is looked for, and not made twice.
func TestLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlaky(newFake())
		f.after = func(Write) error { return fmt.Errorf("create: %w", ErrBrokenOff) }
		o := (&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(t.Context(), pair())
		if o.ExitCode() != ExitOK || len(o.Applied) != 5 {
			t.Errorf("exit %d, %d applied: %v", o.ExitCode(), len(o.Applied), o.Err)
		}
		if len(f.fakeSwarm.writes) != 5 {
			t.Errorf("wrote %v", f.fakeSwarm.writes)
		}
	})
}

func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		times int // how often a service cannot be created
		exit  int
		tries int // 0: any number
		took  time.Duration
	}{
		{"the Engine failed, and recovers", ErrInternal, 3, ExitOK, 0, 10 * time.Second},
		{"the Engine restarts", ErrUnreachable, 8, ExitOK, 0, 20 * time.Second},
		{"what does not pass is not tried again", errors.New("invalid"), 1000, ExitError, 1, time.Second},
		{"the Engine fails for good", ErrInternal, 1000, ExitError, internalTries, 10 * time.Second},
		{"the Engine stays away", ErrBrokenOff, 1000, ExitError, 0, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, failed := newFlaky(newFake()), 0
				f.fail = func(w Write) error {
					if s, ok := w.(CreateService); ok && s.Spec.Name == "app_back" {
						if failed++; failed <= c.times {
							return fmt.Errorf("create: %w", c.err)
						}
					}
					return nil
				}
				said := 0
				r := &Reconciler{Engine: f, Prober: fakeProber(passing), Report: func(e Event) {
					if e.State == "waiting" && strings.Contains(e.Message, c.err.Error()) && e.Subject == "service back" {
						said++
					}
				}}
				began := time.Now()
				o := r.Pass(t.Context(), pair())
				if o.ExitCode() != c.exit {
					t.Errorf("exit %d: %v", o.ExitCode(), o.Err)
				}
				if c.exit == ExitError && !strings.Contains(o.Err.Error(), "service back: create: ") {
					t.Errorf("does not say what failed: %v", o.Err)
				}
				if c.tries > 0 && failed != c.tries || said != min(failed, c.times)-c.exit {
					t.Errorf("tried %d times, told of %d", failed, said)
				}
				if took := time.Since(began); took > c.took {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

// Somebody is faster, and makes the next revision with other content.
func TestRevisionTakenMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFlaky(applied(t)), pair()
		s.Configs[0].Spec.Data = []byte("three\n")
		f.fail = func(w Write) error {
			c, ok := w.(CreateConfig)
			if !ok || c.Spec.Name != "app_conf.r2" {
				return nil
			}
			if _, there := f.seen.Configs["app_conf.r2"]; !there {
				other := swarm.Config{ID: "other"}
				other.Spec.Name, other.Spec.Data = "app_conf.r2", []byte("four\n")
				f.seen.Configs["app_conf.r2"] = other
			}
			return fmt.Errorf("create: %w", ErrStale)
		}
		o := (&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(t.Context(), s)
		if o.ExitCode() != ExitStopped || len(f.fakeSwarm.writes) != 0 {
			t.Errorf("exit %d, wrote %v: %v", o.ExitCode(), f.fakeSwarm.writes, o.Applied)
		}
	})
}

// Removals bear as much as other writes.
func TestRemovalsAreRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlaky(applied(t))
		lost := map[string]bool{}
		f.after = func(w Write) error {
			if name := w.(Remove).Name; !lost[name] {
				lost[name] = true
				return fmt.Errorf("remove: %w", ErrBrokenOff)
			}
			return nil
		}
		seen, _ := f.Observe(t.Context(), pair())
		o := (&Reconciler{Engine: f}).Destroy(t.Context(), "app", Destroy("app", seen), seen)
		if o.ExitCode() != ExitOK || len(o.Applied) != 5 || len(lost) != 5 {
			t.Errorf("exit %d, %d applied, %d lost: %v", o.ExitCode(), len(o.Applied), len(lost), o.Err)
		}
	})
}

// A first look is tried again, but nobody waits for an Engine that is not there.
func TestFirstLook(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		times int
		tries int
		fails bool
	}{
		{"an answer that was cut", ErrBrokenOff, 2, 3, false},
		{"nothing there", ErrUnreachable, 1, 1, true},
		{"no manager", errors.New("a worker"), 1, 1, true},
		{"failing for good", ErrInternal, 100, internalTries, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, tries := newFlaky(newFake()), 0
				f.observe = func() error {
					if tries++; tries <= c.times {
						return c.err
					}
					return nil
				}
				_, _, err := (&Reconciler{Engine: f}).Plan(t.Context(), pair())
				if (err != nil) != c.fails || tries != c.tries {
					t.Errorf("%d tries: %v", tries, err)
				}
			})
		})
	}
}

// An Engine that cannot say where the target is says nothing about the target.
func TestCheckAsksTheEngineAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		prober := fakeProber(func(c spec.Check) CheckResult {
			if tries++; tries < 3 {
				return CheckResult{Name: c.Name, Status: CheckUnknown, Reason: ReasonEngineError}
			}
			return passing(c)
		})
		o := (&Reconciler{Engine: applied(t), Prober: prober}).Pass(t.Context(), pair())
		if o.ExitCode() != ExitOK || tries != 3 {
			t.Errorf("exit %d after %d tries: %+v", o.ExitCode(), tries, o.Checks)
		}
	})
}

// Whoever ends a pass is told so, and what was not seen to converge, and not that
// it failed.
func TestInterruptedAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlaky(newFake())
		f.start = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		o := (&Reconciler{Engine: progressing{f}, Prober: fakeProber(passing)}).Pass(ctx, pair())
		if v := o.Verdicts["back"]; o.ExitCode() != ExitError || v.State != Progressing || v.Reason != "interrupted" || !errors.Is(o.Err, context.DeadlineExceeded) {
			t.Errorf("exit %d: %v, %+v", o.ExitCode(), o.Err, v)
		}
	})
}

// progressing answers a look only when its time is over.
type progressing struct{ *flaky }

func (p progressing) Progress(ctx context.Context, _ *spec.Stack) (*Observed, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
