package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// fieldChange gives one field of a service another value, one that a person
// might write. What it needs around the field it makes as well.
type fieldChange struct {
	field string // in Go's words
	// sim: only the simulated Swarm takes it; the real one is API 1.41, has one
	// node, and starts what it is told to.
	sim bool
	do  func(r *rand.Rand, w *wanted)
}

// wanted is the stack under test and its one service.
type wanted struct {
	stack *spec.Stack
	spec  *swarm.ServiceSpec
	port  uint32 // the first of ports that are this stack's
}

func (w *wanted) container() *swarm.ContainerSpec { return w.spec.TaskTemplate.ContainerSpec }

func (w *wanted) health() *container.HealthConfig {
	return need(&w.container().Healthcheck, container.HealthConfig{Test: []string{"CMD", "true"}, Interval: time.Second})
}

func (w *wanted) update() *swarm.UpdateConfig {
	return need(&w.spec.UpdateConfig, swarm.UpdateConfig{})
}

func (w *wanted) rollback() *swarm.UpdateConfig {
	return need(&w.spec.RollbackConfig, swarm.UpdateConfig{})
}

func (w *wanted) restart() *swarm.RestartPolicy {
	return need(&w.spec.TaskTemplate.RestartPolicy, swarm.RestartPolicy{})
}

func (w *wanted) limits() *swarm.Limit {
	return need(&need(&w.spec.TaskTemplate.Resources, swarm.ResourceRequirements{}).Limits, swarm.Limit{})
}

func (w *wanted) reservations() *swarm.Resources {
	return need(&need(&w.spec.TaskTemplate.Resources, swarm.ResourceRequirements{}).Reservations, swarm.Resources{})
}

func (w *wanted) privileges() *swarm.Privileges {
	return need(&w.container().Privileges, swarm.Privileges{})
}

func (w *wanted) dns() *swarm.DNSConfig { return need(&w.container().DNSConfig, swarm.DNSConfig{}) }

func (w *wanted) endpoint() *swarm.EndpointSpec {
	return need(&w.spec.EndpointSpec, swarm.EndpointSpec{})
}

func (w *wanted) published() *swarm.PortConfig {
	e := w.endpoint()
	if len(e.Ports) == 0 {
		e.Ports = []swarm.PortConfig{{TargetPort: 80, PublishedPort: w.port, Protocol: swarm.PortConfigProtocolTCP, PublishMode: swarm.PortConfigPublishModeHost}}
	}
	return &e.Ports[0]
}

func (w *wanted) mount(kind mount.Type) *mount.Mount {
	c := w.container()
	for i := range c.Mounts {
		if c.Mounts[i].Type == kind {
			return &c.Mounts[i]
		}
	}
	m := mount.Mount{Type: kind, Target: "/" + string(kind)}
	switch kind {
	case mount.TypeVolume:
		m.Source = w.stack.Name + "_data"
	case mount.TypeBind:
		m.Source = "/proc" // there on every node
	}
	c.Mounts = append(c.Mounts, m)
	return &c.Mounts[len(c.Mounts)-1]
}

func (w *wanted) volume() *mount.VolumeOptions {
	return need(&w.mount(mount.TypeVolume).VolumeOptions, mount.VolumeOptions{})
}

func (w *wanted) tmpfs() *mount.TmpfsOptions {
	return need(&w.mount(mount.TypeTmpfs).TmpfsOptions, mount.TmpfsOptions{})
}

