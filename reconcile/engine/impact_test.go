package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/spec"
)

// trial is one stack of one service whose plans are applied one after another,
// each compared with what the Swarm then does.
type trial struct {
	*testing.T
	e      *Engine
	differ reconcile.Differ
	r      *rand.Rand
	sim    bool
	moving bool // nodes change
	w      *wanted
	last   string // what was changed last, for messages
	right  *atomic.Int64
	all    *atomic.Int64
}

func newTrial(t *testing.T, api *client.Client, name string, seed uint64, mode swarm.ServiceMode) *trial {
	one := swarm.ServiceSpec{Mode: mode}
	one.Name, one.Labels = name+"_app", map[string]string{spec.LabelNamespace: name, spec.LabelImage: "busybox:1.37"}
	one.TaskTemplate = swarm.TaskSpec{
		ContainerSpec: &swarm.ContainerSpec{
			Image: "busybox:1.37", Args: []string{"sleep", "100000"}, StopSignal: "SIGKILL",
			Labels: map[string]string{spec.LabelNamespace: name}, Env: []string{"LOG_LEVEL=info"},
		},
		Placement: &swarm.Placement{},
		Networks:  []swarm.NetworkAttachmentConfig{{Target: name + "_one", Aliases: []string{"app"}}},
	}
	if !isAJob(mode) {
		one.UpdateConfig = &swarm.UpdateConfig{Monitor: time.Millisecond}
	}
	s := &spec.Stack{Name: name, Services: []spec.Service{{Key: "app", Spec: one}}, Settings: spec.Settings{Images: spec.Images{Resolve: "changed"}}}
	labels := func() map[string]string { return map[string]string{spec.LabelNamespace: name} }
	for _, key := range []string{"one", "two"} {
		s.Networks = append(s.Networks, spec.Network{Key: key, Name: name + "_" + key, Create: network.CreateOptions{Driver: "overlay", Labels: labels()}})
	}
	for _, key := range []string{"a", "b"} {
		secret := spec.Secret{Key: key, Name: name + "_" + key, Data: spec.Sensitive("content of " + key)}
		secret.Spec.Name, secret.Spec.Labels = secret.Name, labels()
		config := spec.Config{Key: key, Name: name + "_" + key}
		config.Spec.Name, config.Spec.Labels, config.Spec.Data = config.Name, labels(), []byte("content of "+key)
		s.Secrets, s.Configs = append(s.Secrets, secret), append(s.Configs, config)
	}
	e := &Engine{api: api, log: slog.New(slog.DiscardHandler), guests: guests{stay: map[string]*stay{}}}
	return &trial{
		T: t, e: e, differ: reconcile.Differ{Fingerprints: &reconcile.Fingerprints{}}, r: rand.New(rand.NewPCG(seed, 7)), right: new(atomic.Int64), all: new(atomic.Int64),
		w: &wanted{stack: s, spec: &s.Services[0].Spec, port: 20000 + uint32(seed)*10},
	}
}

func isAJob(m swarm.ServiceMode) bool { return m.ReplicatedJob != nil || m.GlobalJob != nil }

func replicas(n uint64) swarm.ServiceMode {
	return swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &n}}
}

// plan is what a pass would do now.
func (t *trial) plan() (*reconcile.Plan, *reconcile.Observed) {
	t.Helper()
	seen, err := t.e.Observe(t.Context(), t.w.stack)
	if err != nil {
		t.Fatal(err)
	}
	return t.differ.Diff(t.w.stack, seen), seen
}

func change(p *reconcile.Plan) *reconcile.Change {
	for i, c := range p.Changes {
		if c.Kind == reconcile.KindService {
			return &p.Changes[i]
		}
	}
	return nil
}

func (t *trial) apply(p *reconcile.Plan) error {
	for _, c := range p.Changes {
		if c.Write == nil || c.AfterChecks {
			continue
		}
		if err := t.e.Do(t.Context(), c.Write); err != nil {
			return fmt.Errorf("%s %s: %w", c.Kind, c.Name, err)
		}
	}
	return nil
}

// applyAll makes the Swarm what is wanted. It returns the plan for that and
// the state that it was made for.
func (t *trial) applyAll() (*reconcile.Plan, *swarmState) {
	t.Helper()
	for {
		p, _ := t.plan()
		var before *swarmState
		if c := change(p); c != nil && c.Action != reconcile.ActionCreate {
			before = t.state()
		}
		err := t.apply(p)
		if err == nil {
			return p, before
		}
		if !errors.Is(err, reconcile.ErrStale) { // Swarm may have noted that the last update is complete
			t.Fatalf("%s: %v\n%s", t.last, err, p)
		}
	}
}

