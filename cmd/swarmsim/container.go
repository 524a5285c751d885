package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stringid"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/api/naming"
	"github.com/moby/swarmkit/v2/template"
)

// simulated is the container of one task: it has everything that a container
// has for those who look from outside, and no process of its own. It is the
// controller that exec.Do drives.
type simulated struct {
	engine *Engine
	node   *node
	task   *api.Task
	id     string
	ip     string
	logs   journal

	ctx  context.Context // ends when the container is to stop
	halt context.CancelFunc
	gone chan struct{} // closed when it has exited

	mu       sync.Mutex
	spec     *api.ContainerSpec // with its templates filled in
	state    container.ContainerState
	exitCode int
	oom      bool
	sick     bool // ended by its health check
	created  time.Time
	started  time.Time
	finished time.Time
	ports    []*api.PortConfig // open on the node
	served   *served           // what answers inside; nil when nothing does
	volumes  []string          // that it holds on the local node
}

func newSimulated(e *Engine, n *node, t *api.Task) *simulated {
	ctx, halt := context.WithCancel(context.Background())
	return &simulated{
		engine: e, node: n, task: t, id: stringid.GenerateRandomID(), ip: e.addresses.allot(),
		ctx: ctx, halt: halt, gone: make(chan struct{}), spec: t.Spec.GetContainer(), created: time.Now(),
	}
}

func (c *simulated) name() string { return naming.Task(c.task) }

// slot names what a task of a service stands in for.
func (c *simulated) slot() string {
	if c.task.Slot == 0 {
		return c.task.ServiceID + "/" + c.task.NodeID
	}
	return c.task.ServiceID + "/" + strconv.FormatUint(c.task.Slot, 10)
}

// Update is for changes of a running task; there is none that matters here.
func (c *simulated) Update(context.Context, *api.Task) error { return nil }

// Prepare makes networks and volumes known on the node and creates the container
// if the node has its image.
func (c *simulated) Prepare(ctx context.Context) error {
	spec, err := template.ExpandContainerSpec(c.engine.describe(c.node), c.task)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.spec = spec
	c.mu.Unlock()
	c.engine.networks.attach(c)
	if err := c.createVolumes(ctx); err != nil {
		return err
	}
	if !c.node.pulled(spec.Image, c.engine.registry.has(spec.Image)) {
		return verbatim("No such image: %s", familiar(spec.Image))
	}
	if err := checkBinds(spec.Mounts); err != nil {
		return err
	}
	c.mu.Lock()
	c.state = container.StateCreated
	c.mu.Unlock()
	c.engine.logContainer(c, "create", nil)
	return nil
}