// need is the struct behind a pointer, made when there is none.
func need[T any](p **T, zero T) *T {
	if *p == nil {
		*p = &zero
	}
	return *p
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func maybe[T any](r *rand.Rand, from ...T) *T {
	if r.IntN(3) == 0 {
		return nil
	}
	return new(pick(r, from...))
}

// some is a few of the texts, in their order.
func some(r *rand.Rand, from ...string) []string {
	return slices.DeleteFunc(slices.Clone(from), func(string) bool { return r.IntN(2) == 0 })
}

func words(r *rand.Rand) map[string]string {
	m := map[string]string{}
	for _, k := range some(r, "a.b", "tier", "note") {
		m[k] = pick(r, "1", "two", "")
	}
	return m
}

func setLabels(own *map[string]string, r *rand.Rand) {
	fresh := words(r)
	for k, v := range *own {
		if strings.HasPrefix(k, "com.docker.") {
			fresh[k] = v
		}
	}
	*own = fresh
}

func fieldChanges() []fieldChange {
	return slices.Concat(serviceChanges(), containerChanges(), mountChanges(), referenceChanges(), taskChanges(), placementChanges())
}

func serviceChanges() []fieldChange {
	orders := []string{swarm.UpdateOrderStopFirst, swarm.UpdateOrderStartFirst}
	var out []fieldChange
	for name, config := range map[string]func(*wanted) *swarm.UpdateConfig{"UpdateConfig": (*wanted).update, "RollbackConfig": (*wanted).rollback} {
		out = append(out,
			// Not below the number of tasks: a task that cannot start holds up those behind it.
			fieldChange{field: name + ".Parallelism", do: func(r *rand.Rand, w *wanted) { config(w).Parallelism = pick[uint64](r, 0, 6, 9) }},
			fieldChange{field: name + ".Delay", do: func(r *rand.Rand, w *wanted) { config(w).Delay = pick(r, 0, time.Millisecond, 2*time.Millisecond) }},
			fieldChange{field: name + ".FailureAction", do: func(r *rand.Rand, w *wanted) {
				config(w).FailureAction = pick(r, swarm.UpdateFailureActionPause, swarm.UpdateFailureActionContinue)
			}},
			fieldChange{field: name + ".Monitor", do: func(r *rand.Rand, w *wanted) {
				config(w).Monitor = pick(r, time.Millisecond, 5*time.Millisecond, 9*time.Millisecond)
			}},
			fieldChange{field: name + ".MaxFailureRatio", do: func(r *rand.Rand, w *wanted) { config(w).MaxFailureRatio = pick[float32](r, 0, 0.5, 1) }},
			fieldChange{field: name + ".Order", do: func(r *rand.Rand, w *wanted) { config(w).Order = pick(r, orders...) }},
		)
	}
	return append(out,
		fieldChange{field: "Annotations.Labels", do: func(r *rand.Rand, w *wanted) { setLabels(&w.spec.Labels, r) }},
		fieldChange{field: "Mode.Replicated.Replicas", do: func(r *rand.Rand, w *wanted) {
			if m := w.spec.Mode.Replicated; m != nil {
				m.Replicas = new(pick[uint64](r, 0, 1, 2, 3, 4, 5))
			}
		}},
		fieldChange{field: "EndpointSpec.Mode", do: func(r *rand.Rand, w *wanted) {
			w.endpoint().Mode = pick(r, swarm.ResolutionModeVIP, swarm.ResolutionModeDNSRR)
		}},
		fieldChange{field: "EndpointSpec.Ports.Name", do: func(r *rand.Rand, w *wanted) { w.published().Name = pick(r, "", "web", "api") }},
		fieldChange{field: "EndpointSpec.Ports.Protocol", do: func(r *rand.Rand, w *wanted) {
			w.published().Protocol = pick(r, swarm.PortConfigProtocolTCP, swarm.PortConfigProtocolUDP)
		}},
		fieldChange{field: "EndpointSpec.Ports.TargetPort", do: func(r *rand.Rand, w *wanted) { w.published().TargetPort = pick[uint32](r, 80, 81, 82) }},
		fieldChange{field: "EndpointSpec.Ports.PublishedPort", do: func(r *rand.Rand, w *wanted) { w.published().PublishedPort = w.port + r.Uint32N(5) }},
		fieldChange{field: "EndpointSpec.Ports.PublishMode", do: func(r *rand.Rand, w *wanted) {
			w.endpoint().Mode = swarm.ResolutionModeVIP
			w.published().PublishMode = pick(r, swarm.PortConfigPublishModeHost, swarm.PortConfigPublishModeIngress)
		}},
	)
}

func containerChanges() []fieldChange {
	const c = "TaskTemplate.ContainerSpec."
	return []fieldChange{
		{field: c + "Image", do: func(r *rand.Rand, w *wanted) {
			w.container().Image = pick(r, "busybox:1.36", "busybox:1.37", "busybox")
			w.spec.Labels[spec.LabelImage] = w.container().Image
		}},
		{field: c + "Labels", do: func(r *rand.Rand, w *wanted) { setLabels(&w.container().Labels, r) }},
		{field: c + "Command", do: func(r *rand.Rand, w *wanted) {
			w.container().Command = pick(r, nil, []string{"sleep"}, []string{"/bin/sleep"})
			w.container().Args = []string{"100000"}
			if w.container().Command == nil {
				w.container().Args = []string{"sleep", "100000"}
			}
		}},
		{field: c + "Args", do: func(r *rand.Rand, w *wanted) {
			w.container().Command = []string{"sleep"}
			w.container().Args = []string{pick(r, "100000", "100001", "100002")}
		}},
		{field: c + "Hostname", do: func(r *rand.Rand, w *wanted) {
			w.container().Hostname = pick(r, "", "app", "{{.Service.Name}}-{{.Task.Slot}}")
		}},
		{field: c + "Env", do: func(r *rand.Rand, w *wanted) {
			w.container().Env = append(some(r, "A=1", "EMPTY="), "LOG_LEVEL="+pick(r, "info", "debug", ""))
		}},
		{field: c + "Dir", do: func(r *rand.Rand, w *wanted) { w.container().Dir = pick(r, "", "/tmp", "/") }},
		{field: c + "User", do: func(r *rand.Rand, w *wanted) { w.container().User = pick(r, "", "1000", "1000:1000") }},
		{field: c + "Groups", do: func(r *rand.Rand, w *wanted) { w.container().Groups = some(r, "100", "101") }},
		{field: c + "Privileges.CredentialSpec.File", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.privileges().CredentialSpec = &swarm.CredentialSpec{File: pick(r, "a.json", "b.json")}
		}},
		{field: c + "Privileges.CredentialSpec.Registry", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.privileges().CredentialSpec = &swarm.CredentialSpec{Registry: pick(r, "a", "b")}
		}},
		{field: c + "Privileges.CredentialSpec.Config", sim: true, do: func(r *rand.Rand, w *wanted) {
			name := pick(r, "a", "b")
			w.privileges().CredentialSpec = &swarm.CredentialSpec{Config: w.stack.Name + "_" + name}
			w.container().Configs = slices.DeleteFunc(w.container().Configs, func(ref *swarm.ConfigReference) bool { return ref.Runtime != nil })
			w.container().Configs = append(w.container().Configs, &swarm.ConfigReference{
				ConfigName: w.stack.Name + "_" + name, Runtime: &swarm.ConfigReferenceRuntimeTarget{},
			})
		}},
		{field: c + "Privileges.SELinuxContext.Disable", do: func(r *rand.Rand, w *wanted) {
			w.privileges().SELinuxContext = &swarm.SELinuxContext{Disable: pick(r, true, false)}
		}},
		{field: c + "Privileges.SELinuxContext.User", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.privileges().SELinuxContext = &swarm.SELinuxContext{User: pick(r, "u", "v")}
		}},
		{field: c + "Privileges.SELinuxContext.Role", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.privileges().SELinuxContext = &swarm.SELinuxContext{Role: pick(r, "u", "v")}
		}},
		{field: c + "Privileges.SELinuxContext.Type", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.privileges().SELinuxContext = &swarm.SELinuxContext{Type: pick(r, "u", "v")}
		}},
		{field: c + "Privileges.SELinuxContext.Level", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.privileges().SELinuxContext = &swarm.SELinuxContext{Level: pick(r, "u", "v")}
		}},
		{field: c + "Privileges.Seccomp.Mode", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.privileges().Seccomp = &swarm.SeccompOpts{Mode: pick(r, swarm.SeccompModeDefault, swarm.SeccompModeUnconfined)}
		}},
		{field: c + "Privileges.Seccomp.Profile", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.privileges().Seccomp = &swarm.SeccompOpts{Mode: swarm.SeccompModeCustom, Profile: []byte(pick(r, "{}", "[]"))}
		}},
		{field: c + "Privileges.AppArmor.Mode", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.privileges().AppArmor = &swarm.AppArmorOpts{Mode: pick(r, swarm.AppArmorModeDefault, swarm.AppArmorModeDisabled)}
		}},
		{field: c + "Privileges.NoNewPrivileges", sim: true, do: func(r *rand.Rand, w *wanted) { w.privileges().NoNewPrivileges = pick(r, true, false) }},
		{field: c + "Init", sim: true, do: func(r *rand.Rand, w *wanted) { w.container().Init = maybe(r, true, false) }},
		{field: c + "StopSignal", do: func(r *rand.Rand, w *wanted) { w.container().StopSignal = pick(r, "SIGKILL", "KILL") }},
		{field: c + "TTY", do: func(r *rand.Rand, w *wanted) { w.container().TTY = pick(r, true, false) }},
		{field: c + "OpenStdin", do: func(r *rand.Rand, w *wanted) { w.container().OpenStdin = pick(r, true, false) }},
		{field: c + "ReadOnly", do: func(r *rand.Rand, w *wanted) { w.container().ReadOnly = pick(r, true, false) }},
		{field: c + "StopGracePeriod", do: func(r *rand.Rand, w *wanted) {
			w.container().StopGracePeriod = maybe(r, 0, time.Second, 10*time.Second)
		}},
		{field: c + "Healthcheck.Test", do: func(r *rand.Rand, w *wanted) {
			w.health().Test = pick(r, []string{"NONE"}, []string{"CMD", "true"}, []string{"CMD-SHELL", "true"})
		}},
		{field: c + "Healthcheck.Interval", do: func(r *rand.Rand, w *wanted) { w.health().Interval = pick(r, time.Second, 500*time.Millisecond) }},
		{field: c + "Healthcheck.Timeout", do: func(r *rand.Rand, w *wanted) { w.health().Timeout = pick(r, 0, 9*time.Second, 10*time.Second) }},
		{field: c + "Healthcheck.StartPeriod", do: func(r *rand.Rand, w *wanted) { w.health().StartPeriod = pick(r, 0, time.Second) }},
		{field: c + "Healthcheck.StartInterval", sim: true, do: func(r *rand.Rand, w *wanted) { w.health().StartInterval = pick(r, 0, time.Second) }},
		{field: c + "Healthcheck.Retries", do: func(r *rand.Rand, w *wanted) { w.health().Retries = pick(r, 0, 3, 5) }},
		{field: c + "Hosts", do: func(r *rand.Rand, w *wanted) { w.container().Hosts = some(r, "10.0.0.1 one", "10.0.0.2 two") }},
		{field: c + "DNSConfig.Nameservers", do: func(r *rand.Rand, w *wanted) { w.dns().Nameservers = some(r, "9.9.9.9", "1.1.1.1") }},
		{field: c + "DNSConfig.Search", do: func(r *rand.Rand, w *wanted) { w.dns().Search = some(r, "example.com", "example.org") }},
		{field: c + "DNSConfig.Options", do: func(r *rand.Rand, w *wanted) { w.dns().Options = some(r, "ndots:2", "timeout:3") }},
		{field: c + "Isolation", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.container().Isolation = pick[container.Isolation](r, "", "default", "process", "hyperv")
		}},
		{field: c + "Sysctls", do: func(r *rand.Rand, w *wanted) {
			w.container().Sysctls = pick(r, nil, map[string]string{"net.ipv4.ip_unprivileged_port_start": pick(r, "0", "80")})
		}},
		{field: c + "CapabilityAdd", do: func(r *rand.Rand, w *wanted) { w.container().CapabilityAdd = some(r, "CAP_NET_ADMIN", "CAP_SYS_TIME") }},
		{field: c + "CapabilityDrop", do: func(r *rand.Rand, w *wanted) { w.container().CapabilityDrop = some(r, "CAP_CHOWN", "CAP_MKNOD") }},
		{field: c + "Ulimits", do: func(r *rand.Rand, w *wanted) {
			w.container().Ulimits = pick(r, nil, []*container.Ulimit{{Name: "nofile", Soft: pick[int64](r, 512, 1024), Hard: pick[int64](r, 1024, 2048)}})
		}},
		{field: c + "OomScoreAdj", sim: true, do: func(r *rand.Rand, w *wanted) { w.container().OomScoreAdj = pick[int64](r, 0, 100, 200) }},
	}
}

