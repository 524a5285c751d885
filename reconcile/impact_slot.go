package reconcile

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/docker/docker/api/types/swarm"
)

// taskSlot is one of a service's places for a task: a numbered one, or a node
// of a global service.
type taskSlot struct {
	key   string
	slot  int
	tasks []swarm.Task // alive, or the last one, which will not be restarted
	node  string       // where its newest task that had a node is or was
}

// slots are those that an update works on, as swarmkit's UpdatableTasksInSlot
// picks them, in the order of their numbers.
func (x *diffing) slots(live ObservedService, next swarm.ServiceSpec) []taskSlot {
	all := map[string][]swarm.Task{}
	for _, t := range x.seen.Tasks[live.ID] {
		key := strconv.Itoa(t.Slot)
		if next.Mode.Global != nil {
			key = t.NodeID
		}
		all[key] = append(all[key], t)
	}
	var out []taskSlot
	for _, key := range sortedKeys(all) {
		tasks := all[key]
		slices.SortFunc(tasks, func(a, b swarm.Task) int {
			return cmp.Or(a.Status.Timestamp.Compare(b.Status.Timestamp), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		s := taskSlot{key: key, slot: tasks[0].Slot}
		for _, t := range tasks {
			if t.NodeID != "" {
				s.node = t.NodeID
			}
			if isAlive(t) {
				s.tasks = append(s.tasks, t)
			}
		}
		if newest := tasks[len(tasks)-1]; len(s.tasks) == 0 && isSpent(newest) {
			s.tasks = []swarm.Task{newest}
		}
		if len(s.tasks) > 0 {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b taskSlot) int { return cmp.Compare(a.slot, b.slot) })
	return out
}

func (s taskSlot) alive() int {
	n := 0
	for _, t := range s.tasks {
		if isAlive(t) {
			n++
		}
	}
	return n
}

// isAlive says whether the Swarm still wants the task: it runs, starts, waits
// for a node, or waits for its restart.
func isAlive(t swarm.Task) bool { return t.DesiredState != "" && !ended(t.DesiredState) }

// isSpent says whether a task that is not alive will have no successor. How
// often Swarm has restarted it is not to be seen; with a limit, one without a
// successor has used it up.
func isSpent(t swarm.Task) bool {
	p := t.Spec.RestartPolicy
	if p == nil || t.DesiredState == swarm.TaskStateRemove {
		return false
	}
	return p.Condition == swarm.RestartPolicyConditionNone ||
		p.Condition == swarm.RestartPolicyConditionOnFailure && t.Status.State == swarm.TaskStateComplete ||
		p.MaxAttempts != nil && *p.MaxAttempts > 0
}

// inOrderOfStay puts the slots last that go when a service is made smaller:
// those that do not run, then those on the nodes with most of the service.
func inOrderOfStay(slots []taskSlot) []taskSlot {
	runs := func(s taskSlot) bool {
		return slices.ContainsFunc(s.tasks, func(t swarm.Task) bool { return t.Status.State == swarm.TaskStateRunning })
	}
	slices.SortStableFunc(slots, func(a, b taskSlot) int {
		switch {
		case runs(a) && !runs(b):
			return -1
		case !runs(a) && runs(b):
			return 1
		}
		return cmp.Compare(a.slot, b.slot)
	})
	nth, onNode := map[string]int{}, map[string]int{}
	for _, s := range slots {
		nth[s.key] = int(^uint(0) >> 1) // without a node, or with two tasks: last
		if len(s.tasks) == 1 && s.tasks[0].NodeID != "" {
			onNode[s.tasks[0].NodeID]++
			nth[s.key] = onNode[s.tasks[0].NodeID]
		}
	}
	slices.SortStableFunc(slots, func(a, b taskSlot) int { return cmp.Compare(nth[a.key], nth[b.key]) })
	return slots
}
