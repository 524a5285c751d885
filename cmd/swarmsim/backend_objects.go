package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/daemon/cluster/convert"
	daemonnetwork "github.com/docker/docker/daemon/network"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
)

func (b *clusterBackend) secret(input string) (*api.Secret, error) {
	return lookup("secret", input, func() (*api.Secret, error) {
		r, err := called(b.control.GetSecret(context.Background(), &api.GetSecretRequest{SecretID: input}))
		if err != nil {
			return nil, err
		}
		return r.Secret, nil
	}, func(names, ids []string) ([]*api.Secret, error) {
		r, err := called(b.control.ListSecrets(context.Background(), &api.ListSecretsRequest{Filters: &api.ListSecretsRequest_Filters{Names: names, IDPrefixes: ids}}))
		if err != nil {
			return nil, err
		}
		return r.Secrets, nil
	})
}

// GetSecret finds a secret; its data stays where it is.
func (b *clusterBackend) GetSecret(input string) (swarm.Secret, error) {
	s, err := b.secret(input)
	if err != nil {
		return swarm.Secret{}, err
	}
	return convert.SecretFromGRPC(s), nil
}

// GetSecrets lists secrets.
func (b *clusterBackend) GetSecrets(options swarm.SecretListOptions) ([]swarm.Secret, error) {
	f := options.Filters
	if err := f.Validate(map[string]bool{"names": true, "name": true, "id": true, "label": true}); err != nil {
		return nil, err
	}
	r, err := called(b.control.ListSecrets(context.Background(), &api.ListSecretsRequest{Filters: &api.ListSecretsRequest_Filters{
		Names: f.Get("names"), NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Labels: keyValues(f.Get("label")),
	}}))
	if err != nil {
		return nil, err
	}
	secrets := make([]swarm.Secret, 0, len(r.Secrets))
	for _, s := range r.Secrets {
		secrets = append(secrets, convert.SecretFromGRPC(s))
	}
	return secrets, nil
}

// CreateSecret makes a secret.
func (b *clusterBackend) CreateSecret(s swarm.SecretSpec) (string, error) {
	spec := convert.SecretSpecToGRPC(s)
	r, err := called(b.control.CreateSecret(context.Background(), &api.CreateSecretRequest{Spec: &spec}))
	if err != nil {
		return "", err
	}
	return r.Secret.ID, nil
}

// UpdateSecret changes a secret's labels.
func (b *clusterBackend) UpdateSecret(input string, version uint64, s swarm.SecretSpec) error {
	found, err := b.secret(input)
	if err != nil {
		return err
	}
	spec := convert.SecretSpecToGRPC(s)
	_, err = called(b.control.UpdateSecret(context.Background(), &api.UpdateSecretRequest{
		SecretID: found.ID, SecretVersion: &api.Version{Index: version}, Spec: &spec,
	}))
	return err
}

// RemoveSecret removes a secret that no service uses.
func (b *clusterBackend) RemoveSecret(input string) error {
	found, err := b.secret(input)
	if err != nil {
		return err
	}
	_, err = called(b.control.RemoveSecret(context.Background(), &api.RemoveSecretRequest{SecretID: found.ID}))
	return err
}

func (b *clusterBackend) config(input string) (*api.Config, error) {
	return lookup("config", input, func() (*api.Config, error) {
		r, err := called(b.control.GetConfig(context.Background(), &api.GetConfigRequest{ConfigID: input}))
		if err != nil {
			return nil, err
		}
		return r.Config, nil
	}, func(names, ids []string) ([]*api.Config, error) {
		r, err := called(b.control.ListConfigs(context.Background(), &api.ListConfigsRequest{Filters: &api.ListConfigsRequest_Filters{Names: names, IDPrefixes: ids}}))
		if err != nil {
			return nil, err
		}
		return r.Configs, nil
	})
}

// GetConfig finds a config.
func (b *clusterBackend) GetConfig(input string) (swarm.Config, error) {
	c, err := b.config(input)
	if err != nil {
		return swarm.Config{}, err
	}
	return convert.ConfigFromGRPC(c), nil
}

// GetConfigs lists configs.
func (b *clusterBackend) GetConfigs(options swarm.ConfigListOptions) ([]swarm.Config, error) {
	f := options.Filters
	if err := f.Validate(map[string]bool{"name": true, "id": true, "label": true}); err != nil {
		return nil, err
	}
	r, err := called(b.control.ListConfigs(context.Background(), &api.ListConfigsRequest{Filters: &api.ListConfigsRequest_Filters{
		NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Labels: keyValues(f.Get("label")),
	}}))
	if err != nil {
		return nil, err
	}
	configs := []swarm.Config{}
	for _, c := range r.Configs {
		configs = append(configs, convert.ConfigFromGRPC(c))
	}
	return configs, nil
}

// CreateConfig makes a config.
func (b *clusterBackend) CreateConfig(s swarm.ConfigSpec) (string, error) {
	spec := convert.ConfigSpecToGRPC(s)
	r, err := called(b.control.CreateConfig(context.Background(), &api.CreateConfigRequest{Spec: &spec}))
	if err != nil {
		return "", err
	}
	return r.Config.ID, nil
}