func mountChanges() []fieldChange {
	const m = "TaskTemplate.ContainerSpec.Mounts."
	return []fieldChange{
		{field: m + "Type", do: func(r *rand.Rand, w *wanted) {
			c := w.container()
			c.Mounts = slices.DeleteFunc(c.Mounts, func(m mount.Mount) bool { return m.Target == "/swap" })
			c.Mounts = append(c.Mounts, pick(r, mount.Mount{Type: mount.TypeTmpfs, Target: "/swap"},
				mount.Mount{Type: mount.TypeVolume, Target: "/swap", Source: w.stack.Name + "_swap"}))
		}},
		{field: m + "Source", do: func(r *rand.Rand, w *wanted) {
			w.mount(mount.TypeVolume).Source = w.stack.Name + pick(r, "_data", "_other")
		}},
		{field: m + "Target", do: func(r *rand.Rand, w *wanted) { w.mount(mount.TypeVolume).Target = pick(r, "/volume", "/data") }},
		{field: m + "ReadOnly", do: func(r *rand.Rand, w *wanted) { w.mount(mount.TypeVolume).ReadOnly = pick(r, true, false) }},
		{field: m + "BindOptions.Propagation", do: func(r *rand.Rand, w *wanted) {
			w.mount(mount.TypeBind).BindOptions = pick(r, nil, &mount.BindOptions{Propagation: mount.PropagationRPrivate}, &mount.BindOptions{Propagation: mount.PropagationPrivate})
		}},
		{field: m + "BindOptions.NonRecursive", do: func(r *rand.Rand, w *wanted) {
			w.mount(mount.TypeBind).BindOptions = &mount.BindOptions{NonRecursive: pick(r, true, false)}
		}},
		{field: m + "VolumeOptions.NoCopy", do: func(r *rand.Rand, w *wanted) { w.volume().NoCopy = pick(r, true, false) }},
		{field: m + "VolumeOptions.Labels", do: func(r *rand.Rand, w *wanted) { setLabels(&w.volume().Labels, r) }},
		{field: m + "VolumeOptions.Subpath", sim: true, do: func(r *rand.Rand, w *wanted) { w.volume().Subpath = pick(r, "", "a", "b") }},
		{field: m + "VolumeOptions.DriverConfig.Name", do: func(r *rand.Rand, w *wanted) {
			w.volume().DriverConfig = pick(r, nil, &mount.Driver{Name: "local"})
		}},
		{field: m + "VolumeOptions.DriverConfig.Options", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.volume().DriverConfig = &mount.Driver{Name: "local", Options: map[string]string{"type": "tmpfs", "device": "tmpfs", "o": pick(r, "size=1m", "size=2m")}}
		}},
		{field: m + "TmpfsOptions.SizeBytes", do: func(r *rand.Rand, w *wanted) { w.tmpfs().SizeBytes = pick[int64](r, 0, 1<<20, 1<<21) }},
		{field: m + "TmpfsOptions.Mode", do: func(r *rand.Rand, w *wanted) { w.tmpfs().Mode = pick[os.FileMode](r, 0, 0o700, 0o1777) }},
		{field: m + "TmpfsOptions.Options", sim: true, do: func(r *rand.Rand, w *wanted) {
			w.tmpfs().Options = pick(r, nil, [][]string{{"exec"}}, [][]string{{"uid", "1000"}})
		}},
	}
}

