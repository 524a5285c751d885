package reconcile

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/spec"
)

// story is a stack and a Swarm that things happen to.
type story struct {
	stack *spec.Stack
	seen  *Observed
	index uint64
}

func newStory() *story {
	h := &story{}
	h.stack, h.seen = many(4)
	h.seen.Node.APIVersion = "1.51"
	h.seen.Digests, h.seen.Unresolved = map[string]string{}, map[string]string{}
	h.seen.Configs = map[string]swarm.Config{}
	for i, data := range []string{"a", "b"} {
		c := spec.Config{Key: fmt.Sprint("config", i), Name: fmt.Sprint("app_config", i)}
		c.Spec.Name, c.Spec.Data, c.Spec.Labels = c.Name, []byte(data), map[string]string{spec.LabelNamespace: "app"}
		h.stack.Configs = append(h.stack.Configs, c)
		live := swarm.Config{ID: c.Name, Spec: c.Spec}
		live.Spec.Labels = map[string]string{LabelManaged: "true", spec.LabelNamespace: "app"}
		h.seen.Configs[c.Name] = live
	}
	h.stack.Settings.Prune = true
	return h
}

// edit is what a person does to a service, or what the Swarm does with its names.
func (h *story) edit(name string, counts bool, f func(*swarm.ServiceSpec)) {
	s, ok := h.seen.Services[name]
	if !ok {
		return
	}
	c := *s.Spec.TaskTemplate.ContainerSpec
	s.Spec.TaskTemplate.ContainerSpec = &c
	s.Spec.TaskTemplate.Networks = slices.Clone(s.Spec.TaskTemplate.Networks)
	f(&s.Spec)
	if counts {
		h.index++
		s.Version.Index, s.UpdatedAt = h.index, time.Unix(int64(h.index), 0)
	}
	h.seen.Services[name] = s
}

// next makes something happen. What was observed before stays as it was.
func (h *story) next(t *rapid.T) {
	seen := *h.seen
	seen.Services, seen.Configs = maps.Clone(seen.Services), maps.Clone(seen.Configs)
	seen.Digests, seen.Unresolved = maps.Clone(seen.Digests), maps.Clone(seen.Unresolved)
	h.seen = &seen
	key := fmt.Sprintf("s%04d", rapid.IntRange(0, len(h.stack.Services)-1).Draw(t, "service"))
	name := "app_" + key
	image := ImageOf(h.stack.Services[0].Spec)
	switch what := rapid.IntRange(0, 13).Draw(t, "what"); what {
	case 0:
		h.edit(name, true, func(s *swarm.ServiceSpec) {
			s.TaskTemplate.ContainerSpec.User = rapid.SampledFrom([]string{"", "root"}).Draw(t, "user")
		})
	case 1:
		h.edit(name, true, func(s *swarm.ServiceSpec) { s.Labels = maps.Clone(s.Labels); delete(s.Labels, LabelApplied) })
	case 2: // its network is gone, and its id has no name
		h.edit(name, false, func(s *swarm.ServiceSpec) { s.TaskTemplate.Networks[0].Target = "id" })
	case 3:
		h.edit(name, false, func(s *swarm.ServiceSpec) { s.TaskTemplate.Networks[0].Target = "app_default" })
	case 4:
		delete(h.seen.Services, name)
	case 5: // somebody writes what was there before: another version, the same otherwise
		h.edit(name, true, func(*swarm.ServiceSpec) {})
	case 6, 7: // the content of a config
		c := h.seen.Configs[h.stack.Configs[what-6].Name]
		c.Spec.Data = []byte(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "data"))
		h.seen.Configs[c.Spec.Name] = c
	case 8:
		h.seen.Node.APIVersion = rapid.SampledFrom([]string{"1.41", "1.51"}).Draw(t, "API")
	case 9:
		h.seen.Digests[image] = "sha256:" + rapid.SampledFrom([]string{zeros, "1" + zeros[1:]}).Draw(t, "digest")
	case 10:
		clear(h.seen.Digests)
		h.seen.Unresolved = map[string]string{}
		if rapid.Bool().Draw(t, "unresolved") {
			h.seen.Unresolved[image] = "down"
		}
	case 11: // the Swarm is put back, counts anew, and has come to another end
		s := h.seen.Services[name]
		h.edit(name, true, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.User = "other" })
		if now, ok := h.seen.Services[name]; ok {
			now.Version = s.Version
			h.seen.Services[name] = now
		}
	case 12: // of nobody's concern, with a rule for it
		h.edit(name, true, func(s *swarm.ServiceSpec) { s.Labels = maps.Clone(s.Labels); s.Labels["mine"] = "a" })
	case 13: // the spec is loaded anew
		stack := *h.stack
		stack.Services = slices.Clone(stack.Services)
		sp := &stack.Services[0].Spec
		c := *sp.TaskTemplate.ContainerSpec
		c.Hostname = rapid.SampledFrom([]string{"", "h"}).Draw(t, "hostname")
		c.OomScoreAdj = rapid.SampledFrom([]int64{0, 5}).Draw(t, "what API 1.41 does not keep")
		sp.TaskTemplate.ContainerSpec = &c
		if stack.Settings.Ignore = nil; rapid.Bool().Draw(t, "ignore") {
			stack.Settings.Ignore = []string{"services.*.deploy.labels.mine", "services.none"}
		}
		h.stack = &stack
	}
}