// UpdateConfig changes a config's labels.
func (b *clusterBackend) UpdateConfig(input string, version uint64, s swarm.ConfigSpec) error {
	found, err := b.config(input)
	if err != nil {
		return err
	}
	spec := convert.ConfigSpecToGRPC(s)
	_, err = called(b.control.UpdateConfig(context.Background(), &api.UpdateConfigRequest{
		ConfigID: found.ID, ConfigVersion: &api.Version{Index: version}, Spec: &spec,
	}))
	return err
}

// RemoveConfig removes a config that no service uses.
func (b *clusterBackend) RemoveConfig(input string) error {
	found, err := b.config(input)
	if err != nil {
		return err
	}
	_, err = called(b.control.RemoveConfig(context.Background(), &api.RemoveConfigRequest{ConfigID: found.ID}))
	return err
}

// networksBackend is what the router asks about the Swarm's networks; its
// method names are also those of the node's own.
type networksBackend struct{ *clusterBackend }

func (b *clusterBackend) listNetworks(names, ids, prefixes []string) ([]*api.Network, error) {
	r, err := called(b.control.ListNetworks(context.Background(), &api.ListNetworksRequest{
		Filters: &api.ListNetworksRequest_Filters{Names: names, IDPrefixes: ids, NamePrefixes: prefixes},
	}))
	if err != nil {
		return nil, err
	}
	return r.Networks, nil
}

func (b *clusterBackend) network(input string) (*api.Network, error) {
	return lookup("network", input, func() (*api.Network, error) {
		r, err := called(b.control.GetNetwork(context.Background(), &api.GetNetworkRequest{NetworkID: input}))
		if err != nil {
			return nil, err
		}
		return r.Network, nil
	}, func(names, ids []string) ([]*api.Network, error) { return b.listNetworks(names, ids, nil) })
}

// GetNetworks lists the Swarm's networks without those that each node has.
func (b networksBackend) GetNetworks(filter filters.Args) ([]network.Inspect, error) {
	found, err := b.listNetworks(filter.Get("name"), filter.Get("id"), filter.Get("name"))
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(inspected(found), func(n network.Inspect) bool {
		return n.Labels["com.docker.swarm.predefined"] == "true"
	})
	return daemonnetwork.FilterNetworks(list, filter)
}

func inspected(found []*api.Network) []network.Inspect {
	list := make([]network.Inspect, 0, len(found))
	for _, n := range found {
		list = append(list, convert.BasicNetworkFromGRPC(*n))
	}
	return list
}

// GetNetwork finds a network.
func (b networksBackend) GetNetwork(input string) (network.Inspect, error) {
	n, err := b.network(input)
	if err != nil {
		return network.Inspect{}, err
	}
	return convert.BasicNetworkFromGRPC(*n), nil
}

// GetNetworksByName finds the networks of a name.
func (b networksBackend) GetNetworksByName(name string) ([]network.Inspect, error) {
	found, err := b.listNetworks([]string{name}, nil, nil)
	return inspected(found), err
}

// CreateNetwork makes a network of the Swarm.
func (b networksBackend) CreateNetwork(r network.CreateRequest) (string, error) {
	if daemonnetwork.IsPredefined(r.Name) {
		return "", errdefs.Forbidden(fmt.Errorf("%s is a pre-defined network and cannot be created", r.Name))
	}
	spec := convert.BasicNetworkCreateToGRPC(r)
	created, err := called(b.control.CreateNetwork(context.Background(), &api.CreateNetworkRequest{Spec: &spec}))
	if err != nil {
		return "", err
	}
	return created.Network.ID, nil
}

// RemoveNetwork removes a network that no service uses.
func (b networksBackend) RemoveNetwork(input string) error {
	n, err := b.network(input)
	if err != nil {
		return err
	}
	_, err = called(b.control.RemoveNetwork(context.Background(), &api.RemoveNetworkRequest{NetworkID: n.ID}))
	return err
}

// GetVolume finds none: cluster volumes are not simulated.
func (b *clusterBackend) GetVolume(name string) (volume.Volume, error) {
	return volume.Volume{}, errdefs.NotFound(fmt.Errorf("volume %s not found", name))
}

// GetVolumes lists none.
func (b *clusterBackend) GetVolumes(volume.ListOptions) ([]*volume.Volume, error) { return nil, nil }

// CreateVolume is not simulated.
func (b *clusterBackend) CreateVolume(volume.CreateOptions) (*volume.Volume, error) {
	return nil, notSimulated("POST /volumes/create of a cluster volume")
}

// RemoveVolume finds none.
func (b *clusterBackend) RemoveVolume(name string, _ bool) error {
	_, err := b.GetVolume(name)
	return err
}

// UpdateVolume finds none.
func (b *clusterBackend) UpdateVolume(name string, _ uint64, _ volume.UpdateOptions) error {
	return b.RemoveVolume(name, false)
}
