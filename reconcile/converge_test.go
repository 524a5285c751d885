package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// scene is one service s with its tasks at noon.
type scene struct {
	spec   swarm.ServiceSpec
	status *swarm.UpdateStatus
	tasks  []swarm.Task
	stale  map[string]bool // ids of tasks that are not up to date
	down   bool            // node n2 is down
	paused bool            // node n2 is paused
}

func (c scene) observed() *Observed {
	o := &Observed{
		Services: map[string]ObservedService{"s": {ID: "s", Spec: c.spec, UpdateStatus: c.status, JobStatus: &swarm.JobStatus{JobIteration: swarm.Version{Index: 7}}}},
		Tasks:    map[string][]swarm.Task{"s": c.tasks}, UpToDate: map[string]bool{},
		Nodes: map[string]swarm.Node{"n1": {ID: "n1", Status: swarm.NodeStatus{State: swarm.NodeStateReady}}, "n2": {ID: "n2", Status: swarm.NodeStatus{State: swarm.NodeStateReady}}},
	}
	if c.down {
		o.Nodes["n2"] = swarm.Node{ID: "n2", Status: swarm.NodeStatus{State: swarm.NodeStateDown}}
	}
	if c.paused {
		n := o.Nodes["n2"]
		n.Spec.Availability = swarm.NodeAvailabilityPause
		o.Nodes["n2"] = n
	}
	for _, t := range c.tasks {
		o.UpToDate[t.ID] = !c.stale[t.ID]
	}
	return o
}

func replicated(n uint64) swarm.ServiceSpec {
	s := swarm.ServiceSpec{Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &n}},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "web:1"}}}
	s.Name = "s"
	return s
}

// task in a state since age ago.
func task(id string, state swarm.TaskState, age time.Duration, more ...func(*swarm.Task)) swarm.Task {
	t := swarm.Task{ID: id, NodeID: "n1", DesiredState: swarm.TaskStateRunning, Status: swarm.TaskStatus{State: state, Timestamp: noon.Add(-age)}}
	t.CreatedAt = noon.Add(-age)
	if ended(state) {
		t.DesiredState = swarm.TaskStateShutdown
	}
	for _, f := range more {
		f(&t)
	}
	return t
}

func says(err string) func(*swarm.Task) { return func(t *swarm.Task) { t.Status.Err = err } }

const exit1 = "task: non-zero exit (1)"

