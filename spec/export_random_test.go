package spec_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/spec"
)

// Whatever a spec can become in the Swarm, its export becomes again.
func TestExportInvertsLowering(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := anyStack(t)
		engine(s)
		x, err := spec.Export(live(s), spec.ExportOptions{Secrets: spec.SecretsEnvironment})
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Notes) > 0 {
			t.Errorf("what lowering made cannot be said: %q", x.Notes)
		}
		file := dir + "/spec.yaml"
		if err := os.WriteFile(file, x.YAML, 0o600); err != nil {
			t.Fatal(err)
		}
		var environ []string
		for _, v := range x.Variables {
			environ = append(environ, v+"=secret")
		}
		is, err := spec.Load(t.Context(), spec.Options{Files: []string{file}, Environ: environ})
		if err != nil {
			t.Fatalf("%v\n%s", err, x.YAML)
		}
		engine(is)
		if diff := cmp.Diff(s, is, normal()...); diff != "" {
			t.Errorf("(-was +is):\n%s\n%s", diff, x.YAML)
		}
	})
}

// awkward texts are those that YAML, or Compose, is likely to read as
// something else.
var awkward = []string{
	"yes", "no", "on", "null", "~", "true", "0x1f", "0400", "1e3", ".5", "1:30", "2024-01-01", "<<", "=", "-", "- a", "a: b", "a #b", "#",
	"${A}", "$$", "$", "a$", "$A", "${A:-b}", "\n", " a", "a ", "\ta", "a\n", "a\n\n", "\n a\n", "a\n  b\n", "a \nb", "a\r\nb", "é", "日本\n語",
	"'", "\"", "\\", "\\n", "{a: b}", "[a]", "*a", "&a", "!a", "|", ">", "%", "@", "`", ",", "?", "a\tb", "\u00a0", "\u2028", "\x01", "{{.Node.Hostname}}",
}

func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom(awkward), rapid.StringMatching(`[a-z]{1,5}`),
		rapid.StringOfN(rapid.RuneFrom([]rune("ab $\n\t\"'#:{}[]&*!|>%@`,-?~=0é\\")), 1, 12, -1))
}

func anyName() *rapid.Generator[string] { return rapid.StringMatching(`[a-z]([a-z0-9_]{0,5}[a-z0-9])`) }

// anyKey is the name of a variable, a label or an option.
func anyKey() *rapid.Generator[string] {
	return rapid.OneOf(anyName(), rapid.SampledFrom([]string{"yes", "a.b/c", "1", "A-B", "null", "~", "a b", "$a", "#", "'", "<<"}))
}

// anyPairs are names with values where Compose has lists of them too. Elsewhere
// it takes what begins with x- for an extension of its own.
func anyPairs() *rapid.Generator[map[string]string] {
	return rapid.MapOfN(rapid.OneOf(anyKey(), rapid.Just("x-a")), rapid.OneOf(anyText(), rapid.Just("")), 0, 3)
}

func anyMap() *rapid.Generator[map[string]string] {
	return rapid.MapOfN(anyKey(), rapid.OneOf(anyText(), rapid.Just("")), 0, 3)
}

func maybe[T any](t *rapid.T, name string, g *rapid.Generator[T]) *T {
	if !rapid.Bool().Draw(t, name+"?") {
		return nil
	}
	v := g.Draw(t, name)
	return &v
}

func or0[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func anyDuration() *rapid.Generator[time.Duration] {
	return rapid.Custom(func(t *rapid.T) time.Duration {
		n := rapid.Int64Range(1, 200).Draw(t, "n")
		return time.Duration(n) * rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Millisecond, time.Second, time.Minute, time.Hour}).Draw(t, "unit")
	})
}

// world is a stack's objects that services can refer to.
type world struct {
	stack                              *spec.Stack
	networks, secrets, configs, volume []string
	ports                              int
}

func anyStack(t *rapid.T) *spec.Stack {
	w := &world{stack: &spec.Stack{Name: rapid.SampledFrom([]string{"st", "my-stack", "a_b"}).Draw(t, "stack")}}
	for i := range rapid.IntRange(1, 3).Draw(t, "networks") {
		w.networks = append(w.networks, fmt.Sprintf("%s_net%d", w.stack.Name, i))
	}
	w.networks = append(w.networks, w.stack.Name+"_default")
	w.secrets = w.objects(t, "secret")
	w.configs = w.objects(t, "config")
	w.volume = []string{w.stack.Name + "_data", w.stack.Name + "_v", "elsewhere"}
	for _, key := range slices.Sorted(maps.Keys(rapid.MapOfN(anyName(), rapid.Bool(), 1, 2).Draw(t, "services"))) {
		w.stack.Services = append(w.stack.Services, spec.Service{Key: key, Spec: w.service(t, key)})
	}
	w.describe(t)
	return w.stack
}

