package reconcile

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// slowSwarm takes its time, and counts the looks.
type slowSwarm struct {
	*fakeSwarm
	look, write time.Duration
	looks       atomic.Int64
}

func (s *slowSwarm) Progress(ctx context.Context, stack *spec.Stack) (*Observed, error) {
	s.looks.Add(1)
	time.Sleep(s.look)
	return s.fakeSwarm.Progress(ctx, stack)
}

func (s *slowSwarm) Do(ctx context.Context, w Write) error {
	time.Sleep(s.write)
	return s.fakeSwarm.Do(ctx, w)
}

// idleStack is a stack of n services without a task.
func idleStack(n int) *spec.Stack {
	stack := &spec.Stack{Name: "app", Settings: spec.Settings{Prune: true, Images: spec.Images{Resolve: "never"}}}
	for i := range n {
		s := spec.Service{Key: fmt.Sprintf("s%04d", i)}
		s.Spec.Name, s.Spec.Labels = "app_"+s.Key, map[string]string{spec.LabelNamespace: "app"}
		s.Spec.TaskTemplate = swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "web:1"}, Placement: &swarm.Placement{}}
		s.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: new(uint64(0))}
		stack.Services = append(stack.Services, s)
	}
	return stack
}

// However many services are waited for, looking takes a quarter of the time at
// most; and where nothing differs, the view that the plan was made from will do.
func TestLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowSwarm{fakeSwarm: newFake(), look: 50 * time.Millisecond, write: 10 * time.Millisecond}
		r := &Reconciler{Engine: s, Prober: fakeProber(passing)}
		o := r.Pass(t.Context(), idleStack(400))
		if o.ExitCode() != ExitOK || len(o.Verdicts) != 400 {
			t.Fatalf("exit %d: %v, %d verdicts", o.ExitCode(), o.Err, len(o.Verdicts))
		}
		if looks, most := s.looks.Load(), int64(o.Took/(4*s.look))+1; looks < 2 || looks > most {
			t.Errorf("%d looks of %s in %s, want 2 to %d", looks, s.look, o.Took, most)
		}
		s.looks.Store(0)
		if o := r.Pass(t.Context(), idleStack(400)); o.ExitCode() != ExitOK || len(o.Verdicts) != 400 || s.looks.Load() > 0 {
			t.Errorf("a pass without a difference: exit %d, %d verdicts, %d looks", o.ExitCode(), len(o.Verdicts), s.looks.Load())
		}
	})
}
