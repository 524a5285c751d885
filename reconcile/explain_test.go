package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

// Every row of the two tables is met by the Engine's own words, and says what
// to do.
func TestExplanations(t *testing.T) {
	spec := replicated(1)
	spec.TaskTemplate.Placement = &swarm.Placement{
		Constraints: []string{"node.role==manager", "node.labels.disk == ssd"},
		Platforms:   []swarm.Platform{{OS: "linux", Architecture: "arm64"}},
	}
	spec.TaskTemplate.Resources = &swarm.ResourceRequirements{Reservations: &swarm.Resources{
		NanoCPUs: 3_500_000_000, MemoryBytes: 8 << 30,
		GenericResources: []swarm.GenericResource{{DiscreteResourceSpec: &swarm.DiscreteGenericResource{Kind: "gpu", Value: 2}}},
	}}
	spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{PublishedPort: 6379, PublishMode: swarm.PortConfigPublishModeHost}, {PublishedPort: 80}}}
	seen := scene{spec: spec}.observed()
	seen.Nodes = map[string]swarm.Node{}
	for _, n := range []struct{ id, state, availability string }{{"n1", "ready", "active"}, {"n2", "down", "active"}, {"n3", "ready", "drain"}} {
		node := swarm.Node{ID: n.id}
		node.Spec.Role, node.Status.State, node.Spec.Availability = swarm.NodeRoleManager, swarm.NodeState(n.state), swarm.NodeAvailability(n.availability)
		node.Description.Hostname = "host-" + n.id
		node.Description.Platform = swarm.Platform{OS: "linux", Architecture: "amd64"}
		node.Description.Resources = swarm.Resources{NanoCPUs: 2e9, MemoryBytes: 4 << 30}
		seen.Nodes[n.id] = node
	}
	elsewhere := task("x", "running", time.Minute, func(t *swarm.Task) {
		t.NodeID, t.Spec.ContainerSpec = "n3", &swarm.ContainerSpec{Image: "docker.io/library/web:1@sha256:" + strings.Repeat("a", 64)}
	})
	elsewhere.Status.PortStatus.Ports = []swarm.PortConfig{{PublishedPort: 6379, Protocol: "tcp", PublishMode: swarm.PortConfigPublishModeHost}}
	seen.Tasks["other"] = []swarm.Task{elsewhere}
	j := &judging{seen: seen, s: seen.Services["s"], now: noon}

	var reasons []string
	for _, c := range []struct{ err, reason, says, todo string }{
		{"No such image: web:1", "image_missing", "host-n1 has no web:1 and cannot pull it; host-n3 has it", "docker pull web:1 on host-n1"},
		{"pull access denied for web, repository does not exist", "image_missing", "host-n3 has it", "docker pull"},
		{"manifest unknown: manifest unknown", "image_missing", "", "docker pull"},
		{"driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated", "port_in_use", "", "ss -ltnp"},
		{"listen tcp4 0.0.0.0:80: bind: address already in use", "port_in_use", "", "ss -ltnp"},
		{"invalid mount config for type \"bind\": bind source path does not exist: /nope", "mount_missing", "", "create the path"},
		{"invalid mount config for type \"bind\": invalid mount path: 'tmp' mount path must be absolute", "mount_missing", "", "correct the mount"},
		{"error while mounting volume '/var/lib/docker/volumes/x/_data': failed to mount local volume", "mount_missing", "", "docker volume inspect"},
		{"failed to expand templated config: template: expansion:1:3: executing: secret target pw not found", "secret_missing", "", "under the service's secrets"},
		{"template: expansion:1:3: executing: config target c not found", "config_missing", "", "under the service's configs"},
		{"starting container failed: exec: \"nope\": executable file not found in $PATH: unknown", "bad_command", "", "correct the command"},
		{"task: non-zero exit (143): dockerexec: unhealthy container", "unhealthy", "", "health check"},
		{"task: non-zero exit (137)", "killed", "", "want of memory"},
		{"task: non-zero exit (1)", "crash_looping", "", "docker service logs s"},
	} {
		reason, message, remedy := j.explain(task("a", "failed", time.Minute, says(c.err)))
		if reason != c.reason || !strings.Contains(message, c.says) || !strings.Contains(remedy, c.todo) {
			t.Errorf("%s:\n%s, %q, to do: %s", c.err, reason, message, remedy)
		}
		reasons = append(reasons, reason)
	}
	for _, e := range rejections {
		if !slices.Contains(reasons, e.reason) {
			t.Errorf("%s: no text that the Engine says leads to it", e.reason)
		}
	}

	reasons = nil
	for _, c := range []struct{ filter, reason, says, todo string }{
		{"host-mode port already in use on 1 node", "port_in_use", "it wants 6379/tcp of a node for itself", "publish another"},
		{"scheduling constraints not satisfied on 3 nodes", "no_node_meets_constraints", "no node meets node.labels.disk == ssd", "--label-add"},
		{"insufficient resources on 1 node", "no_resources", "each task reserves 3.5 CPUs where a node has 2 at most, 8GiB of memory where a node has 4GiB at most, 2 gpu", "reservations"},
		{"missing plugin on 3 nodes", "plugin_missing", "", "docker plugin ls"},
		{"unsupported platform on 1 node", "wrong_platform", "the image is for linux/arm64, the nodes are linux/amd64", "platform"},
		{"max replicas per node limit exceed", "too_many_replicas", "", "max_replicas_per_node"},
		{"2 nodes not available for new tasks", "nodes_unavailable", "host-n2 is down, host-n3 is set to drain", "--availability active"},
		{"cannot fulfill requested CSI volume mounts on 1 node", "volume_unavailable", "", "docker volume ls --cluster"},
		{"something new on 1 node", "unschedulable", "", "docker node ls"},
	} {
		reason, message, remedy := j.noNode(task("a", "pending", time.Minute, says("no suitable node ("+c.filter+")")))
		if reason != c.reason || !strings.Contains(message, c.says) || !strings.Contains(remedy, c.todo) {
			t.Errorf("%s:\n%s, %q, to do: %s", c.filter, reason, message, remedy)
		}
		reasons = append(reasons, reason)
	}
	for _, e := range obstacles {
		if !slices.Contains(reasons, e.reason) {
			t.Errorf("%s: no filter leads to it", e.reason)
		}
	}
	// Each constraint is met by some node, and no node meets both.
	j.s.Spec.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"node.hostname==host-n1", "node.hostname==host-n2"}}
	if _, message, _ := j.noNode(task("a", "pending", 0, says("no suitable node (scheduling constraints not satisfied on 3 nodes)"))); !strings.Contains(message, "meets all of node.hostname==host-n1, node.hostname==host-n2") {
		t.Error(message)
	}
}

