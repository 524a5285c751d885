package main_test

import (
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
)

func (s *sim) node(name string) swarm.Node {
	s.t.Helper()
	n, _, err := s.NodeInspectWithRaw(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *sim) changeNode(name string, edit func(*swarm.NodeSpec)) {
	s.t.Helper()
	// The allocator writes to nodes too.
	for {
		n := s.node(name)
		edit(&n.Spec)
		err := s.NodeUpdate(s.t.Context(), n.ID, n.Version, n.Spec)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "update out of sequence") {
			s.t.Fatal(err)
		}
	}
}

func TestNodes(t *testing.T) {
	s := start(t, "--nodes", "3")
	nodes, err := s.NodeList(t.Context(), swarm.NodeListOptions{})
	if err != nil || len(nodes) != 3 {
		t.Fatal(nodes, err)
	}
	leader := s.node("node-1")
	if leader.ManagerStatus == nil || !leader.ManagerStatus.Leader || leader.Spec.Role != swarm.NodeRoleManager {
		t.Errorf("node-1 is no leader: %+v", leader)
	}
	if worker := s.node("node-2"); worker.ManagerStatus != nil || worker.Spec.Role != swarm.NodeRoleWorker || worker.Status.State != swarm.NodeStateReady {
		t.Errorf("node-2 is no ready worker: %+v", worker)
	}
	info, err := s.Info(t.Context())
	if err != nil || !info.Swarm.ControlAvailable || info.Swarm.Nodes != 3 || info.Swarm.Managers != 1 || info.Swarm.NodeID != leader.ID || info.Swarm.Error != "" {
		t.Errorf("info %+v, %v", info.Swarm, err)
	}
	ping, err := s.Ping(t.Context())
	if err != nil || ping.APIVersion != "1.51" || ping.SwarmStatus == nil || !ping.SwarmStatus.ControlAvailable {
		t.Errorf("ping %+v, %v", ping, err)
	}
}

func TestANodeGoesDownAndComesBack(t *testing.T) {
	s := start(t, "--nodes", "2")
	spec := service("web", "nginx:1.27")
	spec.TaskTemplate.Placement.Preferences = []swarm.PlacementPreference{{Spread: &swarm.SpreadOver{SpreadDescriptor: "node.id"}}}
	spec.Mode.Replicated.Replicas = pointer(uint64(4))
	s.create(spec)
	s.awaitRunning("web", 4)
	second := s.node("node-2").ID
	on := func(node string) int {
		n := 0
		for _, task := range s.running("web") {
			if task.NodeID == node {
				n++
			}
		}
		return n
	}
	if on(second) != 2 {
		t.Fatalf("%d of 4 tasks run on node-2, want 2", on(second))
	}
	s.ctl("node", "down", "node-2")
	if state := s.node("node-2").Status.State; state != swarm.NodeStateDown {
		t.Errorf("node-2 is %s", state)
	}
	eventually(t, "all tasks run on node-1", func() bool { return len(s.running("web")) == 4 && on(second) == 0 })
	s.ctl("node", "up", "node-2")
	s.changeNode("node-1", func(n *swarm.NodeSpec) { n.Availability = swarm.NodeAvailabilityDrain })
	eventually(t, "all tasks run on node-2", func() bool { return len(s.running("web")) == 4 && on(second) == 4 })

	if out, err := s.tryCtl("node", "down", "node-1"); err == nil || !strings.Contains(out, "cannot be taken down") {
		t.Errorf("taking node-1 down: %v: %s", err, out)
	}
	if out, err := s.tryCtl("node", "down", "node-9"); err == nil || !strings.Contains(out, "node node-9 not found") {
		t.Errorf("taking a missing node down: %v: %s", err, out)
	}
}

func TestConstraints(t *testing.T) {
	s := start(t, "--nodes", "2")
	spec := service("web", "nginx:1.27")
	spec.TaskTemplate.Placement.Constraints = []string{"node.labels.disk==ssd"}
	s.create(spec)
	eventually(t, "the scheduler says why it waits", func() bool {
		tasks := s.tasks("web")
		return len(tasks) == 1 && tasks[0].Status.State == swarm.TaskStatePending &&
			strings.Contains(tasks[0].Status.Err, "no suitable node (scheduling constraints not satisfied on 2 nodes)")
	})
	s.changeNode("node-2", func(n *swarm.NodeSpec) { n.Labels = map[string]string{"disk": "ssd"} })
	if task := s.awaitRunning("web", 1)[0]; task.NodeID != s.node("node-2").ID {
		t.Errorf("the task runs on %s", task.NodeID)
	}
	spec = service("global", "nginx:1.27")
	spec.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
	s.create(spec)
	s.awaitRunning("global", 2)
}

func TestVolumesAreOfTheirNode(t *testing.T) {
	s := start(t, "--nodes", "2")
	mounting := func(name, node string) {
		spec := service(name, "nginx:1.27")
		spec.TaskTemplate.Placement.Constraints = []string{"node.hostname==" + node}
		spec.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{
			Type: mount.TypeVolume, Source: name + "_data", Target: "/d", VolumeOptions: &mount.VolumeOptions{Labels: map[string]string{"a": "b"}},
		}}
		s.create(spec)
		s.awaitRunning(name, 1)
	}
	mounting("here", "node-1")
	mounting("there", "node-2")
	list, err := s.VolumeList(t.Context(), volume.ListOptions{})
	if err != nil || len(list.Volumes) != 1 || list.Volumes[0].Name != "here_data" || list.Volumes[0].Labels["a"] != "b" {
		t.Fatalf("volumes %+v, %v", list.Volumes, err)
	}
	wantError(t, s.VolumeRemove(t.Context(), "here_data", false), cerrdefs.IsConflict, "volume is in use - [")
	wantError(t, s.VolumeRemove(t.Context(), "nothing", false), cerrdefs.IsNotFound, "volume nothing not found")
	again, err := s.VolumeCreate(t.Context(), volume.CreateOptions{Name: "here_data", Labels: map[string]string{"c": "d"}})
	if err != nil || again.Labels["a"] != "b" {
		t.Errorf("creating it again: %+v, %v", again, err)
	}
	if err := s.ServiceRemove(t.Context(), "here"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the volume can be removed", func() bool { return s.VolumeRemove(t.Context(), "here_data", false) == nil })
}
