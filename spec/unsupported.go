package spec

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
)

// unsupported is a key of a service that Swarm has nothing for.
type unsupported struct {
	keys   []string
	errs   bool // leaving it out changes what the service does or may do
	remedy string
}

// The table never changes.
var unsupportedKeys = []unsupported{
	{[]string{"privileged"}, true, "remove it, and give single rights with cap_add"},
	{[]string{"devices", "device_cgroup_rules"}, true, "remove it, and mount the device as a bind mount where that is enough"},
	{[]string{"gpus"}, true, "remove it, and reserve generic_resources under deploy.resources.reservations"},
	{[]string{"network_mode"}, true, "remove it; for the host's network declare a network with `external: true` and `name: host` and join that"},
	{[]string{"pid", "ipc", "uts", "userns_mode", "cgroup"}, true, "remove it: a Swarm service has namespaces of its own"},
	{[]string{"security_opt"}, true, "remove it, and set the option as a default of the Engine"},
	{[]string{"cgroup_parent"}, false, "remove it"},
	{[]string{"mac_address"}, true, "remove it: Swarm gives every task its own address"},
	{[]string{"external_links"}, true, "join a network that both services are on, and use the service's name"},
	{[]string{"volumes_from"}, true, "declare a volume at the top level and mount it in both services"},
	{[]string{"volume_driver"}, true, "declare a volume at the top level with that driver"},
	{[]string{"cpu_shares", "cpu_quota", "cpu_period", "cpu_count", "cpu_percent", "cpu_rt_period", "cpu_rt_runtime", "cpuset"}, true,
		"write deploy.resources.limits.cpus"},
	{[]string{"memswap_limit", "mem_swappiness", "oom_kill_disable"}, true, "write deploy.resources.limits.memory"},
	{[]string{"blkio_config", "storage_opt", "umask", "runtime"}, true, "remove it, and set it as a default of the Engine"},
	{[]string{"shm_size"}, true, "mount a tmpfs with that size at /dev/shm"},
	{[]string{"domainname"}, true, "write the whole name as hostname"},
	{[]string{"use_api_socket"}, true, "mount /var/run/docker.sock as a bind mount"},
	{[]string{"provider", "models"}, true, "remove it: only docker compose knows it"},
	{[]string{"pre_start", "post_start", "pre_stop"}, true, "do it in the image's entrypoint"},
	{[]string{"build"}, false, "build and push the image, and name it with image:"},
	{[]string{"container_name"}, false, "remove it: Swarm names the containers, and the service's name is what others use"},
	{[]string{"links"}, false, "remove it: services on one network reach each other by name"},
	{[]string{"expose"}, false, "remove it: services on one network reach each other's every port"},
	{[]string{"develop", "attach", "pull_policy", "pull_refresh_after", "annotations"}, false, "remove it: only docker compose knows it"},
}

// checkUnsupported reports what Swarm cannot do. What docker stack deploy
// ignores is an error all the same where the service would then do something
// else, except in a file that was written for docker stack deploy.
func checkUnsupported(l *loading, m *model) {
	for section, remedy := range map[string]string{
		"jobs":   "write a service with `mode: replicated-job` under deploy",
		"models": "remove it: only docker compose knows it",
	} {
		if len(mapping(m.raw, section)) > 0 {
			l.report.fail("unsupported", l.index.find(section), section, "Swarm has no "+section, remedy)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.project.Services)) {
		u := unsupportedService{l, name, m.service(name)}
		u.keys()
		u.restart()
		u.networks()
		u.ports()
		u.mounts()
		u.devices()
	}
	for _, name := range slices.Sorted(maps.Keys(m.project.DisabledServices)) {
		l.report.warn("profile", l.index.find("services", name, "profiles"), "services."+name+".profiles",
			"none of its profiles is active, so the service is not part of the stack", "name one in COMPOSE_PROFILES")
	}
}

type unsupportedService struct {
	l    *loading
	name string
	raw  map[string]any
}

func (u unsupportedService) tell(failing bool, message, remedy string, path ...string) {
	path = append([]string{"services", u.name}, path...)
	severity := SeverityWarning
	if failing && !u.l.legacy {
		severity = SeverityError
	}
	u.l.report.add(severity, "unsupported", u.l.index.find(path...), dotted(path), message, remedy)
}

func (u unsupportedService) keys() {
	for _, row := range unsupportedKeys {
		for _, key := range row.keys {
			if v, ok := u.raw[key]; ok && v != false && v != nil {
				message := "Swarm cannot do this"
				if !row.errs || u.l.legacy {
					message = "Swarm ignores this"
				}
				u.tell(row.errs, message, row.remedy, key)
			}
		}
	}
	links, _ := u.raw["links"].([]any)
	for _, link := range links {
		if target, alias, ok := strings.Cut(fmt.Sprint(link), ":"); ok && alias != target {
			u.tell(true, "Swarm cannot give another service a second name for one client", "give the service an alias on the network", "links")
		}
	}
}

func (u unsupportedService) restart() {
	if u.raw["restart"] == nil {
		return
	}
	if mapping(u.raw, "deploy", "restart_policy") != nil {
		u.tell(false, "ignored: deploy.restart_policy says it", "remove it", "restart")
		return
	}
	if u.raw["restart"] == "no" {
		u.tell(false, "ignored: Swarm restarts a service's tasks by default", "write `condition: none` under deploy.restart_policy", "restart")
		return
	}
	u.tell(false, "taken as deploy.restart_policy", "write deploy.restart_policy with a condition", "restart")
}

func (u unsupportedService) networks() {
	for network := range mapping(u.raw, "networks") {
		options := mapping(u.raw, "networks", network)
		for _, key := range []string{"ipv4_address", "ipv6_address", "link_local_ips", "mac_address"} {
			if options[key] != nil {
				u.tell(true, "Swarm gives every task its own address", "remove it, and use the service's name", "networks", network, key)
			}
		}
		for _, key := range []string{"priority", "gw_priority", "interface_name"} {
			if options[key] != nil {
				u.tell(false, "Swarm ignores this", "remove it", "networks", network, key)
			}
		}
	}
}

func (u unsupportedService) ports() {
	ports, _ := u.raw["ports"].([]any)
	for i, p := range ports {
		port, _ := p.(map[string]any)
		address, _ := port["host_ip"].(string)
		if ip := net.ParseIP(address); ip != nil && !ip.IsUnspecified() {
			u.tell(true, "Swarm opens a port on every address of the node, not on one", "remove the address, and restrict the port in a firewall",
				u.l.item(i, len(ports), "services", u.name, "ports")[2:]...)
		}
	}
}

func (u unsupportedService) mounts() {
	mounts, _ := u.raw["volumes"].([]any)
	for i, v := range mounts {
		mount, _ := v.(map[string]any)
		if mapping(mount, "bind")["selinux"] != nil {
			u.tell(true, "Swarm does not relabel what it mounts", "label the folder on the node with chcon",
				u.l.item(i, len(mounts), "services", u.name, "volumes")[2:]...)
		}
	}
}

func (u unsupportedService) devices() {
	if u.raw["deploy"] == nil {
		return
	}
	if mapping(u.raw, "deploy", "resources", "reservations")["devices"] != nil {
		u.tell(true, "Swarm cannot reserve devices", "reserve generic_resources instead", "deploy", "resources", "reservations", "devices")
	}
}
