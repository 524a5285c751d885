package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// Whoever holds believes the clock that says more has passed, and stops a fifth
// before the end; whoever waits believes the one that cannot be set.
func TestExpiry(t *testing.T) {
	wall := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	at := func(mono, w time.Duration) instant { return instant{mono * time.Second, wall.Add(w * time.Second)} }
	held := term{at(100, 0), 15 * time.Second}
	for _, c := range []struct {
		now  instant
		left time.Duration
	}{
		{at(100, 0), 12 * time.Second}, {at(111, 11), time.Second}, {at(112, 12), 0},
		{at(100, 3600), 12*time.Second - time.Hour}, // it slept
		{at(105, -3600), 7 * time.Second},           // it was set back
	} {
		if left := held.left(c.now); left != c.left {
			t.Errorf("at %+v: %s left, want %s", c.now, left, c.left)
		}
	}
	s := sighting{}.see("a", at(10, 0))
	if s.dead(15*time.Second, at(25, 3600)) || !s.dead(15*time.Second, at(26, -3600)) {
		t.Error("seen for 15 s it lives, for 16 s it is dead, whatever clock was set")
	}
	if s = s.see("a", at(20, 0)); !s.dead(15*time.Second, at(26, 0)) {
		t.Error("to look again is no renewal")
	}
	if s = s.see("b", at(20, 0)); s.dead(15*time.Second, at(26, 0)) {
		t.Error("a renewal was not seen")
	}
}

func leased(f *fakeSwarm, what string) *Reconciler {
	return &Reconciler{
		Engine: f, Prober: fakeProber(passing), Differ: Differ{Fingerprints: &Fingerprints{}},
		Lease: &Lease{Engine: f, Holder: what + " here", What: what, Wait: time.Minute},
	}
}

func (f *fakeSwarm) memory(t *testing.T) Memory {
	t.Helper()
	seen, _ := f.Observe(t.Context(), pair())
	m, err := MemoryOf(seen, "app")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// remember writes a memory as somebody else would, again if a pass was faster.
func (f *fakeSwarm) remember(t *testing.T, change func(*Memory)) {
	t.Helper()
	for {
		m := f.memory(t)
		change(&m)
		err := f.Do(t.Context(), m.Write("app"))
		if err == nil {
			break
		}
		if !errors.Is(err, ErrStale) {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = nil
}

const otherHolder = "the night shift"

func other(count int) *Writer {
	return &Writer{ID: "0ther", Holder: otherHolder, What: "apply", Count: count, TTL: claimTTL.Milliseconds()}
}

// A pass that writes costs two writes more, before and after all others; one
// that writes nothing costs none.
func TestClaimIsTakenAndReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := leased(f, "apply")
		if o := r.Pass(t.Context(), pair()); o.ExitCode() != ExitOK || o.Leader != nil {
			t.Fatalf("exit %d, %v", o.ExitCode(), o.Err)
		}
		n := len(f.writes)
		if want := []string{"create config swarmward.app.memory", "create config swarmward.app.1", "label config swarmward.app.memory"}; !slices.Equal(f.kept, want) || n != 5 {
			t.Errorf("%q, %q", f.kept, f.writes)
		}
		if m := f.memory(t); m.Writer != nil || m.ID == "" {
			t.Errorf("after the pass: %+v", m)
		}
		f.writes, f.kept = nil, nil
		if o := r.Pass(t.Context(), pair()); o.ExitCode() != ExitOK || len(f.writes)+len(f.kept) > 0 {
			t.Errorf("a pass without a difference: exit %d, %q, %q", o.ExitCode(), f.writes, f.kept)
		}
	})
}

// While somebody else renews, a pass waits, says for whom, and gives up; what it
// would have done is not done. Once nobody renews any more, it goes on, with a
// plan that was made again.
func TestPassWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		f.remember(t, func(m *Memory) { m.Writer = other(0) })
		edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=debug"} })
		ctx, die := context.WithCancel(t.Context())
		go func() {
			for n := 1; pause(ctx, 5*time.Second) == nil; n++ {
				f.remember(t, func(m *Memory) { m.Writer = other(n) })
			}
		}()
		r := leased(f, "apply")
		var said []string
		r.Report = func(e Event) {
			if e.State == "waiting" {
				said = append(said, e.Message)
			}
		}
		o := r.Pass(t.Context(), pair())
		if o.ExitCode() != ExitStopped || !errors.Is(o.Err, ErrLeased) || !strings.Contains(o.Err.Error(), otherHolder) || o.Took != time.Minute || len(o.Applied) > 0 {
			t.Errorf("exit %d after %s: %v, %v", o.ExitCode(), o.Took, o.Err, o.Applied)
		}
		if len(said) != 1 || !strings.Contains(said[0], otherHolder) {
			t.Errorf("said while it waited: %q", said)
		}

		// Now it dies, and what it leaves is more than there was to do.
		die()
		synctest.Wait()
		r.Replanned = func(was, is *Plan) error {
			if was.Digest() == is.Digest() {
				t.Error("the plan is the same")
			}
			return ErrReplanned
		}
		go func() {
			time.Sleep(5 * time.Second)
			f.mu.Lock()
			defer f.mu.Unlock()
			edit(f, "app_front", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=debug"} })
		}()
		o = r.Pass(t.Context(), pair())
		if o.ExitCode() != ExitStopped || !errors.Is(o.Err, ErrReplanned) || o.Took > claimTTL+2*time.Second || len(o.Applied) > 0 {
			t.Errorf("exit %d after %s: %v, %v", o.ExitCode(), o.Took, o.Err, o.Applied)
		}
		if m := f.memory(t); m.Writer != nil {
			t.Errorf("the claim was not released: %+v", m.Writer)
		}
		r.Replanned = nil
		if o = r.Pass(t.Context(), pair()); o.ExitCode() != ExitOK || len(o.Applied) != 2 {
			t.Errorf("exit %d: %v, %v", o.ExitCode(), o.Err, o.Applied)
		}
	})
}