func (w *wanted) secretRef() *swarm.SecretReference {
	c := w.container()
	if len(c.Secrets) == 0 {
		c.Secrets = []*swarm.SecretReference{{SecretName: w.stack.Name + "_a", File: &swarm.SecretReferenceFileTarget{Name: "a", UID: "0", GID: "0", Mode: 0o444}}}
	}
	return c.Secrets[0]
}

func (w *wanted) configRef() *swarm.ConfigReference {
	c := w.container()
	for _, ref := range c.Configs {
		if ref.File != nil {
			return ref
		}
	}
	c.Configs = append(c.Configs, &swarm.ConfigReference{ConfigName: w.stack.Name + "_a", File: &swarm.ConfigReferenceFileTarget{Name: "/a", UID: "0", GID: "0", Mode: 0o444}})
	return c.Configs[len(c.Configs)-1]
}

func referenceChanges() []fieldChange {
	const c = "TaskTemplate.ContainerSpec."
	return []fieldChange{
		{field: c + "Secrets.SecretName", do: func(r *rand.Rand, w *wanted) { w.secretRef().SecretName = w.stack.Name + pick(r, "_a", "_b") }},
		{field: c + "Secrets.File.Name", do: func(r *rand.Rand, w *wanted) { w.secretRef().File.Name = pick(r, "a", "b") }},
		{field: c + "Secrets.File.UID", do: func(r *rand.Rand, w *wanted) { w.secretRef().File.UID = pick(r, "0", "1000") }},
		{field: c + "Secrets.File.GID", do: func(r *rand.Rand, w *wanted) { w.secretRef().File.GID = pick(r, "0", "1000") }},
		{field: c + "Secrets.File.Mode", do: func(r *rand.Rand, w *wanted) { w.secretRef().File.Mode = pick[os.FileMode](r, 0o444, 0o400) }},
		{field: c + "Configs.ConfigName", do: func(r *rand.Rand, w *wanted) { w.configRef().ConfigName = w.stack.Name + pick(r, "_a", "_b") }},
		{field: c + "Configs.File.Name", do: func(r *rand.Rand, w *wanted) { w.configRef().File.Name = pick(r, "/a", "/b") }},
		{field: c + "Configs.File.UID", do: func(r *rand.Rand, w *wanted) { w.configRef().File.UID = pick(r, "0", "1000") }},
		{field: c + "Configs.File.GID", do: func(r *rand.Rand, w *wanted) { w.configRef().File.GID = pick(r, "0", "1000") }},
		{field: c + "Configs.File.Mode", do: func(r *rand.Rand, w *wanted) { w.configRef().File.Mode = pick[os.FileMode](r, 0o444, 0o400) }},
		{field: "the content of a secret", do: func(r *rand.Rand, w *wanted) {
			w.secretRef().SecretName = w.stack.Name + "_a"
			w.stack.Secrets[0].Data = spec.Sensitive(pick(r, "content one", "content two", "content three"))
		}},
		{field: "the content of a config", do: func(r *rand.Rand, w *wanted) {
			w.configRef().ConfigName = w.stack.Name + "_a"
			w.stack.Configs[0].Spec.Data = []byte(pick(r, "one", "two", "three"))
		}},
	}
}

