package reconcile

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// planned is the plan for the pair after a good pass, and after changes to the
// Swarm and to the spec.
func planned(t *testing.T, live func(*fakeSwarm), change func(*spec.Stack)) *Plan {
	t.Helper()
	return planner(t, live)(change)
}

// planner makes plans for one state of the Swarm.
func planner(t *testing.T, live func(*fakeSwarm)) func(change func(*spec.Stack)) *Plan {
	t.Helper()
	var seen *Observed
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		if live != nil {
			live(f)
		}
		var err error
		if seen, err = f.Observe(t.Context(), pair()); err != nil {
			t.Fatal(err)
		}
	})
	d := Differ{Fingerprints: &Fingerprints{}}
	return func(change func(*spec.Stack)) *Plan {
		s := pair()
		if change != nil {
			change(s)
		}
		return d.Diff(s, seen)
	}
}

// addNode gives the fake a second node.
func addNode(f *fakeSwarm) {
	f.seen.Nodes["n2"] = swarm.Node{
		ID: "n2", Status: swarm.NodeStatus{State: swarm.NodeStateReady}, Description: swarm.NodeDescription{Hostname: "node-2"},
	}
}

// mounts gives the service back a volume, live and in the spec.
func withVolume(s *swarm.ServiceSpec, driver *mount.Driver) {
	c := *s.TaskTemplate.ContainerSpec
	c.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: "app_data", Target: "/data", VolumeOptions: &mount.VolumeOptions{DriverConfig: driver}}}
	s.TaskTemplate.ContainerSpec = &c
}

func onNode2(s *spec.Stack) {
	s.Services[0].Spec.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"node.hostname == node-2"}}
}

func TestImpactPictures(t *testing.T) {
	const toNode2 = "services.back.deploy.placement.constraints (unset) -> [\"node.hostname == node-2\"]\n"
	for _, c := range []struct {
		name string
		live func(*fakeSwarm)
		spec func(*spec.Stack)
		want string
	}{
		{
			name: "a constraint that the task's node meets",
			spec: func(s *spec.Stack) {
				s.Services[0].Spec.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"node.hostname==node-1"}}
			},
			want: `
update service back: the spec changed
  services.back.deploy.placement.constraints (unset) -> ["node.hostname==node-1"]
`,
		},
		{
			name: "a volume stays behind",
			live: func(f *fakeSwarm) {
				addNode(f)
				edit(f, "app_back", func(s *swarm.ServiceSpec) { withVolume(s, nil) })
			},
			spec: func(s *spec.Stack) { withVolume(&s.Services[0].Spec, nil); onNode2(s) },
			want: `
update service back rolling(1): the spec changed, and so did somebody by hand
  ` + toNode2 + `  # its volume app_data stays on node-1; on another node it begins empty
`,
		},
		{
			name: "a volume stays on a node that is down",
			live: func(f *fakeSwarm) {
				addNode(f)
				edit(f, "app_back", func(s *swarm.ServiceSpec) { withVolume(s, &mount.Driver{Name: "local"}) })
				n := f.seen.Nodes["n1"]
				n.Status.State = swarm.NodeStateDown
				f.seen.Nodes["n1"] = n
			},
			spec: func(s *spec.Stack) {
				withVolume(&s.Services[0].Spec, &mount.Driver{Name: "local"})
				s.Services[0].Spec.TaskTemplate.ContainerSpec.User = "1000"
			},
			want: `
update service back rolling(1): the spec changed, and so did somebody by hand
  services.back.user (unset) -> 1000
  # its volume app_data stays on node-1; on another node it begins empty
`,
		},
		{
			name: "a share is on every node",
			live: func(f *fakeSwarm) {
				addNode(f)
				edit(f, "app_back", func(s *swarm.ServiceSpec) {
					withVolume(s, &mount.Driver{Name: "local", Options: map[string]string{"type": "nfs"}})
				})
			},
			spec: func(s *spec.Stack) {
				withVolume(&s.Services[0].Spec, &mount.Driver{Name: "local", Options: map[string]string{"type": "nfs"}})
				onNode2(s)
			},
			want: "update service back rolling(1): the spec changed, and so did somebody by hand\n  " + toNode2,
		},
		{
			name: "no node meets it",
			spec: onNode2,
			want: "update service back rolling(1): the spec changed\n  " + toNode2 +
				"  # no node that is ready meets node.hostname == node-2: new tasks will wait for one\n",
		},
		{
			name: "the old task has the port that the new one needs",
			spec: func(s *spec.Stack) {
				s.Services[0].Spec.UpdateConfig = &swarm.UpdateConfig{Parallelism: 1, Order: swarm.UpdateOrderStartFirst}
				s.Services[0].Spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 8080, PublishMode: swarm.PortConfigPublishModeHost}}}
			},
			want: `
update service back rolling(1): the spec changed
  services.back.deploy.update_config.order stop-first -> start-first
  services.back.ports."80/tcp" (unset) -> {target_port: 80, published_port: 8080, publish_mode: host}
  # a new task cannot start before the old one has stopped: that one has port 8080 of every node; write order: stop-first under deploy.update_config
`,
		},
		{
			name: "an image that another tool wrote in full is written in short",
			live: func(f *fakeSwarm) {
				edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "docker.io/library/back:1" })
			},
			spec: func(s *spec.Stack) {
				s.Services[0].Spec.Labels = map[string]string{spec.LabelNamespace: "app", "a": "b"}
			},
			want: `
update service back rolling(1): the spec changed
  services.back.deploy.labels.a (unset) -> b
`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(strings.TrimPrefix(c.want, "\n"), planned(t, c.live, c.spec).String()); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
		})
	}
}