func (w *world) objects(t *rapid.T, kind string) []string {
	var out []string
	for i := range rapid.IntRange(0, 2).Draw(t, kind+"s") {
		out = append(out, rapid.SampledFrom([]string{w.stack.Name + "_" + kind, "named." + kind}).Draw(t, kind)+fmt.Sprint(i))
	}
	slices.Sort(out)
	return out
}

func (w *world) labels(own map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, own)
	out[spec.LabelNamespace] = w.stack.Name
	return out
}

// describe adds what the services refer to.
func (w *world) describe(t *rapid.T) {
	networks, volumes := map[string]bool{}, map[string]bool{}
	for _, s := range w.stack.Services {
		for _, n := range s.Spec.TaskTemplate.Networks {
			networks[n.Target] = true
		}
		for _, m := range s.Spec.TaskTemplate.ContainerSpec.Mounts {
			if m.Type == mount.TypeVolume && m.Source != "" {
				volumes[m.Source] = true
			}
		}
	}
	for name := range networks {
		if name == "host" {
			w.stack.Networks = append(w.stack.Networks, spec.Network{Name: name, External: true})
			continue
		}
		c := network.CreateOptions{
			Driver: "overlay", Attachable: rapid.Bool().Draw(t, "attachable"), Internal: rapid.Bool().Draw(t, "internal"),
			Options: anyMap().Draw(t, "options"), Labels: w.labels(anyPairs().Draw(t, "labels")),
		}
		if rapid.Bool().Draw(t, "ipam") {
			c.IPAM = &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.7.0.0/24", Gateway: "10.7.0.9"}}}
		}
		w.stack.Networks = append(w.stack.Networks, spec.Network{Name: name, Create: c})
	}
	for name := range volumes {
		v := spec.Volume{Name: name, External: name == "elsewhere"}
		if !v.External {
			v.Create.Name, v.Create.Labels = name, w.labels(nil)
		}
		for _, s := range w.stack.Services {
			if slices.ContainsFunc(s.Spec.TaskTemplate.ContainerSpec.Mounts, func(m mount.Mount) bool { return m.Source == name }) {
				v.MountedBy = append(v.MountedBy, s.Key)
			}
		}
		w.stack.Volumes = append(w.stack.Volumes, v)
	}
	for _, name := range w.secrets {
		w.stack.Secrets = append(w.stack.Secrets, spec.Secret{Name: name, Spec: swarm.SecretSpec{
			Annotations: swarm.Annotations{Name: name, Labels: w.labels(anyPairs().Draw(t, "labels"))},
			Templating:  maybe(t, "templating", rapid.Just(swarm.Driver{Name: "golang"})),
		}})
	}
	for _, name := range w.configs {
		w.stack.Configs = append(w.stack.Configs, spec.Config{Name: name, Spec: swarm.ConfigSpec{
			Annotations: swarm.Annotations{Name: name, Labels: w.labels(anyPairs().Draw(t, "labels"))},
			Data:        []byte(strings.ReplaceAll(anyText().Draw(t, "content"), "\x01", "1")),
		}})
	}
}

func (w *world) service(t *rapid.T, key string) swarm.ServiceSpec {
	image := rapid.SampledFrom([]string{"nginx", "a/b:1", "r.io:5000/x/y:v1.2", "a@sha256:" + strings.Repeat("0", 64)}).Draw(t, "image")
	s := swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: w.stack.Name + "_" + key, Labels: w.labels(anyPairs().Draw(t, "service labels"))},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: w.container(t, image),
			LogDriver:     logging(t),
			Resources:     resources(t),
			RestartPolicy: maybe(t, "restart", rapid.Custom(restartPolicy)),
			Placement:     placement(t),
			Networks:      w.attachments(t, key),
		},
		UpdateConfig:   maybe(t, "update", rapid.Custom(updateConfig)),
		RollbackConfig: maybe(t, "rollback", rapid.Custom(updateConfig)),
		EndpointSpec:   w.endpoint(t),
		Mode:           serviceMode(t),
	}
	if s.Mode.ReplicatedJob != nil || s.Mode.GlobalJob != nil {
		s.UpdateConfig, s.RollbackConfig = nil, nil // the loader refuses them
	}
	if c := s.RollbackConfig; c != nil && c.FailureAction == swarm.UpdateFailureActionRollback {
		c.FailureAction = "" // a rollback is not rolled back
	}
	s.Labels[spec.LabelImage] = image
	return s
}

