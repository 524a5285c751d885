package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// State of a service on its way to what its spec says.
type State string

// Failed is final: waiting longer will not help. NotStarted was left alone
// because what it waits for failed.
const (
	Converged   State = "converged"
	Progressing State = "progressing"
	Failed      State = "failed"
	NotStarted  State = "not started"
)

// Verdict is what can be said of one service at one moment.
type Verdict struct {
	State   State  `json:"state"`
	Reason  string `json:"reason"`            // short, one of a closed set
	Message string `json:"message"`           // a sentence for an operator
	Remedy  string `json:"remedy,omitempty"`  // what to do
	Running int    `json:"running"`           // up-to-date tasks that run
	Desired int    `json:"desired"`           // tasks that should
	TaskID  string `json:"task_id,omitempty"` // whose log tells more
}

// How long Judge gives a Swarm before it calls something final, and how long a
// task must run to count. A task without a health check is "running" the
// moment its process starts, so a process that dies at once would pass.
const (
	settle        = 2 * time.Second
	settleMost    = 6 * time.Second  // on a node that takes long to start a task
	settleAfter   = 12 * time.Second // once it has failed before
	unschedulable = 20 * time.Second
	// Nothing is allocated while the managers elect a leader, for some 13 s, and
	// until the new one has begun.
	unallocated  = 45 * time.Second
	loopFailures = 3
	loopWindow   = 5 * time.Minute
)

// Judge says how far the service is at now. since is when this pass last wrote
// it; zero when it did not: what failed before that is the past.
func Judge(seen *Observed, name string, since, now time.Time) Verdict {
	s, ok := seen.Services[name]
	if !ok {
		return Verdict{State: Failed, Reason: "removed", Message: "the service is gone", Remedy: "somebody removed it; apply again"}
	}
	j := judging{seen: seen, s: s, since: since, now: now}
	j.count()
	for _, rule := range []func(*judging) *Verdict{
		(*judging).rolledBack, (*judging).paused, (*judging).job, (*judging).crashLoop,
		(*judging).gaveUp, (*judging).stalled, (*judging).old, (*judging).missing, (*judging).settling,
	} {
		if v := rule(&j); v != nil {
			v.Running, v.Desired = j.running, j.desired
			return *v
		}
	}
	msg := fmt.Sprintf("%d of %d running", j.running, j.desired)
	switch {
	case j.desired == 0 && s.Spec.Mode.Global != nil:
		msg = "no node may run it: none is active and meets its constraints"
	case j.desired == 0:
		msg = "scaled to zero"
	}
	return Verdict{State: Converged, Reason: "converged", Message: msg, Running: j.running, Desired: j.desired}
}

// judging is one Judge under way.
type judging struct {
	seen       *Observed
	s          ObservedService
	since, now time.Time

	desired  int
	running  int          // up to date, in state running
	current  []swarm.Task // up to date, wanted running
	oldOnes  []swarm.Task // run, but should not any more
	failures []swarm.Task // newest first, since the write or within the window

	undone     []swarm.Task // newest first: failed, and made since the write, whatever the spec is now
	alive      bool         // some task may still come to run
	lastFailed *swarm.Task  // up to date, however long ago
}

func (j *judging) count() {
	x := diffing{seen: j.seen}
	j.desired = x.size(j.s.Spec)
	if global := j.s.Spec.Mode.Global != nil || j.s.Spec.Mode.GlobalJob != nil; global {
		j.desired = j.eligible()
	}
	wanted := 0
	horizon := j.since
	if horizon.IsZero() {
		horizon = j.now.Add(-loopWindow)
	}
	for _, t := range j.seen.Tasks[j.s.ID] {
		fresh := j.seen.UpToDate[t.ID]
		switch {
		case t.DesiredState == swarm.TaskStateRunning && fresh:
			j.current = append(j.current, t)
			if t.Status.State == swarm.TaskStateRunning {
				j.running++
			}
			wanted++
		case t.Status.State == swarm.TaskStateRunning && j.nodeUp(t):
			j.oldOnes = append(j.oldOnes, t)
		}
		j.alive = j.alive || !ended(t.Status.State)
		// Right after a change there are only the tasks from before it.
		if failed(t) && fresh && (j.lastFailed == nil || t.Status.Timestamp.After(j.lastFailed.Status.Timestamp)) {
			j.lastFailed = &t
		}
		if failed(t) && t.Status.Timestamp.After(horizon) && (fresh || j.since.IsZero()) {
			j.failures = append(j.failures, t)
		}
		if failed(t) && !j.since.IsZero() && t.CreatedAt.After(j.since) {
			j.undone = append(j.undone, t)
		}
	}
	if j.s.Spec.Mode.Global != nil {
		// A paused node keeps the task that it has.
		j.desired = max(j.desired, wanted)
	}
	newestFirst(j.failures)
	newestFirst(j.undone)
	slices.SortFunc(j.current, func(a, b swarm.Task) int { return cmp.Compare(a.ID, b.ID) })
}

