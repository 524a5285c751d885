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

	"github.com/swarmward/swarmward/spec"
)

// trials are passes over one Swarm whose check passes as long as works says so,
// for the image that back runs.
type trials struct {
	t     *testing.T
	f     *fakeSwarm
	r     *Reconciler
	works func(image string) CheckStatus
}

func newTrials(t *testing.T) *trials {
	x := &trials{t: t, f: newFake(), works: func(image string) CheckStatus {
		if strings.Contains(image, "bad") {
			return CheckFailed
		}
		return CheckPassed
	}}
	x.r = &Reconciler{Engine: x.f, Differ: Differ{Fingerprints: &Fingerprints{}}, Prober: fakeProber(func(c spec.Check) CheckResult {
		status := x.works(x.image("back"))
		return map[CheckStatus]CheckResult{
			CheckPassed: passing(c), CheckFailed: failing(c), CheckUnknown: {Name: c.Name, Status: CheckUnknown, Reason: ReasonNoPath},
		}[status]
	})}
	return x
}

func (x *trials) image(service string) string {
	return x.f.seen.Services["app_"+service].Spec.TaskTemplate.ContainerSpec.Image
}

// spec whose services have images with that tag.
func (x *trials) spec(tag string, change ...func(*spec.Stack)) *spec.Stack {
	s := pair()
	s.Settings.OnCheckFailure = "rollback"
	for i := range s.Services {
		c := *s.Services[i].Spec.TaskTemplate.ContainerSpec
		c.Image = s.Services[i].Key + ":" + tag
		s.Services[i].Spec.TaskTemplate.ContainerSpec, s.Services[i].DependsOn = &c, nil
	}
	s.Revision = "revision-" + tag
	for _, f := range change {
		f(s)
	}
	return s
}

func (x *trials) pass(exit int, s *spec.Stack) *Outcome {
	x.t.Helper()
	o := x.r.Pass(x.t.Context(), s)
	if o.ExitCode() != exit {
		x.t.Fatalf("%s: exit %d, want %d: %v\n%s%+v\n%+v", s.Revision, o.ExitCode(), exit, o.Err, o.Plan, o.Verdicts, o.Answer)
	}
	return o
}

func (x *trials) memory() Memory {
	x.t.Helper()
	m, err := MemoryOf(&x.f.seen, "app")
	if err != nil {
		x.t.Fatal(err)
	}
	return m
}

// wrote since it was asked last, what swarmward keeps for itself included.
func (x *trials) wrote() []string {
	all := append(x.f.writes, x.f.kept...)
	x.f.writes, x.f.kept = nil, nil
	return all
}

func (x *trials) drift(service string) {
	name := "app_" + service
	s := x.f.seen.Services[name]
	c := *s.Spec.TaskTemplate.ContainerSpec
	c.Env = []string{"LOG_LEVEL=by-hand"}
	s.Spec.TaskTemplate.ContainerSpec = &c
	x.f.seen.Services[name] = s
}

func trial(t *testing.T, test func(t *testing.T, x *trials)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newTrials(t)) })
}

// A good revision, a bad one, back, held, kept there, and on with a better one.
func TestBackAndOn(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		if x.pass(ExitOK, x.spec("1")); x.memory().ID != "" {
			t.Errorf("something is remembered before there is anything to remember: %+v", x.memory())
		}
		x.wrote()
		o := x.pass(ExitCheckFailed, x.spec("bad"))
		if o.Answer.Record != 1 || o.Back == nil || o.Back.ExitCode() != ExitStopped || o.Back.Held.Record != 1 {
			t.Fatalf("%+v\n%+v", o.Answer, o.Back)
		}
		want := []string{
			"create config swarmward.app.memory", "label config swarmward.app.memory",
			"update service app_back", "update service app_back", "update service app_front", "update service app_front",
		}
		if got := slices.Sorted(slices.Values(x.wrote())); !slices.Equal(got, want) {
			t.Errorf("wrote %q", got)
		}
		m := x.memory()
		if m.Attempt != nil || m.Held == nil || m.Held.Revision != "revision-bad" || m.Held.Why != "check back failed: refused" {
			t.Errorf("%+v", m)
		}
		if o = x.pass(ExitStopped, x.spec("bad")); o.Held == nil || len(x.wrote()) > 0 || x.image("back") != "back:1" {
			t.Errorf("held: %+v", o)
		}
		x.drift("front")
		if x.pass(ExitStopped, x.spec("bad")); !slices.Equal(x.wrote(), []string{"update service app_front"}) || x.f.seen.Services["app_front"].Spec.TaskTemplate.ContainerSpec.Env[0] != "LOG_LEVEL=info" {
			t.Error("a change by hand was not repaired while the revision is held")
		}
		if x.pass(ExitOK, x.spec("2")); x.memory().Held != nil || x.image("front") != "front:2" {
			t.Errorf("%+v", x.memory())
		}
		x.wrote()
		if x.pass(ExitOK, x.spec("2")); len(x.wrote()) > 0 {
			t.Error("a second pass writes")
		}
	})
}

