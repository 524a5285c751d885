package reconcile

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/network"

	"github.com/swarmward/swarmward/spec"
)

// network compares a network, which Swarm cannot change in place. One with a
// name of its own that swarmward did not create is used, not owned: its
// differences are notes.
func (x *diffing) network(n spec.Network) {
	c := Change{Kind: KindNetwork, Name: n.Key, Object: n.Name}
	live, ok := x.seen.Networks[n.Name]
	switch {
	case !ok && n.External && predefined[n.Name]:
		x.plan.Unchanged++
		return
	case !ok && n.External:
		c.Action, c.Cause = ActionBlocked, "the spec says it is external, but the Swarm does not have it"
		c.Remedy = []string{"docker network create --driver overlay --attachable " + n.Name}
	case !ok:
		c.Action, c.Impact, c.Cause = ActionCreate, ImpactNone, "not in the Swarm yet"
		o := n.Create
		o.Labels = maps.Clone(o.Labels)
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels[LabelManaged] = "true"
		c.Write = CreateNetwork{Name: n.Name, Options: o}
	case n.External:
		x.plan.Unchanged++
		return
	default:
		c.Fields = networkFields("networks."+n.Key, live, n, x.ignored)
		if len(c.Fields) == 0 {
			x.plan.Unchanged++
			return
		}
		if n.Explicit && live.Labels[LabelManaged] == "" {
			x.plan.Unchanged++
			c.Action = ActionNote
			c.Notes = []string{"made by somebody else and used as it is"}
			break
		}
		c.Action, c.Impact, c.Tasks = ActionBlocked, ImpactRecreate, x.attached(live.Name)
		c.Cause = "Swarm cannot change a network in place"
		c.Remedy = []string{"docker network rm " + live.Name, "swarmward apply"}
	}
	x.add(c)
}

// predefined networks are on every node, and in no list of the Swarm's.
var predefined = map[string]bool{"host": true, "bridge": true}

// networkFields compares what the spec says; what it leaves out, Swarm chooses
// (subnets, vxlan ids), and right after creation the Engine reports neither
// driver nor IPAM.
func networkFields(prefix string, live network.Summary, n spec.Network, ignored func(string) bool) []FieldChange {
	var out []FieldChange
	add := func(name, was, is string) {
		path := prefix + "." + name
		if was != is && (ignored == nil || !ignored(path)) {
			out = append(out, FieldChange{Path: path, Old: &was, New: &is})
		}
	}
	if live.Driver != "" && n.Create.Driver != "" {
		add("driver", live.Driver, n.Create.Driver)
	}
	add("attachable", strconv.FormatBool(live.Attachable), strconv.FormatBool(n.Create.Attachable))
	add("internal", strconv.FormatBool(live.Internal), strconv.FormatBool(n.Create.Internal))
	add("enable_ipv6", strconv.FormatBool(live.EnableIPv6), strconv.FormatBool(n.Create.EnableIPv6 != nil && *n.Create.EnableIPv6))
	if n.Create.IPAM != nil && len(n.Create.IPAM.Config) > 0 && live.Driver != "" {
		add("ipam", ipamText(live.IPAM.Config), ipamText(n.Create.IPAM.Config))
	}
	for _, k := range sortedKeys(n.Create.Options) {
		add("driver_opts."+quoteKey(k), live.Options[k], n.Create.Options[k])
	}
	for _, k := range sortedKeys(n.Create.Labels) {
		if k == spec.LabelNamespace && n.Explicit && live.Labels[k] == "" {
			continue // somebody else's: it belongs to no stack
		}
		add("labels."+quoteKey(k), live.Labels[k], n.Create.Labels[k])
	}
	return out
}

// ipamText leaves out the gateway where the spec does: Swarm fills it in.
func ipamText(cfg []network.IPAMConfig) string {
	var subnets []string
	for _, c := range cfg {
		subnets = append(subnets, c.Subnet)
	}
	slices.Sort(subnets)
	b, _ := json.Marshal(subnets)
	return string(b)
}

// attached counts the tasks on a network.
func (x *diffing) attached(name string) int {
	n := 0
	for _, s := range x.seen.Services {
		for _, a := range s.Spec.TaskTemplate.Networks {
			if a.Target == name {
				n += len(x.runningTasks(s.ID))
			}
		}
	}
	return n
}

// attached tells who is on a network that would have to be replaced, and the
// commands that replace it.
func (c *Change) attached(stack string, on Attached) {
	c.Remedy = nil
	if len(on.Services) > 0 {
		c.Notes = append(c.Notes, "on it are the services "+strings.Join(on.Services, ", "))
		c.Remedy = append(c.Remedy, "docker service rm "+strings.Join(on.Services, " "))
	}
	for _, name := range on.Services {
		if !strings.HasPrefix(name, stack+"_") {
			c.Notes = append(c.Notes, name+" is not of this stack: whoever runs it has to make it again")
		}
	}
	for _, name := range on.Containers {
		c.Notes = append(c.Notes, "on it is container "+name+", of no service")
		c.Remedy = append(c.Remedy, fmt.Sprintf("docker network disconnect %s %s", c.Object, name))
	}
	c.Remedy = append(c.Remedy, "docker network rm "+c.Object, "swarmward apply")
}
