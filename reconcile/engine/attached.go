package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
)

// Attached makes three read-only calls. Containers on other nodes cannot be
// seen from here; services can.
func (e *Engine) Attached(ctx context.Context, name string) (reconcile.Attached, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	var out reconcile.Attached
	n, err := e.api.NetworkInspect(ctx, name, network.InspectOptions{Scope: "swarm"})
	if err != nil {
		return out, e.explain("network "+name, err)
	}
	services, err := e.api.ServiceList(ctx, swarm.ServiceListOptions{})
	if err != nil {
		return out, e.explain("services", err)
	}
	for _, s := range services {
		if slices.ContainsFunc(s.Spec.TaskTemplate.Networks, func(a swarm.NetworkAttachmentConfig) bool {
			return a.Target == n.ID || a.Target == n.Name
		}) {
			out.Services = append(out.Services, s.Spec.Name)
		}
	}
	tasks, err := e.api.TaskList(ctx, swarm.TaskListOptions{})
	if err != nil {
		return out, e.explain("tasks", err)
	}
	of := map[string]bool{}
	for _, t := range tasks {
		// A container that a person attaches gets a task too, of no service.
		if c := t.Status.ContainerStatus; c != nil && t.ServiceID != "" {
			of[c.ContainerID] = true
		}
	}
	for id, c := range n.Containers {
		if !of[id] && !strings.HasPrefix(id, "lb-") {
			out.Containers = append(out.Containers, c.Name)
		}
	}
	slices.Sort(out.Services)
	slices.Sort(out.Containers)
	return out, nil
}
