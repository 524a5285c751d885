package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	daemonnetwork "github.com/docker/docker/daemon/network"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
)

func (b *clusterBackend) service(input string, insertDefaults bool) (*api.Service, error) {
	ctx := context.Background()
	get := func(id string) (*api.Service, error) {
		r, err := called(b.control.GetService(ctx, &api.GetServiceRequest{ServiceID: id, InsertDefaults: insertDefaults}))
		if err != nil {
			return nil, err
		}
		return r.Service, nil
	}
	found, err := lookup("service", input, func() (*api.Service, error) { return get(input) },
		func(names, ids []string) ([]*api.Service, error) {
			r, err := called(b.control.ListServices(ctx, &api.ListServicesRequest{Filters: &api.ListServicesRequest_Filters{Names: names, IDPrefixes: ids}}))
			if err != nil {
				return nil, err
			}
			return r.Services, nil
		})
	if err != nil || !insertDefaults {
		return found, err
	}
	return get(found.ID)
}

// GetService finds a service by id, name or beginning of its id.
func (b *clusterBackend) GetService(input string, insertDefaults bool) (swarm.Service, error) {
	s, err := b.service(input, insertDefaults)
	if err != nil {
		return swarm.Service{}, err
	}
	return convert.ServiceFromGRPC(*s)
}

// GetServices lists services.
func (b *clusterBackend) GetServices(options swarm.ServiceListOptions) ([]swarm.Service, error) {
	f := options.Filters
	if err := f.Validate(map[string]bool{"name": true, "id": true, "label": true, "mode": true, "runtime": true}); err != nil {
		return nil, err
	}
	runtimes := f.Get("runtime")
	if len(runtimes) == 0 {
		runtimes = []string{string(swarm.RuntimeContainer)}
	}
	r, err := called(b.control.ListServices(context.Background(), &api.ListServicesRequest{Filters: &api.ListServicesRequest_Filters{
		NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Labels: keyValues(f.Get("label")), Runtimes: runtimes,
	}}))
	if err != nil {
		return nil, err
	}
	services, ids := make([]swarm.Service, 0, len(r.Services)), make([]string, 0, len(r.Services))
	for _, s := range r.Services {
		if f.Contains("mode") && !f.ExactMatch("mode", mode(s)) {
			continue
		}
		converted, err := convert.ServiceFromGRPC(*s)
		if err != nil {
			return nil, err
		}
		services, ids = append(services, converted), append(ids, s.ID)
	}
	if options.Status {
		return services, b.addStatuses(services, ids)
	}
	return services, nil
}

func mode(s *api.Service) string {
	switch s.Spec.GetMode().(type) {
	case *api.ServiceSpec_Global:
		return "global"
	case *api.ServiceSpec_Replicated:
		return "replicated"
	case *api.ServiceSpec_ReplicatedJob:
		return "replicated-job"
	case *api.ServiceSpec_GlobalJob:
		return "global-job"
	}
	return ""
}

func (b *clusterBackend) addStatuses(services []swarm.Service, ids []string) error {
	r, err := called(b.control.ListServiceStatuses(context.Background(), &api.ListServiceStatusesRequest{Services: ids}))
	if err != nil {
		return err
	}
	statuses := map[string]*swarm.ServiceStatus{}
	for _, s := range r.Statuses {
		statuses[s.ServiceID] = &swarm.ServiceStatus{RunningTasks: s.RunningTasks, DesiredTasks: s.DesiredTasks, CompletedTasks: s.CompletedTasks}
	}
	for i := range services {
		services[i].ServiceStatus = statuses[services[i].ID]
	}
	return nil
}

// CreateService makes a service.
func (b *clusterBackend) CreateService(s swarm.ServiceSpec, auth string, queryRegistry bool) (*swarm.ServiceCreateResponse, error) {
	spec, err := b.lower(&s)
	if err != nil {
		return nil, err
	}
	response := &swarm.ServiceCreateResponse{}
	c := spec.Task.GetContainer()
	if c == nil {
		return nil, fmt.Errorf("runtime type %q only supported in experimental", swarm.RuntimePlugin)
	}
	if auth != "" {
		c.PullOptions = &api.ContainerSpec_PullOptions{RegistryAuth: auth}
	}
	if queryRegistry {
		response.Warnings = b.pin(c)
	}
	r, err := called(b.control.CreateService(context.Background(), &api.CreateServiceRequest{Spec: spec}))
	if err != nil {
		return nil, err
	}
	response.ID = r.Service.ID
	return response, nil
}

