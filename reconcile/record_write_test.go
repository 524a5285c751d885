package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// incompressible makes a record of several parts.
func incompressible(s *spec.Stack) {
	random := make([]byte, 1_200_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	s.Services[0].Spec.TaskTemplate.ContainerSpec.Env = append(s.Services[0].Spec.TaskTemplate.ContainerSpec.Env, fmt.Sprintf("NOISE=%x", random[:700_000]))
}

// clone of the Swarm, to begin from again.
func (f *fakeSwarm) clone() *fakeSwarm {
	seen, _ := f.Observe(context.Background(), nil)
	out := newFake()
	out.seen, out.index = *seen, f.index
	out.seen.Tasks = maps.Clone(f.seen.Tasks)
	return out
}

// kinds counts the objects, and lists the records and their parts.
func kinds(t *testing.T, f *fakeSwarm) (out []string) {
	t.Helper()
	for name, c := range f.seen.Configs {
		if c.Spec.Labels[LabelKept] != "" {
			out = append(out, "kept "+name+" "+c.Spec.Labels[LabelPart])
		} else {
			out = append(out, "config "+name)
		}
	}
	for name := range f.seen.Secrets {
		out = append(out, "secret "+name)
	}
	records, unreadable := Records(&f.seen, "app")
	for _, r := range records {
		out = append(out, fmt.Sprintf("record %d %s %v", r.Number, r.Digest, r.Secrets))
	}
	for _, u := range unreadable {
		out = append(out, u.String())
	}
	out = append(out, fmt.Sprint("services ", len(f.seen.Services)))
	slices.Sort(out)
	return out
}

// Whatever write of records, or of what they let go, is the last one that is
// made, or fails: the next pass leaves what an undisturbed one leaves.
func TestRecordCrashes(t *testing.T) {
	small := func(tag int) func(*spec.Stack) {
		return func(s *spec.Stack) { password("another password")(s); image(tag)(s) }
	}
	big := func(s *spec.Stack) { incompressible(s); small(6)(s) }
	killed := errors.New("killed")
	for _, made := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			before := newFake()
			changing(t, before, incompressible, small(2), small(3), small(4), small(5))
			before.writes, before.kept = nil, nil
			whole := before.clone()
			changing(t, whole, big)
			want, writes := kinds(t, whole), len(whole.writes)+len(whole.kept)
			if n := strings.Count(strings.Join(want, "\n"), "kept swarmward.app.6."); n < 2 {
				t.Fatalf("the record has %d parts", n)
			}
			for k := range writes {
				f := before.clone()
				s := pair()
				big(s)
				left := k
				e := &flaky{fakeSwarm: f, writes: map[string]int{}}
				f.fail = func(Write) error {
					if left--; left < 0 {
						return killed
					}
					return nil
				}
				if made { // the last one was made, and nobody heard of it
					f.fail = func(Write) error {
						if left < 0 {
							return killed
						}
						return nil
					}
					e.after = func(Write) error {
						if left--; left < 0 {
							return killed
						}
						return nil
					}
				}
				if o := proving(e).Pass(t.Context(), s); o.ExitCode() == ExitOK {
					t.Fatalf("write %d of %d: not broken off", k, writes)
				}
				f.fail = nil
				changing(t, f, big)
				if d := cmp.Diff(want, kinds(t, f)); d != "" {
					t.Errorf("broken off at write %d of %d (made: %v), then undisturbed:\n%s", k, writes, made, d)
				}
				n := len(f.writes) + len(f.kept)
				if changing(t, f, big); len(f.writes)+len(f.kept) != n {
					t.Errorf("broken off at write %d of %d: does not settle: %v %v", k, writes, f.writes, f.kept)
				}
			}
			t.Logf("%d writes broken off, of %v and %v", writes, whole.writes, whole.kept)
		})
	}
}

