package engine_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/spec"
)

// bench is a Swarm with swarmward's view of it and a person's.
type bench struct {
	*testing.T
	engine *engine.Engine
	api    *client.Client
	minor  int // of the API
}

// onBothEngines runs f on a swarmsim, and on a real Engine where one can run.
func onBothEngines(t *testing.T, f func(b *bench)) {
	t.Run("swarmsim", func(t *testing.T) {
		s := swarmlab.StartSim(t)
		f(newBench(t, s.Host, s.Client(t)))
	})
	t.Run("dockerd", func(t *testing.T) {
		n := swarmlab.Start(t, swarmlab.Options{}).Nodes[0]
		f(newBench(t, n.Host, n.Client(t)))
	})
}

func newBench(t *testing.T, host string, api *client.Client) *bench {
	t.Setenv("DOCKER_HOST", host)
	e, err := engine.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	b := &bench{T: t, engine: e, api: api}
	api.NegotiateAPIVersion(t.Context())
	if _, err := fmt.Sscanf(api.ClientVersion(), "1.%d", &b.minor); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) plan(s *spec.Stack) *reconcile.Plan {
	b.Helper()
	seen, err := b.engine.Observe(b.Context(), s)
	b.must(err)
	return reconcile.Differ{Fingerprints: fingerprints}.Diff(s, seen)
}

var fingerprints = &reconcile.Fingerprints{}

// apply makes the plan's writes in their order. The Swarm allocates what was
// just written, and that alone makes a version stale: then it plans anew.
func (b *bench) apply(stack *spec.Stack) *reconcile.Plan {
	b.Helper()
	first := b.plan(stack)
	for p := first; ; p = b.plan(stack) {
		stale := false
		for _, c := range p.Changes {
			if c.Write == nil {
				continue
			}
			err := b.engine.Do(b.Context(), c.Write)
			stale = stale || errors.Is(err, reconcile.ErrStale)
			if err != nil && !errors.Is(err, reconcile.ErrStale) {
				b.Fatalf("%s %s: %v", c.Kind, c.Name, err)
			}
		}
		if !stale {
			return first
		}
	}
}

// settled fails unless the plan is empty.
func (b *bench) settled(s *spec.Stack, when string) {
	b.Helper()
	if p := b.plan(s); !p.Empty() {
		b.Fatalf("%s: the plan is not empty:\n%s", when, p)
	}
}

const stackName = "mut"

func object(name string) swarm.Annotations {
	return swarm.Annotations{Name: stackName + "_" + name, Labels: map[string]string{spec.LabelNamespace: stackName}}
}

// stackOf is a stack of these services, and of all that a maximal one uses.
func stackOf(services ...swarm.ServiceSpec) *spec.Stack {
	s := &spec.Stack{Name: stackName}
	for _, k := range []string{"a", "b", "c"} {
		s.Networks = append(s.Networks, spec.Network{Key: k, Name: stackName + "_" + k, Create: network.CreateOptions{
			Driver: "overlay", Attachable: true, Labels: object(k).Labels,
		}})
	}
	for _, k := range []string{"one", "two", "three"} {
		s.Secrets = append(s.Secrets, spec.Secret{Key: k, Name: stackName + "_" + k, Spec: swarm.SecretSpec{Annotations: object(k)}, Data: spec.Sensitive("content of " + k)})
		s.Configs = append(s.Configs, spec.Config{Key: k, Name: stackName + "_" + k, Spec: swarm.ConfigSpec{Annotations: object(k), Data: []byte("content of " + k)}})
	}
	for _, service := range services {
		s.Services = append(s.Services, spec.Service{Key: service.Name[len(stackName)+1:], Spec: service})
	}
	return s
}

// maximal is a service with everything that the Engine takes at once, and with
// no task. Two of them publish different ports.
func maximal(number int) swarm.ServiceSpec {
	s := swarm.ServiceSpec{
		Annotations: object(fmt.Sprintf("s%03d", number)),
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: maximalContainer(),
			Resources: &swarm.ResourceRequirements{
				Limits: &swarm.Limit{NanoCPUs: 5e8, MemoryBytes: 512 << 20, Pids: 100},
				Reservations: &swarm.Resources{NanoCPUs: 25e7, MemoryBytes: 256 << 20, GenericResources: []swarm.GenericResource{
					{DiscreteResourceSpec: &swarm.DiscreteGenericResource{Kind: "ssd", Value: 2}},
					{NamedResourceSpec: &swarm.NamedGenericResource{Kind: "gpu", Value: "id1"}},
				}},
			},
			RestartPolicy: &swarm.RestartPolicy{
				Condition: swarm.RestartPolicyConditionOnFailure, Delay: new(7 * time.Second),
				MaxAttempts: new(uint64(3)), Window: new(2 * time.Minute),
			},
			Placement: &swarm.Placement{
				Constraints: []string{"node.labels.zone==nowhere", "node.role == worker"},
				Preferences: []swarm.PlacementPreference{
					{Spread: &swarm.SpreadOver{SpreadDescriptor: "node.labels.zone"}},
					{Spread: &swarm.SpreadOver{SpreadDescriptor: "node.labels.rack"}},
				},
				MaxReplicas: 2,
			},
			Networks: []swarm.NetworkAttachmentConfig{
				{Target: stackName + "_a", Aliases: []string{"web", "www"}, DriverOpts: map[string]string{"one": "1", "two.dots": "2"}},
				{Target: stackName + "_b"},
			},
			LogDriver: &swarm.Driver{Name: "json-file", Options: map[string]string{"max-size": "10m", "max-file": "3"}},
		},
		Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: new(uint64(0))}},
		UpdateConfig: &swarm.UpdateConfig{
			Parallelism: 2, Delay: 3 * time.Second, FailureAction: swarm.UpdateFailureActionRollback,
			Monitor: 20 * time.Second, MaxFailureRatio: 0.25, Order: swarm.UpdateOrderStartFirst,
		},
		RollbackConfig: &swarm.UpdateConfig{
			Parallelism: 3, Delay: 4 * time.Second, FailureAction: swarm.UpdateFailureActionContinue,
			Monitor: 30 * time.Second, MaxFailureRatio: 0.5, Order: swarm.UpdateOrderStartFirst,
		},
		EndpointSpec: &swarm.EndpointSpec{Mode: swarm.ResolutionModeVIP, Ports: []swarm.PortConfig{
			{Name: "http", Protocol: swarm.PortConfigProtocolTCP, TargetPort: 80, PublishedPort: uint32(20000 + 4*number), PublishMode: swarm.PortConfigPublishModeHost},
			{Name: "dns", Protocol: swarm.PortConfigProtocolUDP, TargetPort: 53, PublishedPort: uint32(20001 + 4*number), PublishMode: swarm.PortConfigPublishModeHost},
		}},
	}
	s.Labels = map[string]string{spec.LabelNamespace: stackName, "plain": "1", "traefik.http.routers.a.rule": "Host(`a`)"}
	return s
}