// Start runs the container and, as the Engine does, returns only when it is
// healthy, if it has a health check.
func (c *simulated) Start(ctx context.Context) error {
	b := c.engine.behaviors.of(c)
	select {
	case <-time.After(b.startDelay):
	case <-ctx.Done():
		return ctx.Err()
	}
	files, err := c.files()
	if err != nil {
		return fmt.Errorf("starting container failed: %w", err)
	}
	c.mu.Lock()
	if c.state != container.StateCreated {
		c.mu.Unlock()
		return errors.New("starting container failed: it was started before")
	}
	c.state, c.started = container.StateRunning, time.Now()
	c.mu.Unlock()
	ready := make(chan error, 1)
	go c.live(b, files, ready)
	select {
	case err := <-ready:
		if err != nil {
			return fmt.Errorf("starting container failed: %w", err)
		}
	case <-c.gone:
		return c.ended()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !b.failing || !b.unhealthy && (b.runFor > 0 || !c.checksHealth()) {
		return nil
	}
	select {
	case <-c.gone:
		return c.ended()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ended is the error of a container that has exited while it was starting. One
// without a health check counts as started all the same.
func (c *simulated) ended() error {
	if c.checksHealth() {
		return c.exitError()
	}
	return nil
}

func (c *simulated) checksHealth() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.spec.Healthcheck
	return c.sick || h != nil && len(h.Test) > 0 && h.Test[0] != "NONE"
}

// Wait returns when the container has exited.
func (c *simulated) Wait(ctx context.Context) error {
	c.mu.Lock()
	never := c.started.IsZero()
	c.mu.Unlock()
	if never {
		// The node went down with the container and came back without it.
		return &exitError{code: 137}
	}
	select {
	case <-c.gone:
		return c.exitError()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exitError is nil when the container exited well.
func (c *simulated) exitError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.exitCode == 0:
		return nil
	case c.sick:
		return &exitError{code: c.exitCode, cause: errors.New("dockerexec: unhealthy container")}
	}
	return &exitError{code: c.exitCode}
}

// exitError is how the Engine reports an exit code to the manager.
type exitError struct {
	code  int
	cause error
}

func (e *exitError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("task: non-zero exit (%d): %v", e.code, e.cause)
	}
	return fmt.Sprintf("task: non-zero exit (%d)", e.code)
}

// ExitCode puts the code into the status of the task.
func (e *exitError) ExitCode() int { return e.code }

// Shutdown stops the container and waits until it has.
func (c *simulated) Shutdown(context.Context) error {
	c.mu.Lock()
	running := c.state == container.StateRunning
	c.mu.Unlock()
	c.halt()
	if running {
		<-c.gone
	}
	c.engine.networks.detach(c)
	return nil
}

// Terminate stops the container at once.
func (c *simulated) Terminate(context.Context) error { c.kill(137); return nil }

// Remove is not asked for by exec.Do; remove does it when the task is deleted.
func (c *simulated) Remove(context.Context) error { return nil }

// Close has nothing to close.
func (c *simulated) Close() error { return nil }

// remove stops the container and gives back all that it holds.
func (c *simulated) remove() {
	_ = c.Shutdown(context.Background())
	c.releaseVolumes(context.Background())
	if c.status() != "" {
		c.engine.logContainer(c, "destroy", nil)
	}
}

// kill ends a running container with an exit code.
func (c *simulated) kill(code int) {
	c.mu.Lock()
	if c.state == container.StateRunning && c.exitCode == 0 {
		c.exitCode = code
	}
	c.mu.Unlock()
	c.halt()
}

// killOOM ends it as the kernel does when memory runs out.
func (c *simulated) killOOM() {
	c.mu.Lock()
	c.oom = c.state == container.StateRunning
	c.mu.Unlock()
	c.kill(137)
}

// killUnhealthy ends it as the Engine does when its health check fails.
func (c *simulated) killUnhealthy() {
	c.mu.Lock()
	c.sick = c.state == container.StateRunning
	c.mu.Unlock()
	c.kill(137)
}

// exit marks the container as exited. The code that it was killed with wins.
func (c *simulated) exit(code int) {
	c.mu.Lock()
	if c.exitCode == 0 {
		c.exitCode = code
	}
	c.state, c.finished = container.StateExited, time.Now()
	code = c.exitCode
	c.mu.Unlock()
	c.halt()
	close(c.gone)
	c.engine.logContainer(c, "die", map[string]string{"exitCode": strconv.Itoa(code)})
}

// ContainerStatus is the container's part of the task's status.
func (c *simulated) ContainerStatus(context.Context) (*api.ContainerStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := &api.ContainerStatus{ContainerID: c.id, ExitCode: int32(c.exitCode)}
	if c.state == container.StateRunning {
		status.PID = c.pid()
	}
	return status, nil
}

// pid is a made-up process id that stays the same.
func (c *simulated) pid() int32 {
	n, _ := strconv.ParseInt(c.id[:4], 16, 32)
	return 1000 + int32(n)
}

// PortStatus is what the container has open on its node.
func (c *simulated) PortStatus(context.Context) (*api.PortStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &api.PortStatus{Ports: c.ports}, nil
}
