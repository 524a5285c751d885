package engine_test

import (
	"fmt"
	"testing"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/spec"
)

// Who asks again and again sees what everybody else sees, whatever happened
// meanwhile, and has nothing decoded again where nothing did.
func TestRepeatsAreWhatIsThere(t *testing.T) {
	sim := swarmlab.StartSim(t)
	api := sim.Client(t)
	ours, err := engine.NewAt(sim.Host, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	ours.Repeats = true
	plain, err := engine.NewAt(sim.Host, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	look := func(e *engine.Engine) *reconcile.Observed {
		o, err := e.Observe(t.Context(), &spec.Stack{Name: "one"})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	container := func(o *reconcile.Observed) *swarm.ContainerSpec {
		return o.Services["one_none"].Spec.TaskTemplate.ContainerSpec
	}
	var id string
	step := func(what string, decoded bool, do func() error) {
		t.Helper()
		before := look(ours)
		if err := do(); err != nil {
			t.Fatal(what, err)
		}
		now, want := look(ours), look(plain)
		now.At = want.At // the Engine's clock
		if diff := cmp.Diff(want, now); diff != "" {
			t.Errorf("%s (-there +seen):\n%s", what, diff)
		}
		if again := container(before) != container(now); id != "" && again != decoded {
			t.Errorf("%s: decoded again: %v", what, again)
		}
	}
	step("nothing there", true, func() error { return nil })
	step("a service", true, func() error {
		r, err := api.ServiceCreate(t.Context(), idle("one_none"), swarm.ServiceCreateOptions{})
		id = r.ID
		return err
	})
	step("nothing", false, func() error { return nil })
	step("a config and a secret", false, func() error {
		var c swarm.ConfigSpec
		c.Name, c.Data = "one_config", []byte("x")
		if _, err := api.ConfigCreate(t.Context(), c); err != nil {
			return err
		}
		var s swarm.SecretSpec
		s.Name, s.Data = "one_secret", []byte("x")
		_, err := api.SecretCreate(t.Context(), s)
		return err
	})
	for i := range 3 {
		step(fmt.Sprint("update ", i), true, func() error {
			s, _, err := api.ServiceInspectWithRaw(t.Context(), id, swarm.ServiceInspectOptions{})
			if err != nil {
				return err
			}
			s.Spec.TaskTemplate.ContainerSpec.Env = []string{fmt.Sprint("A=", i%2)}
			_, err = api.ServiceUpdate(t.Context(), id, s.Version, s.Spec, swarm.ServiceUpdateOptions{})
			return err
		})
	}
	step("another stack's service", false, func() error {
		_, err := api.ServiceCreate(t.Context(), idle("two_none"), swarm.ServiceCreateOptions{})
		return err
	})
	step("no service", true, func() error { return api.ServiceRemove(t.Context(), id) })
}
