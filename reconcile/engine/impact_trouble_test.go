package engine

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// save returns what takes back the changes made since.
func (t *trial) save() func() {
	data, err := json.Marshal(t.w.spec)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		var s swarm.ServiceSpec
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatal(err)
		}
		*t.w.spec = s
	}
}

// tell makes something happen in the simulated Swarm.
func (t *trial) tell(path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://swarmsim/swarmsim/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := t.e.api.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotFound {
		t.Fatalf("%s: %s", path, resp.Status)
	}
}

func (t *trial) steer(values string) {
	t.Helper()
	t.tell("services/" + url.PathEscape(t.w.spec.Name) + "/set?" + values)
}

// labelNodes gives the first two nodes zone a and the others zone b.
func (t *trial) labelNodes() {
	t.Helper()
	nodes, err := t.e.api.NodeList(t.Context(), swarm.NodeListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		zone := map[bool]string{true: "b", false: "a"}[n.Description.Hostname == "node-3"]
		t.editNode(n.Description.Hostname, func(s *swarm.NodeSpec) { s.Labels = map[string]string{"zone": zone} })
	}
}

func (t *trial) editNode(hostname string, edit func(*swarm.NodeSpec)) {
	t.Helper()
	n, _, err := t.e.api.NodeInspectWithRaw(t.Context(), hostname)
	if err != nil {
		t.Fatal(err)
	}
	edit(&n.Spec)
	if err := t.e.api.NodeUpdate(t.Context(), n.ID, n.Version, n.Spec); err != nil {
		t.Fatal(err)
	}
}

// changeNode pauses, drains, fails, relabels or revives one of the nodes, and
// waits until the Swarm has coped.
func (t *trial) changeNode() {
	t.Helper()
	t.moving = true
	node := pick(t.r, "node-2", "node-3")
	switch t.r.IntN(7) {
	case 0:
		t.tell("nodes/" + node + "/down")
	case 1, 2:
		t.tell("nodes/" + node + "/up")
	case 3:
		t.editNode(node, func(s *swarm.NodeSpec) { s.Labels = map[string]string{"zone": pick(t.r, "a", "b")} })
	default:
		t.editNode(node, func(s *swarm.NodeSpec) {
			s.Availability = pick(t.r, swarm.NodeAvailabilityActive, swarm.NodeAvailabilityActive, swarm.NodeAvailabilityPause, swarm.NodeAvailabilityDrain)
		})
	}
	t.last = "a change of " + node
	t.cope()
}

// cope waits until the Swarm has dealt with tasks that have ended.
func (t *trial) cope() {
	t.Helper()
	t.await("the Swarm has dealt with it", func() string {
		s := t.state()
		s.killed = true
		return s.unsettled()
	})
}

// trouble leaves the service with an update that is paused or under way, with
// tasks that have failed, or in peace.
func (t *trial) trouble() {
	t.Helper()
	if *t.w.spec.Mode.Replicated.Replicas < 2 {
		return
	}
	switch t.r.IntN(5) {
	case 0:
		t.tell("services/" + t.w.spec.Name + "/kill") // 404 when none runs
		t.last = "a kill"
		t.cope()
	case 1:
		t.interrupted("exit-code=1", swarm.UpdateFailureActionPause, swarm.UpdateStatePaused)
	case 2:
		t.interrupted("SWARMSIM_EXIT_CODE=1", swarm.UpdateFailureActionRollback, swarm.UpdateStateRollbackCompleted)
	case 3:
		t.interrupted("start-delay=1h", swarm.UpdateFailureActionPause, swarm.UpdateStateUpdating)
	}
}

func (t *trial) allRun() {
	t.Helper()
	t.await("all run", func() string {
		for _, task := range t.state().tasks {
			if wants(task) && task.Status.State != swarm.TaskStateRunning {
				return "one is " + string(task.Status.State)
			}
		}
		return ""
	})
}

// interrupted makes an update that does not get far: its tasks behave as told.
func (t *trial) interrupted(behavior, action string, until swarm.UpdateState) {
	t.Helper()
	undo := t.save()
	// First a service that is at rest and restarts nothing by itself.
	t.w.spec.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}
	t.w.spec.TaskTemplate.Placement = &swarm.Placement{}
	t.w.spec.TaskTemplate.Resources, t.w.spec.EndpointSpec = nil, nil
	t.w.spec.UpdateConfig = &swarm.UpdateConfig{Parallelism: 1, Monitor: time.Second, FailureAction: action, Order: pick(t.r, swarm.UpdateOrderStopFirst, swarm.UpdateOrderStartFirst)}
	t.w.container().Env = []string{"MARK=" + strconv.FormatUint(t.r.Uint64(), 36)}
	t.w.container().Healthcheck = nil
	t.check("quiet before " + behavior)
	t.allRun()
	good := t.save()
	t.w.container().Env = []string{"MARK=" + strconv.FormatUint(t.r.Uint64(), 36)}
	rollsBack := action == swarm.UpdateFailureActionRollback
	if rollsBack { // what it rolls back to behaves
		t.w.container().Env = append(t.w.container().Env, behavior)
	} else {
		t.steer(behavior)
	}
	t.last = behavior
	t.applyAll()
	t.await(string(until), func() string {
		s := t.state()
		if s.service.UpdateStatus == nil || s.service.UpdateStatus.State != until {
			return "another update status"
		}
		if until == swarm.UpdateStateUpdating && !slices.ContainsFunc(s.tasks, func(t swarm.Task) bool { return s.upToDate[t.ID] && t.Status.State == swarm.TaskStateStarting }) {
			return "no new task starts"
		}
		for _, task := range s.tasks {
			if wants(task) && over(task.Status.State) {
				return "one has ended and that is not dealt with"
			}
		}
		return ""
	})
	t.steer("")
	switch n := t.r.IntN(3); {
	case n == 0:
		good() // back to what it was
	case n == 1 || rollsBack:
		undo() // something else
	}
	// Otherwise forward from here. In all cases a change of more follows.
}
