package engine_test

import (
	"fmt"
	"reflect"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
)

// words are what a Compose file calls the fields of a service; * is the key of
// a list's element.
var words = map[string]string{
	"Labels":                                     "deploy.labels",
	"TaskTemplate.ContainerSpec.Image":           "image",
	"TaskTemplate.ContainerSpec.Labels":          "labels",
	"TaskTemplate.ContainerSpec.Command":         "entrypoint",
	"TaskTemplate.ContainerSpec.Args":            "command",
	"TaskTemplate.ContainerSpec.Hostname":        "hostname",
	"TaskTemplate.ContainerSpec.Dir":             "working_dir",
	"TaskTemplate.ContainerSpec.User":            "user",
	"TaskTemplate.ContainerSpec.Groups":          "group_add",
	"TaskTemplate.ContainerSpec.Init":            "init",
	"TaskTemplate.ContainerSpec.StopSignal":      "stop_signal",
	"TaskTemplate.ContainerSpec.TTY":             "tty",
	"TaskTemplate.ContainerSpec.OpenStdin":       "stdin_open",
	"TaskTemplate.ContainerSpec.ReadOnly":        "read_only",
	"TaskTemplate.ContainerSpec.StopGracePeriod": "stop_grace_period",
	"TaskTemplate.ContainerSpec.Hosts":           "extra_hosts",
	"TaskTemplate.ContainerSpec.Isolation":       "isolation",
	"TaskTemplate.ContainerSpec.Sysctls":         "sysctls",
	"TaskTemplate.ContainerSpec.CapabilityAdd":   "cap_add",
	"TaskTemplate.ContainerSpec.CapabilityDrop":  "cap_drop",
	"TaskTemplate.ContainerSpec.OomScoreAdj":     "oom_score_adj",
	"TaskTemplate.ContainerSpec.Ulimits[]":       "ulimits.*",
	"TaskTemplate.ContainerSpec.Ulimits[].Name":  "ulimits.*",
	"TaskTemplate.ContainerSpec.Ulimits[].Soft":  "ulimits.*.soft",
	"TaskTemplate.ContainerSpec.Ulimits[].Hard":  "ulimits.*.hard",

	"TaskTemplate.ContainerSpec.DNSConfig":             "dns",
	"TaskTemplate.ContainerSpec.DNSConfig.Nameservers": "dns",
	"TaskTemplate.ContainerSpec.DNSConfig.Search":      "dns_search",
	"TaskTemplate.ContainerSpec.DNSConfig.Options":     "dns_opt",

	"TaskTemplate.ContainerSpec.Privileges.CredentialSpec.Config":   "credential_spec.config",
	"TaskTemplate.ContainerSpec.Privileges.CredentialSpec.File":     "credential_spec.file",
	"TaskTemplate.ContainerSpec.Privileges.CredentialSpec.Registry": "credential_spec.registry",
	"TaskTemplate.ContainerSpec.Privileges.SELinuxContext.Disable":  "privileges.selinux_context.disable",
	"TaskTemplate.ContainerSpec.Privileges.SELinuxContext.User":     "privileges.selinux_context.user",
	"TaskTemplate.ContainerSpec.Privileges.SELinuxContext.Role":     "privileges.selinux_context.role",
	"TaskTemplate.ContainerSpec.Privileges.SELinuxContext.Type":     "privileges.selinux_context.type",
	"TaskTemplate.ContainerSpec.Privileges.SELinuxContext.Level":    "privileges.selinux_context.level",
	"TaskTemplate.ContainerSpec.Privileges.Seccomp.Mode":            "privileges.seccomp.mode",
	"TaskTemplate.ContainerSpec.Privileges.Seccomp.Profile":         "privileges.seccomp.profile",
	"TaskTemplate.ContainerSpec.Privileges.AppArmor.Mode":           "privileges.apparmor.mode",
	"TaskTemplate.ContainerSpec.Privileges.NoNewPrivileges":         "privileges.no_new_privileges",

	"TaskTemplate.ContainerSpec.Healthcheck.Test":          "healthcheck.test",
	"TaskTemplate.ContainerSpec.Healthcheck.Interval":      "healthcheck.interval",
	"TaskTemplate.ContainerSpec.Healthcheck.Timeout":       "healthcheck.timeout",
	"TaskTemplate.ContainerSpec.Healthcheck.StartPeriod":   "healthcheck.start_period",
	"TaskTemplate.ContainerSpec.Healthcheck.StartInterval": "healthcheck.start_interval",
	"TaskTemplate.ContainerSpec.Healthcheck.Retries":       "healthcheck.retries",

	"TaskTemplate.ContainerSpec.Mounts[]":                                    "volumes.*",
	"TaskTemplate.ContainerSpec.Mounts[].Target":                             "volumes.*",
	"TaskTemplate.ContainerSpec.Mounts[].Type":                               "volumes.*.type",
	"TaskTemplate.ContainerSpec.Mounts[].Source":                             "volumes.*.source",
	"TaskTemplate.ContainerSpec.Mounts[].ReadOnly":                           "volumes.*.read_only",
	"TaskTemplate.ContainerSpec.Mounts[].BindOptions.Propagation":            "volumes.*.bind.propagation",
	"TaskTemplate.ContainerSpec.Mounts[].BindOptions.NonRecursive":           "volumes.*.bind.non_recursive",
	"TaskTemplate.ContainerSpec.Mounts[].VolumeOptions.NoCopy":               "volumes.*.volume.nocopy",
	"TaskTemplate.ContainerSpec.Mounts[].VolumeOptions.Labels":               "volumes.*.volume.labels",
	"TaskTemplate.ContainerSpec.Mounts[].VolumeOptions.Subpath":              "volumes.*.volume.subpath",
	"TaskTemplate.ContainerSpec.Mounts[].VolumeOptions.DriverConfig.Name":    "volumes.*.volume.driver",
	"TaskTemplate.ContainerSpec.Mounts[].VolumeOptions.DriverConfig.Options": "volumes.*.volume.driver_opts",
	"TaskTemplate.ContainerSpec.Mounts[].TmpfsOptions.SizeBytes":             "volumes.*.tmpfs.size",
	"TaskTemplate.ContainerSpec.Mounts[].TmpfsOptions.Mode":                  "volumes.*.tmpfs.mode",
	"TaskTemplate.ContainerSpec.Mounts[].TmpfsOptions.Options":               "volumes.*.tmpfs.options",

	"TaskTemplate.ContainerSpec.Secrets[]":            "secrets.*",
	"TaskTemplate.ContainerSpec.Secrets[].SecretName": "secrets.*.source",
	"TaskTemplate.ContainerSpec.Secrets[].File.Name":  "secrets.*",
	"TaskTemplate.ContainerSpec.Secrets[].File.UID":   "secrets.*.uid",
	"TaskTemplate.ContainerSpec.Secrets[].File.GID":   "secrets.*.gid",
	"TaskTemplate.ContainerSpec.Secrets[].File.Mode":  "secrets.*.mode",
	"TaskTemplate.ContainerSpec.Configs[]":            "configs.*",
	"TaskTemplate.ContainerSpec.Configs[].ConfigName": "configs.*.source",
	"TaskTemplate.ContainerSpec.Configs[].File.Name":  "configs.*",
	"TaskTemplate.ContainerSpec.Configs[].File.UID":   "configs.*.uid",
	"TaskTemplate.ContainerSpec.Configs[].File.GID":   "configs.*.gid",
	"TaskTemplate.ContainerSpec.Configs[].File.Mode":  "configs.*.mode",

	"TaskTemplate.Networks[]":            "networks.*",
	"TaskTemplate.Networks[].Target":     "networks.*",
	"TaskTemplate.Networks[].Aliases":    "networks.*.aliases",
	"TaskTemplate.Networks[].DriverOpts": "networks.*.driver_opts",

	"TaskTemplate.Resources.Limits.NanoCPUs":                                            "deploy.resources.limits.cpus",
	"TaskTemplate.Resources.Limits.MemoryBytes":                                         "deploy.resources.limits.memory",
	"TaskTemplate.Resources.Limits.Pids":                                                "deploy.resources.limits.pids",
	"TaskTemplate.Resources.Reservations.NanoCPUs":                                      "deploy.resources.reservations.cpus",
	"TaskTemplate.Resources.Reservations.MemoryBytes":                                   "deploy.resources.reservations.memory",
	"TaskTemplate.Resources.Reservations.GenericResources":                              "deploy.resources.reservations.generic_resources",
	"TaskTemplate.Resources.Reservations.GenericResources[].NamedResourceSpec.Kind":     "deploy.resources.reservations.generic_resources",
	"TaskTemplate.Resources.Reservations.GenericResources[].NamedResourceSpec.Value":    "deploy.resources.reservations.generic_resources",
	"TaskTemplate.Resources.Reservations.GenericResources[].DiscreteResourceSpec.Kind":  "deploy.resources.reservations.generic_resources",
	"TaskTemplate.Resources.Reservations.GenericResources[].DiscreteResourceSpec.Value": "deploy.resources.reservations.generic_resources",

	"TaskTemplate.RestartPolicy.Condition":                         "deploy.restart_policy.condition",
	"TaskTemplate.RestartPolicy.Delay":                             "deploy.restart_policy.delay",
	"TaskTemplate.RestartPolicy.MaxAttempts":                       "deploy.restart_policy.max_attempts",
	"TaskTemplate.RestartPolicy.Window":                            "deploy.restart_policy.window",
	"TaskTemplate.Placement.Constraints":                           "deploy.placement.constraints",
	"TaskTemplate.Placement.Preferences":                           "deploy.placement.preferences",
	"TaskTemplate.Placement.Preferences[].Spread.SpreadDescriptor": "deploy.placement.preferences",
	"TaskTemplate.Placement.MaxReplicas":                           "deploy.placement.max_replicas_per_node",
	"TaskTemplate.LogDriver.Name":                                  "logging.driver",
	"TaskTemplate.LogDriver.Options":                               "logging.options",

	"Mode.Replicated.Replicas":            "deploy.replicas",
	"Mode.ReplicatedJob.MaxConcurrent":    "deploy.max_concurrent",
	"Mode.ReplicatedJob.TotalCompletions": "deploy.replicas",

	"UpdateConfig.Parallelism":       "deploy.update_config.parallelism",
	"UpdateConfig.Delay":             "deploy.update_config.delay",
	"UpdateConfig.FailureAction":     "deploy.update_config.failure_action",
	"UpdateConfig.Monitor":           "deploy.update_config.monitor",
	"UpdateConfig.MaxFailureRatio":   "deploy.update_config.max_failure_ratio",
	"UpdateConfig.Order":             "deploy.update_config.order",
	"RollbackConfig.Parallelism":     "deploy.rollback_config.parallelism",
	"RollbackConfig.Delay":           "deploy.rollback_config.delay",
	"RollbackConfig.FailureAction":   "deploy.rollback_config.failure_action",
	"RollbackConfig.Monitor":         "deploy.rollback_config.monitor",
	"RollbackConfig.MaxFailureRatio": "deploy.rollback_config.max_failure_ratio",
	"RollbackConfig.Order":           "deploy.rollback_config.order",

	"EndpointSpec.Mode":                  "deploy.endpoint_mode",
	"EndpointSpec.Ports[]":               "ports.*",
	"EndpointSpec.Ports[].Name":          "ports.*.name",
	"EndpointSpec.Ports[].Protocol":      "ports.*",
	"EndpointSpec.Ports[].TargetPort":    "ports.*",
	"EndpointSpec.Ports[].PublishedPort": "ports.*.published",
	"EndpointSpec.Ports[].PublishMode":   "ports.*.mode",
}