// A task is told that a port is in use which nobody has any more.
func TestMissedPort(t *testing.T) {
	spec := replicated(1)
	spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{PublishedPort: 6379, PublishMode: swarm.PortConfigPublishModeHost}, {PublishedPort: 80}}}
	waiting := func(age time.Duration, nodes string) swarm.Task {
		return task("w", "pending", age, says("no suitable node (host-mode port already in use on "+nodes+")"), func(t *swarm.Task) { t.NodeID = "" })
	}
	publishes := func(port uint32, protocol swarm.PortConfigProtocol) func(*swarm.Task) {
		return func(t *swarm.Task) {
			t.Status.PortStatus.Ports = []swarm.PortConfig{{PublishedPort: port, Protocol: protocol}}
		}
	}
	on2 := func(t *swarm.Task) { t.NodeID = "n2" }
	for _, c := range []struct {
		name     string
		own, ofs []swarm.Task // of the service, and of another
		missed   bool
	}{
		{"its last task has ended long ago", []swarm.Task{waiting(time.Minute, "1 node"), task("a", "shutdown", 40*time.Second)}, nil, true},
		{"its last task has just ended", []swarm.Task{waiting(time.Minute, "1 node"), task("a", "shutdown", 2*time.Second)}, nil, false},
		{"its last task still runs", []swarm.Task{waiting(time.Minute, "1 node"), task("a", "running", time.Hour)}, nil, false},
		{"it has waited for a moment", []swarm.Task{waiting(5*time.Second, "1 node")}, nil, false},
		{"another service has the port", []swarm.Task{waiting(time.Minute, "1 node")}, []swarm.Task{task("b", "running", time.Hour, publishes(6379, "tcp"))}, false},
		{"another service has it for UDP", []swarm.Task{waiting(time.Minute, "1 node")}, []swarm.Task{task("b", "running", time.Hour, publishes(6379, "udp"))}, true},
		{"another service has what this one publishes on the mesh", []swarm.Task{waiting(time.Minute, "1 node")}, []swarm.Task{task("b", "running", time.Hour, publishes(80, "tcp"))}, true},
		{"another service starts, with who knows what", []swarm.Task{waiting(time.Minute, "1 node")}, []swarm.Task{task("b", "starting", time.Hour)}, false},
		{"it is in use on one of two nodes", []swarm.Task{waiting(time.Minute, "2 nodes"), task("a", "running", time.Hour)}, nil, true},
		{"it is in use on both", []swarm.Task{waiting(time.Minute, "2 nodes"), task("a", "running", time.Hour)}, []swarm.Task{task("b", "running", time.Hour, on2, publishes(6379, "tcp"))}, false},
	} {
		seen := scene{spec: spec, tasks: c.own}.observed()
		seen.Tasks["other"] = c.ofs
		_, message, remedy := (&judging{seen: seen, s: seen.Services["s"], now: noon}).noNode(c.own[0])
		missed := strings.Contains(message, "is free by now") && remedy == "have Swarm look again: docker service update --force s"
		if missed != c.missed {
			t.Errorf("%s: %s; to do: %s", c.name, message, remedy)
		}
	}
}

