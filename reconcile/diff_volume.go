package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/volume"

	"github.com/swarmward/swarmward/spec"
)

// volume compares a volume, which is local to a node, is created by the first
// task that mounts it, and is never removed or replaced.
func (x *diffing) volume(v spec.Volume) {
	c := Change{Kind: KindVolume, Name: v.Key, Object: v.Name}
	live, here := x.seen.Volumes[v.Name]
	switch {
	case here:
		fixed := 0
		c.Fields, fixed = x.volumeFields(live, v)
		if v.External || len(c.Fields) == 0 {
			x.plan.Unchanged++
			return
		}
		if x.foreign(v, live) {
			x.plan.Unchanged++
			c.Action, c.Notes = ActionNote, []string{"made by somebody else and used as it is"}
			break
		}
		if fixed == 0 {
			x.plan.Unchanged++
			c.Action, c.Notes = ActionNote, []string{"a volume keeps the labels that it was made with"}
			break
		}
		c.Action, c.Impact = ActionBlocked, ImpactData
		c.Cause = "a volume cannot be changed, and replacing it would lose its data"
		c.Remedy = []string{"docker volume inspect " + v.Name, "make the spec say what the volume is, or copy its data into one with another name"}
	case len(v.MountedBy) == 0 && !v.External:
		c.Action, c.Impact, c.Cause = ActionCreate, ImpactNone, "not on this node yet"
		c.Write = CreateVolume{Options: v.Create}
	case x.neverRan(v.MountedBy) && !v.External:
		c.Action, c.Impact, c.Cause = ActionCreate, ImpactNone, "made by the first task that mounts it, on that task's node"
	default:
		// It may well be on another node, where this Engine cannot look.
		x.plan.Unchanged++
		nodes := x.nodesOf(v.MountedBy)
		if len(nodes) == 0 {
			return
		}
		c.Action, c.Notes = ActionNote, []string{"unknown on " + strings.Join(nodes, ", ") + ": an Engine sees its own volumes alone"}
	}
	x.add(c)
}

// volumeFields compares a volume with the spec; fixed counts the differences
// in what makes it another volume. The stack's own label is not compared: a
// volume that somebody made and filled beforehand is as good.
func (x *diffing) volumeFields(live *volume.Volume, v spec.Volume) (changes []FieldChange, fixed int) {
	w := &walker{prefix: "volumes." + quoteKey(v.Key), ignored: x.ignored, redact: x.redact}
	w.texts("driver", live.Driver, cmp.Or(v.Create.Driver, "local"))
	w.merge(&node{field: field{secretive: true}, segment: "driver_opts"},
		reflect.ValueOf(live.Options), reflect.ValueOf(v.Create.DriverOpts))
	fixed = len(w.changes)
	labels := withLabels(live.Labels, map[string]string{spec.LabelNamespace: x.stack.Name})
	w.merge(labelsNode, reflect.ValueOf(labels), reflect.ValueOf(x.volumeLabels(v)))
	return w.changes, fixed
}

// volumeLabels are the spec's and those of the mounts: whichever task is first
// makes the volume.
func (x *diffing) volumeLabels(v spec.Volume) map[string]string {
	out := withLabels(v.Create.Labels, nil)
	for _, key := range v.MountedBy {
		s, _ := x.stack.Service(key)
		if s.Spec.TaskTemplate.ContainerSpec == nil {
			continue
		}
		for _, m := range s.Spec.TaskTemplate.ContainerSpec.Mounts {
			if m.Source == v.Name && m.VolumeOptions != nil {
				maps.Copy(out, m.VolumeOptions.Labels)
			}
		}
	}
	out[spec.LabelNamespace] = x.stack.Name
	return out
}

// foreign: with a name of its own, and without the label that every volume has
// which a stack's task created.
func (x *diffing) foreign(v spec.Volume, live *volume.Volume) bool {
	return v.Explicit && live.Labels[spec.LabelNamespace] != x.stack.Name
}

// neverRan says whether none of the services exists yet, so that applying the
// plan will create what they mount.
func (x *diffing) neverRan(keys []string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool {
		_, ok := x.seen.Services[x.fullName(k)]
		return ok
	})
}

func (x *diffing) fullName(serviceKey string) string {
	s, _ := x.stack.Service(serviceKey)
	return s.Spec.Name
}

// nodesOf lists the other nodes that run tasks of the services.
func (x *diffing) nodesOf(keys []string) []string {
	names := map[string]bool{}
	for _, k := range keys {
		for _, t := range x.runningTasks(x.seen.Services[x.fullName(k)].ID) {
			if t.NodeID != "" && t.NodeID != x.seen.Node.ID {
				names[fmt.Sprintf("node %s", x.seen.Nodes[t.NodeID].Description.Hostname)] = true
			}
		}
	}
	return sortedKeys(names)
}
