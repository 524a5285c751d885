package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
)

func byID(networks []network.Summary) map[string]string {
	m := make(map[string]string, len(networks))
	for _, n := range networks {
		m[n.ID] = n.Name
	}
	return m
}

// predefinedNetworks finds the names of host and bridge, which a Swarm has
// under an id of its own and leaves out of its lists. It asks at most once for
// each, and only when a service is on one.
func (e *Engine) predefinedNetworks(ctx context.Context, listed []network.Summary, services []swarm.Service) map[string]string {
	known, out := byID(listed), map[string]string{}
	for _, s := range services {
		for _, a := range s.Spec.TaskTemplate.Networks {
			if _, ok := known[a.Target]; ok {
				continue
			}
			known[a.Target] = ""
			e.mu.Lock()
			name := e.predefined[a.Target]
			e.mu.Unlock()
			if name == "" {
				// One that is gone keeps its id: that is the difference to show.
				n, err := e.api.NetworkInspect(ctx, a.Target, network.InspectOptions{})
				if err != nil {
					continue
				}
				name = n.Name
			}
			out[a.Target] = name
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.predefined == nil {
		e.predefined = map[string]string{}
	}
	maps.Copy(e.predefined, out)
	return out
}

// named is a copy of a live spec that speaks of networks, secrets and configs
// by name. A reference to something that is gone keeps its id.
func named(s swarm.ServiceSpec, networks, configs map[string]string) swarm.ServiceSpec {
	if c := s.TaskTemplate.ContainerSpec; c != nil && c.Privileges != nil && c.Privileges.CredentialSpec != nil {
		if name, ok := configs[c.Privileges.CredentialSpec.Config]; ok {
			s = withCredentialSpec(s, name)
		}
	}
	s.TaskTemplate.Networks = slices.Clone(s.TaskTemplate.Networks)
	for i, n := range s.TaskTemplate.Networks {
		if name, ok := networks[n.Target]; ok {
			s.TaskTemplate.Networks[i].Target = name
		}
	}
	return s
}

// withCredentialSpec is a copy of s whose credential spec is the config given.
func withCredentialSpec(s swarm.ServiceSpec, config string) swarm.ServiceSpec {
	c, p := *s.TaskTemplate.ContainerSpec, *s.TaskTemplate.ContainerSpec.Privileges
	cred := *p.CredentialSpec
	cred.Config = config
	p.CredentialSpec, c.Privileges, s.TaskTemplate.ContainerSpec = &cred, &p, &c
	return s
}

// known is an id, and when it was learnt.
type known struct {
	id string
	at time.Time
}

// remember notes the ids of what was listed from then on. What was made since
// may be missing there, or be listed with the id that it had before.
func (e *Engine) remember(began time.Time, networks []network.Summary, secrets []swarm.Secret, configs []swarm.Config) {
	ids := map[reconcile.Kind]map[string]known{
		reconcile.KindNetwork: make(map[string]known, len(networks)),
		reconcile.KindSecret:  make(map[string]known, len(secrets)),
		reconcile.KindConfig:  make(map[string]known, len(configs)),
	}
	for _, n := range networks {
		ids[reconcile.KindNetwork][n.Name] = known{n.ID, began}
	}
	for _, s := range secrets {
		ids[reconcile.KindSecret][s.Spec.Name] = known{s.ID, began}
	}
	for _, c := range configs {
		ids[reconcile.KindConfig][c.Spec.Name] = known{c.ID, began}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for kind, was := range e.ids {
		for name, k := range was {
			if k.at.After(began) {
				ids[kind][name] = k
			}
		}
	}
	e.ids = ids
}

func (e *Engine) learn(k reconcile.Kind, name, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ids[k] != nil {
		e.ids[k][name] = known{id, time.Now()}
	}
}

// id of an object; asked of the Engine when it was not listed.
func (e *Engine) id(ctx context.Context, k reconcile.Kind, name string) (string, error) {
	e.mu.Lock()
	id := e.ids[k][name].id
	e.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var err error
	switch k {
	case reconcile.KindNetwork:
		var list []network.Summary
		list, err = e.api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name), filters.Arg("scope", "swarm"))})
		for _, n := range list {
			if n.Name == name {
				id = n.ID
			}
		}
		if id == "" && err == nil {
			// host, bridge and none are no swarm networks, but the Engine knows
			// what to make of their names.
			id = name
		}
	case reconcile.KindSecret:
		var s swarm.Secret
		s, _, err = e.api.SecretInspectWithRaw(ctx, name)
		id = s.ID
	case reconcile.KindConfig:
		var c swarm.Config
		c, _, err = e.api.ConfigInspectWithRaw(ctx, name)
		id = c.ID
	}
	if err != nil {
		return "", e.explain(fmt.Sprintf("%s %s", k, name), err)
	}
	return id, nil
}

// identified is a deep enough copy of a spec whose references carry ids. The
// client writes into the ContainerSpec and the Placement it is given, so those
// are copies too.
func (e *Engine) identified(ctx context.Context, s swarm.ServiceSpec) (swarm.ServiceSpec, error) {
	var err error
	s.TaskTemplate.Networks = slices.Clone(s.TaskTemplate.Networks)
	for i := range s.TaskTemplate.Networks {
		n := &s.TaskTemplate.Networks[i]
		if n.Target, err = e.id(ctx, reconcile.KindNetwork, n.Target); err != nil {
			return s, err
		}
	}
	if p := s.TaskTemplate.Placement; p != nil {
		placement := *p
		s.TaskTemplate.Placement = &placement
	}
	if s.TaskTemplate.ContainerSpec == nil {
		return s, nil
	}
	if p := s.TaskTemplate.ContainerSpec.Privileges; p != nil && p.CredentialSpec != nil && p.CredentialSpec.Config != "" {
		id, err := e.id(ctx, reconcile.KindConfig, p.CredentialSpec.Config)
		if err != nil {
			return s, err
		}
		s = withCredentialSpec(s, id)
	}
	c := *s.TaskTemplate.ContainerSpec
	s.TaskTemplate.ContainerSpec = &c
	c.Secrets = slices.Clone(c.Secrets)
	for i, r := range c.Secrets {
		ref := *r
		if ref.SecretID, err = e.id(ctx, reconcile.KindSecret, r.SecretName); err != nil {
			return s, err
		}
		c.Secrets[i] = &ref
	}
	c.Configs = slices.Clone(c.Configs)
	for i, r := range c.Configs {
		ref := *r
		if ref.ConfigID, err = e.id(ctx, reconcile.KindConfig, r.ConfigName); err != nil {
			return s, err
		}
		c.Configs[i] = &ref
	}
	return s, nil
}
