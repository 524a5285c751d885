package reconcile

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// BenchmarkDiff plans stacks as they come back from an Engine: unchanged, and
// with a tenth of the services changed.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		for _, changed := range []int{0, n / 10} {
			stack, seen := many(n)
			for i := range changed {
				c := *stack.Services[i].Spec.TaskTemplate.ContainerSpec
				c.Image = "redis:8"
				stack.Services[i].Spec.TaskTemplate.ContainerSpec = &c
			}
			b.Run(fmt.Sprintf("%d services, %d changed", n, changed), func(b *testing.B) {
				b.ReportAllocs()
				before := cpuTime(b)
				for b.Loop() {
					if p := (Differ{}).Diff(stack, seen); p.Summary().Update != changed {
						b.Fatalf("%+v", p.Summary())
					}
				}
				b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// cpuTime of this process: other work on the machine does not count.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// many services, of a usual size each.
func many(n int) (*spec.Stack, *Observed) {
	stack, seen := &spec.Stack{Name: "app"}, &Observed{Services: map[string]ObservedService{}}
	for i := range n {
		s := usual(i)
		stack.Services = append(stack.Services, spec.Service{Key: fmt.Sprintf("s%04d", i), Spec: s})
		seen.Services[s.Name] = ObservedService{ID: s.Name, Spec: stamped(asReturned(usual(i)), SpecHash(s))}
	}
	return stack, seen
}

func usual(i int) swarm.ServiceSpec {
	s := swarm.ServiceSpec{}
	s.Name = fmt.Sprintf("app_s%04d", i)
	s.Labels = map[string]string{spec.LabelNamespace: "app", spec.LabelImage: "redis:7"}
	for k := range 6 {
		s.Labels[fmt.Sprintf("traefik.http.routers.r%d.rule", k)] = "Host(`a`)"
	}
	c := &swarm.ContainerSpec{Image: "redis:7", Labels: map[string]string{spec.LabelNamespace: "app"}, Privileges: &swarm.Privileges{}}
	for k := range 10 {
		c.Env = append(c.Env, fmt.Sprintf("VARIABLE_%d=value", k))
	}
	for k := range 2 {
		c.Secrets = append(c.Secrets, &swarm.SecretReference{SecretName: fmt.Sprint("app_secret", k), File: &swarm.SecretReferenceFileTarget{Name: fmt.Sprint("secret", k), UID: "0", GID: "0", Mode: 0o444}})
		c.Configs = append(c.Configs, &swarm.ConfigReference{ConfigName: fmt.Sprint("app_config", k), File: &swarm.ConfigReferenceFileTarget{Name: fmt.Sprint("/config", k), UID: "0", GID: "0", Mode: 0o444}})
	}
	s.TaskTemplate = swarm.TaskSpec{
		ContainerSpec: c, Resources: &swarm.ResourceRequirements{Limits: &swarm.Limit{MemoryBytes: 1 << 29}},
		Placement: &swarm.Placement{Constraints: []string{"node.role == manager"}},
		Networks:  []swarm.NetworkAttachmentConfig{{Target: "app_default", Aliases: []string{fmt.Sprint("s", i)}}},
	}
	s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: uint32(1000 + i), Protocol: "tcp", PublishMode: "ingress"}}}
	s.Mode.Replicated = &swarm.ReplicatedService{}
	return s
}

// asReturned fills in what an Engine does.
func asReturned(s swarm.ServiceSpec) swarm.ServiceSpec {
	c := s.TaskTemplate.ContainerSpec
	c.Image += "@sha256:" + zeros
	c.Isolation = "default"
	for i := range c.Secrets {
		c.Secrets[i].SecretID = "id"
		c.Configs[i].ConfigID = "id"
	}
	s.TaskTemplate.Runtime = swarm.RuntimeContainer
	s.Mode.Replicated.Replicas = new(uint64(1))
	s.EndpointSpec.Mode = swarm.ResolutionModeVIP
	return s
}

// BenchmarkFingerprints plans a stack whose hundred secrets are all there, as
// the first plan of a process does.
func BenchmarkFingerprints(b *testing.B) {
	stack, seen := &spec.Stack{Name: "app"}, &Observed{Secrets: map[string]swarm.Secret{}}
	var known Fingerprints
	for i := range 100 {
		name := fmt.Sprintf("app_secret%d", i)
		s := spec.Secret{Key: name[4:], Name: name, Data: spec.Sensitive("content of " + name)}
		stack.Secrets = append(stack.Secrets, s)
	}
	known.warm(stack.Secrets, seen)
	for _, s := range stack.Secrets {
		live := swarm.Secret{ID: s.Name}
		live.Spec.Name, live.Spec.Labels = s.Name, map[string]string{LabelManaged: "true", LabelFingerprint: known.Of(s.Name, []byte(s.Data))}
		seen.Secrets[s.Name] = live
	}
	before := cpuTime(b)
	for b.Loop() {
		if p := (Differ{}).Diff(stack, seen); !p.Empty() {
			b.Fatal(p)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}
