package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// Laws: after an apply the plan is empty, and a second apply writes nothing.
func TestApplyThenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		r := &Reconciler{Engine: f, Prober: fakeProber(passing)}
		for range 10 {
			if o := r.Pass(t.Context(), pair()); o.ExitCode() != ExitOK || !o.Plan.Empty() {
				t.Fatalf("exit %d, plan:\n%s", o.ExitCode(), o.Plan)
			}
		}
		if len(f.writes)+len(f.kept) > 0 {
			t.Errorf("wrote although nothing differs: %v %v", f.writes, f.kept)
		}
	})
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.start = 5 * time.Second
		var checked, created time.Time
		prober := fakeProber(func(c spec.Check) CheckResult { checked = time.Now(); return passing(c) })
		f.fail = func(w Write) error {
			if c, ok := w.(CreateService); ok && c.Spec.Name == "app_front" {
				created = time.Now()
			}
			return nil
		}
		o := (&Reconciler{Engine: f, Prober: prober}).Pass(t.Context(), pair())
		if o.ExitCode() != ExitOK {
			t.Fatalf("exit %d: %v %v", o.ExitCode(), o.Err, o.Verdicts)
		}
		if checked.IsZero() || created.Before(checked) {
			t.Errorf("front was created at %v, before back's check passed at %v", created, checked)
		}
		at := func(w string) int { return slices.Index(f.writes, w) }
		for _, before := range []string{"create network app_net", "create secret app_password", "create config app_conf"} {
			if i := at(before); i < 0 || i > at("create service app_back") {
				t.Errorf("%q is not before the service that needs it: %v", before, f.writes)
			}
		}
	})
}

// A change that fails releases none of its dependents; the others go on.
func TestFailureReleasesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.fail = func(w Write) error {
			if c, ok := w.(CreateService); ok && c.Spec.Name == "app_back" {
				return errors.New("no space left")
			}
			return nil
		}
		o := (&Reconciler{Engine: f, Prober: fakeProber(failing)}).Pass(t.Context(), pair())
		if o.ExitCode() != ExitError || !strings.Contains(o.Err.Error(), "service back: no space left") {
			t.Errorf("exit %d: %v", o.ExitCode(), o.Err)
		}
		if slices.Contains(f.writes, "create service app_front") {
			t.Error("front was created although back failed")
		}
		if v := o.Verdicts["front"]; v.Reason != "not_started" {
			t.Errorf("front: %+v", v)
		}
	})
}

// front waits for a back that is healthy, not only running.
func TestFailingCheckReleasesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		o := (&Reconciler{Engine: f, Prober: fakeProber(failing)}).Pass(t.Context(), pair())
		if slices.Contains(f.writes, "create service app_front") {
			t.Error("front was created although the check of back fails")
		}
		if o.ExitCode() != ExitNotConverged {
			t.Errorf("exit %d", o.ExitCode())
		}
		if took := o.Took; took < 30*time.Second || took > time.Minute {
			t.Errorf("took %s; the grace is 30s", took)
		}
	})
}

func TestCrashLoopIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.crash["app_back"] = true
		f.start = time.Second
		o := (&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(t.Context(), pair())
		v := o.Verdicts["back"]
		if o.ExitCode() != ExitNotConverged || v.State != Failed || !strings.Contains(v.Message, "non-zero exit (1)") || !strings.Contains(v.Message, "cannot open the door") {
			t.Errorf("exit %d, %+v", o.ExitCode(), v)
		}
	})
}

// A write that meets a moved version looks again and writes what still
// differs.
func TestStaleIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		tries := 0
		f.fail = func(w Write) error {
			if _, ok := w.(UpdateService); ok {
				if tries++; tries < 3 {
					return fmt.Errorf("update: %w", ErrStale)
				}
			}
			return nil
		}
		s := pair()
		s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:2"
		o := (&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(t.Context(), s)
		if o.ExitCode() != ExitOK || f.seen.Services["app_back"].Spec.TaskTemplate.ContainerSpec.Image != "back:2" {
			t.Errorf("exit %d after %d tries: %v", o.ExitCode(), tries, o.Err)
		}
	})
}

