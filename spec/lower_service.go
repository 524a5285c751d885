package spec

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

func (w *lowering) service(key string, s types.ServiceConfig) Service {
	if s.Deploy == nil {
		s.Deploy = &types.DeployConfig{}
	}
	labels := w.labels(s.Deploy.Labels)
	labels[LabelImage] = s.Image
	out := Service{Key: key, Spec: swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: w.stack + "_" + key, Labels: labels},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: w.container(key, s),
			LogDriver:     logDriver(s.Logging),
			Resources:     w.resources(key, s),
			RestartPolicy: restartPolicy(s.Restart, s.Deploy.RestartPolicy),
			Placement:     placement(s),
			Networks:      w.attachments(key, s),
		},
		EndpointSpec:   endpoint(s.Deploy.EndpointMode, s.Ports),
		Mode:           mode(s),
		UpdateConfig:   updateConfig(s.Deploy.UpdateConfig),
		RollbackConfig: updateConfig(s.Deploy.RollbackConfig),
	}}
	for name, d := range s.DependsOn {
		if _, ok := w.project.Services[name]; !ok || w.l.circular {
			continue
		}
		if out.DependsOn == nil {
			out.DependsOn = map[string]Condition{}
		}
		out.DependsOn[name] = Condition(cmp.Or(d.Condition, string(ServiceStarted)))
	}
	return out
}

func (w *lowering) container(key string, s types.ServiceConfig) *swarm.ContainerSpec {
	add, drop := capabilities(s.CapAdd, s.CapDrop)
	return &swarm.ContainerSpec{
		Image:           s.Image,
		Labels:          w.labels(s.Labels),
		Command:         s.Entrypoint,
		Args:            s.Command,
		Hostname:        s.Hostname,
		Env:             env(s.Environment),
		Dir:             s.WorkingDir,
		User:            s.User,
		Groups:          s.GroupAdd,
		Privileges:      &swarm.Privileges{CredentialSpec: w.credentialSpec(s.CredentialSpec)},
		Init:            s.Init,
		StopSignal:      s.StopSignal,
		StopGracePeriod: duration(s.StopGracePeriod),
		TTY:             s.Tty,
		OpenStdin:       s.StdinOpen,
		ReadOnly:        s.ReadOnly,
		Mounts:          w.mounts(key, s),
		Healthcheck:     healthcheck(s.HealthCheck),
		Hosts:           w.hosts(key),
		DNSConfig:       dnsConfig(s),
		Secrets:         w.secretRefs(s),
		Configs:         w.configRefs(s),
		Isolation:       container.Isolation(s.Isolation),
		Sysctls:         s.Sysctls,
		CapabilityAdd:   add,
		CapabilityDrop:  drop,
		Ulimits:         ulimits(s.Ulimits),
		OomScoreAdj:     w.oomScoreAdj(key, s),
	}
}

func (w *lowering) oomScoreAdj(key string, s types.ServiceConfig) int64 {
	if !w.l.legacy || s.OomScoreAdj == 0 {
		return s.OomScoreAdj
	}
	w.ignoredByDocker(key, "oom_score_adj", "remove it, or remove `version:` to have it")
	return 0
}

// ignoredByDocker reports what a file that was written for docker stack deploy
// has never had.
func (w *lowering) ignoredByDocker(service, key, remedy string) {
	w.l.report.warn("unsupported", w.l.index.find("services", service, key), "services."+service+"."+key,
		"ignored, as docker stack deploy does", remedy)
}

