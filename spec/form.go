package spec

import (
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/format"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/go-units"
	"github.com/xhit/go-str2duration/v2"
)

// form is what a single value must look like at its place. The zero value
// accepts everything.
type form struct {
	valid func(text string) bool
	want  string
	cast  bool // Compose turns a text at this place into a number or boolean
}

// expected says what is wanted when text is not that.
func (f form) expected(text string) string {
	if f.valid == nil || f.valid(text) {
		return ""
	}
	return f.want
}

// formOf is the form of the value at a path of the file; the first row
// of the table that matches says it.
func formOf(path []string) form {
	for i := range forms {
		for _, place := range forms[i].places {
			if matches(place, path) {
				return forms[i].form
			}
		}
	}
	return form{}
}

func matches(place, path []string) bool {
	if len(place) != len(path) {
		return false
	}
	for i := len(place) - 1; i >= 0; i-- {
		if place[i] != "*" && place[i] != path[i] {
			return false
		}
	}
	return true
}

// places splits paths; service stands for services.*.
func places(paths ...string) [][]string {
	out := make([][]string, len(paths))
	for i, p := range paths {
		if rest, ok := strings.CutPrefix(p, "service."); ok {
			p = "services.*." + rest
		}
		out[i] = strings.Split(p, ".")
	}
	return out
}

// forms is a table and never changes.
var forms = []struct {
	form   form
	places [][]string
}{
	{form{valid: isDuration, want: "a duration such as 30s or 1m30s"}, places(
		"service.stop_grace_period", "service.healthcheck.interval", "service.healthcheck.timeout",
		"service.healthcheck.start_period", "service.healthcheck.start_interval",
		"service.deploy.update_config.delay", "service.deploy.update_config.monitor",
		"service.deploy.rollback_config.delay", "service.deploy.rollback_config.monitor",
		"service.deploy.restart_policy.delay", "service.deploy.restart_policy.window",
	)},
	{form{valid: isSize, want: "a size such as 512M or 1G"}, places(
		"service.deploy.resources.limits.memory", "service.deploy.resources.reservations.memory",
		"service.mem_limit", "service.mem_reservation", "service.shm_size", "service.volumes.*.tmpfs.size",
	)},
	{form{valid: isCPUs, want: "a number of CPUs such as 0.5, at least 0.001 and with at most nine decimals"}, places(
		"service.deploy.resources.limits.cpus", "service.deploy.resources.reservations.cpus", "service.cpus",
	)},
	{form{valid: isWhole, want: "a whole number", cast: true}, places(
		"service.deploy.replicas", "service.scale", "service.healthcheck.retries",
		"service.deploy.update_config.parallelism", "service.deploy.rollback_config.parallelism",
		"service.deploy.restart_policy.max_attempts", "service.deploy.placement.max_replicas_per_node",
	)},
	{form{valid: isInteger, want: "a whole number", cast: true}, places(
		"service.ulimits.*", "service.ulimits.*.soft", "service.ulimits.*.hard", "service.oom_score_adj",
		"service.pids_limit", "service.deploy.resources.limits.pids",
	)},
	{form{valid: isFloat, want: "a number", cast: true}, places(
		"service.deploy.update_config.max_failure_ratio", "service.deploy.rollback_config.max_failure_ratio",
	)},
	{form{valid: isBoolean, want: "true or false", cast: true}, places(
		"service.init", "service.privileged", "service.read_only", "service.tty", "service.stdin_open",
		"service.healthcheck.disable", "service.volumes.*.read_only", "service.volumes.*.volume.nocopy",
		"service.depends_on.*.required", "service.depends_on.*.restart", "service.networks.*.use_service_name_alias",
		"networks.*.external", "networks.*.internal", "networks.*.attachable", "networks.*.enable_ipv4",
		"networks.*.enable_ipv6", "volumes.*.external", "secrets.*.external", "configs.*.external",
	)},
	{form{valid: isPort, want: "a port from 1 to 65535", cast: true}, places("service.ports.*.target")},
	{form{valid: isPublished, want: "a single port from 1 to 65535"}, places("service.ports.*.published")},
	{form{valid: isPortMapping, want: "a port such as 6379, 8080:80 or 53:53/udp"}, places("service.ports.*")},
	{form{valid: isMount, want: "a mount such as data:/data or /host:/container:ro"}, places("service.volumes.*")},
	{form{valid: isFileMode, want: "a file mode such as 0440"}, places("service.secrets.*.mode", "service.configs.*.mode")},
	{choice("raw"), places("service.env_file.*.format")},
	{choice("ingress", "host"), places("service.ports.*.mode")},
	{choice("tcp", "udp", "sctp"), places("service.ports.*.protocol")},
	{form{valid: isEndpointMode, want: "vip or dnsrr"}, places("service.deploy.endpoint_mode")},
	{choice("replicated", "global", "replicated-job", "global-job"), places("service.deploy.mode")},
	{choice("none", "on-failure", "any"), places("service.deploy.restart_policy.condition")},
	{choice("pause", "continue", "rollback"), places("service.deploy.update_config.failure_action")},
	{choice("pause", "continue"), places("service.deploy.rollback_config.failure_action")},
	{form{valid: isRestart, want: "no, always, unless-stopped, on-failure or on-failure:N"}, places("service.restart")},
}

// choice takes an empty text too, which says nothing, as with docker stack
// deploy: a variable may stand there.
func choice(names ...string) form {
	return form{
		want:  oneOf(names),
		valid: func(text string) bool { return text == "" || slices.Contains(names, text) },
	}
}

func isDuration(text string) bool {
	d, err := str2duration.ParseDuration(text)
	return err == nil && d >= 0
}

func isSize(text string) bool {
	n, err := units.RAMInBytes(text)
	return err == nil && n >= 0
}

func isCPUs(text string) bool {
	n, err := nanoCPUs(text)
	return err == nil && (n == 0 || n >= 1e6)
}

func isWhole(text string) bool {
	_, err := strconv.ParseUint(text, 0, 63)
	return err == nil
}

func isInteger(text string) bool {
	_, err := strconv.ParseInt(text, 0, 64)
	return err == nil
}

func isFloat(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && f >= 0
}

func isBoolean(text string) bool {
	switch strings.ToLower(text) {
	case "true", "false", "y", "n", "yes", "no", "on", "off":
		return true
	}
	return false
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

func isPublished(text string) bool { return text == "" || text == "0" || isPort(text) }

func isPortMapping(text string) bool {
	ports, err := types.ParsePortConfig(text)
	return err == nil && len(ports) > 0 && ports[0].Target > 0
}

func isMount(text string) bool {
	m, err := format.ParseVolume(text)
	return err == nil && m.Target != ""
}

func isFileMode(text string) bool {
	_, err := strconv.ParseUint(text, 8, 32)
	if err != nil {
		_, err = strconv.ParseUint(text, 0, 32)
	}
	return err == nil
}

func isEndpointMode(text string) bool {
	return text == "" || strings.EqualFold(text, "vip") || strings.EqualFold(text, "dnsrr")
}

func isRestart(text string) bool {
	name, count, counted := strings.Cut(text, ":")
	switch name {
	case "no", "always", "unless-stopped", "":
		return !counted
	case "on-failure":
		return !counted || isWhole(count)
	}
	return false
}