func (w *world) container(t *rapid.T, image string) *swarm.ContainerSpec {
	return &swarm.ContainerSpec{
		Image:           image,
		Labels:          w.labels(anyPairs().Draw(t, "labels")),
		Command:         rapid.SliceOfN(anyText(), 0, 3).Draw(t, "command"),
		Args:            rapid.SliceOfN(anyText(), 0, 3).Draw(t, "args"),
		Hostname:        or0(maybe(t, "hostname", anyText())),
		User:            or0(maybe(t, "user", anyText())),
		Dir:             or0(maybe(t, "dir", anyText())),
		Env:             environment(t),
		Privileges:      &swarm.Privileges{},
		Init:            maybe(t, "init", rapid.Bool()),
		StopSignal:      or0(maybe(t, "signal", rapid.SampledFrom([]string{"SIGINT", "9"}))),
		StopGracePeriod: maybe(t, "grace", rapid.OneOf(anyDuration(), rapid.Just(time.Duration(0)))),
		TTY:             rapid.Bool().Draw(t, "tty"),
		OpenStdin:       rapid.Bool().Draw(t, "stdin"),
		ReadOnly:        rapid.Bool().Draw(t, "read only"),
		Mounts:          w.mounts(t),
		Healthcheck:     health(t),
		Hosts:           rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1.1.1.1 a", "::1 b", "fe80::1 c.d", "10.0.0.1 e_f"}), 0, 3, rapid.ID).Draw(t, "hosts"),
		DNSConfig:       dns(t),
		Secrets:         w.secretRefs(t),
		Configs:         w.configRefs(t),
		Sysctls:         anyPairs().Draw(t, "sysctls"),
		CapabilityAdd:   capabilities(t, "CAP_CHOWN", "CAP_NET_ADMIN", "CAP_SYS_TIME"),
		CapabilityDrop:  capabilities(t, "CAP_KILL", "CAP_MKNOD"),
		Ulimits:         ulimits(t),
		OomScoreAdj:     rapid.Int64Range(-10, 10).Draw(t, "oom"),
		Groups:          rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"44", "audio"}), 0, 2, rapid.ID).Draw(t, "groups"),
	}
}

func environment(t *rapid.T) []string {
	var out []string
	for k, v := range anyPairs().Draw(t, "environment") {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

func capabilities(t *rapid.T, from ...string) []string {
	out := rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID).Draw(t, "capabilities")
	slices.Sort(out)
	return out
}

func ulimits(t *rapid.T) []*container.Ulimit {
	var out []*container.Ulimit
	for _, name := range []string{"nofile", "nproc"} {
		if rapid.Bool().Draw(t, name) {
			n := rapid.Int64Range(-1, 3)
			out = append(out, &container.Ulimit{Name: name, Soft: n.Draw(t, "soft"), Hard: n.Draw(t, "hard")})
		}
	}
	return out
}

func dns(t *rapid.T) *swarm.DNSConfig {
	d := swarm.DNSConfig{
		Nameservers: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1.1.1.1", "::1"}), 0, 2, rapid.ID).Draw(t, "dns"),
		Search:      rapid.SliceOfNDistinct(anyName(), 0, 2, rapid.ID).Draw(t, "search"),
		Options:     rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"ndots:1", "rotate"}), 0, 2, rapid.ID).Draw(t, "options"),
	}
	return maybe(t, "dns", rapid.Just(d))
}

func health(t *rapid.T) *container.HealthConfig {
	every := rapid.OneOf(anyDuration(), rapid.Just(time.Duration(0)))
	return maybe(t, "health", rapid.Custom(func(t *rapid.T) container.HealthConfig {
		test := rapid.OneOf(rapid.Just([]string{"NONE"}), rapid.Just([]string(nil)), rapid.Map(anyText(), func(s string) []string { return []string{"CMD-SHELL", s} }))
		return container.HealthConfig{
			Test: test.Draw(t, "test"), Interval: every.Draw(t, "interval"), Timeout: every.Draw(t, "timeout"),
			StartPeriod: every.Draw(t, "start"), StartInterval: every.Draw(t, "start interval"), Retries: rapid.IntRange(0, 3).Draw(t, "retries"),
		}
	}))
}

func logging(t *rapid.T) *swarm.Driver {
	return maybe(t, "logging", rapid.Custom(func(t *rapid.T) swarm.Driver {
		return swarm.Driver{Name: rapid.SampledFrom([]string{"", "json-file"}).Draw(t, "driver"), Options: anyMap().Draw(t, "options")}
	}))
}

