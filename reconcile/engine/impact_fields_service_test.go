package engine

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

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
