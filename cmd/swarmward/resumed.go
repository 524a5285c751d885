package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/trigger"
	"github.com/swarmward/swarmward/spec"
)

// words are what is said of stacks in their memories: suspended, or held. The
// memory changes with every lease, too, which must start no pass: one that keeps
// failing would follow upon itself without a pause.
type words struct {
	wake trigger.Nudge

	mu      sync.Mutex
	changed map[string]bool // memories, by name, since they were looked at

	said map[string][2]string // of saidAnew alone
}

func newWords() *words {
	return &words{wake: trigger.NewNudge(), changed: map[string]bool{}, said: map[string][2]string{}}
}

// hear of a config that has changed. It does not block.
func (w *words) hear(name string) {
	w.mu.Lock()
	w.changed[name] = true
	w.mu.Unlock()
	w.wake.Now()
}

// saidAnew looks at the memories that have changed, and names those that say
// something else than before. Without a name, all are looked at, and nothing that
// they say is new: a pass of each stack follows anyway.
func (w *words) saidAnew(ctx context.Context, k reconcile.Keeper) (names []string) {
	w.mu.Lock()
	changed := slices.Sorted(maps.Keys(w.changed))
	clear(w.changed)
	w.mu.Unlock()
	for _, name := range changed {
		list, err := k.Kept(ctx, cmp.Or(name, "swarmward."))
		if err != nil {
			continue // the schedule backs up all others
		}
		for _, c := range list {
			if !reconcile.IsMemory("", c.Spec.Name) {
				continue
			}
			is := [2]string{c.Spec.Labels[reconcile.LabelSuspended], c.Spec.Labels[reconcile.LabelHeld]}
			if is != w.said[c.Spec.Name] && name != "" {
				names = append(names, c.Spec.Name)
			}
			w.said[c.Spec.Name] = is
		}
	}
	return names
}

// heed what persons say, and make passes of the stacks that it is about.
func (c *controller) heed(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.words.wake:
		}
		for _, name := range c.words.saidAnew(ctx, c.engine) {
			c.fleet.Nudge(func(_ string, s *spec.Stack) bool { return s != nil && reconcile.IsMemory(s.Name, name) })
		}
	}
}
