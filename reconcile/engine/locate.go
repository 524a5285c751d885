package engine

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
)

// Locate lists the ways from this process to a port of a service, by its full
// name, best first: over an overlay network that this process's own container
// is on, or joins for as long as it is needed (MayJoin), through a published
// port, through the docker_gwbridge of the node that this process runs on. A
// service without a way, or that is not there, is a Location without Ways.
func (e *Engine) Locate(ctx context.Context, service string, port int) (reconcile.Location, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	s, _, err := e.api.ServiceInspectWithRaw(ctx, service, swarm.ServiceInspectOptions{})
	if errdefs.IsNotFound(err) {
		return reconcile.Location{}, nil
	}
	if err != nil {
		return reconcile.Location{}, e.explain("service "+service, err)
	}
	tasks, err := e.api.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(
		filters.Arg("service", s.ID), filters.Arg("desired-state", "running"))})
	if err != nil {
		return reconcile.Location{}, e.explain("tasks", err)
	}
	nodes, err := e.api.NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		return reconcile.Location{}, e.explain("nodes", err)
	}
	l := &locating{Engine: e, service: s, port: port, nodes: index(nodes, func(n swarm.Node) string { return n.ID })}
	for _, t := range tasks {
		if t.Status.State == swarm.TaskStateRunning {
			l.tasks = append(l.tasks, t)
		}
	}
	out := reconcile.Location{Running: len(l.tasks)}
	if out.Running == 0 {
		return out, nil
	}
	out.Ways, out.Release = l.overlay(ctx)
	out.Ways = append(out.Ways, l.published()...)
	bridge, err := l.bridge(ctx)
	if err != nil {
		if out.Release != nil {
			out.Release()
		}
		return reconcile.Location{}, err
	}
	// A port that listens on IPv4 and on IPv6 is told twice.
	out.Ways = distinct(append(out.Ways, bridge...))
	if len(out.Ways) == 0 {
		out.Hint = l.hint()
	}
	return out, nil
}

// distinct keeps the first of equal ways.
func distinct(ways []reconcile.Way) []reconcile.Way {
	var out []reconcile.Way
	for _, w := range ways {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// locating is one Locate under way.
type locating struct {
	*Engine
	service swarm.Service
	port    int
	tasks   []swarm.Task // that run
	nodes   map[string]swarm.Node
}

func (l *locating) way(kind, host string, port uint32, t swarm.Task) reconcile.Way {
	return reconcile.Way{
		Kind: kind, Address: net.JoinHostPort(host, strconv.Itoa(int(port))),
		Node: l.nodes[t.NodeID].Description.Hostname,
	}
}

// overlay: when this process runs in a container that shares a network with
// the tasks, or can join one, their addresses there.
func (l *locating) overlay(ctx context.Context) (ways []reconcile.Way, leave func()) {
	if ways = l.shared(l.self(ctx)); ways != nil {
		return ways, nil
	}
	for _, t := range l.tasks {
		if leave, ok := l.visit(ctx, t.NetworksAttachments); ok {
			return l.shared(l.self(ctx)), leave
		}
	}
	return nil, nil
}

func (l *locating) shared(me self) []reconcile.Way {
	var out []reconcile.Way
	for _, t := range l.tasks {
		for _, a := range t.NetworksAttachments {
			if !me.on(a) {
				continue
			}
			for _, addr := range a.Addresses {
				if p, err := netip.ParsePrefix(addr); err == nil {
					out = append(out, l.way("overlay", p.Addr().String(), uint32(l.port), t))
				}
			}
		}
	}
	return out
}

// published: a host-mode port on the nodes that run a task, an ingress port on
// any node, this one first.
func (l *locating) published() []reconcile.Way {
	var out []reconcile.Way
	for _, t := range l.tasks {
		for _, p := range t.Status.PortStatus.Ports {
			if p.TargetPort == uint32(l.port) && p.PublishMode == swarm.PortConfigPublishModeHost && p.Protocol == swarm.PortConfigProtocolTCP {
				if addr := l.address(t.NodeID); addr != "" {
					out = append(out, l.way("published", addr, p.PublishedPort, t))
				}
			}
		}
	}
	for _, p := range l.service.Endpoint.Ports {
		if p.TargetPort != uint32(l.port) || p.PublishMode != swarm.PortConfigPublishModeIngress || p.Protocol != swarm.PortConfigProtocolTCP {
			continue
		}
		for _, t := range l.tasks {
			if addr := l.address(t.NodeID); addr != "" {
				out = append(out, l.way("published", addr, p.PublishedPort, t))
			}
		}
	}
	return out
}

// address of a node, as the Swarm knows it. A manager may be known to itself
// as 0.0.0.0; then its raft address tells.
func (l *locating) address(nodeID string) string {
	n := l.nodes[nodeID]
	addr := n.Status.Addr
	if ip, err := netip.ParseAddr(addr); (err != nil || ip.IsUnspecified()) && n.ManagerStatus != nil {
		addr, _, _ = net.SplitHostPort(n.ManagerStatus.Addr)
	}
	return addr
}

// bridge: every container of a Swarm service that is not on internal networks
// alone has an address on its node's docker_gwbridge, which the node itself,
// and nobody else, can reach on any port. It is used when one of this machine's
// own addresses is that bridge's gateway, which tells that the Engine's network
// is the one we are in.
func (l *locating) bridge(ctx context.Context) ([]reconcile.Way, error) {
	n, err := l.api.NetworkInspect(ctx, "docker_gwbridge", network.InspectOptions{})
	// An Engine that has none, or a proxy that tells nobody, is no error.
	if err = l.explain("network docker_gwbridge", err); passes(err) {
		return nil, err
	}
	if err != nil || !onGateway(n) {
		return nil, nil
	}
	var out []reconcile.Way
	for _, t := range l.tasks {
		if t.Status.ContainerStatus == nil {
			continue
		}
		if c, ok := n.Containers[t.Status.ContainerStatus.ContainerID]; ok {
			if p, err := netip.ParsePrefix(c.IPv4Address); err == nil {
				out = append(out, l.way("bridge", p.Addr().String(), uint32(l.port), t))
			}
		}
	}
	return out, nil
}

func onGateway(n network.Inspect) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		ip, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		for _, c := range n.IPAM.Config {
			if c.Gateway != "" && ip.IP.String() == c.Gateway {
				return true
			}
		}
	}
	return false
}

func (l *locating) hint() string {
	var where, nets []string
	for _, t := range l.tasks {
		where = append(where, l.nodes[t.NodeID].Description.Hostname)
		for _, a := range t.NetworksAttachments {
			nets = append(nets, a.Network.Spec.Name)
		}
	}
	return fmt.Sprintf("Port %d is not published and its tasks run on %s: run swarmward there, run it as a service on network %s or make that attachable, or give the check an explicit address with connect.",
		l.port, strings.Join(where, ", "), strings.Join(nets, ", "))
}