// UpdateService changes a service, or rolls it back.
func (b *clusterBackend) UpdateService(input string, version uint64, s swarm.ServiceSpec, options swarm.ServiceUpdateOptions, queryRegistry bool) (*swarm.ServiceUpdateResponse, error) {
	spec, err := b.lower(&s)
	if err != nil {
		return nil, err
	}
	current, err := b.service(input, false)
	if err != nil {
		return nil, err
	}
	response := &swarm.ServiceUpdateResponse{}
	if c := spec.Task.GetContainer(); c != nil && current.Spec.Task.GetContainer() != nil {
		if c.PullOptions, err = pullOptions(current, options); err != nil {
			return nil, err
		}
		if queryRegistry {
			response.Warnings = b.pin(c)
		}
	}
	if crashes(current.Spec.Task, spec.Task) {
		return nil, fmt.Errorf("service %s: swarmsim refuses an update that takes the Placement away and changes nothing else, because it makes the leader of a real Swarm before moby 29.7 panic; send an empty Placement", input)
	}
	rollback := api.UpdateServiceRequest_NONE
	switch options.Rollback {
	case "", "none":
	case "previous":
		rollback = api.UpdateServiceRequest_PREVIOUS
	default:
		return nil, fmt.Errorf("unrecognized rollback option %s", options.Rollback)
	}
	_, err = called(b.control.UpdateService(context.Background(), &api.UpdateServiceRequest{
		ServiceID: current.ID, Spec: spec, ServiceVersion: &api.Version{Index: version}, Rollback: rollback,
	}))
	return response, err
}

// crashes tells whether Swarm's own code would end the process: comparing tasks
// with a spec that differs in nothing but a missing Placement, it follows the
// nil pointer.
func crashes(before, after api.TaskSpec) bool {
	if before.Placement == nil || after.Placement != nil {
		return false
	}
	before.Placement = nil
	return reflect.DeepEqual(before, after)
}

// lower turns a spec into Swarm's form, with its networks by id.
func (b *clusterBackend) lower(s *swarm.ServiceSpec) (*api.ServiceSpec, error) {
	if err := b.populateNetworks(s); err != nil {
		return nil, err
	}
	spec, err := convert.ServiceSpecToGRPC(*s)
	if err != nil {
		return nil, errdefs.InvalidParameter(err)
	}
	if spec.Task.GetAttachment() != nil {
		return nil, fmt.Errorf("invalid task spec: spec type %q not supported", swarm.RuntimeNetworkAttachment)
	}
	return &spec, nil
}

// pullOptions are the new credentials, or the ones that the service has.
func pullOptions(current *api.Service, options swarm.ServiceUpdateOptions) (*api.ContainerSpec_PullOptions, error) {
	if options.EncodedRegistryAuth != "" {
		return &api.ContainerSpec_PullOptions{RegistryAuth: options.EncodedRegistryAuth}, nil
	}
	from := current.Spec.Task.GetContainer()
	switch options.RegistryAuthFrom {
	case swarm.RegistryAuthFromSpec, "":
	case swarm.RegistryAuthFromPreviousSpec:
		if current.PreviousSpec == nil {
			return nil, errors.New("service does not have a previous spec")
		}
		from = current.PreviousSpec.Task.GetContainer()
	default:
		return nil, errors.New("unsupported registryAuthFrom value")
	}
	if from == nil {
		return nil, errors.New("service does not use container tasks")
	}
	return from.PullOptions, nil
}

// pin adds the digest to an image, which the daemon does for clients before API
// 1.30; it warns when the registry does not have it.
func (b *clusterBackend) pin(c *api.ContainerSpec) (warnings []string) {
	ref, ok := named(c.Image)
	if !ok || digestOf(ref) != "" {
		return nil
	}
	if b.engine.registry.has(c.Image) {
		_, d := manifest(ref.Name(), tagOf(ref))
		if pinned, err := reference.WithDigest(ref, d); err == nil {
			c.Image = reference.FamiliarString(pinned)
			return nil
		}
	}
	return []string{fmt.Sprintf("image %s could not be accessed on a registry to record\nits digest. Each node will access %s independently,\npossibly leading to different nodes running different\nversions of the image.\n", c.Image, c.Image)}
}

// RemoveService removes a service.
func (b *clusterBackend) RemoveService(input string) error {
	s, err := b.service(input, false)
	if err != nil {
		return err
	}
	_, err = called(b.control.RemoveService(context.Background(), &api.RemoveServiceRequest{ServiceID: s.ID}))
	return err
}

// populateNetworks replaces what a spec calls its networks by their ids.
func (b *clusterBackend) populateNetworks(s *swarm.ServiceSpec) error {
	networks := s.TaskTemplate.Networks
	if len(networks) == 0 {
		//lint:ignore SA1019 old clients still send it
		networks = s.Networks
	}
	for i, wanted := range networks {
		found, err := b.network(wanted.Target)
		if err != nil {
			local, ok := b.engine.networks.find(wanted.Target)
			switch {
			case !ok:
				return err
			case daemonnetwork.IsPredefined(local.Name):
				if found, err = b.network(local.Name); err != nil {
					return errdefs.NotFound(fmt.Errorf("could not find the corresponding predefined swarm network: %w", err))
				}
			case local.Scope != "swarm":
				return errdefs.Forbidden(verbatim("The network %s cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.", local.Name))
			default:
				return err
			}
		}
		networks[i].Target = found.ID
	}
	return nil
}

// find looks for a network by id or name.
func (n *localNetworks) find(idOrName string) (network.Inspect, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, nw := range n.own {
		if nw.ID == idOrName || nw.Name == idOrName {
			return *nw, true
		}
	}
	for _, nw := range n.copies {
		if nw.ID == idOrName || nw.Name == idOrName {
			return *nw, true
		}
	}
	return network.Inspect{}, false
}