func taskChanges() []fieldChange {
	const k = "TaskTemplate."
	return []fieldChange{
		{field: k + "Resources.Limits.NanoCPUs", do: func(r *rand.Rand, w *wanted) { w.limits().NanoCPUs = pick[int64](r, 0, 5e8, 1e9) }},
		{field: k + "Resources.Limits.MemoryBytes", do: func(r *rand.Rand, w *wanted) { w.limits().MemoryBytes = pick[int64](r, 0, 64<<20, 128<<20) }},
		{field: k + "Resources.Limits.Pids", do: func(r *rand.Rand, w *wanted) { w.limits().Pids = pick[int64](r, 0, 100, 200) }},
		{field: k + "Resources.Reservations.NanoCPUs", do: func(r *rand.Rand, w *wanted) { w.reservations().NanoCPUs = pick[int64](r, 0, 1e7, 1e12) }},
		{field: k + "Resources.Reservations.MemoryBytes", do: func(r *rand.Rand, w *wanted) {
			w.reservations().MemoryBytes = pick[int64](r, 0, 4<<20, 8<<20, 1<<50)
		}},
		{field: k + "Resources.Reservations.GenericResources", do: func(r *rand.Rand, w *wanted) {
			w.reservations().GenericResources = pick(r, nil, []swarm.GenericResource{{DiscreteResourceSpec: &swarm.DiscreteGenericResource{Kind: "gpu", Value: pick[int64](r, 1, 2)}}})
		}},
		{field: k + "RestartPolicy.Condition", do: func(r *rand.Rand, w *wanted) {
			w.restart().Condition = pick(r, swarm.RestartPolicyConditionAny, swarm.RestartPolicyConditionNone, swarm.RestartPolicyConditionOnFailure)
		}},
		{field: k + "RestartPolicy.Delay", do: func(r *rand.Rand, w *wanted) { w.restart().Delay = maybe(r, 0, time.Millisecond, time.Hour) }},
		{field: k + "RestartPolicy.MaxAttempts", do: func(r *rand.Rand, w *wanted) { w.restart().MaxAttempts = maybe[uint64](r, 0, 1, 2) }},
		{field: k + "RestartPolicy.Window", do: func(r *rand.Rand, w *wanted) { w.restart().Window = maybe(r, 0, time.Minute) }},
		{field: k + "Networks.Target", do: func(r *rand.Rand, w *wanted) {
			t := &w.spec.TaskTemplate
			t.Networks = slices.DeleteFunc(t.Networks, func(n swarm.NetworkAttachmentConfig) bool { return n.Target == w.stack.Name+"_two" })
			if r.IntN(2) == 0 {
				t.Networks = append(t.Networks, swarm.NetworkAttachmentConfig{Target: w.stack.Name + "_two", Aliases: []string{"app"}})
			}
		}},
		{field: k + "Networks.Aliases", do: func(r *rand.Rand, w *wanted) {
			w.spec.TaskTemplate.Networks[0].Aliases = append(some(r, "one", "two"), "app")
		}},
		{field: k + "Networks.DriverOpts", sim: true, do: func(r *rand.Rand, w *wanted) { w.spec.TaskTemplate.Networks[0].DriverOpts = words(r) }},
		{field: k + "LogDriver.Name", do: func(r *rand.Rand, w *wanted) {
			w.spec.TaskTemplate.LogDriver = pick(r, nil, &swarm.Driver{Name: "json-file"}, &swarm.Driver{Name: "local"})
		}},
		{field: k + "LogDriver.Options", do: func(r *rand.Rand, w *wanted) {
			w.spec.TaskTemplate.LogDriver = &swarm.Driver{Name: "json-file", Options: map[string]string{"max-size": pick(r, "10m", "20m")}}
		}},
	}
}

