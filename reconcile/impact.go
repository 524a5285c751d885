package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/swarm"
)

// rollout is what a write does to the tasks of a service.
type rollout struct {
	replaced int          // slots that get a new task for the one they have
	started  int          // tasks in slots that had none
	stopped  int          // tasks of slots that go
	waiting  []string     // paused nodes, whose tasks stay as they are
	moved    []taskSlot   // replaced ones that cannot stay on their node
	nodes    []swarm.Node // that may run a task
}

// impact predicts what the write of next does to the tasks that there are. It
// judges the tasks rather than the fields: a task may already be what next asks
// for, or still be of an older spec, which any write has replaced.
func (x *diffing) impact(c *Change, live ObservedService, next *swarm.ServiceSpec, query bool) {
	if isJob(next.Mode) {
		x.jobImpact(c, *next)
		return
	}
	if x.hidesPorts(live, x.onArrival(live, *next, query)) {
		// Swarm looks at the ports only where the placement is as it was, and
		// tasks never publish ports that they were not made with.
		next.TaskTemplate.ForceUpdate++
	}
	r := x.rollout(live, x.onArrival(live, *next, query))
	c.Impact, c.Tasks = ImpactNone, r.replaced
	if r.replaced > 0 {
		c.Impact = ImpactRolling
	}
	c.Notes = append(c.Notes, x.scaleNotes(live.Spec, *next, r)...)
	c.Notes = append(c.Notes, x.placementNotes(*next, r)...)
	c.Notes = append(c.Notes, x.volumeNotes(*next, r)...)
}

// onArrival is the spec as it gets to the Swarm: the Docker client writes the
// image in its short form and, when told to query, with the digest that the
// registry has, which is taken to be that of a task with the same tag.
func (x *diffing) onArrival(live ObservedService, s swarm.ServiceSpec, query bool) swarm.ServiceSpec {
	if s.TaskTemplate.ContainerSpec == nil {
		return s
	}
	c := *s.TaskTemplate.ContainerSpec
	s.TaskTemplate.ContainerSpec = &c
	if n, err := reference.ParseNormalizedNamed(c.Image); err == nil {
		c.Image = reference.FamiliarString(reference.TagNameOnly(n))
	}
	if !query || strings.Contains(c.Image, "@") {
		return s
	}
	for _, t := range x.seen.Tasks[live.ID] {
		was := t.Spec.ContainerSpec
		if !isAlive(t) || x.seen.UpToDate[t.ID] || was == nil || !SameImage(was.Image, c.Image) || t.Spec.Placement == nil {
			continue
		}
		c.Image = was.Image
		p := swarm.Placement{}
		if s.TaskTemplate.Placement != nil {
			p = *s.TaskTemplate.Placement
		}
		p.Platforms = t.Spec.Placement.Platforms
		s.TaskTemplate.Placement = &p
		break
	}
	return s
}

// jobImpact: every accepted update of a job, of a label even, starts it again.
func (x *diffing) jobImpact(c *Change, next swarm.ServiceSpec) {
	c.Impact, c.Tasks = ImpactRolling, x.size(next)
	c.Notes = append(c.Notes, "Swarm runs a job again whenever anything about it changes")
}

func isJob(m swarm.ServiceMode) bool { return m.ReplicatedJob != nil || m.GlobalJob != nil }

// rollout follows swarmkit's orchestrators: manager/orchestrator/replicated,
// global and update.
func (x *diffing) rollout(live ObservedService, next swarm.ServiceSpec) rollout {
	r := rollout{nodes: x.candidates(next)}
	slots := x.slots(live, next)
	if next.Mode.Global != nil {
		x.rolloutGlobal(&r, slots, live, next)
		return r
	}
	want := x.size(next)
	r.started = max(0, want-len(slots))
	if len(slots) > want {
		slots = inOrderOfStay(slots)
		for _, s := range slots[want:] {
			r.stopped += s.alive()
		}
		slots = slots[:want]
	}
	for _, s := range slots {
		if x.needsTask(s, live, next) {
			x.replace(&r, s, next)
		}
	}
	return r
}

func (x *diffing) replace(r *rollout, s taskSlot, next swarm.ServiceSpec) {
	r.replaced++
	if s.node != "" && !slices.ContainsFunc(r.nodes, func(n swarm.Node) bool { return n.ID == s.node }) {
		r.moved = append(r.moved, s)
	}
}

// rolloutGlobal goes by nodes. Those that are drained or down have no task, and
// those that are paused keep theirs until they are active again.
func (x *diffing) rolloutGlobal(r *rollout, slots []taskSlot, live ObservedService, next swarm.ServiceSpec) {
	byNode := map[string]taskSlot{}
	for _, s := range slots {
		byNode[s.key] = s
	}
	for _, id := range sortedKeys(x.seen.Nodes) {
		n, s := x.seen.Nodes[id], byNode[id]
		if n.Spec.Availability == swarm.NodeAvailabilityDrain || n.Status.State == swarm.NodeStateDown {
			continue
		}
		delete(byNode, id)
		switch {
		case !satisfies(n, constraints(next)):
			r.stopped += s.alive()
		case n.Spec.Availability == swarm.NodeAvailabilityPause:
			if len(s.tasks) > 0 && x.needsTask(s, live, next) {
				r.waiting = append(r.waiting, nodeName(n))
			}
		case len(s.tasks) == 0, s.alive() == 0 && !satisfies(n, constraints(live.Spec)):
			r.started++
		case x.needsTask(s, live, next):
			r.replaced++
		}
	}
	for _, s := range byNode {
		r.stopped += s.alive()
	}
}

