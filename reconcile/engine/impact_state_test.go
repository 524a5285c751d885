package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// swarmState is what the Swarm says about the service, all of it at once.
type swarmState struct {
	service  swarm.Service
	nodes    []swarm.Node
	tasks    []swarm.Task
	upToDate map[string]bool
	killed   bool // tasks have ended that nobody is to replace
}

func (t *trial) state() *swarmState {
	t.Helper()
	ctx, s := t.Context(), &swarmState{upToDate: map[string]bool{}}
	var err error
	if s.service, _, err = t.e.api.ServiceInspectWithRaw(ctx, t.w.spec.Name, swarm.ServiceInspectOptions{}); err != nil {
		t.Fatal(err)
	}
	if s.nodes, err = t.e.api.NodeList(ctx, swarm.NodeListOptions{}); err != nil {
		t.Fatal(err)
	}
	if s.tasks, err = t.e.api.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", t.w.spec.Name))}); err != nil {
		t.Fatal(err)
	}
	fresh, err := t.e.api.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", t.w.spec.Name), filters.Arg("_up-to-date", "true"))})
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range fresh {
		s.upToDate[task.ID] = true
	}
	return s
}

// wants says whether the Swarm still wants a task.
func wants(t swarm.Task) bool {
	return !slices.Contains([]swarm.TaskState{"complete", "shutdown", "failed", "rejected", "remove", "orphaned"}, t.DesiredState)
}

func over(s swarm.TaskState) bool {
	return slices.Contains([]swarm.TaskState{"complete", "shutdown", "failed", "rejected", "remove", "orphaned"}, s)
}

func newest(tasks []swarm.Task) swarm.Task {
	return slices.MaxFunc(tasks, func(a, b swarm.Task) int { return a.CreatedAt.Compare(b.CreatedAt) })
}

// slots are the tasks by slot, or by node where there is one for each.
func (s *swarmState) slots() map[string][]swarm.Task {
	m := map[string][]swarm.Task{}
	for _, t := range s.tasks {
		key := strconv.Itoa(t.Slot)
		if s.service.Spec.Mode.Global != nil {
			key = t.NodeID
		}
		m[key] = append(m[key], t)
	}
	return m
}

// unsettled says what the Swarm still has to do; empty when it has done all.
// It goes by the Swarm's own judgement of which tasks are up to date.
func (s *swarmState) unsettled() string {
	if isAJob(s.service.Spec.Mode) {
		return s.unsettledJob()
	}
	alive := 0
	for key, tasks := range s.slots() {
		var wanted []swarm.Task
		newest := newest(tasks)
		waits := false // a new one is there, and cannot start
		for _, t := range tasks {
			if !wants(t) {
				if s.stops(t) {
					return "a task is about to stop" // and may make room for one that waits
				}
				continue
			}
			wanted = append(wanted, t)
			if over(t.Status.State) && t.DesiredState == swarm.TaskStateRunning && s.node(t.NodeID) != nil {
				return "a task has ended and is not restarted yet"
			}
			if t.DesiredState == swarm.TaskStateReady && !s.restartsLate() {
				return "a task is about to start"
			}
			waits = waits || s.upToDate[t.ID] && t.Status.State == swarm.TaskStatePending && t.Status.Err != ""
			if s.mustLeave(t) {
				return "a task is where it may not be"
			}
		}
		switch {
		case len(wanted) == 0 && newest.DesiredState == swarm.TaskStateRemove:
		case len(wanted) == 0 && s.service.Spec.Mode.Global != nil && (s.node(key) == nil || s.paused(key)):
		case len(wanted) == 0:
			if !s.upToDate[newest.ID] && !s.killed {
				return "slot " + key + " has ended and is out of date"
			}
			alive++
		case waits:
			alive++
		case len(wanted) > 1 && !s.paused(key):
			return fmt.Sprintf("slot %s has %d tasks", key, len(wanted))
		case !s.upToDate[wanted[0].ID] && !s.paused(key):
			return "slot " + key + " is out of date"
		case wanted[0].Status.State == swarm.TaskStateNew, wanted[0].Status.State == swarm.TaskStatePending && wanted[0].Status.Err == "":
			return "slot " + key + " has no node yet"
		default:
			alive++
		}
	}
	if want := s.wantsTasks(); alive != want {
		return fmt.Sprintf("%d slots, want %d", alive, want)
	}
	if s.waitsForItself() {
		return "a task has not heard yet that the port it waits for is free"
	}
	return ""
}

// waitsForItself: a task finds no node for want of a port that its service
// alone publishes, and none of the service's tasks has a node.
func (s *swarmState) waitsForItself() bool {
	waits := false
	for _, t := range s.tasks {
		if !wants(t) || over(t.Status.State) {
			continue
		}
		if t.NodeID != "" {
			return false
		}
		waits = waits || strings.Contains(t.Status.Err, "host-mode port already in use")
	}
	return waits
}

