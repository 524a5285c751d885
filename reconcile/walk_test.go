package reconcile

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mergeSpecs(live, want swarm.ServiceSpec) (swarm.ServiceSpec, []FieldChange) {
	w := walker{}
	merged := w.service(&live, &want)
	return merged, w.changes
}

// Law: what a plan writes removes every difference that it shows.
func TestMergedEqualsWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live, want := anySpec(t, "live"), anySpec(t, "want")
		merged, _ := mergeSpecs(live, want)
		if _, left := mergeSpecs(merged, want); len(left) > 0 {
			t.Fatalf("after the write still differs:\n%v", left)
		}
	})
}

// Law: what the Engine hands back is left alone, to the bit, where nothing
// differs.
func TestEqualKeepsLive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live := anySpec(t, "live")
		merged, changes := mergeSpecs(live, live)
		if len(changes) > 0 {
			t.Fatalf("differs from itself: %v", changes)
		}
		if !reflect.DeepEqual(merged, live) {
			t.Fatalf("changed although equal:\n%s", cmp.Diff(live, merged))
		}
	})
}

// Law: equal specs have equal hashes, and a difference other than an image's
// digest shows in the hash.
func TestHashFollowsMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anySpec(t, "a"), anySpec(t, "b")
		merged, _ := mergeSpecs(a, b)
		if SpecHash(merged) != SpecHash(b) {
			t.Fatalf("equal specs, two hashes:\n%s", cmp.Diff(b, merged))
		}
	})
}

// anySpec draws the parts of a spec that people write, in all the shapes that
// mean the same.
func anySpec(t *rapid.T, label string) swarm.ServiceSpec {
	words := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	maps := rapid.MapOfN(words, words, 0, 3)
	some := func() bool { return rapid.Bool().Draw(t, label) }
	list := func() []string { return rapid.SliceOfNDistinct(words, 0, 3, rapid.ID).Draw(t, label) }
	c := &swarm.ContainerSpec{
		Image: rapid.SampledFrom([]string{"redis:7", "redis:7.4", "docker.io/library/redis:7"}).Draw(t, label),
		Args:  list(), Env: nil, Labels: maps.Draw(t, label), Hosts: list(), CapabilityAdd: list(),
	}
	for _, k := range list() {
		c.Env = append(c.Env, k+"="+words.Draw(t, label))
		c.Mounts = append(c.Mounts, mount.Mount{Type: mount.TypeVolume, Source: words.Draw(t, label), Target: "/" + k})
		c.Secrets = append(c.Secrets, &swarm.SecretReference{SecretName: words.Draw(t, label), File: &swarm.SecretReferenceFileTarget{Name: k, UID: "0", Mode: 0o400}})
	}
	if some() {
		d := rapid.SampledFrom([]time.Duration{0, 10 * time.Second, time.Minute}).Draw(t, label)
		c.StopGracePeriod = &d
	}
	if some() {
		c.Init = new(some())
	}
	s := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: c}}
	s.Name, s.Labels = "x_y", maps.Draw(t, label)
	if some() {
		s.TaskTemplate.Resources = &swarm.ResourceRequirements{}
		if some() {
			s.TaskTemplate.Resources.Limits = &swarm.Limit{MemoryBytes: rapid.Int64Range(0, 2).Draw(t, label)}
		}
	}
	if some() {
		s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{}
		if some() {
			s.TaskTemplate.RestartPolicy.Condition = swarm.RestartPolicyConditionAny
			s.TaskTemplate.RestartPolicy.MaxAttempts = new(rapid.Uint64Range(0, 1).Draw(t, label))
		}
	}
	s.TaskTemplate.Placement = &swarm.Placement{}
	for _, k := range list() {
		s.TaskTemplate.Placement.Constraints = append(s.TaskTemplate.Placement.Constraints,
			"node.labels."+k+rapid.SampledFrom([]string{"==x", " == x", "!=x"}).Draw(t, label))
		s.TaskTemplate.Networks = append(s.TaskTemplate.Networks, swarm.NetworkAttachmentConfig{Target: k, Aliases: list()})
	}
	if some() {
		s.UpdateConfig = &swarm.UpdateConfig{Parallelism: rapid.Uint64Range(0, 1).Draw(t, label)}
	}
	if some() {
		s.Mode.Replicated = &swarm.ReplicatedService{}
		if some() {
			s.Mode.Replicated.Replicas = new(rapid.Uint64Range(0, 2).Draw(t, label))
		}
	}
	if some() {
		s.EndpointSpec = &swarm.EndpointSpec{}
		for i := range rapid.IntRange(0, 2).Draw(t, label) {
			s.EndpointSpec.Ports = append(s.EndpointSpec.Ports, swarm.PortConfig{
				TargetPort: uint32(80 + i), PublishedPort: rapid.Uint32Range(0, 2).Draw(t, label),
				Protocol: rapid.SampledFrom([]swarm.PortConfigProtocol{"", "tcp"}).Draw(t, label),
			})
		}
	}
	return s
}