// A check that fails at the record, too, brings about no second rollback.
func TestNeverTwice(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1"))
		x.works = func(string) CheckStatus { return CheckFailed }
		o := x.pass(ExitCheckFailed, x.spec("2"))
		if o.Back == nil || o.Back.Back != nil || o.Back.ExitCode() != ExitCheckFailed {
			t.Fatalf("%+v", o)
		}
		x.wrote()
		for range 3 {
			if o = x.pass(ExitCheckFailed, x.spec("2")); o.Back != nil || o.Held == nil || len(x.wrote()) > 0 {
				t.Fatalf("%+v", o)
			}
		}
	})
}

// What releases a hold: another revision, another content of a secret, the
// record's own revision, a person.
func TestHoldIsReleased(t *testing.T) {
	for name, change := range map[string]func(*trials) *spec.Stack{
		"revision": func(x *trials) *spec.Stack { return x.spec("2") },
		"secret": func(x *trials) *spec.Stack {
			x.works = func(string) CheckStatus { return CheckPassed }
			return x.spec("bad", password("another one"))
		},
		"back in the spec, too": func(x *trials) *spec.Stack { return x.spec("1") },
		"a person": func(x *trials) *spec.Stack {
			x.works = func(string) CheckStatus { return CheckPassed }
			if _, err := x.r.Remember(x.t.Context(), "app", func(m *Memory) bool { m.Held = nil; return true }); err != nil {
				x.t.Fatal(err)
			}
			return x.spec("bad")
		},
	} {
		t.Run(name, func(t *testing.T) {
			trial(t, func(t *testing.T, x *trials) {
				x.pass(ExitOK, x.spec("1"))
				x.pass(ExitCheckFailed, x.spec("bad"))
				x.pass(ExitStopped, x.spec("bad"))
				x.pass(ExitOK, change(x))
				if m := x.memory(); m.Held != nil {
					t.Errorf("%+v", m.Held)
				}
			})
		})
	}
}

// Redis killed at night is told, and nothing is remembered or gone back from:
// not by a revision that worked, not by another commit that says the same, and
// not although somebody changed something by hand the same night.
func TestKilledAtNight(t *testing.T) {
	for name, s := range map[string]func(*spec.Stack){
		"the same":       func(*spec.Stack) {},
		"another commit": func(s *spec.Stack) { s.Revision = "of a README" },
	} {
		t.Run(name, func(t *testing.T) {
			trial(t, func(t *testing.T, x *trials) {
				x.pass(ExitOK, x.spec("1"))
				x.pass(ExitOK, x.spec("1", s))
				x.works = func(string) CheckStatus { return CheckFailed }
				x.wrote()
				if o := x.pass(ExitCheckFailed, x.spec("1", s)); o.Back != nil || o.Answer.Not == "" {
					t.Errorf("%+v", o.Answer)
				}
				x.drift("back")
				if o := x.pass(ExitCheckFailed, x.spec("1", s)); o.Back != nil || o.Answer.Not == "" {
					t.Errorf("%+v", o.Answer)
				}
				if got := x.wrote(); !slices.Equal(got, []string{"update service app_back"}) {
					t.Errorf("wrote %q", got)
				}
			})
		})
	}
}

