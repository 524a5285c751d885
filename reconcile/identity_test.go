package reconcile

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// fiveSecrets is pair with more secrets.
func fiveSecrets() *spec.Stack {
	s := pair()
	for i := range 4 {
		x := spec.Secret{Key: fmt.Sprint("s", i), Name: fmt.Sprint("app_s", i), Data: spec.Sensitive(fmt.Sprint("content of ", i))}
		x.Spec.Name = x.Name
		s.Secrets = append(s.Secrets, x)
	}
	return s
}

// slow counts how many fingerprints a plan takes, in a process of its own.
func slow(seen *Observed, s *spec.Stack) (*Plan, int) {
	f := &Fingerprints{}
	p := Differ{Fingerprints: f}.Diff(s, seen)
	return p, len(f.seen)
}

// With a record of the same contents it is one slow fingerprint instead of one
// for each secret; and only of what is still the same object is anything known.
func TestOneFingerprint(t *testing.T) {
	relabel := func(f *fakeSwarm, name, fingerprint string) {
		s := f.seen.Secrets[name]
		s.Spec.Labels = withLabels(s.Spec.Labels, map[string]string{LabelFingerprint: fingerprint})
		f.seen.Secrets[name] = s
	}
	for _, c := range []struct {
		name    string
		live    func(*fakeSwarm)
		spec    func(*spec.Stack)
		slow    int
		changed []string // secrets that get another revision
	}{
		{"nothing", nil, nil, 1, nil},
		{"no record", func(f *fakeSwarm) { delete(f.seen.Configs, "swarmward.app.1") }, nil, 5, nil},
		{"a content of the spec", nil, func(s *spec.Stack) { s.Secrets[2].Data = spec.Sensitive("another") }, 7, []string{"app_s1.r2"}},
		{"two contents, swapped", nil, func(s *spec.Stack) { s.Secrets[2].Data, s.Secrets[3].Data = s.Secrets[3].Data, s.Secrets[2].Data }, 8, []string{"app_s1.r2", "app_s2.r2"}},
		{"another object of that name", func(f *fakeSwarm) {
			s := f.seen.Secrets["app_s1"]
			s.ID = "made anew"
			f.seen.Secrets["app_s1"] = s
			relabel(f, "app_s1", prints.Of("app_s1", []byte("another content")))
		}, nil, 3, []string{"app_s1.r2"}},
		{"a label that was edited", func(f *fakeSwarm) { relabel(f, "app_s1", prints.Of("app_s1", []byte("another content"))) }, nil, 3, []string{"app_s1.r2"}},
		{"the same object again, made anew", func(f *fakeSwarm) {
			s := f.seen.Secrets["app_s1"]
			s.ID = "made anew"
			f.seen.Secrets["app_s1"] = s
		}, nil, 2, nil},
		{"a template", nil, func(s *spec.Stack) { s.Secrets[2].Spec.Templating = &swarm.Driver{Name: "golang"} }, 2, []string{"app_s1.r2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := newFake(), fiveSecrets()
				if o := proving(f).Pass(t.Context(), s); o.Recorded == nil {
					t.Fatalf("exit %d, %v", o.ExitCode(), o.Err)
				}
				if c.live != nil {
					c.live(f)
				}
				if c.spec != nil {
					c.spec(s)
				}
				seen, _ := f.Observe(t.Context(), s)
				p, n := slow(seen, s)
				var made []string
				for _, x := range p.Changes {
					if w, ok := x.Write.(CreateSecret); ok {
						made = append(made, w.Spec.Name)
					}
				}
				if n != c.slow || !slices.Equal(made, c.changed) {
					t.Errorf("%d slow fingerprints, want %d; makes %v, want %v", n, c.slow, made, c.changed)
				}
			})
		})
	}
}

// BenchmarkPlanSecrets is a plan of a stack with five secrets, in a process of
// its own each time, with a record and without.
func BenchmarkPlanSecrets(b *testing.B) {
	f, s := newFake(), fiveSecrets()
	s.Settings.Checks = nil
	ctx := b.Context()
	for _, x := range s.Secrets {
		sp := x.Spec
		sp.Labels = map[string]string{LabelManaged: "true", LabelFingerprint: prints.Of(x.Name, []byte(x.Data))}
		_ = f.Do(ctx, CreateSecret{Spec: sp})
	}
	seen, _ := f.Observe(ctx, s)
	without := *seen
	r, err := newRecord(s, Differ{Fingerprints: &prints}.Diff(s, seen), seen, nil, Differ{Fingerprints: &prints})
	if err != nil {
		b.Fatal(err)
	}
	r.Number = 1
	parts, err := r.encode(partSize)
	if err != nil {
		b.Fatal(err)
	}
	_ = f.Do(ctx, CreateConfig{Spec: parts[0]})
	with, _ := f.Observe(ctx, s)
	for _, c := range []struct {
		name string
		seen *Observed
	}{{"with a record", with}, {"without", &without}} {
		b.Run(c.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				_, n = slow(c.seen, s)
			}
			b.ReportMetric(float64(n), "fingerprints/plan")
		})
	}
}
