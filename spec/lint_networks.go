package spec

import (
	"net/netip"
	"strconv"

	"github.com/compose-spec/compose-go/v2/types"
)

// subnets reports those that are given by hand, and two that overlap.
func (t linter) subnets() {
	type pinned struct {
		network string
		prefix  netip.Prefix
	}
	var all []pinned
	for _, n := range t.stack.Networks {
		told := false
		for i, pool := range t.project.Networks[n.Key].Ipam.Config {
			prefix, ok := poolPrefix(pool)
			if !ok || n.External {
				continue
			}
			at := []string{"networks", n.Key, "ipam", "config", strconv.Itoa(i), "subnet"}
			if !told {
				told = true
				t.warn("subnet-pinned", "the subnet is given by hand: when it overlaps with another network's, also one outside this stack, Swarm accepts it and the tasks stay new for ever",
					"remove it, and Swarm takes a free one", at...)
			}
			for _, other := range all {
				if other.prefix.Overlaps(prefix) {
					t.warn("subnet-overlap", "the subnet overlaps with one of network "+other.network+": Swarm accepts both, and the tasks of one stay new for ever",
						"give them subnets that have nothing in common, or none", at...)
				}
			}
			all = append(all, pinned{n.Key, prefix})
		}
	}
}

func poolPrefix(pool *types.IPAMPool) (netip.Prefix, bool) {
	if pool == nil {
		return netip.Prefix{}, false
	}
	prefix, err := netip.ParsePrefix(pool.Subnet)
	return prefix, err == nil
}