// stops says whether a task still runs that is not wanted any more.
func (s *swarmState) stops(t swarm.Task) bool {
	return t.Status.State == swarm.TaskStateRunning && slices.ContainsFunc(s.nodes, func(n swarm.Node) bool {
		return n.ID == t.NodeID && n.Status.State == swarm.NodeStateReady
	})
}

// restartsLate: what has ended is not started again before the test is over.
func (s *swarmState) restartsLate() bool {
	p := s.service.Spec.TaskTemplate.RestartPolicy
	return p != nil && p.Delay != nil && *p.Delay >= time.Hour
}

func (s *swarmState) unsettledJob() string {
	done, want := 0, len(s.nodes)
	if j := s.service.Spec.Mode.ReplicatedJob; j != nil {
		want = int(*j.TotalCompletions)
	}
	for _, t := range s.tasks {
		if t.JobIteration.Index == s.service.JobStatus.JobIteration.Index && t.Status.State == swarm.TaskStateComplete {
			done++
		}
	}
	if done != want {
		return fmt.Sprintf("%d of %d done", done, want)
	}
	return ""
}

func (s *swarmState) node(id string) *swarm.Node {
	for i, n := range s.nodes {
		if n.ID == id && n.Spec.Availability != swarm.NodeAvailabilityDrain && n.Status.State == swarm.NodeStateReady && s.fits(n) {
			return &s.nodes[i]
		}
	}
	return nil
}

func (s *swarmState) paused(node string) bool {
	n := s.node(node)
	return n != nil && n.Spec.Availability == swarm.NodeAvailabilityPause
}

// mustLeave: the Swarm itself moves tasks off nodes that are down or drained,
// or that no longer meet the constraints unless they are paused.
func (s *swarmState) mustLeave(t swarm.Task) bool {
	for _, n := range s.nodes {
		if n.ID == t.NodeID {
			return n.Status.State != swarm.NodeStateReady || n.Spec.Availability == swarm.NodeAvailabilityDrain ||
				n.Spec.Availability == swarm.NodeAvailabilityActive && !s.fits(n) && s.upToDate[t.ID]
		}
	}
	return false
}

// fits knows the constraints that these tests use.
func (s *swarmState) fits(n swarm.Node) bool {
	for _, c := range s.service.Spec.TaskTemplate.Placement.Constraints {
		equal := strings.Contains(c, "==")
		key, value, _ := strings.Cut(strings.ReplaceAll(c, " ", ""), map[bool]string{true: "==", false: "!="}[equal])
		have := map[string]string{
			"node.hostname": n.Description.Hostname, "node.platform.os": n.Description.Platform.OS, "node.labels.zone": n.Spec.Labels["zone"],
		}[key]
		if have == value != equal {
			return false
		}
	}
	return true
}

func (s *swarmState) wantsTasks() int {
	if s.service.Spec.Mode.Global == nil {
		return int(*s.service.Spec.Mode.Replicated.Replicas)
	}
	n := 0
	for _, node := range s.nodes {
		if found := s.node(node.ID); found != nil && (!s.paused(node.ID) || len(s.slots()[node.ID]) > 0 && slices.ContainsFunc(s.slots()[node.ID], wants)) {
			n++
		}
	}
	return n
}

// happened compares two states slot by slot.
func happened(before, after *swarmState) (replaced, started, stopped int) {
	if isAJob(after.service.Spec.Mode) {
		for _, t := range after.tasks {
			if t.JobIteration.Index == after.service.JobStatus.JobIteration.Index && before.service.JobStatus.JobIteration.Index != t.JobIteration.Index {
				replaced++
			}
		}
		return replaced, 0, 0
	}
	was, is := before.slots(), after.slots()
	known := map[string]bool{}
	for _, t := range before.tasks {
		known[t.ID] = true
	}
	for key, tasks := range is {
		fresh := slices.ContainsFunc(tasks, func(t swarm.Task) bool { return !known[t.ID] })
		there := slices.ContainsFunc(was[key], wants) || len(was[key]) > 0 && newest(was[key]).DesiredState != swarm.TaskStateRemove
		if before.service.Spec.Mode.Global != nil {
			there = slices.ContainsFunc(was[key], wants) || there && fresh && before.node(key) != nil
		}
		switch {
		case fresh && there:
			replaced++
		case fresh:
			started++
		}
	}
	for key, tasks := range was {
		if !slices.ContainsFunc(is[key], wants) {
			for _, t := range tasks {
				if wants(t) {
					stopped++
				}
			}
		}
	}
	return replaced, started, stopped
}

// wantsNoChange: without scaling a plan has nothing to say about slots, of
// which Swarm at times takes a former one into use again instead of another.
func (s *swarmState) wantsNoChange(after *swarmState) bool {
	return after.service.Spec.Mode.Replicated != nil && s.wantsTasks() == after.wantsTasks()
}
