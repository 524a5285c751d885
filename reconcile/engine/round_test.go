package engine_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/spec"
)

// counted is an Engine behind a socket that counts its calls.
func counted(t *testing.T, host string) (*engine.Engine, *swarmlab.Faults) {
	t.Helper()
	f := swarmlab.NewFaults(t, host)
	e, err := engine.NewAt(f.Host, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e, f
}

// calls of each kind that came in, such as services.
func calls(f *swarmlab.Faults) map[string]int {
	n := map[string]int{}
	for _, c := range f.Calls() {
		n[path.Base(c.Path)]++
	}
	return n
}

// A hundred stacks that look at the same time make the calls of a few, and each
// sees what is its own.
func TestManyStacksShareTheirLooks(t *testing.T) {
	sim := swarmlab.StartSim(t)
	api := sim.Client(t)
	const stacks = 100
	for i := range stacks {
		for _, name := range []string{fmt.Sprintf("s%d_web", i), fmt.Sprintf("s%d_none", i)} {
			if _, err := api.ServiceCreate(t.Context(), idle(name), swarm.ServiceCreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	e, f := counted(t, sim.Host)
	var start, end sync.WaitGroup
	start.Add(1)
	for i := range stacks {
		end.Go(func() {
			start.Wait()
			look := e.Observe
			if i%2 == 1 {
				look = e.Progress
			}
			o, err := look(t.Context(), &spec.Stack{Name: fmt.Sprint("s", i)})
			if err != nil {
				t.Error(err)
				return
			}
			if len(o.Services) != 2 || o.Services[fmt.Sprintf("s%d_web", i)].ID == "" || o.Services[fmt.Sprintf("s%d_none", i)].ID == "" {
				t.Errorf("stack s%d sees %d services", i, len(o.Services))
			}
			for id, tasks := range o.Tasks {
				if s := o.Services[fmt.Sprintf("s%d_web", i)]; s.ID != id || len(tasks) != 1 {
					t.Errorf("stack s%d sees %d tasks of %s", i, len(tasks), id)
				}
			}
		})
	}
	f.Arm(0, swarmlab.Pass, nil)
	start.Done()
	end.Wait()
	// One for whoever was first, one for all who came meanwhile, and another one
	// where somebody was late.
	if n := calls(f); n["services"] > 3 || n["info"] > 3 || n["tasks"] > 6 {
		t.Errorf("%d stacks made %v", stacks, n)
	}
}

// idle is a service with a task, or with none.
func idle(name string) swarm.ServiceSpec {
	var s swarm.ServiceSpec
	s.Name = name
	s.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Image: "nginx:1.29"}
	s.TaskTemplate.Placement = &swarm.Placement{}
	replicas := uint64(1)
	if strings.HasSuffix(name, "_none") {
		replicas = 0
	}
	s.Mode.Replicated = &swarm.ReplicatedService{Replicas: &replicas}
	return s
}

// A stack alone lists its own services; with its look given up, the Engine is
// asked no more.
func TestALookOfOne(t *testing.T) {
	sim := swarmlab.StartSim(t)
	e, f := counted(t, sim.Host)
	f.Arm(0, swarmlab.Pass, nil)
	for range 2 {
		if _, err := e.Observe(t.Context(), &spec.Stack{Name: "one"}); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int{"_ping": 1, "info": 2, "services": 2, "tasks": 4, "nodes": 2, "networks": 2, "secrets": 2, "configs": 2, "volumes": 2}
	if diff := cmp.Diff(want, calls(f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.Arm(1, swarmlab.Delay, cancel) // without an end
	if _, err := e.Observe(ctx, &spec.Stack{Name: "one"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a look that was given up: %v", err)
	}
	if _, err := e.Observe(t.Context(), &spec.Stack{Name: "one"}); err != nil {
		t.Errorf("the look after it: %v", err)
	}
}
