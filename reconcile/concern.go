package reconcile

import (
	"slices"
	"strings"

	"github.com/swarmward/swarmward/spec"
)

// KindNode is no kind of a stack's objects: its tasks run on nodes.
const KindNode Kind = "node"

// Concerns says whether a pass over the stack would see that an object of the
// Swarm has been made, changed or removed, as far as its name tells. A node
// concerns everybody. A stack that could not be loaded, which is nil, is
// concerned by nothing.
func Concerns(stack *spec.Stack, kind Kind, name string) bool {
	switch {
	case stack == nil:
		return false
	case kind == KindNode, strings.HasPrefix(name, stack.Name+"_"):
		return true
	}
	switch kind {
	case KindNetwork:
		return slices.ContainsFunc(stack.Networks, func(n spec.Network) bool { return n.Name == name })
	case KindVolume:
		return slices.ContainsFunc(stack.Volumes, func(v spec.Volume) bool { return v.Name == name })
	case KindSecret:
		return slices.ContainsFunc(stack.Secrets, func(s spec.Secret) bool { return revisionOf(name, s.Name) > 0 })
	case KindConfig:
		return slices.ContainsFunc(stack.Configs, func(c spec.Config) bool { return revisionOf(name, c.Name) > 0 })
	}
	return false
}