// A revision that nobody could check is not at fault for what breaks later.
func TestUndecided(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1"))
		x.works = func(string) CheckStatus { return CheckUnknown }
		x.wrote()
		x.pass(ExitUnknown, x.spec("2"))
		x.pass(ExitUnknown, x.spec("2"))
		if got := x.wrote(); len(got) != 4 || !x.memory().Attempt.Undecided {
			t.Errorf("wrote %q, %+v", got, x.memory().Attempt)
		}
		x.works = func(string) CheckStatus { return CheckFailed }
		if o := x.pass(ExitCheckFailed, x.spec("2")); o.Back != nil || o.Answer.Not == "" {
			t.Errorf("%+v", o.Answer)
		}
		// It passed until this very pass wrote it once more.
		x.r.before = map[string]CheckStatus{"back": CheckPassed}
		x.drift("back")
		if o := x.pass(ExitCheckFailed, x.spec("2")); o.Back == nil {
			t.Errorf("%+v", o.Answer)
		}
	})
}

// Whichever of the writes is the last one before a crash, the next pass goes on:
// the revision never proved itself.
func TestCrashBeforeHold(t *testing.T) {
	for _, kept := range []int{1, 2} { // the attempt, the hold
		t.Run(fmt.Sprint(kept), func(t *testing.T) {
			trial(t, func(t *testing.T, x *trials) {
				x.pass(ExitOK, x.spec("1"))
				n, crash := 0, errors.New("killed")
				x.f.fail = func(w Write) error {
					switch w.(type) {
					case CreateConfig, LabelConfig:
						if n++; n == kept {
							return crash
						}
					}
					return nil
				}
				if o := x.r.Pass(t.Context(), x.spec("bad")); !errors.Is(o.Err, crash) || o.Back != nil {
					t.Fatalf("%+v", o)
				}
				x.f.fail = nil
				if o := x.pass(ExitCheckFailed, x.spec("bad")); o.Back == nil || o.Back.ExitCode() != ExitStopped || x.memory().Held == nil {
					t.Errorf("%+v", o.Answer)
				}
			})
		})
	}
}

// The way back is interrupted: the hold is there, the pass says so, and the next
// one goes on.
func TestInterruptedOnTheWayBack(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1"))
		ctx, cancel := context.WithCancel(t.Context())
		x.f.fail = func(w Write) error {
			if _, holds := w.(LabelConfig); holds {
				cancel()
			}
			return nil
		}
		o := x.r.Pass(ctx, x.spec("bad"))
		if o.ExitCode() != ExitError || o.Back == nil || o.Back.Held == nil || x.image("back") != "back:bad" {
			t.Fatalf("%+v\n%+v", o, o.Back)
		}
		if x.pass(ExitStopped, x.spec("bad")); x.image("back") != "back:1" {
			t.Error(x.image("back"))
		}
	})
}

// What the record needs is gone: it says so, and stays where it is.
func TestCannotGoBack(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1"))
		bad := x.spec("bad", func(s *spec.Stack) { s.Secrets[0].Data = spec.Sensitive("a new password") })
		x.f.fail = func(w Write) error {
			if _, ok := w.(UpdateService); ok {
				delete(x.f.seen.Secrets, "app_password")
			}
			return nil
		}
		o := x.pass(ExitCheckFailed, bad)
		if o.Back != nil || !strings.Contains(o.Answer.Not, "cannot roll back to 1: secret app_password is gone") || x.memory().Held != nil {
			t.Errorf("%+v\n%+v", o.Answer, x.memory())
		}
	})
}

func TestNothingToGoBackTo(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		o := x.pass(ExitCheckFailed, x.spec("bad"))
		if o.Back != nil || !strings.Contains(o.Answer.Not, "no revision of this stack has been verified yet") || x.memory().ID != "" {
			t.Errorf("%+v", o.Answer)
		}
		x.pass(ExitOK, x.spec("1"))
	})
}

// The record that a stack is kept at is never one too many.
func TestHeldRecordStays(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		for n := range keptRecords {
			x.pass(ExitOK, x.spec(fmt.Sprint(n+1)))
		}
		to, err := x.r.Return(t.Context(), "app", x.spec("5"), 1)
		if err != nil {
			t.Fatal(err)
		}
		if o := x.r.GoBack(t.Context(), to, Hold{Why: "by hand", Since: time.Now()}); o.ExitCode() != ExitOK || o.Record != 1 {
			t.Fatalf("%+v", o)
		}
		x.pass(ExitStopped, x.spec("5"))
		if x.image("back") != "back:1" {
			t.Error(x.image("back"))
		}
		// From a bad one it is gone back to what a person chose, not to what they left.
		x.pass(ExitCheckFailed, x.spec("bad"))
		if x.image("back") != "back:1" {
			t.Errorf("went back to %s", x.image("back"))
		}
	})
}

