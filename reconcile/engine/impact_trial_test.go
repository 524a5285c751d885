package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/reconcile"
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
	anew   int    // how often the service was made anew
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

// stuck counts the times that a Swarm did not come to rest.
var stuck atomic.Int32

// mostStuck is how often that may be before it is no accident any more.
const mostStuck = 3

// settle waits until the Swarm has done what it has to. Once in some hundred
// updates it never does: its scheduler misses that a port became free, or the
// updater loses slots when writes follow each other fast; reconcile/stalled.go has
// how. That is no prediction of ours: it is told, and the service is made anew.
func (t *trial) settle() *swarmState {
	t.Helper()
	for {
		var s *swarmState
		why := t.waits(func() string {
			s = t.state()
			return s.unsettled()
		})
		if why == "" {
			return s
		}
		if stuck.Add(1) > mostStuck {
			t.Fatalf("after %s: the Swarm did not come to rest within a minute, and not for the first time: %s\n%s", t.last, why, t.dump())
		}
		t.Logf("counted: after %s: the Swarm itself does not come to rest, and the service is made anew: %s\n%s", t.last, why, t.dump())
		t.anew++
		if err := t.e.Do(t.Context(), reconcile.Remove{Kind: reconcile.KindService, ID: s.service.ID, Name: s.service.Spec.Name}); err != nil {
			t.Fatal(err)
		}
		t.applyAll()
	}
}

// await waits until missing has nothing to say.
func (t *trial) await(what string, missing func() string) {
	t.Helper()
	if m := t.waits(missing); m != "" {
		t.Fatalf("after %s: %s: not within a minute: %s\n%s", t.last, what, m, t.dump())
	}
}

// waits is what missing says after a minute; nothing when it has nothing to say.
func (t *trial) waits(missing func() string) string {
	deadline, tick := time.Now().Add(time.Minute), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		m := missing()
		if m == "" || time.Now().After(deadline) {
			return m
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
	times := t.anew
	after := t.settle()
	if t.anew != times {
		return false
	}
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

// vary applies field changes to what is wanted.
func (t *trial) vary(changes []fieldChange) string {
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

// single tries every field by itself.
func (t *trial) single(changes []fieldChange) {
	t.Helper()
	for _, c := range changes {
		if c.sim && !t.sim {
			continue
		}
		tried := false
		for range 20 {
			if tried = t.check(t.vary([]fieldChange{c})); tried {
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
		if t.check(t.vary(some)) {
			n--
		}
	}
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