// create makes the stack and waits until its tasks are there.
func (t *trial) create() {
	t.Helper()
	t.applyAll()
	t.settle()
}

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
				continue
			}
			wanted = append(wanted, t)
			if over(t.Status.State) && t.DesiredState == swarm.TaskStateRunning && s.node(t.NodeID) != nil {
				return "a task has ended and is not restarted yet"
			}
			waits = waits || s.upToDate[t.ID] && t.Status.State == swarm.TaskStatePending
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
		case wanted[0].Status.State == swarm.TaskStateNew:
			return "slot " + key + " is new"
		default:
			alive++
		}
	}
	if want := s.wantsTasks(); alive != want {
		return fmt.Sprintf("%d slots, want %d", alive, want)
	}
	return ""
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

// settle waits until the Swarm has done what it has to.
func (t *trial) settle() *swarmState {
	t.Helper()
	var s *swarmState
	t.await("the Swarm is at rest", func() string {
		s = t.state()
		return s.unsettled()
	})
	return s
}

// await waits until missing has nothing to say.
func (t *trial) await(what string, missing func() string) {
	t.Helper()
	deadline, tick := time.Now().Add(time.Minute), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		m := missing()
		if m == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %s: not within a minute: %s\n%s", t.last, what, m, t.dump())
		}
		<-tick.C
	}
}

func (t *trial) dump() string {
	s := t.state()
	var b strings.Builder
	for _, task := range s.tasks {
		fmt.Fprintf(&b, "%s slot %d node %.5s desired %s is %s %s, up to date %v\n", task.ID, task.Slot, task.NodeID, task.DesiredState, task.Status.State, task.Status.Err, s.upToDate[task.ID])
	}
	sp, _ := json.Marshal(s.service.Spec)
	fmt.Fprintf(&b, "update status %+v\nspec %s", s.service.UpdateStatus, sp)
	return b.String()
}

var startStop = regexp.MustCompile(`(\d+) (?:tasks? )?(starts?|stops?)\b`)

