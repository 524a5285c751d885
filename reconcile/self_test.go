package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// The service that swarmward itself runs in is changed when all else has ended,
// whatever came of that, and never waits for what waits for it.
func TestSelfIsLast(t *testing.T) {
	for _, c := range []struct {
		name  string
		self  string
		fails string // a service whose write fails
	}{
		{"it waits", "app_back", ""}, // front depends on back
		{"also for what failed", "app_back", "app_other"},
		{"and for whom it depends on", "app_front", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, stack := newFake(), pair()
				other := stack.Services[1]
				other.Key, other.DependsOn, other.Spec.Name = "other", nil, "app_other"
				stack.Services = append(stack.Services, other)
				var mu sync.Mutex
				var order []string
				ready := map[string]bool{}
				f.fail = func(w Write) error {
					create, ok := w.(CreateService)
					if !ok {
						return nil
					}
					mu.Lock()
					defer mu.Unlock()
					name := create.Spec.Name
					order = append(order, name)
					if name == c.self && c.fails != "app_other" && !ready["other"] {
						t.Errorf("%s is written before other has converged", name)
					}
					if name == c.fails {
						return errors.New("no")
					}
					return nil
				}
				r := &Reconciler{
					Engine: f, Prober: fakeProber(passing), Parallel: 1,
					Self: func(context.Context) string { return c.self },
					Report: func(e Event) {
						mu.Lock()
						defer mu.Unlock()
						if e.Phase == PhaseConverge && e.State == "done" {
							ready[e.Subject] = true
						}
					},
				}
				o := r.Pass(t.Context(), stack)
				if len(o.Applied) != 6 {
					t.Errorf("%d writes", len(o.Applied))
				}
				mu.Lock()
				defer mu.Unlock()
				if len(order) != 3 || slices.Index(order, "app_other") > slices.Index(order, c.self) || order[2] != "app_front" {
					t.Errorf("in the order %v", order)
				}
			})
		})
	}
}