// env is the environment, sorted; a name without a value is kept alone.
func env(values map[string]*string) []string {
	var out []string
	for name, value := range values {
		if value != nil {
			name += "=" + *value
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// hosts are extra_hosts as Swarm writes them, "IP name", in the order of a
// list and sorted when they are a mapping.
func (w *lowering) hosts(key string) []string {
	out := []string{}
	line := func(name, ip string) {
		if len(ip) > 2 && ip[0] == '[' && ip[len(ip)-1] == ']' {
			ip = ip[1 : len(ip)-1]
		}
		out = append(out, ip+" "+name)
	}
	switch hosts := mapping(w.raw, "services", key)["extra_hosts"].(type) {
	case []any:
		for _, h := range hosts {
			name, ips, ok := strings.Cut(fmt.Sprint(h), "=")
			if !ok {
				name, ips, _ = strings.Cut(fmt.Sprint(h), ":")
			}
			for _, ip := range strings.Split(ips, ",") {
				line(name, ip)
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(hosts)) {
			switch ips := hosts[name].(type) {
			case []any:
				for _, ip := range ips {
					line(name, fmt.Sprint(ip))
				}
			case nil:
			default:
				line(name, fmt.Sprint(ips))
			}
		}
	}
	return out
}

func duration(d *types.Duration) *time.Duration {
	if d == nil {
		return nil
	}
	v := time.Duration(*d)
	return &v
}

func logDriver(c *types.LoggingConfig) *swarm.Driver {
	if c == nil {
		return nil
	}
	return &swarm.Driver{Name: c.Driver, Options: c.Options}
}

func dnsConfig(s types.ServiceConfig) *swarm.DNSConfig {
	if s.DNS == nil && s.DNSSearch == nil && s.DNSOpts == nil {
		return nil
	}
	return &swarm.DNSConfig{Nameservers: s.DNS, Search: s.DNSSearch, Options: s.DNSOpts}
}

func healthcheck(h *types.HealthCheckConfig) *container.HealthConfig {
	if h == nil {
		return nil
	}
	if h.Disable {
		return &container.HealthConfig{Test: []string{"NONE"}}
	}
	out := &container.HealthConfig{Test: h.Test}
	set := func(into *time.Duration, d *types.Duration) {
		if d != nil {
			*into = time.Duration(*d)
		}
	}
	set(&out.Timeout, h.Timeout)
	set(&out.Interval, h.Interval)
	set(&out.StartPeriod, h.StartPeriod)
	set(&out.StartInterval, h.StartInterval)
	if h.Retries != nil {
		out.Retries = int(*h.Retries)
	}
	return out
}

func ulimits(from map[string]*types.UlimitsConfig) []*container.Ulimit {
	out := make([]*container.Ulimit, 0, len(from))
	for _, name := range slices.Sorted(maps.Keys(from)) {
		u := from[name]
		soft, hard := int64(u.Soft), int64(u.Hard)
		if u.Single != 0 {
			soft, hard = int64(u.Single), int64(u.Single)
		}
		out = append(out, &container.Ulimit{Name: name, Soft: soft, Hard: hard})
	}
	return out
}

// capabilities writes both lists as the Engine does: sorted, with the prefix,
// ALL for itself alone, and nothing dropped that is added.
func capabilities(add, drop []string) (effectiveAdd, effectiveDrop []string) {
	normal := func(list []string) []string {
		var out []string
		for _, c := range list {
			c = strings.ToUpper(strings.TrimSpace(c))
			switch {
			case c == "RESET":
				continue
			case c != "ALL" && !strings.HasPrefix(c, "CAP_"):
				c = "CAP_" + c
			}
			out = append(out, c)
		}
		if slices.Contains(out, "ALL") {
			return []string{"ALL"}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	effectiveAdd = normal(add)
	for _, c := range normal(drop) {
		if !slices.Contains(effectiveAdd, c) {
			effectiveDrop = append(effectiveDrop, c)
		}
	}
	return effectiveAdd, effectiveDrop
}

// nanoCPUs reads a number of CPUs exactly.
func nanoCPUs(text string) (int64, error) {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, strconv.ErrSyntax
	}
	r.Mul(r, big.NewRat(1e9, 1))
	if !r.IsInt() || !r.Num().IsInt64() || r.Sign() < 0 {
		return 0, strconv.ErrRange
	}
	return r.Num().Int64(), nil
}