func TestJudge(t *testing.T) {
	fail := func(id string, age time.Duration) swarm.Task {
		return task(id, swarm.TaskStateFailed, age, says(exit1))
	}
	job := swarm.ServiceSpec{Mode: swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{TotalCompletions: new(uint64(2))}}}
	ofJob := func(t *swarm.Task) { t.JobIteration = &swarm.Version{Index: 7} }
	on2 := func(t *swarm.Task) { t.NodeID = "n2" }
	stopping := func(t *swarm.Task) { t.DesiredState = swarm.TaskStateShutdown }
	policy := replicated(1)
	policy.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: "any", MaxAttempts: new(uint64(2))}
	global := swarm.ServiceSpec{Mode: swarm.ServiceMode{Global: &swarm.GlobalService{}}}
	nowhere := global
	nowhere.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"node.labels.disk==ssd"}}
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	for _, c := range []struct {
		name  string
		scene scene
		since time.Time
		state State
		want  string // reason
		says  string
	}{
		{"runs", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "running", time.Minute)}}, time.Time{}, Converged, "converged", "1 of 1 running"},
		{"scaled to zero", scene{spec: replicated(0)}, time.Time{}, Converged, "converged", "scaled to zero"},
		{"global", scene{spec: swarm.ServiceSpec{Mode: swarm.ServiceMode{Global: &swarm.GlobalService{}}},
			tasks: []swarm.Task{task("a", "running", time.Minute), task("b", "running", time.Minute)}}, time.Time{}, Converged, "converged", "2 of 2 running"},
		{"too young", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "running", time.Second)}}, ago(time.Minute), Progressing, "settling", "watched for 2s"},
		{"on a busy node", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "running", 4*time.Second, func(t *swarm.Task) { t.CreatedAt = noon.Add(-14 * time.Second) })}}, ago(time.Minute), Progressing, "settling", "watched for 5s"},
		{"after a long pull", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "running", 7*time.Second, func(t *swarm.Task) { t.CreatedAt = noon.Add(-time.Hour) })}}, ago(time.Minute), Converged, "converged", "1 of 1"},
		{"young after a failure", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "running", 5*time.Second), fail("b", 6*time.Second)}}, ago(time.Minute), Progressing, "settling", "watched for 12s"},
		{"recovered", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "running", 20*time.Second), fail("b", 30*time.Second), fail("c", 40*time.Second), fail("d", 50*time.Second)}}, ago(time.Minute), Converged, "converged", "1 of 1"},
		{"starting", scene{spec: replicated(2), tasks: []swarm.Task{task("a", "running", time.Minute), task("b", "preparing", time.Second)}}, ago(time.Minute), Progressing, "starting", "1 of 2 running, preparing"},
		{"no task yet", scene{spec: replicated(1)}, ago(time.Second), Progressing, "starting", "0 of 1 running"},
		{"two failures are not yet a loop", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "starting", time.Second), fail("b", 5*time.Second), fail("c", 9*time.Second)}}, ago(time.Minute), Progressing, "starting", exit1},
		{"three are", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "ready", time.Second), fail("b", 5*time.Second), fail("c", 9*time.Second), fail("d", 12*time.Second)}}, ago(time.Minute), Failed, "crash_looping", "keep failing (3 so far): " + exit1},
		{"failures before the write are the past", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "running", 5*time.Second), fail("b", 2*time.Minute), fail("c", 2*time.Minute), fail("d", 2*time.Minute)}}, ago(time.Minute), Converged, "converged", "1 of 1"},
		{"rejected twice", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "ready", time.Second), task("b", "rejected", 5*time.Second, says("No such image: web:1")), task("c", "rejected", 9*time.Second, says("No such image: web:1"))}}, ago(time.Minute), Failed, "image_missing", "No such image: web:1"},
		{"an unhealthy Redis ends with code 0", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "starting", time.Second), task("b", "complete", 5*time.Second), task("c", "complete", 9*time.Second), task("d", "complete", 12*time.Second)}}, ago(time.Minute), Failed, "ends", "its health check failed"},
		{"restarts used up", scene{spec: policy, tasks: []swarm.Task{fail("a", time.Hour), fail("b", 2*time.Hour)}}, time.Time{}, Failed, "restarts_used_up", "allows no more: " + exit1},
		{"restarts used up before the spec was changed", scene{spec: policy, stale: map[string]bool{"a": true, "b": true}, tasks: []swarm.Task{fail("a", time.Hour), fail("b", 2*time.Hour)}}, ago(time.Millisecond), Progressing, "starting", "0 of 1 running"},
		{"paused", scene{spec: replicated(1), status: &swarm.UpdateStatus{State: "paused"}, tasks: []swarm.Task{task("a", "running", time.Minute), fail("b", 5*time.Second)}}, ago(time.Minute), Failed, "update_paused", "Swarm paused the update: " + exit1},
		{"rolled back", scene{spec: replicated(1), status: &swarm.UpdateStatus{State: "rollback_completed"}, stale: map[string]bool{"b": true}, tasks: []swarm.Task{task("a", "running", time.Minute), fail("b", 5*time.Second)}}, ago(time.Minute), Failed, "rolled_back", "rolled the update back: " + exit1},
		{"rolling back", scene{spec: replicated(1), status: &swarm.UpdateStatus{State: "rollback_started"}, tasks: []swarm.Task{task("a", "running", time.Minute)}}, ago(time.Minute), Progressing, "rolled_back", "is rolling the update back"},
		{"rolled back long ago, by somebody else", scene{spec: replicated(1), status: &swarm.UpdateStatus{State: "rollback_completed"}, tasks: []swarm.Task{task("a", "running", time.Minute)}}, time.Time{}, Converged, "converged", "1 of 1"},
		{"old task still runs", scene{spec: replicated(1), stale: map[string]bool{"b": true}, tasks: []swarm.Task{task("a", "running", time.Minute), task("b", "running", time.Hour, stopping)}}, ago(time.Hour), Progressing, "updating", "1 old still running"},
		{"an old task that nobody stops", scene{spec: replicated(1), status: &swarm.UpdateStatus{State: "completed"}, stale: map[string]bool{"b": true}, tasks: []swarm.Task{task("b", "running", time.Hour)}}, ago(time.Minute), Failed, "stalled", "0 of 1 running as the spec says, 1 of an older spec, and Swarm does nothing more about it"},
		{"an old task that nobody stops yet", scene{spec: replicated(1), status: &swarm.UpdateStatus{State: "completed"}, stale: map[string]bool{"b": true}, tasks: []swarm.Task{task("b", "running", time.Hour)}}, ago(5 * time.Second), Progressing, "updating", "1 old still running"},
		{"an old task, and an update that goes on", scene{spec: replicated(1), status: &swarm.UpdateStatus{State: "updating"}, stale: map[string]bool{"b": true}, tasks: []swarm.Task{task("b", "running", time.Hour)}}, ago(time.Hour), Progressing, "updating", "1 old still running"},
		{"an old task on a paused node", scene{spec: global, paused: true, stale: map[string]bool{"b": true}, tasks: []swarm.Task{task("a", "running", time.Hour), task("b", "running", time.Hour, on2)}}, ago(time.Minute), Failed, "stalled", "leaves tasks on a paused node as they are"},
		{"a slot that nobody fills", scene{spec: replicated(2), tasks: []swarm.Task{task("a", "running", time.Minute), task("b", "shutdown", time.Minute)}}, ago(time.Hour), Failed, "stalled", "1 of 2 running as the spec says, and Swarm does nothing more about it"},
		{"a slot that ended and may not be filled again", scene{spec: replicated(2), tasks: []swarm.Task{task("a", "running", time.Minute), fail("b", time.Minute)}}, ago(time.Hour), Failed, "stalled", "nothing more about it: " + exit1},
		{"a slot that is being filled, slowly", scene{spec: replicated(2), tasks: []swarm.Task{task("a", "running", time.Hour), task("b", "preparing", time.Hour)}}, ago(time.Hour), Progressing, "starting", "preparing"},
		{"a slot whose last task stops, slowly", scene{spec: replicated(2), tasks: []swarm.Task{task("a", "running", time.Hour), task("b", "running", time.Hour, stopping)}, stale: map[string]bool{"b": true}}, ago(time.Hour), Progressing, "updating", "1 of 2 updated"},

		{"old task on a node that is down", scene{spec: replicated(1), down: true, stale: map[string]bool{"b": true}, tasks: []swarm.Task{task("a", "running", time.Minute), task("b", "running", time.Hour, func(t *swarm.Task) { t.NodeID = "n2" })}}, ago(time.Hour), Converged, "converged", "1 of 1"},
		{"still updating", scene{spec: replicated(1), status: &swarm.UpdateStatus{State: "updating"}, tasks: []swarm.Task{task("a", "running", time.Minute)}}, ago(time.Hour), Progressing, "updating", "1 of 1 updated"},
		{"no node yet", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "pending", 5*time.Second, says("no suitable node (scheduling constraints not satisfied on 1 node)"))}}, ago(time.Minute), Progressing, "no_node_meets_constraints", "no suitable node"},
		{"no node", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "pending", 30*time.Second, says("no suitable node (scheduling constraints not satisfied on 1 node)"))}}, ago(time.Minute), Failed, "no_node_meets_constraints", "no suitable node"},
		{"port in use", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "pending", 30*time.Second, says("no suitable node (host-mode port already in use on 1 node)"))}}, ago(time.Minute), Failed, "port_in_use", "host-mode port"},
		{"completed although its tasks fail", scene{spec: replicated(1), status: &swarm.UpdateStatus{State: "completed"}, tasks: []swarm.Task{task("a", "ready", time.Second), fail("b", 5*time.Second), fail("c", 9*time.Second), fail("d", 12*time.Second)}}, ago(time.Minute), Failed, "crash_looping", exit1},
		{"global, and no task made yet", scene{spec: global}, ago(time.Second), Progressing, "starting", "0 of 2 running"},
		{"global, one node to go", scene{spec: global, tasks: []swarm.Task{task("a", "running", time.Minute)}}, ago(time.Minute), Progressing, "starting", "1 of 2 running"},
		{"global, one node down", scene{spec: global, down: true, tasks: []swarm.Task{task("a", "running", time.Minute)}}, ago(time.Minute), Converged, "converged", "1 of 1 running"},
		{"global, and no node may", scene{spec: nowhere}, ago(time.Minute), Converged, "converged", "none is active and meets its constraints"},
		{"no address for it", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "new", time.Minute)}}, ago(2 * time.Minute), Failed, "not_allocated", "subnet of a network overlaps"},
		{"no address for it yet, while a leader is elected", scene{spec: replicated(1), tasks: []swarm.Task{task("a", "new", 30*time.Second)}}, ago(2 * time.Minute), Progressing, "starting", "0 of 1 running, new"},
		{"job that may not try again", scene{spec: job, tasks: []swarm.Task{task("a", "complete", time.Hour, ofJob), fail("b", time.Hour)}}, time.Time{}, Failed, "job_failed", "1 of 2 completed, and its restart policy allows no more tries: " + exit1},
		{"job that failed before it was changed", scene{spec: job, stale: map[string]bool{"b": true}, tasks: []swarm.Task{fail("b", time.Hour)}}, ago(time.Millisecond), Progressing, "job_running", "0 of 2 completed"},
		{"job runs", scene{spec: job, tasks: []swarm.Task{task("a", "complete", time.Minute, ofJob), task("b", "running", time.Minute, ofJob)}}, ago(time.Hour), Progressing, "job_running", "1 of 2 completed"},
		{"job done", scene{spec: job, tasks: []swarm.Task{task("a", "complete", time.Minute, ofJob), task("b", "complete", time.Minute, ofJob)}}, ago(time.Hour), Converged, "completed", "2 of 2 completed"},
		{"job fails", scene{spec: job, tasks: []swarm.Task{fail("a", time.Minute), fail("b", time.Minute), fail("c", time.Minute)}}, ago(time.Hour), Failed, "job_failed", "the job's tasks fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Judge(c.scene.observed(), "s", c.since, noon)
			if v.State != c.state || v.Reason != c.want || !strings.Contains(v.Message, c.says) {
				t.Errorf("%+v\nwant %s, %s, %q", v, c.state, c.want, c.says)
			}
			if v.State == Failed && v.Remedy == "" {
				t.Error("a failure without a remedy")
			}
		})
	}
	if v := Judge(&Observed{}, "s", noon, noon); v.State != Failed || v.Reason != "removed" {
		t.Errorf("a service that is gone: %+v", v)
	}
}