// A pass whose claim somebody else has taken writes nothing more, says so and
// leaves the other's claim alone.
func TestClaimIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.start = time.Minute // app_back takes long, and app_front waits for it
		r := leased(f, "apply")
		go func() {
			time.Sleep(20 * time.Second)
			f.remember(t, func(m *Memory) { m.Writer = other(0) })
		}()
		o := r.Pass(t.Context(), pair())
		if o.ExitCode() != ExitStopped || !errors.Is(o.Err, ErrLeased) || !strings.Contains(o.Err.Error(), otherHolder) || o.Took > 30*time.Second {
			t.Errorf("exit %d after %s: %v", o.ExitCode(), o.Took, o.Err)
		}
		if n := strings.Count(o.Err.Error(), otherHolder); n != 1 {
			t.Errorf("said %d times: %v", n, o.Err)
		}
		if m := f.memory(t); len(f.writes) > 0 || m.Writer == nil || m.Writer.Holder != otherHolder {
			t.Errorf("%q, %+v", f.writes, m.Writer)
		}
	})
}

// Somebody who suspends the stack meanwhile does not take the claim from a pass,
// and the pass does not forget what was said.
func TestClaimSharesTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.start = 12 * time.Second
		go func() {
			time.Sleep(7 * time.Second)
			f.remember(t, func(m *Memory) { m.Suspended = &Suspension{By: "ana"} })
		}()
		if o := leased(f, "apply").Pass(t.Context(), pair()); o.ExitCode() != ExitOK {
			t.Errorf("exit %d: %v", o.ExitCode(), o.Err)
		}
		if m := f.memory(t); m.Writer != nil || m.Suspended == nil {
			t.Errorf("%+v", m)
		}
	})
}

// A write that is under way when the lease is over is broken off, and none is
// begun before a renewal. Before something is removed the claim is looked at.
func TestWriteIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l := &Lease{Engine: f, What: "apply"}
		own := &turn{lease: l, stack: "app", say: func(string, string) {}}
		own.ctx, own.cancel = context.WithCancelCause(t.Context())
		defer own.end()
		began := time.Now()
		err := own.write(t.Context(), CreateVolume{}, func(ctx context.Context) error {
			f.mu.Lock()
			f.fail = func(Write) error { return ErrBrokenOff } // no renewal arrives
			f.mu.Unlock()
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, ErrBrokenOff) || time.Since(began) != claimTTL-claimTTL/5 {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		called := func(context.Context) error { t.Error("it was made without a lease"); return nil }
		if err := own.write(t.Context(), CreateVolume{}, called); !errors.Is(err, ErrBrokenOff) {
			t.Error(err)
		}
		f.mu.Lock()
		f.fail = nil
		f.mu.Unlock()
		made := false
		if err := own.write(t.Context(), CreateVolume{}, func(context.Context) error { made = true; return nil }); err != nil || !made {
			t.Errorf("with a renewal it goes on: %v", err)
		}
		f.remember(t, func(m *Memory) { m.Writer = other(0) })
		if err := own.write(t.Context(), Remove{Kind: KindService}, called); !errors.Is(err, ErrLeased) {
			t.Error(err)
		}
	})
}

// What is destroyed needs no memory, unless there is something to remember that
// is not to be forgotten.
func TestDestroyForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ held, forget bool }{{}, {held: true}, {held: true, forget: true}} {
			f := newFake()
			r := leased(f, "destroy")
			if o := r.Pass(t.Context(), pair()); o.ExitCode() != ExitOK {
				t.Fatal(o.Err)
			}
			f.remember(t, func(m *Memory) {
				m.Leader = "one that is gone"
				if c.held {
					m.Held = &Hold{Why: "it did not work"}
				}
			})
			seen, _ := f.Observe(t.Context(), pair())
			plan := Destroy("app", seen)
			if c.forget {
				plan.Forget(seen)
			}
			o := r.Destroy(t.Context(), "app", plan, seen)
			if o.ExitCode() != ExitOK || len(o.Applied) != len(plan.Changes) {
				t.Errorf("exit %d: %v, %v", o.ExitCode(), o.Err, o.Applied)
			}
			if m := f.memory(t); (m.Held != nil) != (c.held && !c.forget) || (m.ID == "") != (m.Held == nil) || m.Writer != nil {
				t.Errorf("%+v, left: %+v", c, m)
			}
		}
	})
}

