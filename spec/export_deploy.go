package spec

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/swarm"
	"gopkg.in/yaml.v3"
)

func (x *exporting) deploy(key string, s swarm.ServiceSpec) *object {
	o := newObject()
	x.mode(o, key, s.Mode)
	if e := s.EndpointSpec; e != nil && e.Mode != swarm.ResolutionModeVIP {
		o.text("endpoint_mode", string(e.Mode))
	}
	o.object("placement", place(s.TaskTemplate.Placement))
	o.object("resources", x.needs(key, s))
	if p := s.TaskTemplate.RestartPolicy; p != nil {
		o.put("restart_policy", restart(p))
	}
	if s.UpdateConfig != nil {
		o.put("update_config", update(s.UpdateConfig))
	}
	if s.RollbackConfig != nil {
		o.put("rollback_config", update(s.RollbackConfig))
	}
	labels := x.own(s.Labels)
	delete(labels, LabelImage)
	o.pairs("labels", labels)
	return o
}

func (x *exporting) mode(o *object, key string, m swarm.ServiceMode) {
	switch {
	case m.Global != nil:
		o.text("mode", "global")
	case m.GlobalJob != nil:
		o.text("mode", "global-job")
	case m.ReplicatedJob != nil:
		o.text("mode", "replicated-job")
		x.replicas(o, m.ReplicatedJob.TotalCompletions)
		a, b := m.ReplicatedJob.MaxConcurrent, m.ReplicatedJob.TotalCompletions
		if a != nil && b != nil && *a != *b {
			x.note("services.%s.deploy: %d of the job's %d tasks run at a time, for which Compose has no word", key, *a, *b)
		}
	case m.Replicated != nil:
		x.replicas(o, m.Replicated.Replicas)
	}
}

func (x *exporting) replicas(o *object, n *uint64) {
	if n != nil && *n != 1 {
		o.put("replicas", plain(*n))
	}
}

func place(p *swarm.Placement) *object {
	o := newObject()
	if p == nil {
		return o
	}
	o.unique("constraints", p.Constraints)
	var preferences []*yaml.Node
	for _, preference := range p.Preferences {
		if preference.Spread != nil {
			spread := newObject()
			spread.text("spread", preference.Spread.SpreadDescriptor)
			preferences = append(preferences, spread.flow())
		}
	}
	o.put("preferences", listed(preferences))
	o.number("max_replicas_per_node", int64(p.MaxReplicas))
	return o
}

func (x *exporting) needs(key string, s swarm.ServiceSpec) *object {
	o, r := newObject(), s.TaskTemplate.Resources
	if r == nil {
		return o
	}
	// docker service create makes empty ones that mean nothing; in a stack they
	// were asked for, and without them docker stack deploy would restart tasks.
	put := func(key string, value *object) {
		if !value.empty() || x.owns(s.TaskTemplate.ContainerSpec.Labels) {
			o.present(key, value)
		}
	}
	if l := r.Limits; l != nil {
		limits := newObject()
		resources(limits, l.NanoCPUs, l.MemoryBytes)
		limits.number("pids", l.Pids)
		put("limits", limits)
	}
	if l := r.Reservations; l != nil {
		reservations := newObject()
		resources(reservations, l.NanoCPUs, l.MemoryBytes)
		reservations.put("generic_resources", x.generic(key, l.GenericResources))
		put("reservations", reservations)
	}
	return o
}

func resources(o *object, cpus, memory int64) {
	if cpus != 0 {
		n := text(strings.TrimRight(strings.TrimRight(big.NewRat(cpus, 1e9).FloatString(9), "0"), "."))
		n.Style = yaml.DoubleQuotedStyle
		o.put("cpus", n)
	}
	if memory != 0 {
		o.put("memory", bytesText(memory))
	}
}

func (x *exporting) generic(key string, from []swarm.GenericResource) *yaml.Node {
	var items []*yaml.Node
	for _, g := range from {
		if g.DiscreteResourceSpec == nil {
			x.note("services.%s.deploy.resources: a generic resource has a name, for which Compose has no word", key)
			continue
		}
		one, spec := newObject(), newObject()
		spec.text("kind", g.DiscreteResourceSpec.Kind)
		spec.put("value", plain(g.DiscreteResourceSpec.Value))
		one.object("discrete_resource_spec", spec)
		items = append(items, one.flow())
	}
	return listed(items)
}

// bytesText is a size as people write it: 512M.
func bytesText(n int64) *yaml.Node {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 40, "T"}, {1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}} {
		if n%unit.size == 0 {
			return text(strconv.FormatInt(n/unit.size, 10) + unit.name)
		}
	}
	return text(strconv.FormatInt(n, 10))
}

func restart(p *swarm.RestartPolicy) *yaml.Node {
	o := newObject()
	if p.Condition != swarm.RestartPolicyConditionAny {
		o.text("condition", string(p.Condition))
	}
	if p.Delay != nil {
		o.put("delay", period(*p.Delay))
	}
	if p.MaxAttempts != nil && *p.MaxAttempts != 0 {
		o.put("max_attempts", plain(*p.MaxAttempts))
	}
	if p.Window != nil {
		o.put("window", period(*p.Window))
	}
	if o.empty() {
		o.text("condition", string(swarm.RestartPolicyConditionAny))
	}
	return &o.Node
}

func update(c *swarm.UpdateConfig) *yaml.Node {
	o := newObject()
	if c.Parallelism != 1 {
		o.put("parallelism", plain(c.Parallelism))
	}
	if c.Delay != 0 {
		o.put("delay", period(c.Delay))
	}
	if c.FailureAction != swarm.UpdateFailureActionPause {
		o.text("failure_action", c.FailureAction)
	}
	if c.Monitor != 0 {
		o.put("monitor", period(c.Monitor))
	}
	if c.MaxFailureRatio != 0 {
		o.put("max_failure_ratio", plain(c.MaxFailureRatio))
	}
	if c.Order != swarm.UpdateOrderStopFirst {
		o.text("order", c.Order)
	}
	if o.empty() {
		o.put("parallelism", plain(1))
	}
	return &o.Node
}