// Safety: converged means that enough tasks of the current spec run, and no
// other.
func TestConvergedMeansRunning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := scene{spec: replicated(rapid.Uint64Range(0, 3).Draw(t, "replicas")), stale: map[string]bool{}}
		running := uint64(0)
		for i := range rapid.IntRange(0, 5).Draw(t, "tasks") {
			state := rapid.SampledFrom([]swarm.TaskState{"new", "pending", "starting", "running", "failed", "complete", "shutdown"}).Draw(t, "state")
			x := task(fmt.Sprint(i), state, time.Duration(rapid.IntRange(0, 600).Draw(t, "age"))*time.Second)
			if rapid.Bool().Draw(t, "stale") {
				c.stale[x.ID] = true
			} else if state == "running" {
				running++
			}
			c.tasks = append(c.tasks, x)
		}
		if rapid.Bool().Draw(t, "updating") {
			c.status = &swarm.UpdateStatus{State: rapid.SampledFrom([]swarm.UpdateState{"updating", "paused", "completed", "rollback_completed"}).Draw(t, "update")}
		}
		since := time.Time{}
		if rapid.Bool().Draw(t, "wrote") {
			since = noon.Add(-time.Minute)
		}
		if Judge(c.observed(), "s", since, noon).State != Converged {
			return
		}
		if running < *c.spec.Mode.Replicated.Replicas {
			t.Fatalf("converged with %d running", running)
		}
		for _, x := range c.tasks {
			if c.stale[x.ID] && x.Status.State == swarm.TaskStateRunning {
				t.Fatal("converged while an old task runs")
			}
		}
		if c.status != nil && (c.status.State == swarm.UpdateStatePaused || c.status.State == swarm.UpdateStateUpdating) {
			t.Fatal("converged in the middle of an update")
		}
	})
}

func TestSatisfies(t *testing.T) {
	n := swarm.Node{ID: "id1"}
	n.Description.Hostname, n.Spec.Role, n.Spec.Labels = "node-1", swarm.NodeRoleManager, map[string]string{"disk": "ssd"}
	n.Description.Platform.OS = "linux"
	for c, want := range map[string]bool{
		"node.hostname == node-1": true, "node.hostname==NODE-1": true, "node.hostname != node-1": false,
		"node.role==manager": true, "node.role==worker": false, "node.labels.disk==ssd": true, "node.labels.disk!=hdd": true,
		"node.labels.none==x": false, "node.platform.os==linux": true, "node.id==id1": true, "moon.phase==full": false, "nonsense": false,
	} {
		if got := satisfies(n, []string{c}); got != want {
			t.Errorf("%s: %v", c, got)
		}
	}
}
