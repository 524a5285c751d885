package reconcile

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
)

// satisfies says whether a node meets all placement constraints, as swarmkit's
// constraint package reads them: ==/!= on node.id, node.hostname, node.ip,
// node.role, node.platform.os, node.platform.arch, node.labels.K and
// engine.labels.K, values compared without case. A constraint that it cannot
// read is not met.
func satisfies(n swarm.Node, constraints []string) bool {
	for _, c := range constraints {
		key, value, equal := strings.Cut(c, "==")
		if !equal {
			var ok bool
			if key, value, ok = strings.Cut(c, "!="); !ok {
				return false
			}
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		have, known := nodeAttribute(n, key)
		same := strings.EqualFold(have, value)
		if strings.EqualFold(key, "node.ip") {
			same, known = hasAddress(n, value)
		}
		if !known || same != equal {
			return false
		}
	}
	return true
}

func nodeAttribute(n swarm.Node, key string) (string, bool) {
	switch strings.ToLower(key) {
	case "node.id":
		return n.ID, true
	case "node.hostname":
		return n.Description.Hostname, true
	case "node.role":
		return string(n.Spec.Role), true
	case "node.platform.os":
		return n.Description.Platform.OS, true
	case "node.platform.arch":
		return n.Description.Platform.Architecture, true
	}
	if k, ok := cutFold(key, "node.labels."); ok {
		return n.Spec.Labels[k], true
	}
	if k, ok := cutFold(key, "engine.labels."); ok {
		return n.Description.Engine.Labels[k], true
	}
	return "", false
}

// hasAddress compares a node's address with one or with a subnet.
func hasAddress(n swarm.Node, value string) (same, known bool) {
	addr := net.ParseIP(n.Status.Addr)
	if ip := net.ParseIP(value); ip != nil {
		return ip.Equal(addr), true
	}
	_, subnet, err := net.ParseCIDR(value)
	return err == nil && subnet.Contains(addr), err == nil
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return "", false
}

func constraints(s swarm.ServiceSpec) []string {
	if s.TaskTemplate.Placement == nil {
		return nil
	}
	return s.TaskTemplate.Placement.Constraints
}

// candidates are the nodes on which a new task of the service may run, as far
// as its constraints and the nodes' own state say.
func (x *diffing) candidates(s swarm.ServiceSpec) []swarm.Node {
	var out []swarm.Node
	for _, id := range sortedKeys(x.seen.Nodes) {
		if n := x.seen.Nodes[id]; isReady(n) && satisfies(n, constraints(s)) {
			out = append(out, n)
		}
	}
	return out
}

func isReady(n swarm.Node) bool {
	return n.Status.State == swarm.NodeStateReady && n.Spec.Availability != swarm.NodeAvailabilityPause &&
		n.Spec.Availability != swarm.NodeAvailabilityDrain
}

func nodeName(n swarm.Node) string { return cmp.Or(n.Description.Hostname, n.ID) }

// placementNotes warn of new tasks that the Swarm will not be able to start.
func (x *diffing) placementNotes(next swarm.ServiceSpec, r rollout) []string {
	if r.replaced+r.started == 0 {
		return nil
	}
	if list := constraints(next); len(r.nodes) == 0 && len(list) > 0 {
		return []string{fmt.Sprintf("no node that is ready meets %s: new tasks will wait for one", strings.Join(list, " and "))}
	}
	u := next.UpdateConfig
	if r.replaced == 0 || u == nil || u.Order != swarm.UpdateOrderStartFirst || next.EndpointSpec == nil {
		return nil
	}
	for _, p := range next.EndpointSpec.Ports {
		if p.PublishMode == swarm.PortConfigPublishModeHost && p.PublishedPort != 0 && (next.Mode.Global != nil || x.size(next) >= len(r.nodes)) {
			return []string{fmt.Sprintf("a new task cannot start before the old one has stopped: that one has port %d of every node; write order: stop-first under deploy.update_config", p.PublishedPort)}
		}
	}
	return nil
}

// volumeNotes warn of tasks that leave their data behind. A local volume is its
// node's, and a task that runs elsewhere gets one of the same name.
func (x *diffing) volumeNotes(next swarm.ServiceSpec, r rollout) []string {
	if next.TaskTemplate.ContainerSpec == nil {
		return nil
	}
	var notes []string
	for _, m := range next.TaskTemplate.ContainerSpec.Mounts {
		if !isNodeLocal(m) {
			continue
		}
		for _, s := range r.moved {
			where := "a node that is gone"
			if n, ok := x.seen.Nodes[s.node]; ok {
				where = nodeName(n)
			}
			note := fmt.Sprintf("its volume %s stays on %s; on another node it begins empty", m.Source, where)
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	return notes
}

// isNodeLocal: with options, the local driver may well mount a share that all
// nodes reach.
func isNodeLocal(m mount.Mount) bool {
	if m.Type != mount.TypeVolume || m.Source == "" {
		return false
	}
	if m.VolumeOptions == nil || m.VolumeOptions.DriverConfig == nil {
		return true
	}
	d := m.VolumeOptions.DriverConfig
	return (d.Name == "" || d.Name == "local") && d.Options["type"] != "nfs" && d.Options["type"] != "nfs4" && d.Options["type"] != "cifs"
}
