package engine

import (
	"testing"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"
)

// An Engine that was told of no pools may say nothing of those that it has.
func TestAddressPools(t *testing.T) {
	for _, c := range []struct {
		name string
		info swarm.ClusterInfo
		want []string
		bits int
	}{
		{"the default, said", swarm.ClusterInfo{DefaultAddrPool: []string{"10.0.0.0/8"}, SubnetSize: 24}, []string{"10.0.0.0/8"}, 24},
		{"the default, not said", swarm.ClusterInfo{SubnetSize: 24}, []string{"10.0.0.0/8"}, 24},
		{"nothing said at all", swarm.ClusterInfo{}, []string{"10.0.0.0/8"}, 24},
		{"pools of its own", swarm.ClusterInfo{DefaultAddrPool: []string{"172.30.0.0/16", "172.31.0.0/16"}, SubnetSize: 26}, []string{"172.30.0.0/16", "172.31.0.0/16"}, 26},
	} {
		pools, bits := addressPools(system.Info{Swarm: swarm.Info{Cluster: &c.info}})
		var got []string
		for _, p := range pools {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(c.want, got); diff != "" || bits != c.bits {
			t.Errorf("%s: /%d %s", c.name, bits, diff)
		}
	}
}