// Of two controllers one acts, and the other stands by: it plans, writes and
// checks nothing, and says who leads. When the first one ends, the other one
// leads at once.
func TestStandingBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		controller := func(name string) (r *Reconciler, end func()) {
			r = leased(f, name)
			s := &Session{Engine: f, Holder: name}
			r.Lease.Session = s
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { s.Run(ctx); close(ended) }()
			return r, func() { cancel(); <-ended }
		}
		a, endA := controller("a")
		b, endB := controller("b")
		if o := a.Pass(t.Context(), pair()); o.ExitCode() != ExitOK || o.Leader == nil || !o.Leader.Here {
			t.Fatalf("a: exit %d: %v, %+v", o.ExitCode(), o.Err, o.Leader)
		}
		f.writes = nil
		edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=debug"} })
		b.Prober = fakeProber(func(c spec.Check) CheckResult { t.Error("b checks"); return passing(c) })
		if o := b.Pass(t.Context(), pair()); o.ExitCode() != ExitOK || o.Leader == nil || *o.Leader != (Leader{Holder: "a"}) || !o.Plan.Writes() || len(o.Applied) > 0 {
			t.Errorf("b: exit %d: %v, %+v", o.ExitCode(), o.Err, o.Leader)
		}
		if slices.Contains(f.writes, "update service app_back") {
			t.Errorf("b has written: %q", f.writes)
		}
		// What people say of the stack is its leader's to log.
		f.remember(t, func(m *Memory) { m.Suspended = &Suspension{By: "ana"} })
		var log strings.Builder
		ctx, cancel := context.WithCancel(t.Context())
		standby := &Loop{
			Reconciler: b, Log: slog.New(slog.NewTextHandler(&log, nil)), Load: func(context.Context) (*spec.Stack, error) { return pair(), nil },
			Done: func(*spec.Stack, *Outcome) { cancel() },
		}
		standby.Run(ctx, nil)
		if said := log.String(); !strings.Contains(said, "standing by") || strings.Contains(said, "suspended") {
			t.Errorf("b logs: %s", said)
		}
		f.remember(t, func(m *Memory) { m.Suspended = nil })
		// The leader does not know yet that another one is there, because it was not
		// heard of: it learns so before it writes, and stands by.
		a.Prober = fakeProber(func(c spec.Check) CheckResult { t.Error("a checks"); return passing(c) })
		led := f.memory(t).Leader
		f.fail = func(w Write) error {
			if l, ok := w.(LabelConfig); ok && l.Spec.Name == memoryName("app") {
				f.fail = nil
				m := f.seen.Configs[l.Spec.Name]
				m.Version.Index++
				m.Spec.Labels = withLabels(m.Spec.Labels, map[string]string{LabelLeader: b.Lease.Session.life.id})
				f.seen.Configs[l.Spec.Name] = m
				return fmt.Errorf("update: %w", ErrStale)
			}
			return nil
		}
		if o := a.Pass(t.Context(), pair()); o.Leader == nil || *o.Leader != (Leader{Holder: "b"}) || len(o.Applied) > 0 || len(o.Verdicts) != 2 {
			t.Errorf("a, followed: exit %d: %v, %+v, %v", o.ExitCode(), o.Err, o.Leader, o.Applied)
		}
		f.remember(t, func(m *Memory) { m.Leader = led })
		endA()
		b.Prober = fakeProber(passing)
		if o := b.Pass(t.Context(), pair()); o.ExitCode() != ExitOK || !o.Leader.Here || len(o.Applied) != 1 {
			t.Errorf("b after a: exit %d: %v, %+v", o.ExitCode(), o.Err, o.Leader)
		}
		// Somebody else is killed in a pass: what he leaves goes when it is over.
		f.remember(t, func(m *Memory) { m.Writer = other(0) })
		for _, left := range []bool{true, false} {
			if o := b.Pass(t.Context(), pair()); o.ExitCode() != ExitOK || len(o.Applied) > 0 || (f.memory(t).Writer != nil) != left {
				t.Errorf("b after a kill: exit %d: %v, the claim is left: %v", o.ExitCode(), o.Err, !left)
			}
			time.Sleep(claimTTL + time.Second)
		}
		endB()
		for name := range f.seen.Configs {
			if strings.HasPrefix(name, sessionPrefix) {
				t.Errorf("left: %s", name)
			}
		}
	})
}