// eligible counts the nodes that Swarm gives a task of a global service, as
// swarmkit's manager/orchestrator/global does. Right after the service is made
// there are no tasks yet to be counted instead.
func (j *judging) eligible() int {
	var constraints []string
	if p := j.s.Spec.TaskTemplate.Placement; p != nil {
		constraints = p.Constraints
	}
	n := 0
	for _, node := range j.seen.Nodes {
		active := node.Spec.Availability == swarm.NodeAvailabilityActive || node.Spec.Availability == ""
		if active && node.Status.State != swarm.NodeStateDown && satisfies(node, constraints) {
			n++
		}
	}
	return n
}

func newestFirst(tasks []swarm.Task) {
	slices.SortFunc(tasks, func(a, b swarm.Task) int { return b.Status.Timestamp.Compare(a.Status.Timestamp) })
}

func ended(s swarm.TaskState) bool {
	switch s {
	case swarm.TaskStateComplete, swarm.TaskStateShutdown, swarm.TaskStateFailed,
		swarm.TaskStateRejected, swarm.TaskStateRemove, swarm.TaskStateOrphaned:
		return true
	}
	return false
}

func failed(t swarm.Task) bool {
	return t.Status.State == swarm.TaskStateFailed || t.Status.State == swarm.TaskStateRejected ||
		// Exit code 0 is no failure to Swarm, but a service that keeps ending is
		// not up. An unhealthy Redis ends like this: it answers the SIGTERM that
		// its health check brings about with 0, and the task has no error.
		t.Status.State == swarm.TaskStateComplete && t.JobIteration == nil
}

// nodeUp: on a node that is down, an old task can be neither seen nor stopped.
func (j *judging) nodeUp(t swarm.Task) bool {
	n, ok := j.seen.Nodes[t.NodeID]
	return !ok || n.Status.State == swarm.NodeStateReady
}

func (j *judging) rolledBack() *Verdict {
	u := j.s.UpdateStatus
	if j.since.IsZero() || u == nil || !strings.HasPrefix(string(u.State), "rollback") {
		return nil
	}
	// The tasks that failed are not of the spec that is in force again.
	j.failures = j.undone
	v := j.failure("rolled_back", "Swarm rolled the update back")
	if u.State == swarm.UpdateStateRollbackStarted {
		v.State = Progressing
		v.Message = "Swarm is rolling the update back" + j.lastError()
	}
	return v
}

func (j *judging) paused() *Verdict {
	u := j.s.UpdateStatus
	if u == nil || u.State != swarm.UpdateStatePaused {
		return nil
	}
	return j.failure("update_paused", "Swarm paused the update")
}

// failure is a final verdict with the last task's error in it.
func (j *judging) failure(reason, what string) *Verdict {
	v := &Verdict{State: Failed, Reason: reason, Message: what + j.lastError(), Remedy: "docker service ps --no-trunc " + j.s.Spec.Name}
	if len(j.failures) > 0 {
		t := j.failures[0]
		v.TaskID = t.ID
		why, more, remedy := j.explain(t)
		v.Remedy = cmp.Or(remedy, v.Remedy)
		if more != "" {
			v.Message += " (" + more + ")"
		}
		if reason == "crash_looping" { // says the least of all
			v.Reason = cmp.Or(why, reason)
		}
	}
	return v
}

func (j *judging) lastError() string {
	if len(j.failures) == 0 {
		return ""
	}
	return ": " + taskError(j.failures[0])
}

func taskError(t swarm.Task) string {
	if t.Status.Err != "" {
		return t.Status.Err
	}
	if t.Status.State == swarm.TaskStateComplete {
		return "the container ended with exit code 0, by itself or because its health check failed"
	}
	return t.Status.Message
}

// job: a run-to-completion service has converged when enough tasks completed.
func (j *judging) job() *Verdict {
	m := j.s.Spec.Mode
	if m.ReplicatedJob == nil && m.GlobalJob == nil {
		return nil
	}
	done := 0
	for _, t := range j.seen.Tasks[j.s.ID] {
		if j.s.JobStatus != nil && t.JobIteration != nil && t.JobIteration.Index == j.s.JobStatus.JobIteration.Index && t.Status.State == swarm.TaskStateComplete {
			done++
		}
	}
	j.running = done
	switch {
	case done >= j.desired:
		return &Verdict{State: Converged, Reason: "completed", Message: fmt.Sprintf("%d of %d completed", done, j.desired)}
	case len(j.failures) >= loopFailures:
		return j.failure("job_failed", "the job's tasks fail")
	case !j.alive && j.lastFailed != nil:
		j.failures = append(j.failures, *j.lastFailed)
		return j.failure("job_failed", fmt.Sprintf("the job ended with %d of %d completed, and its restart policy allows no more tries", done, j.desired))
	}
	return &Verdict{State: Progressing, Reason: "job_running", Message: fmt.Sprintf("%d of %d completed%s", done, j.desired, j.lastError())}
}

