package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// On a Swarm of three simulated nodes: every field by itself, and many at once.
func TestImpactOnSim(t *testing.T) {
	t.Parallel()
	right, all := new(atomic.Int64), new(atomic.Int64)
	t.Cleanup(func() { fmt.Printf("swarmsim: %d predictions right of %d\n", right.Load(), all.Load()) })
	start := func(t *testing.T, seed uint64, mode swarm.ServiceMode) *trial {
		t.Parallel()
		sim := swarmlab.StartSim(t, "--nodes", "3")
		tr := newTrial(t, sim.Client(t), "s"+strconv.FormatUint(seed, 10), seed, mode).sharing(right, all)
		tr.sim = true
		tr.labelNodes()
		tr.create()
		return tr
	}
	t.Run("single", func(t *testing.T) { start(t, 1, replicas(3)).single(sorted(fieldChanges())) })
	t.Run("single, global", func(t *testing.T) {
		start(t, 2, swarm.ServiceMode{Global: &swarm.GlobalService{}}).single(slices.DeleteFunc(sorted(fieldChanges()), func(c fieldChange) bool {
			return strings.HasPrefix(c.field, "Mode.") || strings.HasSuffix(c.field, ".MaxReplicas") || strings.HasSuffix(c.field, ".GenericResources")
		}))
	})
	for seed := range uint64(2) {
		t.Run("combined", func(t *testing.T) { start(t, 10+seed, replicas(3)).combined(50, nil) })
	}
	t.Run("combined, global", func(t *testing.T) {
		start(t, 20, swarm.ServiceMode{Global: &swarm.GlobalService{}}).combined(50, nil)
	})
	t.Run("in trouble", func(t *testing.T) {
		tr := start(t, 30, replicas(3))
		tr.combined(50, tr.trouble)
	})
	t.Run("ports beside a placement", func(t *testing.T) {
		// Swarm's updater looks at one or the other.
		tr := start(t, 50, replicas(3))
		tr.allRun()
		for _, step := range []struct {
			what  string
			do    func()
			tasks int
		}{
			{"a port and a constraint that is met", func() {
				tr.w.published()
				tr.w.spec.TaskTemplate.Placement.Constraints = []string{"node.platform.os==linux"}
			}, 3},
			{"no constraint", func() { tr.w.spec.TaskTemplate.Placement.Constraints = nil }, 0},
			{"a port, after the placement", func() { tr.w.published().PublishedPort++ }, 3},
		} {
			step.do()
			if p, _ := tr.plan(); change(p).Tasks != step.tasks {
				t.Errorf("%s: want %d tasks replaced:\n%s", step.what, step.tasks, p)
			}
			tr.check(step.what)
			tr.allRun()
		}
	})
	t.Run("nodes that change", func(t *testing.T) {
		tr := start(t, 40, replicas(4))
		tr.combined(40, tr.changeNode)
	})
	t.Run("nodes that change, global", func(t *testing.T) {
		tr := start(t, 41, swarm.ServiceMode{Global: &swarm.GlobalService{}})
		tr.combined(40, tr.changeNode)
	})
}

// Jobs run again whatever is changed, were it a label.
func TestImpactOfJobs(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]swarm.ServiceMode{
		"replicated": {ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: new(uint64(2)), TotalCompletions: new(uint64(3))}},
		"global":     {GlobalJob: &swarm.GlobalJob{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := swarmlab.StartSim(t, "--nodes", "3")
			tr := newTrial(t, sim.Client(t), "job", 1, mode)
			tr.w.container().Args = []string{"true"}
			tr.w.spec.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}
			tr.create()
			tr.w.spec.Labels["a"] = "b"
			tr.check("a label")
			tr.w.container().Env = []string{"A=1"}
			tr.check("a variable")
			if m := tr.w.spec.Mode.ReplicatedJob; m != nil {
				m.TotalCompletions = new(uint64(5))
				tr.check("completions")
			}
			if tr.all.Load() < 2 {
				t.Error("nothing was predicted")
			}
			fmt.Printf("jobs, %s: %d predictions right of %d\n", name, tr.right.Load(), tr.all.Load())
		})
	}
}

// A job that was there before is not run again for the sake of a mark.
func TestJobIsNotRunToBeAdopted(t *testing.T) {
	t.Parallel()
	sim := swarmlab.StartSim(t)
	tr := newTrial(t, sim.Client(t), "job", 1, swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: new(uint64(1)), TotalCompletions: new(uint64(1))}})
	tr.w.container().Args = []string{"true"}
	tr.create()
	svc := tr.state().service
	delete(svc.Spec.Labels, reconcile.LabelApplied)
	if _, err := tr.e.api.ServiceUpdate(t.Context(), svc.ID, svc.Version, svc.Spec, swarm.ServiceUpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	tr.settle()
	p, _ := tr.plan()
	c := change(p)
	if c == nil || c.Write != nil || !p.Empty() {
		t.Errorf("got\n%swant a note and no write", p)
	}
}

// A scaler's replicas survive what the spec changes beside them.
func TestIgnoredReplicasOnSim(t *testing.T) {
	t.Parallel()
	sim := swarmlab.StartSim(t)
	tr := newTrial(t, sim.Client(t), "app", 1, replicas(2))
	tr.w.stack.Settings.Ignore = []string{"services.app.deploy.replicas"}
	tr.create()
	scaled := tr.state().service
	scaled.Spec.Mode = replicas(4)
	if _, err := tr.e.api.ServiceUpdate(t.Context(), scaled.ID, scaled.Version, scaled.Spec, swarm.ServiceUpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	tr.settle()
	if p, _ := tr.plan(); len(p.Changes) > 0 {
		t.Errorf("a plan after the scaler:\n%s", p)
	}
	tr.w.container().Image = "busybox:1.36"
	p, _ := tr.plan()
	if c := change(p); c == nil || c.Cause != "the spec changed" || c.Tasks != 4 {
		t.Errorf("plan:\n%s", p)
	}
	tr.check("an image")
	if n := *tr.state().service.Spec.Mode.Replicated.Replicas; n != 4 || tr.right.Load() != 1 {
		t.Errorf("%d replicas, %d predictions right", n, tr.right.Load())
	}
}

// On a real Engine, services side by side.
func TestImpactOnEngine(t *testing.T) {
	t.Parallel()
	lab := swarmlab.Start(t, swarmlab.Options{})
	for _, tag := range []string{"busybox:1.36", "busybox:1.37", "busybox:latest"} {
		if err := lab.LoadImage(t.Context(), tag, nil, `CMD ["sleep","100000"]`); err != nil {
			t.Fatal(err)
		}
	}
	right, all := new(atomic.Int64), new(atomic.Int64)
	api := lab.Nodes[0].Client(t)
	const workers = 6
	t.Run("all", func(t *testing.T) {
		fields := slices.DeleteFunc(sorted(fieldChanges()), func(c fieldChange) bool { return c.sim })
		for i := range workers {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				tr := newTrial(t, api, "r"+strconv.Itoa(i), uint64(100+i), replicas(2)).sharing(right, all)
				tr.create()
				var mine []fieldChange
				for n := i; n < len(fields); n += workers {
					mine = append(mine, fields[n])
				}
				tr.single(mine)
				tr.combined(5, nil)
				if err := api.ServiceRemove(context.Background(), tr.w.spec.Name); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
	})
	fmt.Printf("Engine: %d predictions right of %d\n", right.Load(), all.Load())
}