// identity is what an element of a list is called by.
var identity = map[string]func(reflect.Value) string{
	"TaskTemplate.ContainerSpec.Mounts[]":  func(v reflect.Value) string { return v.Interface().(mount.Mount).Target },
	"TaskTemplate.ContainerSpec.Ulimits[]": func(v reflect.Value) string { return v.Interface().(container.Ulimit).Name },
	"TaskTemplate.ContainerSpec.Secrets[]": func(v reflect.Value) string { return v.Interface().(swarm.SecretReference).File.Name },
	"TaskTemplate.ContainerSpec.Configs[]": func(v reflect.Value) string {
		if c := v.Interface().(swarm.ConfigReference); c.File == nil {
			return c.ConfigName
		}
		return v.Interface().(swarm.ConfigReference).File.Name
	},
	"TaskTemplate.Networks[]": func(v reflect.Value) string {
		return v.Interface().(swarm.NetworkAttachmentConfig).Target
	},
	"EndpointSpec.Ports[]": func(v reflect.Value) string {
		p := v.Interface().(swarm.PortConfig)
		return fmt.Sprintf("%d/%s", p.TargetPort, p.Protocol)
	},
}

// addedElement is one more for a list.
var addedElement = map[string]func() reflect.Value{
	"TaskTemplate.ContainerSpec.Mounts[]": func() reflect.Value {
		return reflect.ValueOf(mount.Mount{Type: mount.TypeTmpfs, Target: "/added"})
	},
	"TaskTemplate.ContainerSpec.Ulimits[]": func() reflect.Value { return reflect.ValueOf(&container.Ulimit{Name: "core", Hard: 1}) },
	"TaskTemplate.ContainerSpec.Secrets[]": func() reflect.Value {
		return reflect.ValueOf(&swarm.SecretReference{SecretName: stackName + "_three", File: &swarm.SecretReferenceFileTarget{Name: "added", UID: "0", GID: "0", Mode: 0o444}})
	},
	"TaskTemplate.ContainerSpec.Configs[]": func() reflect.Value {
		return reflect.ValueOf(&swarm.ConfigReference{ConfigName: stackName + "_three", File: &swarm.ConfigReferenceFileTarget{Name: "/added", UID: "0", GID: "0", Mode: 0o444}})
	},
	"TaskTemplate.Networks[]": func() reflect.Value {
		return reflect.ValueOf(swarm.NetworkAttachmentConfig{Target: stackName + "_c"})
	},
	"EndpointSpec.Ports[]": func() reflect.Value {
		return reflect.ValueOf(swarm.PortConfig{Protocol: swarm.PortConfigProtocolTCP, TargetPort: 99, PublishMode: swarm.PortConfigPublishModeHost})
	},
}
