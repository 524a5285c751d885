package engine

import (
	"context"
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

// Observe makes nine read-only calls, whatever the size of the stack, which all
// share who ask at the same time, and one more for each image of a stack that
// follows its tags.
func (e *Engine) Observe(ctx context.Context, stack *spec.Stack) (*reconcile.Observed, error) {
	var r *round
	var digests, unresolved map[string]string
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		r, err = e.look(ctx, stack.Name, true)
		return err
	})
	// A registry that does not answer holds up this stack alone.
	g.Go(func() error {
		ctx, cancel := context.WithTimeout(ctx, e.timeout())
		defer cancel()
		digests, unresolved = e.digests(ctx, stack)
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	o := r.observed(stack.Name)
	o.Digests, o.Unresolved = digests, unresolved
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
		o.secrets, err = again(ctx, e, func(ctx context.Context) ([]swarm.Secret, error) {
			return e.api.SecretList(ctx, swarm.SecretListOptions{})
		})
		return e.explain("secrets", err)
	})
	g.Go(func() (err error) {
		o.configs, err = again(ctx, e, func(ctx context.Context) ([]swarm.Config, error) {
			return e.api.ConfigList(ctx, swarm.ConfigListOptions{})
		})
		return e.explain("configs", err)
	})
}

// Progress makes six read-only calls, which all share who ask at the same time.
func (e *Engine) Progress(ctx context.Context, stack *spec.Stack) (*reconcile.Observed, error) {
	r, err := e.look(ctx, stack.Name, false)
	if err != nil {
		return nil, err
	}
	return r.observed(stack.Name), nil
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

// load what there is of the stack, or of all stacks where none is named.
func (l *lists) load(ctx context.Context, stack string) error {
	var g errgroup.Group
	g.Go(func() (err error) {
		var only swarm.ServiceListOptions
		if stack != "" {
			// By name, not by label: a service made by hand under a name that the
			// spec uses has to be seen. The filter is a prefix match.
			only.Filters = filters.NewArgs(filters.Arg("name", stack+"_"))
		}
		l.services, err = again(ctx, l.e, func(ctx context.Context) ([]swarm.Service, error) { return l.e.api.ServiceList(ctx, only) })
		return l.e.explain("services", err)
	})
	g.Go(func() (err error) {
		l.tasks, err = l.e.taskList(ctx, swarm.TaskListOptions{})
		return l.e.explain("tasks", err)
	})
	g.Go(func() (err error) {
		// swarmkit's own judgement, the one its updater acts on.
		l.upToDate, err = l.e.taskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("_up-to-date", "true"))})
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

func (e *Engine) taskList(ctx context.Context, o swarm.TaskListOptions) ([]swarm.Task, error) {
	return again(ctx, e, func(ctx context.Context) ([]swarm.Task, error) { return e.api.TaskList(ctx, o) })
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
