package reconcile

import (
	"fmt"
	"maps"
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
		c.Fields = volumeFields("volumes."+v.Key, live, v, x.ignored)
		if v.External || len(c.Fields) == 0 {
			x.plan.Unchanged++
			return
		}
		if x.foreign(v, live) {
			x.plan.Unchanged++
			c.Action, c.Notes = ActionNote, []string{"made by somebody else and used as it is"}
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

func volumeFields(prefix string, live *volume.Volume, v spec.Volume, ignored func(string) bool) []FieldChange {
	var out []FieldChange
	add := func(name, was, is string) {
		path := prefix + "." + name
		if was != is && (ignored == nil || !ignored(path)) {
			out = append(out, FieldChange{Path: path, Old: &was, New: &is})
		}
	}
	driver := v.Create.Driver
	if driver == "" {
		driver = "local"
	}
	add("driver", live.Driver, driver)
	keys := maps.Clone(live.Options)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, v.Create.DriverOpts)
	for _, k := range sortedKeys(keys) {
		add("driver_opts."+quoteKey(k), live.Options[k], v.Create.DriverOpts[k])
	}
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
