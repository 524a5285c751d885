package spec

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/swarm"
)

func mode(s types.ServiceConfig) swarm.ServiceMode {
	replicas := count(s.Deploy.Replicas)
	if replicas == nil {
		replicas = count(s.Scale)
	}
	switch s.Deploy.Mode {
	case "global":
		return swarm.ServiceMode{Global: &swarm.GlobalService{}}
	case "global-job":
		return swarm.ServiceMode{GlobalJob: &swarm.GlobalJob{}}
	case "replicated-job":
		return swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: replicas, TotalCompletions: replicas}}
	}
	return swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: replicas}}
}

func count(n *int) *uint64 {
	if n == nil {
		return nil
	}
	v := uint64(*n)
	return &v
}

// placement is never nil: an update that takes it away crashes some Swarms.
func placement(s types.ServiceConfig) *swarm.Placement {
	p := s.Deploy.Placement
	out := &swarm.Placement{Constraints: p.Constraints, MaxReplicas: p.MaxReplicas, Preferences: []swarm.PlacementPreference{}}
	for _, preference := range p.Preferences {
		out.Preferences = append(out.Preferences, swarm.PlacementPreference{
			Spread: &swarm.SpreadOver{SpreadDescriptor: preference.Spread},
		})
	}
	if s.Platform != "" {
		system, rest, _ := strings.Cut(s.Platform, "/")
		architecture, _, _ := strings.Cut(rest, "/")
		out.Platforms = []swarm.Platform{{OS: system, Architecture: architecture}}
	}
	return out
}

func updateConfig(c *types.UpdateConfig) *swarm.UpdateConfig {
	if c == nil {
		return nil
	}
	parallelism := uint64(1)
	if c.Parallelism != nil {
		parallelism = *c.Parallelism
	}
	return &swarm.UpdateConfig{
		Parallelism:     parallelism,
		Delay:           time.Duration(c.Delay),
		FailureAction:   c.FailureAction,
		Monitor:         time.Duration(c.Monitor),
		MaxFailureRatio: c.MaxFailureRatio,
		Order:           c.Order,
	}
}

// restartPolicy is deploy.restart_policy, or else what restart: means.
func restartPolicy(restart string, p *types.RestartPolicy) *swarm.RestartPolicy {
	if p != nil {
		return &swarm.RestartPolicy{
			Condition:   swarm.RestartPolicyCondition(p.Condition),
			Delay:       duration(p.Delay),
			MaxAttempts: p.MaxAttempts,
			Window:      duration(p.Window),
		}
	}
	name, tries, _ := strings.Cut(restart, ":")
	switch name {
	case types.RestartPolicyAlways, types.RestartPolicyUnlessStopped:
		return &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionAny}
	case types.RestartPolicyOnFailure:
		attempts, _ := strconv.ParseUint(tries, 10, 64) // no number means no limit
		return &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionOnFailure, MaxAttempts: &attempts}
	}
	return nil
}

// resources are deploy.resources; the older keys of a service fill in what it
// does not say.
func (w *lowering) resources(key string, s types.ServiceConfig) *swarm.ResourceRequirements {
	out := &swarm.ResourceRequirements{}
	raw := mapping(w.raw, "services", key)
	if l := s.Deploy.Resources.Limits; l != nil {
		out.Limits = &swarm.Limit{
			NanoCPUs:    rawCPUs(mapping(raw, "deploy", "resources", "limits")["cpus"]),
			MemoryBytes: int64(l.MemoryBytes),
			Pids:        l.Pids,
		}
	}
	if cpus := rawCPUs(raw["cpus"]); cpus != 0 || s.MemLimit != 0 || s.PidsLimit != 0 {
		if out.Limits == nil {
			out.Limits = &swarm.Limit{}
		}
		fill(&out.Limits.NanoCPUs, cpus)
		fill(&out.Limits.MemoryBytes, int64(s.MemLimit))
		fill(&out.Limits.Pids, s.PidsLimit)
	}
	if r := s.Deploy.Resources.Reservations; r != nil {
		out.Reservations = &swarm.Resources{
			NanoCPUs:         rawCPUs(mapping(raw, "deploy", "resources", "reservations")["cpus"]),
			MemoryBytes:      int64(r.MemoryBytes),
			GenericResources: genericResources(r.GenericResources),
		}
	}
	if s.MemReservation != 0 {
		if out.Reservations == nil {
			out.Reservations = &swarm.Resources{}
		}
		fill(&out.Reservations.MemoryBytes, int64(s.MemReservation))
	}
	return out
}

func fill(into *int64, value int64) {
	if *into == 0 {
		*into = value
	}
}

// rawCPUs reads the number as it was written: compose-go's own type would
// make 100000001 billionths of 0.1.
func rawCPUs(v any) int64 {
	if v == nil {
		return 0
	}
	n, err := nanoCPUs(fmt.Sprint(v))
	if err != nil {
		return 0 // reported by its form
	}
	return n
}

func genericResources(from []types.GenericResource) []swarm.GenericResource {
	var out []swarm.GenericResource
	for _, r := range from {
		var g swarm.GenericResource
		if d := r.DiscreteResourceSpec; d != nil {
			g.DiscreteResourceSpec = &swarm.DiscreteGenericResource{Kind: d.Kind, Value: d.Value}
		}
		out = append(out, g)
	}
	return out
}

// endpoint sorts by published port alone, with the very sort that docker
// stack deploy uses: another order among equals would restart tasks.
func endpoint(endpointMode string, ports []types.ServicePortConfig) *swarm.EndpointSpec {
	list := []swarm.PortConfig{}
	for _, p := range ports {
		first, last := publishedRange(p.Published)
		for published := first; published <= last; published++ {
			list = append(list, swarm.PortConfig{
				Name:          p.Name,
				Protocol:      swarm.PortConfigProtocol(p.Protocol),
				TargetPort:    p.Target,
				PublishedPort: published,
				PublishMode:   swarm.PortConfigPublishMode(p.Mode),
			})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].PublishedPort < list[j].PublishedPort })
	return &swarm.EndpointSpec{Mode: swarm.ResolutionMode(strings.ToLower(endpointMode)), Ports: list}
}

// publishedRange reads "", "8080" and "8080-8082"; no port is 0, which lets
// Swarm choose one.
func publishedRange(text string) (first, last uint32) {
	low, high, ranged := strings.Cut(text, "-")
	a, err := strconv.ParseUint(low, 10, 16)
	if err != nil {
		return 0, 0
	}
	if !ranged {
		return uint32(a), uint32(a)
	}
	b, err := strconv.ParseUint(high, 10, 16)
	if err != nil || b < a {
		return uint32(a), uint32(a)
	}
	return uint32(a), uint32(b)
}