// A new secret is a new revision; the old one, which no record needs here, goes
// only when the checks passed.
func TestRotation(t *testing.T) {
	for _, c := range []struct {
		name   string
		prober fakeProber
		kept   bool
	}{
		{"checks pass", passing, false},
		{"a check fails", failing, true},
		{"a check cannot be tried", func(c spec.Check) CheckResult {
			return CheckResult{Name: c.Name, Status: CheckUnknown, Reason: ReasonNoPath}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := applied(t), pair()
				delete(f.seen.Configs, "swarmward.app.1")
				s.Secrets[0].Data = spec.Sensitive("a new password")
				(&Reconciler{Engine: f, Prober: c.prober}).Pass(t.Context(), s)
				_, kept := f.seen.Secrets["app_password"]
				if _, made := f.seen.Secrets["app_password.r2"]; !made || kept != c.kept {
					t.Errorf("secrets: %v", sortedKeys(f.seen.Secrets))
				}
				f.writes = nil
				(&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(t.Context(), s)
				seen, _ := f.Observe(t.Context(), s)
				if p := (Differ{}).Diff(s, seen); !p.Empty() || len(f.seen.Secrets) != 1 {
					t.Errorf("does not settle: %v\n%s", sortedKeys(f.seen.Secrets), p)
				}
			})
		})
	}
}

// An adopted secret is not known to be the spec's until a check has used it; one
// that a check is refused with is replaced when somebody says so.
func TestAdoptedSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(), pair()
		old := swarm.Secret{ID: "old"}
		old.Spec.Name, old.Spec.Labels = "app_password", map[string]string{spec.LabelNamespace: "app"}
		f.seen.Secrets["app_password"] = old
		mark := func() string { return f.seen.Secrets["app_password"].Spec.Labels[LabelUnverified] }
		pass := func(d Differ, p fakeProber) *Outcome {
			f.writes = nil
			return (&Reconciler{Engine: f, Prober: p, Differ: d}).Pass(t.Context(), s)
		}
		if o := pass(Differ{}, passing); o.ExitCode() != ExitOK || len(f.seen.Secrets) != 1 || mark() != "true" {
			t.Errorf("a check that does not use it: exit %d, %+v", o.ExitCode(), f.seen.Secrets)
		}
		s.Settings.Checks[0].TCP = nil
		s.Settings.Checks[0].Redis = &spec.RedisCheck{Target: spec.Target{Service: "back", Port: 6379}, Password: spec.Credential{Secret: "password"}}
		refused := func(c spec.Check) CheckResult {
			return CheckResult{Name: c.Name, Status: CheckFailed, Reason: "auth_failed", Remedy: "Look."}
		}
		if o := pass(Differ{}, refused); !strings.Contains(o.Checks[0].Remedy, "`swarmward apply --rotate password`") || mark() != "true" || len(f.writes) > 0 {
			t.Errorf("refused: %+v, wrote %v", o.Checks, f.writes)
		}
		s.Settings.Checks[0].Redis.PasswordOptional = true
		if pass(Differ{}, passing); mark() != "true" || len(f.writes) > 0 {
			t.Errorf("a server that may take anybody proves nothing, and wrote %v", f.writes)
		}
		s.Settings.Checks[0].Redis.PasswordOptional = false
		kept := f.seen.Secrets["app_password"]
		if o := pass(Differ{}, passing); o.ExitCode() != ExitOK || mark() != "" || !slices.Equal(f.writes, []string{"label secret app_password"}) {
			t.Errorf("proved: exit %d, %v, wrote %v", o.ExitCode(), o.Err, f.writes)
		}
		if pass(Differ{}, passing); len(f.writes) > 0 {
			t.Errorf("proved already, and wrote %v", f.writes)
		}
		if pass(Differ{Rotate: map[string]bool{"password": true}}, passing); len(f.writes) > 0 {
			t.Errorf("what is proved was rotated: %v", f.writes)
		}
		f.seen.Secrets["app_password"] = kept
		o := pass(Differ{Rotate: map[string]bool{"password": true}}, passing)
		if ref := f.seen.Services["app_back"].Spec.TaskTemplate.ContainerSpec.Secrets[0]; o.ExitCode() != ExitOK || ref.SecretName != "app_password.r2" {
			t.Errorf("rotated: exit %d, %v, %s", o.ExitCode(), f.writes, ref.SecretName)
		}
		if pass(Differ{}, passing); len(f.writes) > 0 {
			t.Errorf("does not settle: %v", f.writes)
		}
	})
}