// The answer of a registry changes the image, and with it every task: it is
// asked only when the plan says that they are replaced.
func TestRegistryIsAskedOnlyWhenTasksAreReplaced(t *testing.T) {
	label := func(s *spec.Stack) {
		s.Services[0].Spec.Labels = map[string]string{spec.LabelNamespace: "app", "image": "x"}
	}
	user := func(s *spec.Stack) { s.Services[0].Spec.TaskTemplate.ContainerSpec.User = "1000" }
	image := func(s *spec.Stack) { s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:2" }
	port := func(s *spec.Stack) {
		s.Services[0].Spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80}}}
	}
	plan := planner(t, nil)
	for _, c := range []struct {
		resolve string
		change  func(*spec.Stack)
		want    bool
	}{
		{"changed", label, false}, {"changed", user, false}, {"changed", image, true},
		{"always", label, false}, {"always", user, false}, {"always", image, true}, {"always", port, false},
		{"never", image, false},
	} {
		p := plan(func(s *spec.Stack) { s.Settings.Images.Resolve = c.resolve; c.change(s) })
		if got := p.Changes[0].Write.(UpdateService).Query; got != c.want {
			t.Errorf("%s: asks: %v, want %v:\n%s", c.resolve, got, c.want, p)
		}
	}
}

func TestSatisfiesAsSwarmDoes(t *testing.T) {
	n := swarm.Node{ID: "id1", Status: swarm.NodeStatus{Addr: "10.0.0.7"}}
	n.Description.Hostname, n.Spec.Role, n.Spec.Labels = "node-1", swarm.NodeRoleManager, map[string]string{"Zone": "a"}
	for constraint, want := range map[string]bool{
		"node.hostname==NODE-1": true, "node.hostname != node-1": false, " node.id == id1 ": true, "Node.Role==manager": true,
		"node.labels.Zone==a": true, "node.labels.zone==a": false, "node.labels.other!=x": true, "node.labels.other==x": false,
		"node.ip==10.0.0.7": true, "node.ip!=10.0.0.0/8": false, "node.ip==10.1.0.0/16": false, "node.ip==nonsense": false, "node.ip!=nonsense": false,
		"engine.labels.x==": true, "node.nonsense==a": false, "nonsense": false,
	} {
		if got := satisfies(n, []string{constraint}); got != want {
			t.Errorf("%q: %v, want %v", constraint, got, want)
		}
	}
}

func TestSameOnWire(t *testing.T) {
	type edit func(*swarm.TaskSpec)
	base := func(edits ...edit) swarm.TaskSpec {
		s := swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "a", Env: []string{"A=1", "B=2"}}, Placement: &swarm.Placement{}}
		for _, e := range edits {
			e(&s)
		}
		return s
	}
	for name, c := range map[string]struct {
		edit edit
		same bool
	}{
		"nothing":                {func(*swarm.TaskSpec) {}, true},
		"an empty list":          {func(s *swarm.TaskSpec) { s.ContainerSpec.Args = []string{} }, true},
		"an empty map":           {func(s *swarm.TaskSpec) { s.ContainerSpec.Labels = map[string]string{} }, true},
		"the runtime's name":     {func(s *swarm.TaskSpec) { s.Runtime = swarm.RuntimeContainer }, true},
		"the default isolation":  {func(s *swarm.TaskSpec) { s.ContainerSpec.Isolation = "default" }, true},
		"another order":          {func(s *swarm.TaskSpec) { s.ContainerSpec.Env = []string{"B=2", "A=1"} }, false},
		"empty resources":        {func(s *swarm.TaskSpec) { s.Resources = &swarm.ResourceRequirements{} }, false},
		"the default grace":      {func(s *swarm.TaskSpec) { s.ContainerSpec.StopGracePeriod = new(10 * time.Second) }, false},
		"an empty restart rule":  {func(s *swarm.TaskSpec) { s.RestartPolicy = &swarm.RestartPolicy{} }, false},
		"no init":                {func(s *swarm.TaskSpec) { s.ContainerSpec.Init = new(bool) }, false},
		"a value that is absent": {func(s *swarm.TaskSpec) { s.ContainerSpec.Labels = map[string]string{"a": ""} }, false},
	} {
		if got := sameOnWire(base(), base(c.edit)); got != c.same {
			t.Errorf("%s: same is %v, want %v", name, got, c.same)
		}
	}
	attempts := func(n *uint64) swarm.TaskSpec {
		return swarm.TaskSpec{RestartPolicy: &swarm.RestartPolicy{MaxAttempts: n}}
	}
	if !sameOnWire(attempts(nil), attempts(new(uint64))) || sameOnWire(attempts(nil), attempts(new(uint64(1)))) {
		t.Error("no limit on attempts and a limit of 0 are one")
	}
}
