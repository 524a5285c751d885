package engine

import (
	"context"
	"maps"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// Observe makes nine read-only calls, whatever the size of the stack, and one
// more for each image of a stack that follows its tags.
func (e *Engine) Observe(ctx context.Context, stack *spec.Stack) (*reconcile.Observed, error) {
	info, err := e.preflight(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	o := &reconcile.Observed{
		At: engineTime(info),
		Node: reconcile.Self{
			ID: info.Swarm.NodeID, Name: info.Name, Addr: info.Swarm.NodeAddr, APIVersion: e.api.ClientVersion(),
		},
	}
	var stored objects
	l := &lists{e: e}
	var g errgroup.Group
	g.Go(func() error { return l.load(ctx, stack) })
	stored.load(ctx, e, &g)
	g.Go(func() error {
		o.Digests, o.Unresolved = e.digests(ctx, stack)
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	o.Volumes = index(stored.volumes.Volumes, func(v *volume.Volume) string { return v.Name })
	o.Secrets = index(stored.secrets, func(s swarm.Secret) string { return s.Spec.Name })
	o.Configs = index(stored.configs, func(c swarm.Config) string { return c.Spec.Name })
	e.remember(l.networks, stored.secrets, stored.configs)
	l.fill(o, stack.Name)
	return o, nil
}

// objects are all volumes of the node, and all secrets and configs of the Swarm.
type objects struct {
	volumes volume.ListResponse
	secrets []swarm.Secret
	configs []swarm.Config
}

func (o *objects) load(ctx context.Context, e *Engine, g *errgroup.Group) {
	g.Go(func() (err error) {
		o.volumes, err = e.api.VolumeList(ctx, volume.ListOptions{})
		return e.explain("volumes", err)
	})
	g.Go(func() (err error) {
		o.secrets, err = e.api.SecretList(ctx, swarm.SecretListOptions{})
		return e.explain("secrets", err)
	})
	g.Go(func() (err error) {
		o.configs, err = e.api.ConfigList(ctx, swarm.ConfigListOptions{})
		return e.explain("configs", err)
	})
}

// Progress makes five read-only calls.
func (e *Engine) Progress(ctx context.Context, stack *spec.Stack) (*reconcile.Observed, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	info, err := e.api.Info(ctx)
	if err != nil {
		return nil, e.explain("docker", err)
	}
	l := &lists{e: e}
	if err := l.load(ctx, stack); err != nil {
		return nil, err
	}
	o := &reconcile.Observed{At: engineTime(info)}
	l.fill(o, stack.Name)
	return o, nil
}

// engineTime is the Engine's own clock, against which the timestamps of tasks
// are judged.
func engineTime(info system.Info) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, info.SystemTime); err == nil {
		return t
	}
	return time.Now()
}

// lists is what both views need.
type lists struct {
	e        *Engine
	services []swarm.Service
	tasks    []swarm.Task
	upToDate []swarm.Task
	nodes    []swarm.Node
	networks []network.Summary
	// predefined are the names by id of networks that no list has.
	predefined map[string]string
}

func (l *lists) load(ctx context.Context, stack *spec.Stack) error {
	var g errgroup.Group
	g.Go(func() (err error) {
		// By name, not by label: a service made by hand under a name that the
		// spec uses has to be seen. The filter is a prefix match.
		l.services, err = l.e.api.ServiceList(ctx, swarm.ServiceListOptions{
			Filters: filters.NewArgs(filters.Arg("name", stack.Name+"_")),
		})
		return l.e.explain("services", err)
	})
	g.Go(func() (err error) {
		l.tasks, err = l.e.api.TaskList(ctx, swarm.TaskListOptions{})
		return l.e.explain("tasks", err)
	})
	g.Go(func() (err error) {
		// swarmkit's own judgement, the one its updater acts on.
		l.upToDate, err = l.e.api.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("_up-to-date", "true"))})
		return l.e.explain("tasks", err)
	})
	g.Go(func() (err error) {
		l.nodes, err = l.e.api.NodeList(ctx, swarm.NodeListOptions{})
		return l.e.explain("nodes", err)
	})
	g.Go(func() (err error) {
		l.networks, err = l.e.api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("scope", "swarm"))})
		return l.e.explain("networks", err)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	l.predefined = l.e.predefinedNetworks(ctx, l.networks, l.services)
	return nil
}

func (l *lists) fill(o *reconcile.Observed, stack string) {
	o.Networks = index(l.networks, func(n network.Summary) string { return n.Name })
	o.Nodes = index(l.nodes, func(n swarm.Node) string { return n.ID })
	names, configs := byID(l.networks), map[string]string{}
	maps.Copy(names, l.predefined)
	for name, c := range o.Configs {
		configs[c.ID] = name
	}
	o.Services = make(map[string]reconcile.ObservedService, len(l.services))
	mine := make(map[string]bool, len(l.services))
	for _, s := range l.services {
		mine[s.ID] = true
		o.Services[s.Spec.Name] = reconcile.ObservedService{
			ID: s.ID, Version: s.Version, Spec: named(s.Spec, names, configs),
			Previous: previous(s, names, configs), UpdateStatus: s.UpdateStatus, JobStatus: s.JobStatus, UpdatedAt: s.UpdatedAt,
		}
	}
	o.UpToDate = make(map[string]bool, len(l.upToDate))
	for _, t := range l.upToDate {
		o.UpToDate[t.ID] = true
	}
	o.Tasks = map[string][]swarm.Task{}
	for _, t := range l.tasks {
		// A service that was removed leaves tasks behind while they stop.
		if c := t.Spec.ContainerSpec; !mine[t.ServiceID] && (c == nil || c.Labels[spec.LabelNamespace] != stack) {
			continue
		}
		if !o.UpToDate[t.ID] {
			t.Spec = named(swarm.ServiceSpec{TaskTemplate: t.Spec}, names, configs).TaskTemplate
		}
		o.Tasks[t.ServiceID] = append(o.Tasks[t.ServiceID], t)
	}
}

func previous(s swarm.Service, networks, configs map[string]string) *swarm.ServiceSpec {
	if s.PreviousSpec == nil {
		return nil
	}
	sp := named(*s.PreviousSpec, networks, configs)
	return &sp
}

func index[V any](list []V, key func(V) string) map[string]V {
	m := make(map[string]V, len(list))
	for _, v := range list {
		m[key(v)] = v
	}
	return m
}