func TestRemains(t *testing.T) {
	limited := replicated(1)
	limited.TaskTemplate.Resources = &swarm.ResourceRequirements{Limits: &swarm.Limit{MemoryBytes: 64 << 20}}
	for _, c := range []struct {
		name       string
		v          Verdict
		r          Remains
		reason     string
		says, todo string
	}{
		{"out of memory", Verdict{Reason: "killed"}, Remains{OOMKilled: true, Log: []string{"a", "b"}}, "oom_killed", "want of memory (limit: 64MiB); its last log lines:\n    a\n    b", "limits.memory"},
		{"ended by its health check", Verdict{Reason: "ends"}, Remains{Health: "connection refused"}, "unhealthy", "its health check said: connection refused", "start_period"},
		{"nothing left", Verdict{Reason: "killed", Message: "m", Remedy: "r"}, Remains{}, "killed", "m", "r"},
	} {
		v := c.v.with(c.r, limited)
		if v.Reason != c.reason || !strings.Contains(v.Message, c.says) || !strings.Contains(v.Remedy, c.todo) {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

func TestDeadline(t *testing.T) {
	slow := replicated(20)
	slow.TaskTemplate.ContainerSpec.StopGracePeriod = new(time.Minute)
	slow.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}, StartPeriod: 30 * time.Second, Interval: 10 * time.Second, Timeout: 10 * time.Second, Retries: 3}
	slow.UpdateConfig = &swarm.UpdateConfig{Parallelism: 2, Delay: 10 * time.Second, Monitor: 20 * time.Second}
	batch := time.Minute + 30*time.Second + 3*20*time.Second + 10*time.Second + 20*time.Second
	all := slow
	all.UpdateConfig = &swarm.UpdateConfig{Delay: 10 * time.Second, Monitor: 20 * time.Second}
	for _, c := range []struct {
		name  string
		given time.Duration
		spec  swarm.ServiceSpec
		tasks int
		want  time.Duration
	}{
		{"given", time.Minute, slow, 20, time.Minute},
		{"short", 0, replicated(1), 1, leastDeadline},
		{"ten batches", 0, slow, 20, pullTime + 10*batch},
		{"an odd one", 0, slow, 21, pullTime + 11*batch},
		{"all at once", 0, all, 20, max(leastDeadline, pullTime+batch)},
		{"none", 0, slow, 0, leastDeadline},
	} {
		if got := deadline(c.given, c.spec, c.tasks); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