// A person's rollback without a number, and without a spec.
func TestReturn(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		ctx := context.WithoutCancel(t.Context())
		if _, err := x.r.Return(ctx, "app", nil, 0); err == nil || !strings.Contains(err.Error(), "no record to go back to") {
			t.Error(err)
		}
		x.pass(ExitOK, x.spec("1"))
		if _, err := x.r.Return(ctx, "app", nil, 0); err == nil || !strings.Contains(err.Error(), "runs what its records say already (1)") {
			t.Error(err)
		}
		x.pass(ExitOK, x.spec("2"))
		to, err := x.r.Return(ctx, "app", nil, 0)
		if err != nil || to.Record.Number != 1 || to.Held == nil || to.Held.Revision != "revision-2" {
			t.Fatalf("%+v %v", to, err)
		}
		report := func(s *spec.Stack) { s.Settings.OnCheckFailure = "report" }
		x.pass(ExitCheckFailed, x.spec("bad", report))
		if to, err = x.r.Return(ctx, "app", x.spec("bad", report), 0); err != nil || to.Record.Number != 2 || to.Held.Revision != "revision-bad" {
			t.Errorf("from one that was never verified it is the newest: %+v %v", to, err)
		}
		// The same without the spec: what is to be held is what was attempted.
		x.works = func(string) CheckStatus { return CheckUnknown }
		x.pass(ExitUnknown, x.spec("3"))
		if to, err = x.r.Return(ctx, "app", nil, 0); err != nil || to.Record.Number != 2 || to.Held.Revision != "revision-3" {
			t.Errorf("%+v %v", to, err)
		}
		if to, err = x.r.Return(ctx, "app", x.spec("2"), 2); err != nil || to.Held != nil {
			t.Errorf("back to the spec itself holds nothing: %+v %v", to, err)
		}
	})
}

// A commit that touches nothing of a stack neither releases its hold nor is a
// revision to be tried; one that does is.
func TestHoldOutlastsOtherCommits(t *testing.T) {
	at := func(commit, hash string) func(*spec.Stack) {
		return func(s *spec.Stack) {
			s.Commit, s.Hash, s.Revision = &spec.Commit{ID: commit}, hash, commit
		}
	}
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1", at("commit-a", "one")))
		x.pass(ExitCheckFailed, x.spec("bad", at("commit-b", "bad")))
		x.wrote()
		if o := x.pass(ExitStopped, x.spec("bad", at("commit-c", "bad"))); o.Held == nil || len(x.wrote()) > 0 {
			t.Errorf("another commit released the hold: %+v", o)
		}
		if held := x.memory().Held; held == nil || held.Revision != "commit-b" || held.Hash != "bad" {
			t.Errorf("held is %+v", held)
		}
		x.pass(ExitOK, x.spec("2", at("commit-d", "two")))
		if x.memory().Held != nil {
			t.Error("a new spec is held")
		}
	})
}

// The controller tells of both passes, the one that failed and the one that went
// back, and from then on that it holds: without trying again before its time.
func TestLoopGoesBack(t *testing.T) {
	trial(t, func(t *testing.T, x *trials) {
		x.pass(ExitOK, x.spec("1"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		nudges := make(chan struct{}, 1)
		go func() {
			for pause(ctx, time.Minute) == nil {
				nudges <- struct{}{}
			}
		}()
		var codes []int
		var since []time.Time
		l := &Loop{
			Reconciler: x.r, Load: func(context.Context) (*spec.Stack, error) { return x.spec("bad"), nil },
			Done: func(_ *spec.Stack, o *Outcome) {
				if codes = append(codes, o.ExitCode()); o.Held != nil {
					c := o.Status.Condition(ConditionVerified)
					if since = append(since, c.Since); c.Status != ConditionTrue || o.Status.Condition(ConditionHeld).Status != ConditionTrue {
						t.Errorf("%+v", o.Status.Conditions)
					}
				}
			},
		}
		l.Run(ctx, nudges)
		if len(codes) < 10 || len(codes) > 12 || codes[0] != ExitCheckFailed || slices.ContainsFunc(codes[1:], func(c int) bool { return c != ExitStopped }) {
			t.Errorf("exit codes %v", codes)
		}
		if len(since) == 0 || since[0] != since[len(since)-1] {
			t.Errorf("verified since %v", since)
		}
	})
}