// What the Engine hands back differs from what was sent in many ways that mean
// the same.
func TestShapesThatMeanTheSame(t *testing.T) {
	c := func(f func(*swarm.ServiceSpec)) swarm.ServiceSpec {
		s := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "redis:7"}}}
		f(&s)
		return s
	}
	none := func(*swarm.ServiceSpec) {}
	for name, live := range map[string]func(*swarm.ServiceSpec){
		"runtime":         func(s *swarm.ServiceSpec) { s.TaskTemplate.Runtime = "container" },
		"isolation":       func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Isolation = "default" },
		"digest":          func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "redis:7@sha256:" + zeros },
		"familiar name":   func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "docker.io/library/redis:7" },
		"one replica":     func(s *swarm.ServiceSpec) { s.Mode.Replicated = &swarm.ReplicatedService{Replicas: new(uint64(1))} },
		"empty labels":    func(s *swarm.ServiceSpec) { s.Labels = map[string]string{} },
		"empty resources": func(s *swarm.ServiceSpec) { s.TaskTemplate.Resources = &swarm.ResourceRequirements{} },
		"default grace":   func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.StopGracePeriod = new(10 * time.Second) },
		"default restart": func(s *swarm.ServiceSpec) {
			s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: "any", Delay: new(5 * time.Second)}
		},
		"default update": func(s *swarm.ServiceSpec) {
			s.UpdateConfig = &swarm.UpdateConfig{Parallelism: 1, FailureAction: "pause", Order: "stop-first"}
		},
		"forced": func(s *swarm.ServiceSpec) { s.TaskTemplate.ForceUpdate = 3 },
		"platforms": func(s *swarm.ServiceSpec) {
			s.TaskTemplate.Placement = &swarm.Placement{Platforms: []swarm.Platform{{OS: "linux"}}}
		},
		"vip":                  func(s *swarm.ServiceSpec) { s.EndpointSpec = &swarm.EndpointSpec{Mode: "vip"} },
		"swarmward's own mark": func(s *swarm.ServiceSpec) { s.Labels = map[string]string{LabelApplied: "v1:x"} },
	} {
		if _, changes := mergeSpecs(c(live), c(none)); len(changes) > 0 {
			t.Errorf("%s: %v", name, changes)
		}
	}
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// Unlimited parallelism is not what no update config means.
func TestEmptyUpdateConfigDiffers(t *testing.T) {
	_, changes := mergeSpecs(swarm.ServiceSpec{UpdateConfig: &swarm.UpdateConfig{}}, swarm.ServiceSpec{})
	if len(changes) != 1 || changes[0].String() != "deploy.update_config.parallelism 0 -> 1" {
		t.Errorf("got %v", changes)
	}
}

func TestImageText(t *testing.T) {
	at := func(image string) swarm.ServiceSpec {
		return swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: image}}}
	}
	for _, c := range []struct{ live, want, text string }{
		{"redis:7.2@sha256:" + zeros, "redis:7.4", "image redis:7.2 -> redis:7.4"},
		{"a/b@sha256:" + zeros, "a/b:1", "image a/b@sha256:" + zeros + " -> a/b:1"},
		{"redis:7@sha256:" + zeros, "redis:7@sha256:1" + zeros[1:], "image redis:7@sha256:" + zeros + " -> redis:7@sha256:1" + zeros[1:]},
	} {
		if _, changes := mergeSpecs(at(c.live), at(c.want)); len(changes) != 1 || changes[0].String() != c.text {
			t.Errorf("got %v, want %s", changes, c.text)
		}
	}
}

