package reconcile

import (
	"testing"

	"github.com/swarmward/swarmward/spec"
)

func TestConcerns(t *testing.T) {
	s := pair()
	s.Networks = append(s.Networks, spec.Network{Key: "shared", Name: "shared"})
	s.Volumes = []spec.Volume{{Key: "data", Name: "data"}}
	s.Secrets = append(s.Secrets, spec.Secret{Key: "cert", Name: "cert"})
	for _, c := range []struct {
		kind Kind
		name string
		want bool
	}{
		{KindService, "app_back", true},
		{KindService, "app_made_by_hand", true},
		{KindService, "apple_back", false},
		{KindService, "shared", false},
		{KindNetwork, "shared", true},
		{KindNetwork, "app_net", true},
		{KindNetwork, "ingress", false},
		{KindVolume, "data", true},
		{KindVolume, "database", false},
		{KindSecret, "cert", true},
		{KindSecret, "cert.r12", true},
		{KindSecret, "certificate", false},
		{KindConfig, "cert", false},
		{KindConfig, "app_conf.r2", true},
		{KindNode, "node-7", true},
	} {
		if got := Concerns(s, c.kind, c.name); got != c.want {
			t.Errorf("%s %s: %v", c.kind, c.name, got)
		}
	}
	if Concerns(nil, KindNode, "node-7") {
		t.Error("a spec that cannot be used is tried again on its own time")
	}
}
