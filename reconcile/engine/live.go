package engine

import (
	"cmp"
	"context"
	"maps"
	"net/netip"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"

	"github.com/swarmward/swarmward/spec"
)

// Live is what the Swarm has of the stack with that name, in a constant
// number of read-only calls. A stack is its services: without any there is none, as docker stack ls
// has it, and Live has no services.
func (e *Engine) Live(ctx context.Context, name string) (spec.Live, error) {
	live := spec.Live{Name: name}
	info, err := e.preflight(ctx)
	if err != nil {
		return live, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	var services []swarm.Service
	var networks []network.Summary
	var stored objects
	var g errgroup.Group
	g.Go(func() (err error) {
		services, err = e.stackServices(ctx, spec.LabelNamespace+"="+name)
		return err
	})
	g.Go(func() (err error) {
		networks, err = e.api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("scope", "swarm"))})
		return e.explain("networks", err)
	})
	stored.load(ctx, e, &g)
	if err := g.Wait(); err != nil {
		return live, err
	}
	live.Networks = index(networks, func(n network.Summary) string { return n.Name })
	live.Volumes = index(stored.volumes.Volumes, func(v *volume.Volume) string { return v.Name })
	live.Secrets, live.Configs = make(map[string]swarm.SecretSpec, len(stored.secrets)), make(map[string]swarm.ConfigSpec, len(stored.configs))
	for _, s := range stored.secrets {
		live.Secrets[s.Spec.Name] = s.Spec
	}
	ids := make(map[string]string, len(stored.configs))
	for _, c := range stored.configs {
		live.Configs[c.Spec.Name], ids[c.ID] = c.Spec, c.Spec.Name
	}
	names := byID(networks)
	maps.Copy(names, e.predefinedNetworks(ctx, networks, services))
	for _, s := range services {
		live.Services = append(live.Services, named(s.Spec, names, ids))
	}
	live.Pools, live.PoolBits = addressPools(info)
	return live, nil
}

func (e *Engine) stackServices(ctx context.Context, label string) ([]swarm.Service, error) {
	list, err := e.api.ServiceList(ctx, swarm.ServiceListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
	return list, e.explain("services", err)
}

// What Swarm takes subnets from where docker swarm init named nothing else. An
// Engine says so, or says nothing, as Debian's 20.10 does.
var defaultPools = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

const defaultPoolBits = 24

// addressPools are where Swarm takes subnets from.
func addressPools(info system.Info) ([]netip.Prefix, int) {
	c := info.Swarm.Cluster
	if c == nil {
		return nil, 0
	}
	var out []netip.Prefix
	for _, text := range c.DefaultAddrPool {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		out = defaultPools
	}
	return out, cmp.Or(int(c.SubnetSize), defaultPoolBits)
}

// Stacks counts the services of every stack of the Swarm, as docker stack ls
// does, in two read-only calls.
func (e *Engine) Stacks(ctx context.Context) (map[string]int, error) {
	if _, err := e.preflight(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	services, err := e.stackServices(ctx, spec.LabelNamespace)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, s := range services {
		out[s.Spec.Labels[spec.LabelNamespace]]++
	}
	return out, nil
}
