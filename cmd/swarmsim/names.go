package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/container"
)

// names is how containers find one another. A name has one address for as long
// as the Swarm lives, and leads to a container that has the name now.
type names struct {
	engine *Engine
	mu     sync.Mutex
	fronts map[string]*forwarder
}

func newNames(e *Engine) *names { return &names{engine: e, fronts: map[string]*forwarder{}} }

// reach gives an address that leads to a port of a name as a container sees it.
func (n *names) reach(from *simulated, name string, port int) (string, error) {
	if net.ParseIP(name) != nil {
		return net.JoinHostPort(name, strconv.Itoa(port)), nil
	}
	if n.resolve(from, name) == nil {
		return "", fmt.Errorf("lookup %s on 127.0.0.11:53: no such host", name)
	}
	key := fmt.Sprintf("%s|%s|%d", strings.Join(networkIDs(from), ","), name, port)
	n.mu.Lock()
	defer n.mu.Unlock()
	if f := n.fronts[key]; f != nil {
		return f.address, nil
	}
	f := &forwarder{
		address: net.JoinHostPort(n.engine.addresses.allot(), strconv.Itoa(port)),
		target: func() string {
			if to := n.resolve(from, name); to != nil {
				return net.JoinHostPort(to.ip, strconv.Itoa(port))
			}
			return ""
		},
	}
	if err := f.Open(); err != nil {
		return "", err
	}
	n.fronts[key] = f
	return f.address, nil
}

// resolve finds a running container that has a name on a network of another
// one's; the newest, because an older one may be on its way out.
func (n *names) resolve(from *simulated, name string) *simulated {
	var found *simulated
	for _, c := range n.engine.agent.all() {
		c.mu.Lock()
		running, started := c.state == container.StateRunning && c.ctx.Err() == nil, c.started
		c.mu.Unlock()
		if running && answersTo(c, from, name) && (found == nil || started.After(found.started)) {
			found = c
		}
	}
	return found
}

func answersTo(c, from *simulated, name string) bool {
	shared := networkIDs(from)
	for _, a := range c.task.Networks {
		if a.Network == nil || !slices.Contains(shared, a.Network.ID) {
			continue
		}
		if name == c.task.ServiceAnnotations.Name || name == "tasks."+c.task.ServiceAnnotations.Name || slices.Contains(a.Aliases, name) {
			return true
		}
	}
	return false
}

func networkIDs(c *simulated) []string {
	var ids []string
	for _, a := range c.task.Networks {
		if a.Network != nil && !a.Network.Spec.Ingress {
			ids = append(ids, a.Network.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