func TestExitCodes(t *testing.T) {
	blocked := &Plan{Changes: []Change{{Action: ActionBlocked}}}
	bad := map[string]Verdict{"a": {State: Failed}}
	fail, unknown := []CheckResult{{Status: CheckFailed}}, []CheckResult{{Status: CheckUnknown}}
	for _, c := range []struct {
		name string
		o    Outcome
		want int
	}{
		{"all well", Outcome{Plan: &Plan{}}, ExitOK},
		{"an error before all", Outcome{Err: errors.New("x"), Verdicts: bad, Checks: fail}, ExitError},
		{"not converged before a check", Outcome{Plan: blocked, Verdicts: bad, Checks: fail}, ExitNotConverged},
		{"a check before what is blocked", Outcome{Plan: blocked, Checks: fail}, ExitCheckFailed},
		{"blocked before unknown", Outcome{Plan: blocked, Checks: unknown}, ExitStopped},
		{"unknown", Outcome{Plan: &Plan{}, Checks: unknown}, ExitUnknown},
	} {
		if got := c.o.ExitCode(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Ctrl-C stops what waits at once and starts nothing new.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.start = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		began := time.Now()
		o := (&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(ctx, pair())
		if o.ExitCode() != ExitError || time.Since(began) > 11*time.Second {
			t.Errorf("exit %d after %s", o.ExitCode(), time.Since(began))
		}
		if slices.Contains(f.writes, "create service app_front") {
			t.Error("went on after it was told to stop")
		}
	})
}

func TestStepsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, most := make(chan struct{}, 100), 0
		var steps []step
		for i := range 20 {
			steps = append(steps, step{id: fmt.Sprint(i), heavy: true, run: func(ctx context.Context) error {
				running <- struct{}{}
				most = max(most, len(running))
				err := pause(ctx, time.Second)
				<-running
				return err
			}})
		}
		if errs := runSteps(t.Context(), steps, 4); len(errs) != 20 || most != 4 {
			t.Errorf("%d steps, %d at once", len(errs), most)
		}
	})
}

// Every line that a person sees is free of the secret, whatever put it there.
func TestEventsAreRedacted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.fail = func(Write) error { return errors.New("bad value hunter2hunter2") }
		var said []string
		r := &Reconciler{Engine: f, Prober: fakeProber(passing), Report: func(e Event) { said = append(said, e.Message) }}
		r.Pass(t.Context(), pair())
		all := strings.Join(said, "\n")
		if !strings.Contains(all, "bad value (sensitive)") || strings.Contains(all, "hunter2") {
			t.Errorf("events:\n%s", all)
		}
	})
}

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		ctx, cancel := context.WithCancel(t.Context())
		nudges := make(chan struct{}, 1)
		var codes []int
		broken := false
		l := &Loop{
			Reconciler: &Reconciler{Engine: f, Prober: fakeProber(passing)},
			Load: func(context.Context) (*spec.Stack, error) {
				if broken {
					return nil, errors.New("line 3: unknown key")
				}
				return pair(), nil
			},
			Done: func(_ *spec.Stack, o *Outcome) { codes = append(codes, o.ExitCode()) },
		}
		done := make(chan struct{})
		go func() { l.Run(ctx, nudges); close(done) }()
		nap := func(d time.Duration) { _ = pause(t.Context(), d); synctest.Wait() }
		nap(time.Minute)
		if !cmp.Equal(codes, []int{ExitOK}) {
			t.Fatalf("without a nudge: %v", codes)
		}
		broken = true // the last good spec stays in force, and is tried again
		nudges <- struct{}{}
		nap(10 * time.Second)
		if len(codes) < 3 || slices.Max(codes) != ExitOK {
			t.Fatalf("with a spec that does not load: %v", codes)
		}
		cancel()
		<-done
		if slices.ContainsFunc(f.writes, func(w string) bool { return strings.HasPrefix(w, "remove") }) {
			t.Errorf("removed something: %v", f.writes)
		}
	})
}

func TestLoopSurvivesPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		loads := 0
		l := &Loop{Load: func(context.Context) (*spec.Stack, error) { loads++; panic("boom") }}
		l.Run(ctx, nil)
		if loads < 3 {
			t.Errorf("gave up after %d passes", loads)
		}
	})
}

func TestBackoff(t *testing.T) {
	for n, most := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		most *= time.Second
		for range 100 {
			if d := backoff(n); d > most || d < most*3/4 {
				t.Fatalf("after %d failures: %s, want within a quarter below %s", n, d, most)
			}
		}
	}
}

// run --dry-run reports drift, writes nothing, and tries no check that writes.
func TestLoopDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var tried []string
		var last *Outcome
		l := &Loop{
			DryRun: true,
			Reconciler: &Reconciler{Engine: f, Prober: fakeProber(func(c spec.Check) CheckResult {
				tried = append(tried, c.Name)
				if c.Centrifugo != nil && !c.Centrifugo.SkipPublish {
					t.Error("the centrifugo check may publish")
				}
				return passing(c)
			})},
			Load: func(context.Context) (*spec.Stack, error) {
				s := pair()
				s.Settings.Checks = append(s.Settings.Checks, spec.Check{Name: "writes", Redis: &spec.RedisCheck{}},
					spec.Check{Name: "publishes", Centrifugo: &spec.CentrifugoCheck{}})
				return s, nil
			},
			Done: func(_ *spec.Stack, o *Outcome) { last = o },
		}
		l.Run(ctx, nil)
		if len(f.writes) > 0 || !cmp.Equal(slices.Sorted(slices.Values(tried)), []string{"back", "publishes"}) {
			t.Errorf("wrote %v, tried %v", f.writes, tried)
		}
		if last == nil || last.Plan.Summary().Create != 5 {
			t.Errorf("does not report the drift: %+v", last)
		}
	})
}

// What somebody changed by hand between the plan and the write is shown and
// left alone in this pass; what they made equal, and what Swarm moved, is no
// conflict.
func TestChangedBetweenPlanAndWrite(t *testing.T) {
	for _, c := range []struct {
		name string
		hand func(*swarm.ServiceSpec)
		exit int
		want string // image and LOG_LEVEL in the end
		says string
	}{
		{"the same field", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "back:hotfix" }, ExitStopped, "back:hotfix LOG_LEVEL=info", "services.back.image back:hotfix -> back:2"},
		{"another field", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=trace"} }, ExitStopped, "back:1 LOG_LEVEL=trace", "services.back.environment.LOG_LEVEL trace -> info"},
		{"what the plan wants", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "back:2" }, ExitOK, "back:2 LOG_LEVEL=info", ""},
		{"nothing but the version", func(*swarm.ServiceSpec) {}, ExitOK, "back:2 LOG_LEVEL=info", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := applied(t), pair()
				s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:2"
				r := &Reconciler{Engine: f, Prober: fakeProber(passing)}
				plan, seen, err := r.Plan(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				edit(f, "app_back", c.hand)
				o := r.Apply(t.Context(), s, plan, seen)
				live := f.seen.Services["app_back"].Spec.TaskTemplate.ContainerSpec
				if got := live.Image + " " + live.Env[0]; o.ExitCode() != c.exit || got != c.want || o.Err != nil {
					t.Errorf("exit %d, %s, %v", o.ExitCode(), got, o.Err)
				}
				if c.says != "" && !strings.Contains(o.Applied[0].Err.Error(), c.says) {
					t.Errorf("says %v", o.Applied[0].Err)
				}
				if again := r.Pass(t.Context(), s); again.ExitCode() != ExitOK || f.seen.Services["app_back"].Spec.TaskTemplate.ContainerSpec.Image != "back:2" {
					t.Errorf("the next pass: exit %d, %v", again.ExitCode(), again.Err)
				}
			})
		})
	}
}
