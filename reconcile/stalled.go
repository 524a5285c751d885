package reconcile

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// Swarm itself loses work now and then, once in some hundred updates that follow
// one another fast, and never takes it up again by itself:
//
//   - Its scheduler keeps a task that was deleted before it had a node in its
//     queue (swarmkit's manager/scheduler: deleteTask leaves unassignedTasks as
//     it is). When a host-mode port becomes free, the dead task may be given it
//     for a moment; the living one behind it is told that the port is in use, as
//     before, and as nothing has changed nobody looks again.
//   - Its updater works on the tasks that it was given. A slot that the update
//     before has changed meanwhile is an error that it only logs, and the look
//     that follows an update is skipped while that one still ends (manager/
//     orchestrator/update: Supervisor.Update). Such slots stay as they are: of an
//     older spec, or empty.
//
// Any change of the service makes it look again; --force is the one without
// another effect.

// stall is how long nothing may happen before it is clear that nothing will.
// Swarm's own loops take a second.
const stall = 30 * time.Second

const stallRemedy = "docker service update --force "

// stalled: tasks are missing or of an older spec, and Swarm is not about to do
// anything about it.
func (j *judging) stalled() *Verdict {
	old, paused := 0, ""
	for _, t := range j.oldOnes {
		if t.DesiredState != swarm.TaskStateRunning {
			continue
		}
		old++
		if j.seen.Nodes[t.NodeID].Spec.Availability == swarm.NodeAvailabilityPause {
			paused = j.nodeName(t.NodeID)
		}
	}
	short := j.s.Spec.Mode.Replicated != nil && j.running < j.desired
	if old == 0 && !short || j.underWay() || j.now.Sub(j.lastMove()) < stall {
		return nil
	}
	what := fmt.Sprintf("%d of %d running as the spec says", j.running, j.desired)
	if old > 0 {
		what += fmt.Sprintf(", %d of an older spec", old)
	}
	v := j.failure("stalled", what+", and Swarm does nothing more about it")
	v.Remedy = "have Swarm look again: " + stallRemedy + j.s.Spec.Name
	if paused != "" && j.s.Spec.Mode.Global != nil {
		v.Message += ": it leaves tasks on a paused node as they are"
		v.Remedy = "docker node update --availability active " + paused
	}
	return v
}

// underWay tells whether Swarm is at work on the service.
func (j *judging) underWay() bool {
	if u := j.s.UpdateStatus; u != nil && u.State != swarm.UpdateStateCompleted && u.State != swarm.UpdateStateRollbackCompleted {
		return true
	}
	for _, t := range j.seen.Tasks[j.s.ID] {
		if !ended(t.Status.State) && (t.Status.State != swarm.TaskStateRunning || t.DesiredState != swarm.TaskStateRunning) && j.nodeUp(t) {
			return true
		}
	}
	return false
}

// lastMove is when something last happened to the service.
func (j *judging) lastMove() time.Time {
	last := j.since
	if j.s.UpdatedAt.After(last) {
		last = j.s.UpdatedAt
	}
	for _, t := range j.seen.Tasks[j.s.ID] {
		for _, at := range []time.Time{t.CreatedAt, t.Status.Timestamp} {
			if at.After(last) {
				last = at
			}
		}
	}
	return last
}

var portsInUse = regexp.MustCompile(`host-mode port already in use on (\d+) nodes?`)

// missedPort tells whether a task waits for a port that nobody has any more: its
// scheduler counts more nodes on which it is in use than there are.
func (j *judging) missedPort(t swarm.Task) bool {
	m := portsInUse.FindStringSubmatch(t.Status.Err)
	if m == nil || j.now.Sub(t.CreatedAt) < stall {
		return false
	}
	counted, _ := strconv.Atoi(m[1])
	holders := map[string]bool{}
	for service, tasks := range j.seen.Tasks {
		for _, other := range tasks {
			switch {
			case ended(other.Status.State):
				if j.now.Sub(other.Status.Timestamp) < stall {
					return false // what it had may be given away any moment
				}
			case other.NodeID != "" && j.mayHold(service, other):
				holders[other.NodeID] = true
			}
		}
	}
	return len(holders) < counted
}

// mayHold tells whether a task may have a host-mode port that the service wants.
// What a task of another service asked for is known once it runs.
func (j *judging) mayHold(service string, t swarm.Task) bool {
	if service == j.s.ID || t.Status.State != swarm.TaskStateRunning {
		return true
	}
	for _, has := range t.Status.PortStatus.Ports {
		for _, p := range j.hostPorts() {
			if has.PublishedPort == p.PublishedPort && protocol(has) == protocol(p) {
				return true
			}
		}
	}
	return false
}
