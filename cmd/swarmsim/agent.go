package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/api/equality"
	"github.com/moby/swarmkit/v2/manager/state"
	"github.com/moby/swarmkit/v2/manager/state/store"
)

// reportEvery is how long reports are gathered before they are written, so
// that many tasks share one change of the store.
const reportEvery = 5 * time.Millisecond

// agent is the workers of all nodes and the dispatcher between them and the
// manager: it takes assigned tasks out of the store, has each go through its
// states by Swarm's own rules (exec.Do), and writes back what they report.
type agent struct {
	engine *Engine

	mu         sync.Mutex
	workers    map[string]*worker    // by task
	containers map[string]*simulated // by container id
	reports    map[string]*api.TaskStatus
	wake       chan struct{}
}

func newAgent(e *Engine) *agent {
	return &agent{
		engine: e, workers: map[string]*worker{}, containers: map[string]*simulated{},
		reports: map[string]*api.TaskStatus{}, wake: make(chan struct{}, 1),
	}
}

// run follows the store until the context ends.
func (a *agent) run(ctx context.Context) {
	changes, cancel := state.Watch(a.engine.store.WatchQueue(), api.EventCreateTask{}, api.EventUpdateTask{}, api.EventDeleteTask{})
	defer cancel()
	go a.reporting(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case change := <-changes:
			switch c := change.(type) {
			case api.EventCreateTask:
				a.assign(c.Task)
			case api.EventUpdateTask:
				a.assign(c.Task)
			case api.EventDeleteTask:
				a.forget(c.Task.ID)
			}
		}
	}
}

// assign gives a task, or what is now desired of it, to its worker.
func (a *agent) assign(t *api.Task) {
	n := a.engine.node(t.NodeID)
	if n == nil || t.Status.State < api.TaskStateAssigned || t.Spec.GetContainer() == nil || n.isDown() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.workers[t.ID]; w != nil {
		w.desire(t.DesiredState)
		return
	}
	if t.Status.State > api.TaskStateRunning {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := newSimulated(a.engine, n, t)
	w := &worker{
		agent: a, container: c, task: *t, desired: t.DesiredState, changed: make(chan struct{}, 1), cancel: cancel,
	}
	a.workers[t.ID] = w
	a.containers[c.id] = c
	go w.run(ctx)
}

// forget ends the worker of a task that is no more, and removes its container.
func (a *agent) forget(task string) {
	a.mu.Lock()
	w := a.workers[task]
	delete(a.workers, task)
	delete(a.reports, task)
	a.mu.Unlock()
	if w == nil {
		return
	}
	w.cancel()
	go func() {
		w.container.remove()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.containers, w.container.id)
	}()
}

// abandon stops all that a node does, without a report.
func (a *agent) abandon(n *node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, w := range a.workers {
		if w.container.node == n {
			w.cancel()
			delete(a.workers, id)
			delete(a.reports, id)
			delete(a.containers, w.container.id)
			go w.container.remove()
		}
	}
}

// all are the containers of all nodes.
func (a *agent) all() []*simulated {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Values(a.containers))
}

// report queues the status of a task; a later one replaces it.
func (a *agent) report(w *worker, status *api.TaskStatus) {
	a.mu.Lock()
	if a.workers[w.task.ID] == w {
		a.reports[w.task.ID] = status
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *agent) reporting(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(reportEvery):
		}
		a.mu.Lock()
		reports := a.reports
		a.reports = map[string]*api.TaskStatus{}
		a.mu.Unlock()
		if err := a.write(reports); err != nil {
			a.engine.log.Error("task states are lost", "err", err)
		}
	}
}

func (a *agent) write(reports map[string]*api.TaskStatus) error {
	return a.engine.store.Batch(func(batch *store.Batch) error {
		for id, status := range reports {
			err := batch.Update(func(tx store.Tx) error {
				t := store.GetTask(tx, id)
				if t == nil || t.Status.State > status.State || equality.TaskStatusesEqualStable(&t.Status, status) {
					return nil
				}
				t.Status = *status
				t.Status.AppliedBy, t.Status.AppliedAt = a.engine.local().id, status.Timestamp
				return store.UpdateTask(tx, t)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// worker takes one task through its states.
type worker struct {
	agent     *agent
	container *simulated
	task      api.Task // the worker's own; its status is ahead of the store's
	cancel    context.CancelFunc
	changed   chan struct{}

	mu      sync.Mutex
	desired api.TaskState
	stop    context.CancelFunc // ends the operation under way
}

// desire tells the worker what the manager wants of the task. States only go
// forward.
func (w *worker) desire(state api.TaskState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if state <= w.desired {
		return
	}
	w.desired = state
	if w.stop != nil {
		w.stop()
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// operation begins one: the task as it is to be worked on, under a context that
// ends when something else is desired.
func (w *worker) operation(ctx context.Context) (context.Context, context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.task.DesiredState = max(w.desired, w.task.DesiredState)
	w.desired = w.task.DesiredState
	opctx, cancel := context.WithCancel(ctx)
	w.stop = cancel
	return opctx, cancel
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		opctx, cancel := w.operation(ctx)
		status, err := exec.Do(opctx, &w.task, w.container)
		cancel()
		if status.State != w.task.Status.State || status.Err != w.task.Status.Err {
			w.task.Status = *status
			w.agent.report(w, status)
		}
		if err == nil {
			continue
		}
		// Nothing to do, or interrupted: in both cases something changed, or will.
		select {
		case <-ctx.Done():
		case <-w.changed:
		}
	}
}
