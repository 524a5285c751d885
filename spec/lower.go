package spec

import (
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
)

// lowering turns a checked Compose project into what docker stack deploy would
// create from it, down to which pointers are nil and how lists are sorted:
// both differences restart tasks.
type lowering struct {
	l       *loading
	stack   string
	project *types.Project
	raw     map[string]any
}

func lower(l *loading, m *model) *Stack {
	w := &lowering{l: l, stack: l.stack, project: m.project, raw: m.raw}
	out := &Stack{Name: l.stack, Files: slices.Clone(l.options.Files)}
	for _, key := range slices.Sorted(maps.Keys(m.project.Services)) {
		out.Services = append(out.Services, w.service(key, m.project.Services[key]))
	}
	out.Networks = w.networks()
	out.Volumes = w.volumes()
	for _, key := range slices.Sorted(maps.Keys(m.project.Secrets)) {
		out.Secrets = append(out.Secrets, w.secret(key, m.project.Secrets[key]))
	}
	for _, key := range slices.Sorted(maps.Keys(m.project.Configs)) {
		out.Configs = append(out.Configs, w.config(key, m.project.Configs[key]))
	}
	return out
}

// fullName is the name that an object has in the Swarm.
func (w *lowering) fullName(key, explicit string, external bool) string {
	switch {
	case explicit != "":
		return explicit
	case external:
		return key
	}
	return w.stack + "_" + key
}

// labels adds the stack's own label, as on everything it creates.
func (w *lowering) labels(from map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, from)
	out[LabelNamespace] = w.stack
	return out
}

// The network of services that name none.
const defaultNetwork = "default"

// networks are those that a service is on; docker stack deploy creates no
// others.
func (w *lowering) networks() []Network {
	used := map[string]bool{}
	for _, s := range w.project.Services {
		if len(s.Networks) == 0 {
			used[defaultNetwork] = true
		}
		for key := range s.Networks {
			used[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.project.Networks)) {
		if !used[key] {
			w.l.report.warn("unused-network", w.l.index.find("networks", key), "networks."+key,
				"no service is on this network, so it is not created", "remove it, or add it to a service")
		}
	}
	var out []Network
	for _, key := range slices.Sorted(maps.Keys(used)) {
		c := w.project.Networks[key]
		out = append(out, Network{
			Key:      key,
			Name:     w.fullName(key, c.Name, bool(c.External)),
			External: bool(c.External),
			Explicit: c.Name != "",
			Create:   w.createNetwork(c),
		})
	}
	return out
}

func (w *lowering) createNetwork(c types.NetworkConfig) network.CreateOptions {
	if c.External {
		return network.CreateOptions{}
	}
	out := network.CreateOptions{
		Driver:     c.Driver,
		Internal:   c.Internal,
		Attachable: c.Attachable,
		EnableIPv4: c.EnableIPv4,
		EnableIPv6: c.EnableIPv6,
		Options:    c.DriverOpts,
		Labels:     w.labels(c.Labels),
	}
	if out.Driver == "" {
		out.Driver = "overlay"
	}
	if c.Ipam.Driver != "" || len(c.Ipam.Config) > 0 {
		out.IPAM = &network.IPAM{Driver: c.Ipam.Driver, Options: c.Ipam.Options}
	}
	for _, pool := range c.Ipam.Config {
		out.IPAM.Config = append(out.IPAM.Config, network.IPAMConfig{
			Subnet: pool.Subnet, IPRange: pool.IPRange, Gateway: pool.Gateway, AuxAddress: pool.AuxiliaryAddresses,
		})
	}
	return out
}

func (w *lowering) volumes() []Volume {
	mountedBy := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(w.project.Services)) {
		for _, m := range w.project.Services[name].Volumes {
			if m.Type == types.VolumeTypeVolume || m.Type == types.VolumeTypeCluster || m.Type == "" {
				mountedBy[m.Source] = append(mountedBy[m.Source], name)
			}
		}
	}
	var out []Volume
	for _, key := range slices.Sorted(maps.Keys(w.project.Volumes)) {
		c := w.project.Volumes[key]
		v := Volume{
			Key:       key,
			Name:      w.fullName(key, c.Name, bool(c.External)),
			External:  bool(c.External),
			Explicit:  c.Name != "",
			MountedBy: slices.Compact(mountedBy[key]),
		}
		if !v.External {
			v.Create = volume.CreateOptions{Name: v.Name, Driver: c.Driver, DriverOpts: c.DriverOpts, Labels: w.labels(c.Labels)}
		}
		out = append(out, v)
	}
	return out
}

func (w *lowering) secret(key string, c types.SecretConfig) Secret {
	out := Secret{Key: key, Name: w.fullName(key, c.Name, bool(c.External)), External: bool(c.External)}
	if out.External {
		return out
	}
	out.Spec = swarm.SecretSpec{
		Annotations: swarm.Annotations{Name: out.Name, Labels: w.labels(c.Labels)},
		Templating:  templating(c.TemplateDriver),
	}
	if c.Driver != "" {
		out.Spec.Driver = &swarm.Driver{Name: c.Driver, Options: c.DriverOpts}
		out.Data = Sensitive{} // the driver has it
		return out
	}
	out.Data, out.Variable = Sensitive(w.l.contents["secrets."+key]), c.Environment
	return out
}

func (w *lowering) config(key string, c types.ConfigObjConfig) Config {
	out := Config{Key: key, Name: w.fullName(key, c.Name, bool(c.External)), External: bool(c.External)}
	if out.External {
		return out
	}
	out.Spec = swarm.ConfigSpec{
		Annotations: swarm.Annotations{Name: out.Name, Labels: w.labels(c.Labels)},
		Data:        w.l.contents["configs."+key],
		Templating:  templating(c.TemplateDriver),
	}
	return out
}

func templating(driver string) *swarm.Driver {
	if driver == "" {
		return nil
	}
	return &swarm.Driver{Name: driver}
}
