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

// looked counts the looks at a Swarm that takes its time over writes.
type looked struct {
	*fakeSwarm
	write time.Duration
	n     atomic.Int64
}

func (l *looked) Do(ctx context.Context, w Write) error {
	time.Sleep(l.write)
	return l.fakeSwarm.Do(ctx, w)
}

func (l *looked) Progress(ctx context.Context, s *spec.Stack) (*Observed, error) {
	l.n.Add(1)
	time.Sleep(time.Millisecond)
	return l.fakeSwarm.Progress(ctx, s)
}

// While services are written that none waits for, nobody looks, for as long as
// Poll at most; a service that another one waits for is looked at when it is
// written.
func TestLooksWaitForWrites(t *testing.T) {
	for _, tt := range []struct {
		name      string
		write     time.Duration // each, eight at a time
		dependsOn map[string]spec.Condition
		least     int64
		most      int64
	}{
		{"independent", 10 * time.Millisecond, nil, 1, 2},
		{"slow", time.Second, nil, 4, 8},
		{"depended on", 10 * time.Millisecond, map[string]spec.Condition{"s00": spec.ServiceStarted}, 2, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &looked{fakeSwarm: newFake(), write: tt.write}
				stack := &spec.Stack{Name: "app"}
				for i := range 32 {
					s := spec.Service{Key: fmt.Sprintf("s%02d", i)}
					s.Spec.Name = "app_" + s.Key
					s.Spec.TaskTemplate.ContainerSpec, s.Spec.Mode.Replicated = &swarm.ContainerSpec{Image: "a"}, &swarm.ReplicatedService{Replicas: new(uint64(0))}
					if i == 31 {
						s.DependsOn = tt.dependsOn
					}
					stack.Services = append(stack.Services, s)
				}
				r := &Reconciler{Engine: e, Prober: fakeProber(passing)}
				o := r.Pass(t.Context(), stack)
				if o.ExitCode() != ExitOK || len(o.Applied) != 32 {
					t.Fatalf("exit %d, %d written, %v", o.ExitCode(), len(o.Applied), o.Err)
				}
				if n := e.n.Load(); n < tt.least || n > tt.most {
					t.Errorf("%d looks, want %d to %d", n, tt.least, tt.most)
				}
			})
		})
	}
}