// predicted is what a change says: tasks replaced, started and stopped.
func predicted(c *reconcile.Change) (replaced, started, stopped int) {
	if c.Impact == reconcile.ImpactRolling {
		replaced = c.Tasks
	}
	for _, note := range c.Notes {
		for _, m := range startStop.FindAllStringSubmatch(note, -1) {
			n, _ := strconv.Atoi(m[1])
			if strings.HasPrefix(m[2], "start") {
				started = n
			} else {
				stopped = n
			}
		}
	}
	return replaced, started, stopped
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

// check applies what is wanted now and compares. It says whether there was
// anything to predict.
func (t *trial) check(what string) bool {
	t.Helper()
	t.last = what
	p, before := t.applyAll()
	c := change(p)
	if c == nil || c.Write == nil {
		return false
	}
	after := t.settle()
	r, up, down := predicted(c)
	gotR, gotUp, gotDown := happened(before, after)
	t.all.Add(1)
	same := r == gotR && up == gotUp && down == gotDown
	if before.wantsNoChange(after) {
		same = r == gotR || gotUp == gotDown && r == gotR+gotUp // in another slot
	}
	if same {
		t.right.Add(1)
	} else {
		was, _ := json.Marshal(before.service.Spec)
		t.Errorf("%s: predicted %d replaced, %d started, %d stopped; got %d, %d, %d\n%swas %s\n%s", what, r, up, down, gotR, gotUp, gotDown, p, was, t.dump())
	}
	if p, _ := t.plan(); change(p) != nil {
		t.Errorf("%s: not empty after it was applied:\n%s", what, p)
	}
	return true
}

// wantsNoChange: without scaling a plan has nothing to say about slots, of
// which Swarm at times takes a former one into use again instead of another.
func (s *swarmState) wantsNoChange(after *swarmState) bool {
	return after.service.Spec.Mode.Replicated != nil && s.wantsTasks() == after.wantsTasks()
}

// change applies n field changes to what is wanted.
func (t *trial) change(changes []fieldChange) string {
	var names []string
	for _, c := range changes {
		c.do(t.r, t.w)
		names = append(names, c.field)
	}
	// A task that cannot start would hold up those behind it, and with
	// start-first one that has to go would wait for it.
	if u := t.w.spec.UpdateConfig; u != nil {
		u.Parallelism = pick(t.r, 0, max(u.Parallelism, 6))
		if t.moving {
			u.Order = swarm.UpdateOrderStopFirst
		}
	}
	// A task that is given a node without the means is rejected there, over and
	// over.
	if res := t.w.spec.TaskTemplate.Resources; t.w.spec.Mode.Global != nil && res != nil && res.Reservations != nil {
		r := res.Reservations
		r.MemoryBytes, r.NanoCPUs, r.GenericResources = min(r.MemoryBytes, 8<<20), min(r.NanoCPUs, 1e7), nil
	}
	// What the Engine would refuse.
	if e := t.w.spec.EndpointSpec; e != nil && e.Mode == swarm.ResolutionModeDNSRR {
		for i := range e.Ports {
			e.Ports[i].PublishMode = swarm.PortConfigPublishModeHost
		}
	}
	return strings.Join(names, " + ")
}

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

// single tries every field by itself.
func (t *trial) single(changes []fieldChange) {
	t.Helper()
	for _, c := range changes {
		if c.sim && !t.sim {
			continue
		}
		tried := false
		for range 20 {
			if tried = t.check(t.change([]fieldChange{c})); tried {
				break
			}
		}
		if !tried {
			t.Errorf("%s: no change of it is seen", c.field)
		}
		if t.Failed() {
			return
		}
	}
}

// combined tries n changes of two to five fields at once.
func (t *trial) combined(n int, before func()) {
	t.Helper()
	all := slices.DeleteFunc(fieldChanges(), func(c fieldChange) bool { return c.sim && !t.sim })
	for n > 0 && !t.Failed() {
		if before != nil {
			before()
		}
		var some []fieldChange
		for range 2 + t.r.IntN(4) {
			some = append(some, all[t.r.IntN(len(all))])
		}
		if t.check(t.change(some)) {
			n--
		}
	}
}

func (t *trial) report() {
	fmt.Printf("%d predictions right of %d\n", t.right.Load(), t.all.Load())
}

// sharing counts with another trial.
func (t *trial) sharing(right, all *atomic.Int64) *trial {
	t.right, t.all = right, all
	return t
}

func sorted(changes []fieldChange) []fieldChange {
	slices.SortFunc(changes, func(a, b fieldChange) int { return cmp.Compare(a.field, b.field) })
	return changes
}

// On a Swarm of three simulated nodes: every field by itself, and many at once.
func TestImpactOnSim(t *testing.T) {
	t.Parallel()
	right, all := new(atomic.Int64), new(atomic.Int64)
	t.Cleanup(func() { fmt.Printf("swarmsim: %d predictions right of %d\n", right.Load(), all.Load()) })
	start := func(t *testing.T, seed uint64, mode swarm.ServiceMode) *trial {
		t.Parallel()
		sim := swarmlab.StartSim(t, "--nodes", "3")
		tr := newTrial(t, sim.Client(t), "s"+strconv.FormatUint(seed, 10), seed, mode).sharing(right, all)
		tr.sim = true
		tr.labelNodes()
		tr.create()
		return tr
	}
	t.Run("single", func(t *testing.T) { start(t, 1, replicas(3)).single(sorted(fieldChanges())) })
	t.Run("single, global", func(t *testing.T) {
		start(t, 2, swarm.ServiceMode{Global: &swarm.GlobalService{}}).single(slices.DeleteFunc(sorted(fieldChanges()), func(c fieldChange) bool {
			return strings.HasPrefix(c.field, "Mode.") || strings.HasSuffix(c.field, ".MaxReplicas") || strings.HasSuffix(c.field, ".GenericResources")
		}))
	})
	for seed := range uint64(2) {
		t.Run("combined", func(t *testing.T) { start(t, 10+seed, replicas(3)).combined(50, nil) })
	}
	t.Run("combined, global", func(t *testing.T) {
		start(t, 20, swarm.ServiceMode{Global: &swarm.GlobalService{}}).combined(50, nil)
	})
	t.Run("in trouble", func(t *testing.T) {
		tr := start(t, 30, replicas(3))
		tr.combined(50, tr.trouble)
	})
	t.Run("ports beside a placement", func(t *testing.T) {
		// Swarm's updater looks at one or the other.
		tr := start(t, 50, replicas(3))
		tr.allRun()
		for _, step := range []struct {
			what  string
			do    func()
			tasks int
		}{
			{"a port and a constraint that is met", func() {
				tr.w.published()
				tr.w.spec.TaskTemplate.Placement.Constraints = []string{"node.platform.os==linux"}
			}, 3},
			{"no constraint", func() { tr.w.spec.TaskTemplate.Placement.Constraints = nil }, 0},
			{"a port, after the placement", func() { tr.w.published().PublishedPort++ }, 3},
		} {
			step.do()
			if p, _ := tr.plan(); change(p).Tasks != step.tasks {
				t.Errorf("%s: want %d tasks replaced:\n%s", step.what, step.tasks, p)
			}
			tr.check(step.what)
			tr.allRun()
		}
	})
	t.Run("nodes that change", func(t *testing.T) {
		tr := start(t, 40, replicas(4))
		tr.combined(40, tr.changeNode)
	})
	t.Run("nodes that change, global", func(t *testing.T) {
		tr := start(t, 41, swarm.ServiceMode{Global: &swarm.GlobalService{}})
		tr.combined(40, tr.changeNode)
	})
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

// Jobs run again whatever is changed, were it a label.
func TestImpactOfJobs(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]swarm.ServiceMode{
		"replicated": {ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: new(uint64(2)), TotalCompletions: new(uint64(3))}},
		"global":     {GlobalJob: &swarm.GlobalJob{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := swarmlab.StartSim(t, "--nodes", "3")
			tr := newTrial(t, sim.Client(t), "job", 1, mode)
			tr.w.container().Args = []string{"true"}
			tr.w.spec.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}
			tr.create()
			tr.w.spec.Labels["a"] = "b"
			tr.check("a label")
			tr.w.container().Env = []string{"A=1"}
			tr.check("a variable")
			if m := tr.w.spec.Mode.ReplicatedJob; m != nil {
				m.TotalCompletions = new(uint64(5))
				tr.check("completions")
			}
			if tr.all.Load() < 2 {
				t.Error("nothing was predicted")
			}
			tr.report()
		})
	}
}

