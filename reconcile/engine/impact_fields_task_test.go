package engine

import (
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

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
