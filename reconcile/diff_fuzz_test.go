package reconcile

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/spec"
)

func FuzzDiff(f *testing.F) {
	// Bytes enough for a whole pair of specs.
	for seed := range byte(4) {
		input := make([]byte, 16<<10)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(input)
		f.Add(input)
	}
	f.Fuzz(rapid.MakeFuzz(diffLaws))
}

func TestDiffLaws(t *testing.T) { rapid.Check(t, diffLaws) }

// diffLaws of any pair of specs: no panic, one plan for one input, what is
// written leaves nothing to write, and what is equal stays as it is.
func diffLaws(t *rapid.T) {
	live, want := wildSpec(t, "live"), wildSpec(t, "want")
	live.Name, want.Name = "app_a", "app_a"
	ignore := rapid.SampledFrom([]string{"", "services.a.deploy.replicas", "services.a.*", "services.*.environment.a", "services.a.volumes"}).Draw(t, "ignore")
	api := rapid.SampledFrom([]string{"", "1.41", "1.44", "1.51"}).Draw(t, "api")
	diff := func(live swarm.ServiceSpec) *Plan {
		return Differ{}.Diff(oneService(want, ignore), liveService(live, api))
	}
	p := diff(live)
	if again := diff(live); !reflect.DeepEqual(p, again) {
		t.Fatalf("two plans for one input:\n%s", cmp.Diff(p.String(), again.String()))
	}
	for _, c := range p.Changes {
		if w, ok := c.Write.(UpdateService); ok {
			if left := diff(asKept(w.Spec, api)); !left.Empty() {
				t.Fatalf("after the write:\n%s%s", p, left)
			}
		}
	}
	stamped := stamped(live, SpecHash(live))
	if p := (Differ{}).Diff(oneService(live, ""), liveService(stamped, "")); !p.Empty() {
		t.Fatalf("differs from itself:\n%s", p)
	}
	w := walker{}
	if same := w.service(&live, &live); !reflect.DeepEqual(same, live) {
		t.Fatalf("changed although equal:\n%s", cmp.Diff(live, same))
	}
}

func oneService(s swarm.ServiceSpec, ignore string) *spec.Stack {
	st := &spec.Stack{Name: "app", Services: []spec.Service{{Key: "a", Spec: s}}}
	if ignore != "" {
		st.Settings.Ignore = []string{ignore}
	}
	return st
}

func liveService(s swarm.ServiceSpec, api string) *Observed {
	return &Observed{Node: Self{APIVersion: api}, Services: map[string]ObservedService{"app_a": {ID: "id", Spec: s}}}
}

// asKept is what an Engine with that version of the API makes of a spec.
func asKept(s swarm.ServiceSpec, api string) swarm.ServiceSpec {
	c := *s.TaskTemplate.ContainerSpec
	s.TaskTemplate.ContainerSpec = &c
	if api == "1.41" || api == "1.44" {
		c.OomScoreAdj = 0
	}
	if api == "1.41" && c.Healthcheck != nil {
		h := *c.Healthcheck
		h.StartInterval = 0
		c.Healthcheck = &h
	}
	return s
}

// wildSpec is any spec: of the shapes that people write, and with fields set
// that they seldom do.
func wildSpec(t *rapid.T, label string) swarm.ServiceSpec {
	s := anySpec(t, label)
	all := rapid.Make[swarm.ContainerSpec]().Draw(t, label)
	c := s.TaskTemplate.ContainerSpec
	all.Image, all.Mounts, all.Secrets = c.Image, c.Mounts, c.Secrets
	all.Privileges = nil
	all.Env, all.Labels = append(c.Env, all.Env...), c.Labels
	all.Ulimits, all.Configs = nil, nil
	s.TaskTemplate.ContainerSpec = &all
	s.TaskTemplate.LogDriver = rapid.Make[*swarm.Driver]().Draw(t, label)
	s.UpdateConfig = rapid.Make[*swarm.UpdateConfig]().Draw(t, label)
	if e := s.EndpointSpec; e != nil {
		ports := rapid.SliceOfN(rapid.Make[swarm.PortConfig](), 0, 4).Draw(t, label)
		e.Ports = append(e.Ports, ports...)
	}
	return s
}