func resources(t *rapid.T) *swarm.ResourceRequirements {
	cpus := rapid.SampledFrom([]int64{0, 1e9, 1e6, 333333333, 1500000000})
	memory := rapid.SampledFrom([]int64{0, 4 << 20, 512 << 20, 3 << 30, 4<<20 + 1, 1 << 40})
	return &swarm.ResourceRequirements{
		Limits: maybe(t, "limits", rapid.Custom(func(t *rapid.T) swarm.Limit {
			return swarm.Limit{NanoCPUs: cpus.Draw(t, "cpus"), MemoryBytes: memory.Draw(t, "memory"), Pids: rapid.Int64Range(0, 2).Draw(t, "pids")}
		})),
		Reservations: maybe(t, "reservations", rapid.Custom(func(t *rapid.T) swarm.Resources {
			r := swarm.Resources{NanoCPUs: cpus.Draw(t, "cpus"), MemoryBytes: memory.Draw(t, "memory")}
			if g := maybe(t, "gpu", rapid.Int64Range(0, 3)); g != nil {
				r.GenericResources = []swarm.GenericResource{{DiscreteResourceSpec: &swarm.DiscreteGenericResource{Kind: "gpu", Value: *g}}}
			}
			return r
		})),
	}
}

func restartPolicy(t *rapid.T) swarm.RestartPolicy {
	d := rapid.OneOf(anyDuration(), rapid.Just(time.Duration(0)))
	return swarm.RestartPolicy{
		Condition:   rapid.SampledFrom([]swarm.RestartPolicyCondition{"none", "any", "on-failure"}).Draw(t, "condition"),
		Delay:       maybe(t, "delay", d),
		MaxAttempts: maybe(t, "attempts", rapid.Uint64Range(0, 3)),
		Window:      maybe(t, "window", d),
	}
}

func updateConfig(t *rapid.T) swarm.UpdateConfig {
	d := rapid.OneOf(anyDuration(), rapid.Just(time.Duration(0)))
	return swarm.UpdateConfig{
		Parallelism: rapid.Uint64Range(0, 3).Draw(t, "parallelism"), Delay: d.Draw(t, "delay"), Monitor: d.Draw(t, "monitor"),
		FailureAction:   rapid.SampledFrom([]string{"", "pause", "continue", "rollback"}).Draw(t, "action"),
		MaxFailureRatio: rapid.SampledFrom([]float32{0, 0.1, 1, 0.33333334}).Draw(t, "ratio"),
		Order:           rapid.SampledFrom([]string{"", "start-first", "stop-first"}).Draw(t, "order"),
	}
}

func placement(t *rapid.T) *swarm.Placement {
	p := &swarm.Placement{
		Constraints: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"node.role==manager", " node.labels.a != $x "}), 0, 2, rapid.ID).Draw(t, "constraints"),
		MaxReplicas: rapid.Uint64Range(0, 3).Draw(t, "max"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "preferences") {
		p.Preferences = append(p.Preferences, swarm.PlacementPreference{Spread: &swarm.SpreadOver{SpreadDescriptor: "node.labels.z"}})
	}
	return p
}

func (w *world) endpoint(t *rapid.T) *swarm.EndpointSpec {
	e := &swarm.EndpointSpec{Mode: rapid.SampledFrom([]swarm.ResolutionMode{"", "vip", "dnsrr"}).Draw(t, "mode")}
	for i := range rapid.IntRange(0, 3).Draw(t, "ports") {
		p := swarm.PortConfig{
			Name:       or0(maybe(t, "name", anyName())),
			Protocol:   rapid.SampledFrom([]swarm.PortConfigProtocol{"", "tcp", "udp", "sctp"}).Draw(t, "protocol"),
			TargetPort: uint32(80 + i), PublishMode: rapid.SampledFrom([]swarm.PortConfigPublishMode{"", "host", "ingress"}).Draw(t, "publish"),
		}
		if rapid.Bool().Draw(t, "published") {
			w.ports++
			p.PublishedPort = uint32(8000 + w.ports)
		}
		if e.Mode == "dnsrr" {
			p.PublishMode = "host"
		}
		e.Ports = append(e.Ports, p)
	}
	slices.SortStableFunc(e.Ports, func(a, b swarm.PortConfig) int { return int(a.PublishedPort) - int(b.PublishedPort) })
	return e
}

func serviceMode(t *rapid.T) swarm.ServiceMode {
	n := rapid.Uint64Range(0, 3).Draw(t, "replicas")
	return rapid.SampledFrom([]swarm.ServiceMode{
		{Replicated: &swarm.ReplicatedService{}}, {Replicated: &swarm.ReplicatedService{Replicas: &n}},
		{Global: &swarm.GlobalService{}}, {GlobalJob: &swarm.GlobalJob{}},
		{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: &n, TotalCompletions: &n}}, {ReplicatedJob: &swarm.ReplicatedJob{}},
	}).Draw(t, "mode")
}