// needsTask: a slot keeps a task that is as next says, and gets a new one when
// it has none.
func (x *diffing) needsTask(s taskSlot, live ObservedService, next swarm.ServiceSpec) bool {
	return !slices.ContainsFunc(s.tasks, func(t swarm.Task) bool { return !x.dirty(t, live, next) })
}

// dirty is swarmkit's IsTaskDirty (manager/orchestrator/task.go).
func (x *diffing) dirty(t swarm.Task, live ObservedService, next swarm.ServiceSpec) bool {
	was, endpoint := x.madeFrom(t, live)
	if onlyPlacementDiffers(next.TaskTemplate, was) {
		if n, ok := x.seen.Nodes[t.NodeID]; ok && satisfies(n, constraints(next)) {
			return false
		}
	}
	return !sameOnWire(next.TaskTemplate, was) || !sameOnWire(next.EndpointSpec, endpoint)
}

// hidesPorts says whether some task would be left without ports that differ,
// because its placement differs too and is satisfied.
func (x *diffing) hidesPorts(live ObservedService, next swarm.ServiceSpec) bool {
	if sameOnWire(next.EndpointSpec, live.Spec.EndpointSpec) {
		return false
	}
	return slices.ContainsFunc(x.seen.Tasks[live.ID], func(t swarm.Task) bool {
		was, endpoint := x.madeFrom(t, live)
		return isAlive(t) && onlyPlacementDiffers(next.TaskTemplate, was) &&
			!sameOnWire(next.EndpointSpec, endpoint) && !x.dirty(t, live, next)
	})
}

// madeFrom is the spec that a task was made from. The API tells a task's own
// placement, and not its ports: those are the live spec's, or the previous
// one's where the rest of the task is.
func (x *diffing) madeFrom(t swarm.Task, live ObservedService) (swarm.TaskSpec, *swarm.EndpointSpec) {
	if x.seen.UpToDate[t.ID] {
		was := live.Spec.TaskTemplate
		was.Placement = t.Spec.Placement
		return was, live.Spec.EndpointSpec
	}
	if p := live.Previous; p != nil && sameOnWire(p.TaskTemplate, t.Spec) {
		return t.Spec, p.EndpointSpec
	}
	return t.Spec, live.Spec.EndpointSpec
}

func onlyPlacementDiffers(a, b swarm.TaskSpec) bool {
	if sameOnWire(a.Placement, b.Placement) {
		return false
	}
	a.Placement = b.Placement
	return sameOnWire(a, b)
}

// scaleNotes tell of tasks that come and go without being replaced.
func (x *diffing) scaleNotes(was, is swarm.ServiceSpec, r rollout) []string {
	var notes []string
	from, to := x.size(was), x.size(is)
	if from != to {
		note := fmt.Sprintf("scales from %d to %d", from, to)
		switch {
		case r.stopped > 0 && r.started > 0:
			note += fmt.Sprintf(": %s, %s", count(r.stopped, "task stops", "tasks stop"), count(r.started, "starts", "start"))
		case r.stopped > 0:
			note += ": " + count(r.stopped, "task stops", "tasks stop")
		case r.started > 0:
			note += ": " + count(r.started, "task starts", "tasks start")
		}
		notes = append(notes, note)
	} else if is.Mode.Global != nil && r.stopped+r.started > 0 {
		notes = append(notes, fmt.Sprintf("moves to other nodes: %s, %s",
			count(r.stopped, "task stops", "tasks stop"), count(r.started, "starts", "start")))
	}
	for _, n := range r.waiting {
		notes = append(notes, fmt.Sprintf("%s is paused: its task stays as it is until the node is active again", n))
	}
	return notes
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (x *diffing) runningTasks(serviceID string) []swarm.Task {
	return slices.DeleteFunc(slices.Clone(x.seen.Tasks[serviceID]), func(t swarm.Task) bool {
		return t.DesiredState != swarm.TaskStateRunning
	})
}

// size is the number of tasks that a service should have.
func (x *diffing) size(s swarm.ServiceSpec) int {
	switch m := s.Mode; {
	case m.Global != nil || m.GlobalJob != nil:
		return len(x.candidates(s))
	case m.Replicated != nil && m.Replicated.Replicas != nil:
		return int(*m.Replicated.Replicas)
	case m.ReplicatedJob != nil:
		total := cmp.Or(m.ReplicatedJob.TotalCompletions, m.ReplicatedJob.MaxConcurrent)
		if total != nil {
			return int(*total)
		}
	}
	return 1
}