// crashLoop: tasks keep failing and not all run. A task that the Engine
// rejected fails the same way every time, so two are enough.
func (j *judging) crashLoop() *Verdict {
	if len(j.failures) == 0 || (j.running >= j.desired && j.upFor() > settleAfter) {
		return nil
	}
	limit := loopFailures
	if j.failures[0].Status.State == swarm.TaskStateRejected {
		limit = 2
	}
	if len(j.failures) < limit {
		return nil
	}
	return j.failure("crash_looping", fmt.Sprintf("its tasks keep failing (%d so far)", len(j.failures)))
}

// gaveUp: the restart policy allows no more attempts, so Swarm starts no new
// task and no write but a real change would make it try again.
func (j *judging) gaveUp() *Verdict {
	t := j.lastFailed
	if j.desired == 0 || j.alive || t == nil || t.DesiredState == swarm.TaskStateRunning {
		return nil
	}
	if len(j.failures) == 0 {
		j.failures = []swarm.Task{*t}
	}
	return j.failure("restarts_used_up", "its tasks ended and the restart policy allows no more")
}

func (j *judging) old() *Verdict {
	updating := j.s.UpdateStatus != nil && j.s.UpdateStatus.State == swarm.UpdateStateUpdating
	if len(j.oldOnes) == 0 && !updating {
		return nil
	}
	msg := fmt.Sprintf("%d of %d updated", j.running, j.desired)
	if len(j.oldOnes) > 0 {
		msg += fmt.Sprintf(", %d old still running", len(j.oldOnes))
	}
	return &Verdict{State: Progressing, Reason: "updating", Message: msg + j.lastError()}
}

func (j *judging) missing() *Verdict {
	if j.running >= j.desired {
		return nil
	}
	v := &Verdict{State: Progressing, Reason: "starting", Message: fmt.Sprintf("%d of %d running", j.running, j.desired)}
	for _, t := range j.current {
		if t.Status.State == swarm.TaskStateRunning {
			continue
		}
		v.TaskID = t.ID
		v.Message += ", " + string(t.Status.State)
		if t.Status.State == swarm.TaskStateNew && j.now.Sub(t.CreatedAt) > unallocated {
			return j.unallocated(v)
		}
		if t.Status.Err == "" {
			break
		}
		v.Message += ": " + t.Status.Err
		if strings.Contains(t.Status.Err, "no suitable node") {
			var more string
			if v.Reason, more, v.Remedy = j.noNode(t); more != "" {
				v.Message += ": " + more
			}
			if j.now.Sub(t.CreatedAt) > unschedulable {
				v.State = Failed
			}
		}
		return v
	}
	v.Message += j.lastError()
	return v
}

// unallocated: Swarm gives a task its addresses and ports before it looks for a
// node, and says nothing when it has none to give: it accepts a subnet that
// overlaps another, and a port above 65535, and never allocates them.
func (j *judging) unallocated(v *Verdict) *Verdict {
	var nets []string
	for _, n := range j.s.Spec.TaskTemplate.Networks {
		nets = append(nets, n.Target)
	}
	v.State, v.Reason = Failed, "not_allocated"
	v.Message += ": Swarm has no address or port to give it, most often because the subnet of a network overlaps another or is used up"
	v.Remedy = "compare the subnets: docker network inspect --format '{{.Name}} {{.IPAM.Config}}' " + strings.Join(nets, " ")
	return v
}

// upFor is the age of the youngest running task.
func (j *judging) upFor() time.Duration {
	var youngest time.Time
	for _, t := range j.current {
		if t.Status.State == swarm.TaskStateRunning && t.Status.Timestamp.After(youngest) {
			youngest = t.Status.Timestamp
		}
	}
	return j.now.Sub(youngest)
}

// settle is how long a task must run to count. A busy node tells late that a
// process has died, so one that took long to start is watched for longer; one
// with a health check has shown already that it lives.
func (j *judging) settle() time.Duration {
	need := settle
	if c := j.s.Spec.TaskTemplate.ContainerSpec; c != nil && c.Healthcheck != nil && len(c.Healthcheck.Test) > 0 && c.Healthcheck.Test[0] != "NONE" {
		return need
	}
	for _, t := range j.current {
		if t.Status.State == swarm.TaskStateRunning {
			need = max(need, min(t.Status.Timestamp.Sub(t.CreatedAt)/2, settleMost))
		}
	}
	return need
}

func (j *judging) settling() *Verdict {
	if j.desired == 0 {
		return nil
	}
	need := j.settle()
	if len(j.failures) > 0 {
		need = settleAfter
	}
	if j.upFor() >= need {
		return nil
	}
	return &Verdict{State: Progressing, Reason: "settling", Message: fmt.Sprintf("%d of %d running, watched for %s%s", j.running, j.desired, need.Round(100*time.Millisecond), j.lastError())}
}
