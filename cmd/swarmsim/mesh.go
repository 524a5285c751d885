package main

import (
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/moby/swarmkit/v2/api"
)

// mesh is the routing mesh: a port in ingress mode is open on every node and
// leads to any of the containers that publish it.
type mesh struct {
	engine *Engine
	mu     sync.Mutex
	ports  map[uint32]*meshPort
}

type meshPort struct {
	fronts  []*forwarder
	members []*simulated
	turn    int
}

func newMesh(e *Engine) *mesh { return &mesh{engine: e, ports: map[uint32]*meshPort{}} }

// ingress are the ports that a container publishes in the mesh and answers on.
func ingress(c *simulated) []*api.PortConfig {
	s := c.serving()
	if s == nil || c.task.Endpoint == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.task.Endpoint.Ports), func(p *api.PortConfig) bool {
		return p.PublishMode != api.PublishModeIngress || p.Protocol != api.ProtocolTCP || int(p.TargetPort) != s.port
	})
}

func (m *mesh) join(c *simulated) {
	for _, p := range ingress(c) {
		m.mu.Lock()
		port := m.ports[p.PublishedPort]
		if port == nil {
			port = &meshPort{}
			m.ports[p.PublishedPort] = port
			for _, n := range m.engine.nodes {
				f := &forwarder{
					address: net.JoinHostPort(n.addr, strconv.Itoa(int(p.PublishedPort))),
					target:  func() string { return m.next(port) },
				}
				if err := f.Open(); err != nil {
					m.engine.log.Warn("a port is not served", "container", c.name(), "err", err)
				}
				port.fronts = append(port.fronts, f)
			}
		}
		port.members = append(port.members, c)
		m.mu.Unlock()
	}
}

func (m *mesh) leave(c *simulated) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for published, port := range m.ports {
		port.members = slices.DeleteFunc(port.members, func(member *simulated) bool { return member == c })
		if len(port.members) > 0 {
			continue
		}
		for _, f := range port.fronts {
			f.Close()
		}
		delete(m.ports, published)
	}
}

// next is where the next connection to a port goes.
func (m *mesh) next(port *meshPort) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(port.members) == 0 {
		return ""
	}
	port.turn++
	c := port.members[port.turn%len(port.members)]
	if s := c.serving(); s != nil {
		return net.JoinHostPort(c.ip, strconv.Itoa(s.port))
	}
	return ""
}
