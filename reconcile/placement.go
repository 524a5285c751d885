package reconcile

import (
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

// satisfies says whether a node meets all placement constraints, as swarmkit's
// constraint package reads them: ==/!= on node.id, node.hostname, node.role,
// node.platform.os, node.platform.arch, node.labels.K and engine.labels.K,
// values compared without case. A constraint that it cannot read is not met.
func satisfies(n swarm.Node, constraints []string) bool {
	for _, c := range constraints {
		key, value, equal := strings.Cut(c, "==")
		if !equal {
			var ok bool
			if key, value, ok = strings.Cut(c, "!="); !ok {
				return false
			}
		}
		have, known := nodeAttribute(n, strings.TrimSpace(key))
		if !known || strings.EqualFold(have, strings.TrimSpace(value)) != equal {
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

func cutFold(s, prefix string) (string, bool) {
	if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return "", false
}