func maximalContainer() *swarm.ContainerSpec {
	return &swarm.ContainerSpec{
		Image: "redis:7.4", Labels: map[string]string{spec.LabelNamespace: stackName, "role.of": "db"},
		Command: []string{"/entry", "point"}, Args: []string{"--one", "--two"}, Hostname: "host",
		Env: []string{"A=1", "B=2", "BARE"}, Dir: "/work", User: "1000:1000", Groups: []string{"audio", "video"},
		Privileges: &swarm.Privileges{
			CredentialSpec:  &swarm.CredentialSpec{Registry: "key"},
			SELinuxContext:  &swarm.SELinuxContext{Disable: true, User: "u", Role: "r", Type: "t", Level: "l"},
			Seccomp:         &swarm.SeccompOpts{Mode: swarm.SeccompModeCustom, Profile: []byte(`{"defaultAction":"SCMP_ACT_ALLOW"}`)},
			AppArmor:        &swarm.AppArmorOpts{Mode: swarm.AppArmorModeDisabled},
			NoNewPrivileges: true,
		},
		Init: new(true), StopSignal: "SIGINT", TTY: true, OpenStdin: true, ReadOnly: true,
		Mounts:          maximalMounts(),
		StopGracePeriod: new(90 * time.Second),
		Healthcheck: &container.HealthConfig{
			Test: []string{"CMD", "true"}, Interval: 11 * time.Second, Timeout: 12 * time.Second,
			Retries: 4, StartPeriod: 13 * time.Second, StartInterval: 2 * time.Second,
		},
		Hosts:     []string{"10.0.0.1 one", "10.0.0.2 two"},
		DNSConfig: &swarm.DNSConfig{Nameservers: []string{"10.1.1.1", "10.1.1.2"}, Search: []string{"a.example", "b.example"}, Options: []string{"ndots:3", "timeout:1"}},
		Secrets: []*swarm.SecretReference{
			{SecretName: stackName + "_one", File: &swarm.SecretReferenceFileTarget{Name: "first", UID: "1", GID: "2", Mode: 0o400}},
			{SecretName: stackName + "_two", File: &swarm.SecretReferenceFileTarget{Name: "/run/second.pem", UID: "0", GID: "0", Mode: 0o444}},
		},
		Configs: []*swarm.ConfigReference{
			{ConfigName: stackName + "_one", File: &swarm.ConfigReferenceFileTarget{Name: "/etc/first.conf", UID: "1", GID: "2", Mode: 0o440}},
			{ConfigName: stackName + "_two", File: &swarm.ConfigReferenceFileTarget{Name: "/etc/second.conf", UID: "0", GID: "0", Mode: 0o444}},
		},
		Isolation: container.IsolationProcess, Sysctls: map[string]string{"net.core.somaxconn": "1024", "kernel.shmmax": "1"},
		CapabilityAdd: []string{"CAP_NET_ADMIN", "CAP_SYS_TIME"}, CapabilityDrop: []string{"CAP_CHOWN", "CAP_MKNOD"},
		Ulimits:     []*container.Ulimit{{Name: "nofile", Soft: 1000, Hard: 2000}, {Name: "nproc", Soft: 10, Hard: 20}},
		OomScoreAdj: 200,
	}
}

func maximalMounts() []mount.Mount {
	return []mount.Mount{
		{Type: mount.TypeVolume, Source: stackName + "_data", Target: "/data", VolumeOptions: &mount.VolumeOptions{
			NoCopy: true, Labels: map[string]string{spec.LabelNamespace: stackName, "kept.by": "x"}, Subpath: "sub",
			DriverConfig: &mount.Driver{Name: "local", Options: map[string]string{"type": "nfs", "o": "addr=10.0.0.9"}},
		}},
		{Type: mount.TypeBind, Source: "/srv", Target: "/srv", ReadOnly: true, BindOptions: &mount.BindOptions{Propagation: mount.PropagationRSlave, NonRecursive: true}},
		{Type: mount.TypeTmpfs, Target: "/tmp", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 64 << 20, Mode: os.FileMode(0o1777), Options: [][]string{{"noexec"}, {"uid", "1000"}}}},
	}
}
