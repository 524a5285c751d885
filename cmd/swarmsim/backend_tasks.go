package main

import (
	"context"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
)

func (b *clusterBackend) task(input string) (*api.Task, error) {
	return lookup("task", input, func() (*api.Task, error) {
		r, err := called(b.control.GetTask(context.Background(), &api.GetTaskRequest{TaskID: input}))
		if err != nil {
			return nil, err
		}
		return r.Task, nil
	}, func(names, ids []string) ([]*api.Task, error) {
		r, err := called(b.control.ListTasks(context.Background(), &api.ListTasksRequest{Filters: &api.ListTasksRequest_Filters{Names: names, IDPrefixes: ids}}))
		if err != nil {
			return nil, err
		}
		return r.Tasks, nil
	})
}

// GetTask finds a task.
func (b *clusterBackend) GetTask(input string) (swarm.Task, error) {
	t, err := b.task(input)
	if err != nil {
		return swarm.Task{}, err
	}
	return convert.TaskFromGRPC(*t)
}

// GetTasks lists tasks.
func (b *clusterBackend) GetTasks(options swarm.TaskListOptions) ([]swarm.Task, error) {
	f, err := b.taskFilters(options.Filters)
	if err != nil {
		return nil, err
	}
	r, err := called(b.control.ListTasks(context.Background(), &api.ListTasksRequest{Filters: f}))
	if err != nil {
		return nil, err
	}
	tasks := make([]swarm.Task, 0, len(r.Tasks))
	for _, t := range r.Tasks {
		converted, err := convert.TaskFromGRPC(*t)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, converted)
	}
	return tasks, nil
}

func (b *clusterBackend) taskFilters(f filters.Args) (*api.ListTasksRequest_Filters, error) {
	if err := f.Validate(map[string]bool{
		"name": true, "id": true, "label": true, "service": true, "node": true, "desired-state": true, "_up-to-date": true, "runtime": true,
	}); err != nil {
		return nil, err
	}
	out := &api.ListTasksRequest_Filters{
		NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Labels: keyValues(f.Get("label")),
		UpToDate: len(f.Get("_up-to-date")) != 0, Runtimes: f.Get("runtime"),
	}
	for _, input := range f.Get("service") {
		s, err := b.service(input, false)
		if err != nil {
			return nil, err
		}
		out.ServiceIDs = append(out.ServiceIDs, s.ID)
	}
	for _, input := range f.Get("node") {
		n, err := b.findNode(input)
		if err != nil {
			return nil, err
		}
		out.NodeIDs = append(out.NodeIDs, n.ID)
	}
	for _, input := range f.Get("desired-state") {
		state, ok := api.TaskState_value[strings.ToUpper(input)]
		if !ok {
			return nil, verbatim("Invalid desired-state filter: '%s'", input)
		}
		out.DesiredStates = append(out.DesiredStates, api.TaskState(state))
	}
	if len(out.Runtimes) == 0 {
		out.Runtimes = []string{"container", ""}
	}
	return out, nil
}

func (b *clusterBackend) findNode(input string) (*api.Node, error) {
	return lookup("node", input, func() (*api.Node, error) {
		r, err := called(b.control.GetNode(context.Background(), &api.GetNodeRequest{NodeID: input}))
		if err != nil {
			return nil, err
		}
		return r.Node, nil
	}, func(names, ids []string) ([]*api.Node, error) {
		r, err := called(b.control.ListNodes(context.Background(), &api.ListNodesRequest{Filters: &api.ListNodesRequest_Filters{Names: names, IDPrefixes: ids}}))
		if err != nil {
			return nil, err
		}
		return r.Nodes, nil
	})
}

// GetNode finds a node.
func (b *clusterBackend) GetNode(input string) (swarm.Node, error) {
	n, err := b.findNode(input)
	if err != nil {
		return swarm.Node{}, err
	}
	return convert.NodeFromGRPC(*n), nil
}

// GetNodes lists nodes.
func (b *clusterBackend) GetNodes(options swarm.NodeListOptions) ([]swarm.Node, error) {
	f := options.Filters
	if err := f.Validate(map[string]bool{"name": true, "id": true, "label": true, "role": true, "membership": true, "node.label": true}); err != nil {
		return nil, err
	}
	wanted := &api.ListNodesRequest_Filters{
		NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Labels: keyValues(f.Get("label")), NodeLabels: keyValues(f.Get("node.label")),
	}
	for _, input := range f.Get("role") {
		role, ok := api.NodeRole_value[strings.ToUpper(input)]
		if !ok {
			return nil, verbatim("Invalid role filter: '%s'", input)
		}
		wanted.Roles = append(wanted.Roles, api.NodeRole(role))
	}
	for _, input := range f.Get("membership") {
		membership, ok := api.NodeSpec_Membership_value[strings.ToUpper(input)]
		if !ok {
			return nil, verbatim("Invalid membership filter: '%s'", input)
		}
		wanted.Memberships = append(wanted.Memberships, api.NodeSpec_Membership(membership))
	}
	r, err := called(b.control.ListNodes(context.Background(), &api.ListNodesRequest{Filters: wanted}))
	if err != nil {
		return nil, err
	}
	nodes := make([]swarm.Node, 0, len(r.Nodes))
	for _, n := range r.Nodes {
		nodes = append(nodes, convert.NodeFromGRPC(*n))
	}
	return nodes, nil
}

// UpdateNode changes a node's labels and availability.
func (b *clusterBackend) UpdateNode(input string, version uint64, s swarm.NodeSpec) error {
	spec, err := convert.NodeSpecToGRPC(s)
	if err != nil {
		return errdefs.InvalidParameter(err)
	}
	found, err := b.findNode(input)
	if err != nil {
		return err
	}
	if spec.DesiredRole != found.Spec.DesiredRole {
		return notSimulated("POST /nodes/{id}/update of a role")
	}
	_, err = called(b.control.UpdateNode(context.Background(), &api.UpdateNodeRequest{NodeID: found.ID, Spec: &spec, NodeVersion: &api.Version{Index: version}}))
	return err
}

// RemoveNode removes a node that is down.
func (b *clusterBackend) RemoveNode(input string, force bool) error {
	found, err := b.findNode(input)
	if err != nil {
		return err
	}
	_, err = called(b.control.RemoveNode(context.Background(), &api.RemoveNodeRequest{NodeID: found.ID, Force: force}))
	return err
}