// What has not proved itself is not kept.
func TestNotRecorded(t *testing.T) {
	part := func(s *spec.Stack) *spec.Stack {
		p, err := Limit(s, []string{"services.back"})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	whole := func(s *spec.Stack) *spec.Stack { return s }
	unknown := func(c spec.Check) CheckResult { return CheckResult{Name: c.Name, Status: CheckUnknown} }
	for _, c := range []struct {
		name   string
		stack  func(*spec.Stack) *spec.Stack
		prober fakeProber
		live   func(*fakeSwarm)
	}{
		{"a check fails", whole, failing, nil},
		{"a check cannot be tried", whole, unknown, nil},
		{"a part of the stack", part, passing, nil},
		{"a service does not converge", whole, passing, func(f *fakeSwarm) { f.crash["app_front"] = true }},
		{"a difference is blocked", whole, passing, func(f *fakeSwarm) {
			n := f.seen.Networks["app_net"]
			n.Driver = "macvlan"
			f.seen.Networks["app_net"] = n
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := applied(t), pair()
				image(2)(s)
				s.Services[1].Spec.TaskTemplate.ContainerSpec.Image = "front:2"
				if c.live != nil {
					c.live(f)
				}
				(&Reconciler{Engine: f, Prober: c.prober}).Pass(t.Context(), c.stack(s))
				if len(f.kept) > 0 || len(f.writes) == 0 {
					t.Errorf("wrote %v, kept %v", f.writes, f.kept)
				}
			})
		})
	}
}

// Numbers that something has are not used again, and what cannot be read stays.
func TestRecordsLeaveAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		changing(t, f, password("another password"))
		put := func(name string, labels map[string]string) {
			f.seen.Configs[name] = swarm.Config{ID: name, Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: name, Labels: labels}, Data: []byte("x")}}
		}
		newer := map[string]string{LabelStack: "app", LabelKept: keptRecord, LabelSchema: "2", LabelRecord: "7", LabelPart: "1/1"}
		put("swarmward.app.7", newer)
		put("swarmward.app.9", nil)
		put("swarmward.app.notes", nil)
		hurt := f.seen.Configs["swarmward.app.1"]
		hurt.Spec.Data = hurt.Spec.Data[1:]
		f.seen.Configs["swarmward.app.1"] = hurt
		for i := range 7 {
			changing(t, f, func(s *spec.Stack) { password("another password")(s); image(i)(s) })
		}
		var kept []string
		for name := range f.seen.Configs {
			if strings.HasPrefix(name, "swarmward.") {
				kept = append(kept, strings.TrimPrefix(name, "swarmward.app."))
			}
		}
		slices.Sort(kept)
		if want := []string{"1", "12", "13", "14", "15", "16", "7", "9", "notes"}; !slices.Equal(kept, want) {
			t.Errorf("kept %v, want %v", kept, want)
		}
		// Record 1, which cannot be read, named this one.
		if !hasKey(f.seen.Secrets, "app_password") {
			t.Errorf("secrets: %v", sortedKeys(f.seen.Secrets))
		}
		seen, _ := f.Observe(t.Context(), pair())
		warned := strings.Join(Differ{}.Diff(pair(), seen).Warnings, "\n")
		for _, w := range []string{"record 1: it is damaged", "record 7: config swarmward.app.7 was written by a newer swarmward", "record 9: config swarmward.app.9 has the name of a record"} {
			if !strings.Contains(warned, w) {
				t.Errorf("does not warn %q: %s", w, warned)
			}
		}
	})
}

// What a controller remembers of a stack hides nothing: another image under the
// same tag is another record.
func TestRecordOfMovedTag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(), pair()
		r := proving(f)
		r.Differ.Unchanged = &Unchanged{}
		pin := func(digest string) {
			edit(f, "app_back", func(s *swarm.ServiceSpec) {
				s.TaskTemplate.ContainerSpec.Image = "back:1@sha256:" + strings.Repeat(digest, 64)
			})
		}
		for _, step := range []struct {
			digest   string
			recorded bool
		}{{"", true}, {"", false}, {"a", true}, {"a", false}, {"b", true}} {
			if step.digest != "" {
				pin(step.digest)
			}
			o := r.Pass(t.Context(), s)
			if o.ExitCode() != ExitOK || (o.Recorded != nil) != step.recorded {
				t.Fatalf("%+v: exit %d, %v, recorded %v", step, o.ExitCode(), o.Err, o.Recorded)
			}
		}
		records, _ := Records(&f.seen, "app")
		if got := records[0].Services[0].Spec.TaskTemplate.ContainerSpec.Image; !strings.HasSuffix(got, "bbb") {
			t.Errorf("recorded %s", got)
		}
		if got := records[0].Since(records[1]); len(got) != 1 || got[0].Path != "services.back.image" {
			t.Errorf("changed %v", got)
		}
	})
}