// A job that was there before is not run again for the sake of a mark.
func TestJobIsNotRunToBeAdopted(t *testing.T) {
	t.Parallel()
	sim := swarmlab.StartSim(t)
	tr := newTrial(t, sim.Client(t), "job", 1, swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: new(uint64(1)), TotalCompletions: new(uint64(1))}})
	tr.w.container().Args = []string{"true"}
	tr.create()
	svc := tr.state().service
	delete(svc.Spec.Labels, reconcile.LabelApplied)
	if _, err := tr.e.api.ServiceUpdate(t.Context(), svc.ID, svc.Version, svc.Spec, swarm.ServiceUpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	tr.settle()
	p, _ := tr.plan()
	c := change(p)
	if c == nil || c.Write != nil || !p.Empty() {
		t.Errorf("got\n%swant a note and no write", p)
	}
}

// A scaler's replicas survive what the spec changes beside them.
func TestIgnoredReplicasOnSim(t *testing.T) {
	t.Parallel()
	sim := swarmlab.StartSim(t)
	tr := newTrial(t, sim.Client(t), "app", 1, replicas(2))
	tr.w.stack.Settings.Ignore = []string{"services.app.deploy.replicas"}
	tr.create()
	scaled := tr.state().service
	scaled.Spec.Mode = replicas(4)
	if _, err := tr.e.api.ServiceUpdate(t.Context(), scaled.ID, scaled.Version, scaled.Spec, swarm.ServiceUpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	tr.settle()
	if p, _ := tr.plan(); len(p.Changes) > 0 {
		t.Errorf("a plan after the scaler:\n%s", p)
	}
	tr.w.container().Image = "busybox:1.36"
	p, _ := tr.plan()
	if c := change(p); c == nil || c.Cause != "the spec changed" || c.Tasks != 4 {
		t.Errorf("plan:\n%s", p)
	}
	tr.check("an image")
	if n := *tr.state().service.Spec.Mode.Replicated.Replicas; n != 4 || tr.right.Load() != 1 {
		t.Errorf("%d replicas, %d predictions right", n, tr.right.Load())
	}
}

// On a real Engine, services side by side.
func TestImpactOnEngine(t *testing.T) {
	t.Parallel()
	lab := swarmlab.Start(t, swarmlab.Options{})
	for _, tag := range []string{"busybox:1.36", "busybox:1.37", "busybox:latest"} {
		if err := lab.LoadImage(t.Context(), tag, nil, `CMD ["sleep","100000"]`); err != nil {
			t.Fatal(err)
		}
	}
	right, all := new(atomic.Int64), new(atomic.Int64)
	api := lab.Nodes[0].Client(t)
	const workers = 6
	t.Run("all", func(t *testing.T) {
		fields := slices.DeleteFunc(sorted(fieldChanges()), func(c fieldChange) bool { return c.sim })
		for i := range workers {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				tr := newTrial(t, api, "r"+strconv.Itoa(i), uint64(100+i), replicas(2)).sharing(right, all)
				tr.create()
				var mine []fieldChange
				for n := i; n < len(fields); n += workers {
					mine = append(mine, fields[n])
				}
				tr.single(mine)
				tr.combined(5, nil)
				if err := api.ServiceRemove(context.Background(), tr.w.spec.Name); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
	})
	fmt.Printf("Engine: %d predictions right of %d\n", right.Load(), all.Load())
}