// Whatever happens to a stack and a Swarm, a Diff that remembers makes the plan
// of one that does not.
func TestUnchangedChangesNoPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newStory()
		prints := &Fingerprints{}
		remembers := Differ{Fingerprints: prints, Unchanged: &Unchanged{}}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			want, got := (Differ{Fingerprints: prints}).Diff(h.stack, h.seen), remembers.Diff(h.stack, h.seen)
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("(-without +with memory):\n%s", cmp.Diff(want.String(), got.String()))
			}
			h.next(t)
		}
	})
}

// A service that the Swarm did not change is not walked again, and one that it
// changed is.
func TestUnchangedSparesTheWalk(t *testing.T) {
	h := newStory()
	d := Differ{Unchanged: &Unchanged{}}
	if p := d.Diff(h.stack, h.seen); !p.Empty() {
		t.Fatal(p)
	}
	// No Swarm does this: what a service says is another without another version.
	h.edit("app_s0001", false, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.User = "root" })
	if p := d.Diff(h.stack, h.seen); !p.Empty() || p.Unchanged != 6 {
		t.Errorf("it was walked: %s, %d unchanged", p, p.Unchanged)
	}
	h.edit("app_s0001", true, func(*swarm.ServiceSpec) {})
	if p := d.Diff(h.stack, h.seen); p.Summary().Update != 1 {
		t.Errorf("it was not walked: %s", p)
	}
}

// What a plan warns of about services that are as the spec says, the next one
// warns of too.
func TestUnchangedWarnsAgain(t *testing.T) {
	h := newStory()
	h.seen.Node.APIVersion = "1.41"
	h.stack.Services[2].Spec.TaskTemplate.ContainerSpec.OomScoreAdj = 5 // which that API does not keep
	for _, ignore := range [][]string{nil, {"services.s0001.environment.EXTRA"}} {
		h.stack.Settings.Ignore = ignore
		if ignore != nil {
			h.edit("app_s0001", true, func(s *swarm.ServiceSpec) {
				s.TaskTemplate.ContainerSpec.Env = append(slices.Clone(s.TaskTemplate.ContainerSpec.Env), "EXTRA=1")
			})
		}
		d := Differ{Unchanged: &Unchanged{}}
		first, second := d.Diff(h.stack, h.seen), d.Diff(h.stack, h.seen)
		if !first.Empty() || len(first.Warnings) == 0 || !slices.Equal(first.Warnings, second.Warnings) {
			t.Errorf("%s\nfirst %q\nthen %q", first, first.Warnings, second.Warnings)
		}
	}
}
