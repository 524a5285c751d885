package reconcile

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/spec"
)

// swarmOf puts configs into a Swarm.
func swarmOf(parts ...swarm.ConfigSpec) *Observed {
	seen := &Observed{Configs: map[string]swarm.Config{}}
	for i, p := range parts {
		p.Labels = maps.Clone(p.Labels)
		seen.Configs[p.Name] = swarm.Config{ID: fmt.Sprint("id", i), Spec: p}
	}
	return seen
}

// anyRecord is of any specs, kept in parts of some size.
func anyRecord(t *rapid.T) (Record, []swarm.ConfigSpec) {
	name := rapid.SampledFrom([]string{"app", strings.Repeat("a", 61)}).Draw(t, "stack")
	r := Record{Schema: recordSchema, Of: name, Number: rapid.IntRange(1, 1e6).Draw(t, "number"), At: time.Unix(rapid.Int64Range(0, 1e10).Draw(t, "at"), 0).UTC()}
	r.Target = rapid.Make[Target]().Draw(t, "target")
	r.Secrets, r.Configs = rapid.Make[[]RecordedObject]().Draw(t, "secrets"), rapid.Make[[]RecordedObject]().Draw(t, "configs")
	for i := range rapid.IntRange(0, 3).Draw(t, "services") {
		key := fmt.Sprint("service", i)
		r.Services = append(r.Services, RecordedService{Key: key, Spec: wildSpec(t, key)})
	}
	parts, err := r.encode(rapid.SampledFrom([]int{97, 1000, partSize}).Draw(t, "size"))
	if err != nil {
		t.Fatal(err)
	}
	return r, parts
}

// What is kept comes back, as the same bytes and with the same meaning.
func TestRecordComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, parts := anyRecord(t)
		got, bad := Records(swarmOf(parts...), r.Of)
		if len(got) != 1 || len(bad) != 0 {
			t.Fatalf("%d records, unreadable: %v", len(got), bad)
		}
		again, err := got[0].encode(max(1, len(parts[len(parts)-1].Data)))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(parts, again); d != "" {
			t.Fatalf("kept again it is another:\n%s", d)
		}
		for i, s := range r.Services {
			w := walker{}
			if w.service(&s.Spec, &got[0].Services[i].Spec); len(w.changes) > 0 {
				t.Fatalf("a service means something else: %v", w.changes)
			}
		}
	})
}

// Any one byte of what is kept, data or label, is missed when it changes, and
// any part when it is not there.
func TestDamageIsNoticed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, parts := anyRecord(t)
		seen := swarmOf(parts...)
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(seen.Configs))).Draw(t, "part")
		hurt := seen.Configs[name]
		flip := func(b []byte) []byte {
			b = slices.Clone(b)
			b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
			return b
		}
		switch what := rapid.SampledFrom([]string{"data", "label", "no label", "missing"}).Draw(t, "what"); what {
		case "data":
			hurt.Spec.Data = flip(hurt.Spec.Data)
			seen.Configs[name] = hurt
		case "missing":
			delete(seen.Configs, name)
		default:
			label := rapid.SampledFrom(sortedKeys(hurt.Spec.Labels)).Draw(t, "label")
			if delete(hurt.Spec.Labels, label); what == "label" {
				hurt.Spec.Labels[label] = string(flip([]byte(parts[0].Labels[label])))
			}
		}
		got, bad := Records(seen, r.Of)
		a := openArchive(seen, r.Of)
		if len(got) > 0 || len(bad) == 0 && len(a.unfinished) != len(parts)-1 {
			t.Fatalf("%d records, unreadable %v, unfinished %d of %d", len(got), bad, len(a.unfinished), len(parts))
		}
	})
}

// prints are the same in every pass: they are slow.
var prints Fingerprints

func proving(e Engine) *Reconciler {
	return &Reconciler{Engine: e, Prober: fakeProber(passing), Differ: Differ{Fingerprints: &prints}}
}

// changing makes one proved revision after the other.
func changing(t *testing.T, f *fakeSwarm, revisions ...func(*spec.Stack)) *Outcome {
	t.Helper()
	var o *Outcome
	for i, change := range revisions {
		s := pair()
		change(s)
		if o = proving(f).Pass(t.Context(), s); o.ExitCode() != ExitOK {
			t.Fatalf("revision %d: exit %d, %v", i, o.ExitCode(), o.Err)
		}
	}
	return o
}

func image(tag int) func(*spec.Stack) {
	return func(s *spec.Stack) { s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = fmt.Sprint("back:", tag) }
}

func password(text string) func(*spec.Stack) {
	return func(s *spec.Stack) { s.Secrets[0].Data = spec.Sensitive(text) }
}

// The last five are kept, and of old secrets what they name.
func TestRecordsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		both := func(tag int) func(*spec.Stack) {
			return func(s *spec.Stack) { password("another password")(s); image(tag)(s) }
		}
		changing(t, f, password("another password"), both(2), both(3), both(4))
		if got := sortedKeys(f.seen.Secrets); !slices.Equal(got, []string{"app_password", "app_password.r2"}) {
			t.Errorf("while a record names the old one: %v", got)
		}
		o := changing(t, f, both(5))
		if got := sortedKeys(f.seen.Secrets); !slices.Equal(got, []string{"app_password.r2"}) {
			t.Errorf("when none does any longer: %v", got)
		}
		records, bad := Records(&f.seen, "app")
		var numbers []int
		for _, r := range records {
			numbers = append(numbers, r.Number)
		}
		if !slices.Equal(numbers, []int{6, 5, 4, 3, 2}) || len(bad) > 0 || o.Recorded == nil || o.Recorded.Number != 6 {
			t.Errorf("records %v, unreadable %v", numbers, bad)
		}
	})
}

// A record tells of every setting that it has otherwise than the one before it.
func TestSinceTellsSettings(t *testing.T) {
	all := reflect.ValueOf(spec.Settings{
		Checks: []spec.Check{{Name: "web"}}, OnCheckFailure: "rollback", Ignore: []string{"services"}, Images: spec.Images{Resolve: "never"},
		Prune: true, Allow: []string{"all"}, Timeout: time.Minute, Lint: spec.Lint{Off: []string{"all"}}, Windows: spec.Windows{{Schedule: "@daily"}},
	})
	for i := range all.NumField() {
		var r Record
		reflect.ValueOf(&r.Settings).Elem().Field(i).Set(all.Field(i))
		if name := all.Type().Field(i).Name; all.Field(i).IsZero() || len(r.Since(Record{})) != 1 {
			t.Errorf("%s: %v", name, r.Since(Record{}))
		}
	}
}
