package reconcile

import (
	"cmp"
	"context"
	"fmt"

	"github.com/swarmward/swarmward/spec"
)

// Remember changes what the Swarm remembers of a stack, by compare and swap:
// change is given the memory as it is, once more whenever somebody else wrote
// meanwhile, and says whether it changed anything. It returns the memory as it is
// then.
func (r *Reconciler) Remember(ctx context.Context, stack string, change func(*Memory) bool) (Memory, error) {
	again := retries{patience: cmp.Or(r.Patience, engineGrace)}
	for {
		m, err := r.tryRemember(ctx, stack, change)
		if err == nil || !again.after(ctx, err) {
			return m, err
		}
	}
}

func (r *Reconciler) tryRemember(ctx context.Context, stack string, change func(*Memory) bool) (Memory, error) {
	seen, err := r.Engine.Observe(ctx, &spec.Stack{Name: stack})
	if err != nil {
		return Memory{}, err
	}
	m, err := MemoryOf(seen, stack)
	if err != nil || !change(&m) {
		return m, err
	}
	if err := r.do(ctx, m.Write(stack)); err != nil {
		return m, fmt.Errorf("what is remembered of stack %s: %w", stack, err)
	}
	return m, nil
}
