package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// rounds have all who look at the Swarm share the calls: one round of lists is
// under way at a time. Who comes meanwhile waits for the next one, so that
// nobody sees what was before he asked.
type rounds struct {
	mu   sync.Mutex
	busy bool
	next *round // gathers who comes; nil: nobody has
}

// round is one look at the Swarm. What it found is for all to read, and for
// nobody to change.
type round struct {
	full    bool            // secrets, configs and volumes too
	stacks  map[string]bool // that asked
	waiting int
	ctx     context.Context // ends when nobody waits any more
	cancel  context.CancelFunc
	done    chan struct{} // closed when the rest is there
	err     error

	all      reconcile.Observed // what is the same for every stack
	services []swarm.Service    // by name
	tasks    map[string][]swarm.Task
	stopping map[string][]swarm.Task // by stack, those with a service too
	networks map[string]string       // names by id
	configs  map[string]string
}

// look at the Swarm in a round that begins from now on.
func (e *Engine) look(ctx context.Context, stack string, full bool) (*round, error) {
	r := e.rounds.join(e.run, stack, full)
	defer e.rounds.leave(r)
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-r.done:
		return r, r.err
	}
}

func (rs *rounds) join(run func(*round) error, stack string, full bool) *round {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.next == nil {
		rs.next = &round{stacks: map[string]bool{}, done: make(chan struct{})}
		rs.next.ctx, rs.next.cancel = context.WithCancel(context.Background())
	}
	r := rs.next
	r.full = r.full || full
	r.stacks[stack] = true
	r.waiting++
	if !rs.busy {
		rs.begin(run)
	}
	return r
}

// begin the next round, if anybody waits for it, with the lock held.
func (rs *rounds) begin(run func(*round) error) {
	r := rs.next
	rs.next, rs.busy = nil, r != nil
	if r == nil {
		return
	}
	go func() {
		r.err = unbroken(run, r)
		close(r.done)
		rs.mu.Lock()
		defer rs.mu.Unlock()
		rs.begin(run)
	}()
}

// unbroken runs a round that may break: one stack of many is at fault.
func unbroken(run func(*round) error, r *round) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("looking at the Swarm broke; this is a bug of swarmward: %v\n%s", p, debug.Stack())
		}
	}()
	return run(r)
}

// leave a round; one that nobody waits for any more ends.
func (rs *rounds) leave(r *round) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.waiting--; r.waiting > 0 {
		return
	}
	r.cancel()
	if rs.next == r {
		rs.next = nil
	}
}

// run makes the calls of a round.
func (e *Engine) run(r *round) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.ctx, e.timeout())
	defer cancel()
	only := ""
	if len(r.stacks) == 1 {
		for only = range r.stacks {
		}
	}
	var stored objects
	l := &lists{e: e}
	var g errgroup.Group
	g.Go(func() error { return l.load(ctx, only) })
	if r.full {
		stored.load(ctx, e, &g)
	}
	// Side by side, and what it says counts: who is no manager lists happily.
	info, err := e.preflight(ctx)
	if err != nil {
		cancel()
	}
	if err := cmp.Or(err, g.Wait()); err != nil {
		return err
	}
	r.all.At = engineTime(info)
	if r.full {
		r.all.Node = reconcile.Self{ID: info.Swarm.NodeID, Name: info.Name, Addr: info.Swarm.NodeAddr, APIVersion: e.api.ClientVersion()}
		r.all.Volumes = index(stored.volumes.Volumes, func(v *volume.Volume) string { return v.Name })
		r.all.Secrets = index(stored.secrets, func(s swarm.Secret) string { return s.Spec.Name })
		r.all.Configs = index(stored.configs, func(c swarm.Config) string { return c.Spec.Name })
		e.remember(began, l.networks, stored.secrets, stored.configs)
	}
	r.index(l)
	return nil
}

// index what was listed by what observed looks for.
func (r *round) index(l *lists) {
	r.all.Networks = index(l.networks, func(n network.Summary) string { return n.Name })
	r.all.Nodes = index(l.nodes, func(n swarm.Node) string { return n.ID })
	r.all.UpToDate = make(map[string]bool, len(l.upToDate))
	for _, t := range l.upToDate {
		r.all.UpToDate[t.ID] = true
	}
	r.networks, r.configs = byID(l.networks), map[string]string{}
	maps.Copy(r.networks, l.predefined)
	for name, c := range r.all.Configs {
		r.configs[c.ID] = name
	}
	r.services = slices.SortedFunc(slices.Values(l.services), func(x, y swarm.Service) int { return strings.Compare(x.Spec.Name, y.Spec.Name) })
	r.tasks, r.stopping = map[string][]swarm.Task{}, map[string][]swarm.Task{}
	for _, t := range l.tasks {
		r.tasks[t.ServiceID] = append(r.tasks[t.ServiceID], t)
		if c := t.Spec.ContainerSpec; c != nil {
			stack := c.Labels[spec.LabelNamespace]
			r.stopping[stack] = append(r.stopping[stack], t)
		}
	}
}

// observed is what there is of a stack that asked.
func (r *round) observed(stack string) *reconcile.Observed {
	o := r.all
	o.Services, o.Tasks = map[string]reconcile.ObservedService{}, map[string][]swarm.Task{}
	mine := map[string]bool{}
	prefix := stack + "_"
	from, _ := slices.BinarySearchFunc(r.services, prefix, func(s swarm.Service, name string) int { return strings.Compare(s.Spec.Name, name) })
	for _, s := range r.services[from:] {
		if !strings.HasPrefix(s.Spec.Name, prefix) {
			break
		}
		mine[s.ID] = true
		o.Services[s.Spec.Name] = reconcile.ObservedService{
			ID: s.ID, Version: s.Version, Spec: named(s.Spec, r.networks, r.configs),
			Previous: previous(s, r.networks, r.configs), UpdateStatus: s.UpdateStatus, JobStatus: s.JobStatus, UpdatedAt: s.UpdatedAt,
		}
		for _, t := range r.tasks[s.ID] {
			o.Tasks[s.ID] = append(o.Tasks[s.ID], r.task(t))
		}
	}
	// A service that was removed leaves tasks behind while they stop.
	for _, t := range r.stopping[stack] {
		if !mine[t.ServiceID] {
			o.Tasks[t.ServiceID] = append(o.Tasks[t.ServiceID], r.task(t))
		}
	}
	return &o
}

// task speaks of networks and configs by name, unless it is as its service is.
func (r *round) task(t swarm.Task) swarm.Task {
	if !r.all.UpToDate[t.ID] {
		t.Spec = named(swarm.ServiceSpec{TaskTemplate: t.Spec}, r.networks, r.configs).TaskTemplate
	}
	return t
}
