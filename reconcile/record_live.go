package reconcile

import (
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"

	"github.com/swarmward/swarmward/spec"
)

// Live is the record as a live stack that can be exported, and what of it no
// Swarm knows. The contents of its configs are those in now; it fails on one
// that is gone.
func (r Record) Live(now spec.Live) (spec.Live, *spec.Known, error) {
	out := spec.Live{
		Name: r.Of, Pools: now.Pools, PoolBits: now.PoolBits,
		Networks: map[string]network.Summary{}, Volumes: map[string]*volume.Volume{},
		Secrets: map[string]swarm.SecretSpec{}, Configs: map[string]swarm.ConfigSpec{},
	}
	known := &spec.Known{
		About:    fmt.Sprintf("as record %d has it: revision %s, kept %s", r.Number, r.Revision, r.At.Format(time.RFC3339)),
		Settings: r.Settings, DependsOn: map[string]map[string]spec.Condition{},
		Keys: map[string]map[string]string{"networks": {}, "volumes": {}, "secrets": {}, "configs": {}},
	}
	plan := &Plan{current: map[object]string{}}
	mine := map[string]string{spec.LabelNamespace: r.Of, LabelManaged: "true"}
	var gone []error
	for _, o := range r.Secrets {
		known.Keys["secrets"][o.Object], plan.current[object{KindSecret, o.Name}] = o.Key, o.Object
		s, ok := now.Secrets[o.Object]
		if !ok && !o.External {
			s.Labels = mine
		}
		s.Name = o.Object
		out.Secrets[o.Object] = s
	}
	for _, o := range r.Configs {
		known.Keys["configs"][o.Object], plan.current[object{KindConfig, o.Name}] = o.Key, o.Object
		c, ok := now.Configs[o.Object]
		if !o.External && (!ok || contentSum(c.Data) != o.Fingerprint) {
			gone = append(gone, fmt.Errorf("record %d: config %s, with the content that it had, is gone", r.Number, o.Object))
		}
		out.Configs[o.Object] = c
	}
	for _, n := range r.Networks {
		known.Keys["networks"][n.Name] = n.Key
		s := network.Summary{Name: n.Name, Driver: n.Create.Driver, Attachable: n.Create.Attachable, Internal: n.Create.Internal, Options: n.Create.Options, Labels: n.Create.Labels}
		s.EnableIPv6 = n.Create.EnableIPv6 != nil && *n.Create.EnableIPv6
		if n.Create.IPAM != nil {
			s.IPAM = *n.Create.IPAM
		}
		out.Networks[n.Name] = s
	}
	for _, v := range r.Volumes {
		known.Keys["volumes"][v.Name] = v.Key
		out.Volumes[v.Name] = &volume.Volume{Name: v.Name, Driver: v.Create.Driver, Options: v.Create.DriverOpts, Labels: v.Create.Labels}
	}
	naming := &diffing{plan: plan}
	for _, s := range r.Services {
		known.DependsOn[s.Key] = s.DependsOn
		out.Services = append(out.Services, naming.resolved(s.Spec))
	}
	return out, known, errors.Join(gone...)
}
