package reconcile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
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
		c.Fields = x.networkFields(live, n)
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
// (subnets, gateways, vxlan ids), and right after creation the Engine reports
// neither driver nor what that chose.
func (x *diffing) networkFields(live network.Summary, n spec.Network) []FieldChange {
	w := &walker{prefix: "networks." + quoteKey(n.Key), ignored: x.ignored, redact: x.redact}
	want := n.Create
	if live.Driver != "" {
		w.texts("driver", live.Driver, cmp.Or(want.Driver, live.Driver))
	}
	w.texts("attachable", strconv.FormatBool(live.Attachable), strconv.FormatBool(want.Attachable))
	w.texts("internal", strconv.FormatBool(live.Internal), strconv.FormatBool(want.Internal))
	w.texts("ingress", strconv.FormatBool(live.Ingress), strconv.FormatBool(want.Ingress))
	w.texts("enable_ipv6", strconv.FormatBool(live.EnableIPv6), strconv.FormatBool(want.EnableIPv6 != nil && *want.EnableIPv6))
	if live.Driver != "" {
		ipamFields(w, live.IPAM, want.IPAM)
		w.merge(&node{field: field{secretive: true}, segment: "driver_opts"},
			reflect.ValueOf(ownOptions(live, want.Options)), reflect.ValueOf(want.Options))
	}
	labels := maps.Clone(want.Labels)
	if n.Explicit && live.Labels[spec.LabelNamespace] == "" {
		delete(labels, spec.LabelNamespace) // somebody else's: it belongs to no stack
	}
	w.merge(labelsNode, reflect.ValueOf(live.Labels), reflect.ValueOf(labels))
	return w.changes
}

// ownOptions are a live network's driver options without what Swarm adds. Only
// the overlay driver is known to add nothing else, and drivers of one node
// report none at all.
func ownOptions(live network.Summary, want map[string]string) map[string]string {
	const vxlan = "com.docker.network.driver.overlay.vxlanid_list"
	if live.Driver != "overlay" && len(live.Options) == 0 {
		return want
	}
	own := maps.Clone(live.Options)
	maps.DeleteFunc(own, func(k, _ string) bool {
		return !hasKey(want, k) && (k == vxlan || live.Driver != "overlay")
	})
	return own
}

func ipamFields(w *walker, live network.IPAM, want *network.IPAM) {
	if want == nil {
		return
	}
	if want.Driver != "" {
		w.texts("ipam.driver", cmp.Or(live.Driver, "default"), want.Driver)
	}
	if len(want.Config) > 0 {
		w.texts("ipam", ipamText(live.Config, want.Config), ipamText(want.Config, want.Config))
	}
}

// ipamText leaves out the gateway where the spec does: Swarm fills it in.
func ipamText(cfg, want []network.IPAMConfig) string {
	var pools []string
	for _, c := range cfg {
		says := slices.IndexFunc(want, func(w network.IPAMConfig) bool { return w.Subnet == c.Subnet })
		pool := c.Subnet
		if c.IPRange != "" {
			pool += " range " + c.IPRange
		}
		if says >= 0 && want[says].Gateway != "" {
			pool += " gateway " + c.Gateway
		}
		pools = append(pools, pool)
	}
	slices.Sort(pools)
	b, _ := json.Marshal(pools)
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