func placementChanges() []fieldChange {
	const p = "TaskTemplate.Placement."
	return []fieldChange{
		{field: p + "Constraints", do: func(r *rand.Rand, w *wanted) {
			list := some(r, "node.hostname != node-2", "node.labels.zone == a", "node.platform.os==linux")
			if r.IntN(6) == 0 {
				list = append(list, "node.labels.zone==nowhere")
			}
			w.spec.TaskTemplate.Placement.Constraints = list
		}},
		{field: p + "Preferences.Spread.SpreadDescriptor", do: func(r *rand.Rand, w *wanted) {
			w.spec.TaskTemplate.Placement.Preferences = pick(r, nil, []swarm.PlacementPreference{{Spread: &swarm.SpreadOver{SpreadDescriptor: pick(r, "node.labels.zone", "node.labels.rack")}}})
		}},
		{field: p + "MaxReplicas", do: func(r *rand.Rand, w *wanted) {
			if w.spec.Mode.Replicated != nil {
				w.spec.TaskTemplate.Placement.MaxReplicas = pick[uint64](r, 0, 1, 2, 5)
			}
		}},
	}
}

// notChanged are fields that no plan changes, and why.
var notChanged = map[string]string{
	"Annotations.Name":                                                     "a service cannot be renamed",
	"Networks":                                                             "deprecated: TaskTemplate.Networks holds them",
	"TaskTemplate.PluginSpec":                                              "not a container",
	"TaskTemplate.NetworkAttachmentSpec":                                   "not a container",
	"TaskTemplate.Runtime":                                                 "always a container",
	"TaskTemplate.ForceUpdate":                                             "a counter for `docker service update --force`",
	"TaskTemplate.Placement.Platforms":                                     "written from the image's manifest",
	"Mode.Global":                                                          "has no fields; the mode cannot change",
	"Mode.GlobalJob":                                                       "has no fields; the mode cannot change",
	"Mode.ReplicatedJob":                                                   "TestImpactOfJobs",
	"TaskTemplate.ContainerSpec.Secrets.SecretID":                          "the name is what people mean",
	"TaskTemplate.ContainerSpec.Configs.ConfigID":                          "the name is what people mean",
	"TaskTemplate.ContainerSpec.Configs.Runtime":                           "goes with Privileges.CredentialSpec.Config",
	"TaskTemplate.ContainerSpec.Mounts.ImageOptions":                       "mounts of images cannot be asked of Swarm",
	"TaskTemplate.ContainerSpec.Mounts.Consistency":                        "dropped by the Engine",
	"TaskTemplate.ContainerSpec.Mounts.ClusterOptions":                     "has no fields",
	"TaskTemplate.ContainerSpec.Mounts.BindOptions.CreateMountpoint":       "dropped by the Engine",
	"TaskTemplate.ContainerSpec.Mounts.BindOptions.ReadOnlyNonRecursive":   "dropped by the Engine",
	"TaskTemplate.ContainerSpec.Mounts.BindOptions.ReadOnlyForceRecursive": "dropped by the Engine",
}

// Every field of a service is changed by the tests of impact, or there is a
// reason why not.
func TestImpactFieldsAreAllFields(t *testing.T) {
	have := map[string]bool{}
	for _, c := range fieldChanges() {
		have[c.field] = true
	}
	seen := map[string]bool{}
	var visit func(path string, typ reflect.Type)
	visit = func(path string, typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice && !have[path] {
			typ = typ.Elem()
		}
		seen[path] = true
		switch {
		case notChanged[path] != "" || have[path]:
		case typ.Kind() == reflect.Struct:
			for f := range typ.NumField() {
				visit(strings.TrimPrefix(path+"."+typ.Field(f).Name, "."), typ.Field(f).Type)
			}
		default:
			t.Errorf("nothing changes %s", path)
		}
	}
	visit("", reflect.TypeFor[swarm.ServiceSpec]())
	for path := range notChanged {
		if !seen[path] {
			t.Errorf("no field is %s", path)
		}
	}
	fmt.Printf("%d fields are changed, %d have a reason not to\n", len(have), len(notChanged))
}