// Zero on purpose is not the default.
func TestZeroOnPurposeDiffers(t *testing.T) {
	zero := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{
		ContainerSpec: &swarm.ContainerSpec{StopGracePeriod: new(time.Duration(0))},
		RestartPolicy: &swarm.RestartPolicy{Delay: new(time.Duration(0))},
	}}
	zero.Mode.Replicated = &swarm.ReplicatedService{Replicas: new(uint64(0))}
	_, changes := mergeSpecs(zero, swarm.ServiceSpec{})
	want := "[stop_grace_period 0s -> 10s deploy.restart_policy.delay 0s -> 5s deploy.replicas 0 -> 1]"
	if got := fmt.Sprint(changes); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSameImage(t *testing.T) {
	digest := func(c string) string { return "@sha256:" + c + zeros[1:] }
	for _, c := range []struct {
		live, want string
		same       bool
	}{
		{"redis:7", "redis:7", true},
		{"redis:7" + digest("a"), "redis:7", true},
		{"redis:latest", "redis", true},
		{"redis:7", "redis:8", false},
		{"redis:7", "valkey:7", false},
		{"redis:7" + digest("a"), "redis:7" + digest("a"), true},
		{"redis:7" + digest("a"), "redis:7" + digest("b"), false},
		{"redis:7", "redis:7" + digest("b"), false},
		{"redis:8" + digest("a"), "redis:7" + digest("a"), false},
		{"docker.io/library/redis:7" + digest("a"), "redis:7" + digest("a"), true},
		{"redis" + digest("a"), "redis:7", false},
		{"redis" + digest("a"), "redis", false},
		{"registry:5000/a" + digest("a"), "registry:5000/a", false},
		{"registry:5000/a:1", "registry:5000/a:1", true},
		{"NOT AN IMAGE", "redis:7", false},
	} {
		if got := SameImage(c.live, c.want); got != c.same {
			t.Errorf("SameImage(%q, %q) = %v", c.live, c.want, got)
		}
	}
}

// What the Engine adds to a reference does not change what it means, and a
// value that is not shown counts all the same.
func TestHashOfReferencesAndSecrets(t *testing.T) {
	with := func(id, password string) swarm.ServiceSpec {
		return swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{
			Image: "a", Env: []string{"DB_PASSWORD=" + password},
			Secrets: []*swarm.SecretReference{{SecretID: id, SecretName: "s", File: &swarm.SecretReferenceFileTarget{Name: "f"}}},
		}}}
	}
	if SpecHash(with("", "x")) != SpecHash(with("id", "x")) {
		t.Error("the id of a secret changes the hash")
	}
	if SpecHash(with("", "x")) == SpecHash(with("", "y")) {
		t.Error("a sensitive value does not change the hash")
	}
}

// A secret or config that comes or goes is shown as a Compose file has it.
func TestFileText(t *testing.T) {
	live := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{
		Secrets: []*swarm.SecretReference{{SecretID: "id", SecretName: "app_key", File: &swarm.SecretReferenceFileTarget{Name: "key", UID: "0", GID: "0", Mode: 0o444}}},
	}}}
	want := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{
		Configs: []*swarm.ConfigReference{{ConfigName: "app_conf", File: &swarm.ConfigReferenceFileTarget{Name: "/etc/app", UID: "5", GID: "6", Mode: 0o400}}},
	}}}
	_, changes := mergeSpecs(live, want)
	var got []string
	for _, c := range changes {
		got = append(got, c.String())
	}
	if diff := cmp.Diff([]string{
		"secrets.key {source: app_key, target: key} -> (unset)",
		`configs."/etc/app" (unset) -> {source: app_conf, target: /etc/app, uid: 5, gid: 6, mode: 0400}`,
	}, got); diff != "" {
		t.Error(diff)
	}
}
