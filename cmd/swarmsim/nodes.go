package main

import (
	"fmt"
	"sync"

	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/identity"
	"github.com/moby/swarmkit/v2/manager/state/store"
)

const (
	engineVersion = "28.5.2"
	maxNodes      = 250
	nodeCPUs      = 8
	nodeMemory    = 32 << 30
)

// node is one simulated machine.
type node struct {
	id, hostname, addr string

	mu     sync.Mutex
	down   bool
	images map[string]bool // that were pulled while the registry was there
}

func newNodes(n int, addresses *space) []*node {
	nodes := make([]*node, n)
	for i := range nodes {
		nodes[i] = &node{
			id: identity.NewID(), hostname: fmt.Sprintf("node-%d", i+1), addr: addresses.node(i),
			images: map[string]bool{},
		}
	}
	return nodes
}

func (n *node) isDown() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.down
}

// pulled tells whether the node has an image, and remembers that it has one
// that could be pulled.
func (n *node) pulled(image string, available bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if available {
		n.images[image] = true
	}
	return n.images[image]
}

// node by its id; nil when there is none.
func (e *Engine) node(id string) *node {
	for _, n := range e.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// local is the node whose Engine answers.
func (e *Engine) local() *node { return e.nodes[0] }

// SetDown makes a node, by its hostname, fail or come back. A node that fails
// takes its containers with it and reports nothing any more.
func (e *Engine) SetDown(hostname string, down bool) error {
	for _, n := range e.nodes {
		if n.hostname != hostname {
			continue
		}
		if n == e.local() {
			return errdefs.InvalidParameter(fmt.Errorf("node %s: it answers the API and cannot be taken down", hostname))
		}
		n.mu.Lock()
		changed := n.down != down
		n.down = down
		n.mu.Unlock()
		if !changed {
			return nil
		}
		return e.reportNode(n, down)
	}
	return errdefs.NotFound(fmt.Errorf("node %s not found", hostname))
}

// reportNode tells the manager what its dispatcher would find out by missing
// heartbeats, or by a new session.
func (e *Engine) reportNode(n *node, down bool) error {
	status := api.NodeStatus{State: api.NodeStatus_READY, Addr: n.addr}
	if down {
		e.agent.abandon(n)
		status.State, status.Message = api.NodeStatus_DOWN, "heartbeat failure"
	}
	var tasks []*api.Task
	err := e.store.Update(func(tx store.Tx) error {
		found := store.GetNode(tx, n.id)
		if found == nil {
			return errdefs.NotFound(fmt.Errorf("node %s was removed", n.hostname))
		}
		found.Status = status
		var err error
		if tasks, err = store.FindTasks(tx, store.ByNodeID(n.id)); err != nil {
			return fmt.Errorf("tasks: %w", err)
		}
		return store.UpdateNode(tx, found)
	})
	if err != nil || down {
		return err
	}
	for _, t := range tasks {
		e.agent.assign(t)
	}
	return nil
}
