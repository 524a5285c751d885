package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	daemonevents "github.com/docker/docker/daemon/events"
	"github.com/docker/docker/libnetwork/cnmallocator"
	"github.com/moby/swarmkit/v2/manager/controlapi"
	"github.com/moby/swarmkit/v2/manager/state"
	"github.com/moby/swarmkit/v2/manager/state/store"
)

// Engine is a Swarm with its nodes. What its API shows is what the Engine of
// the first node, its only manager, would show.
type Engine struct {
	log       *slog.Logger
	dir       string // goes when the Engine is closed
	addresses *space
	nodes     []*node
	store     *store.MemoryStore
	cluster   *clusterBackend
	agent     *agent
	events    eventLog
	networks  *localNetworks
	volumes   *localVolumes
	registry  *images
	behaviors *behaviors
	datasets  *datasets
	names     *names
	mesh      *mesh
	lastPort  atomic.Uint32
}

// Config of a Swarm; the zero value is one with a single node.
type Config struct {
	Nodes int      // default 1
	Known []string // images that the registry has beside the usual ones
	Log   *slog.Logger
}

// startTimeout bounds how long the Swarm's own networks may take.
const startTimeout = 20 * time.Second

// StartEngine makes a Swarm that runs until the context ends.
func StartEngine(ctx context.Context, c Config) (*Engine, error) {
	if c.Nodes == 0 {
		c.Nodes = 1
	}
	if c.Nodes < 0 || c.Nodes > maxNodes {
		return nil, fmt.Errorf("nodes: %d is not between 1 and %d", c.Nodes, maxNodes)
	}
	dir, err := os.MkdirTemp("", "swarmsim-")
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	e := &Engine{
		log: c.Log, dir: dir, events: eventLog{daemonevents.New()}, registry: newImages(), behaviors: newBehaviors(), datasets: newDatasets(),
	}
	if err := e.start(ctx, c); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Engine) start(ctx context.Context, c Config) (err error) {
	if e.addresses, err = claimSpace(); err != nil {
		return err
	}
	for _, image := range c.Known {
		if err := e.registry.add(image); err != nil {
			return err
		}
	}
	e.nodes = newNodes(c.Nodes, e.addresses)
	e.agent, e.names, e.mesh, e.networks = newAgent(e), newNames(e), newMesh(e), newLocalNetworks(e)
	if e.volumes, err = newLocalVolumes(e, e.dir); err != nil {
		return err
	}
	provider := cnmallocator.NewProvider(nil)
	e.store = store.NewMemoryStore(&versions{})
	e.cluster = &clusterBackend{engine: e, control: controlapi.NewServer(e.store, nil, nil, provider, nil)}
	if err := seed(e.store, e.nodes, provider.PredefinedNetworks()); err != nil {
		return err
	}
	changes, _ := state.Watch(e.store.WatchQueue(), watchedKinds()...)
	go e.events.follow(ctx, changes)
	go e.agent.run(ctx)
	if err := startControl(ctx, e.store, provider, e.log); err != nil {
		return err
	}
	return e.awaitIngress(ctx)
}

// awaitIngress returns when the Swarm's own networks are there.
func (e *Engine) awaitIngress(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		ready := true
		e.store.View(func(tx store.ReadTx) {
			found, err := store.FindNetworks(tx, store.All)
			ready = err == nil
			for _, n := range found {
				ready = ready && n.DriverState != nil
			}
		})
		if ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("network ingress: not allocated: %w", ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Close removes what the Engine left on the machine.
func (e *Engine) Close() error {
	var failures []error
	if e.volumes != nil {
		failures = append(failures, e.volumes.Shutdown())
	}
	if e.addresses != nil {
		failures = append(failures, e.addresses.Close())
	}
	return errors.Join(append(failures, os.RemoveAll(e.dir))...)
}

// dynamicPort is a host port for a task that does not name one.
func (e *Engine) dynamicPort() uint32 { return 32767 + e.lastPort.Add(1)%28000 }
