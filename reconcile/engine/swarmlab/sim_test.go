package swarmlab

import (
	"os"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

func TestSim(t *testing.T) {
	t.Parallel()
	first, second := StartSim(t), StartSim(t, "--nodes", "3")
	for _, tt := range []struct {
		sim   *Sim
		nodes int
	}{{first, 1}, {second, 3}} {
		nodes, err := tt.sim.Client(t).NodeList(t.Context(), swarm.NodeListOptions{})
		if err != nil || len(nodes) != tt.nodes {
			t.Errorf("%d nodes (%v), want %d", len(nodes), err, tt.nodes)
		}
	}
	if first.Host == second.Host {
		t.Error("both are one Swarm")
	}
}

func TestSimEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var sim *Sim
	t.Run("running", func(t *testing.T) {
		sim = StartSim(t)
		if _, err := sim.Client(t).Info(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if _, err := sim.Client(t).Info(t.Context()); !client.IsErrConnectionFailed(err) {
		t.Errorf("it still answers: %v", err)
	}
	if _, err := os.Stat(strings.TrimPrefix(sim.Host, "unix://")); err == nil {
		t.Errorf("%s is left", sim.Host)
	}
}
