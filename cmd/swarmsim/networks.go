package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/backend"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/daemon/cluster/convert"
	daemonnetwork "github.com/docker/docker/daemon/network"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/libnetwork"
	"github.com/docker/docker/pkg/stringid"
)

// localNetworks are the networks of the node whose Engine answers: its own, and
// a copy of each network of the Swarm that a container there is on.
type localNetworks struct {
	engine *Engine
	mu     sync.Mutex
	own    map[string]*network.Inspect
	copies map[string]*network.Inspect // by id; each has at least one container
}

const gatewayBridge = "docker_gwbridge"

func newLocalNetworks(e *Engine) *localNetworks {
	n := &localNetworks{engine: e, own: map[string]*network.Inspect{}, copies: map[string]*network.Inspect{}}
	n.make(network.CreateRequest{Name: "bridge", CreateOptions: network.CreateOptions{Driver: "bridge"}}, "172.17.0.0/16", "172.17.0.1")
	n.make(network.CreateRequest{Name: "host", CreateOptions: network.CreateOptions{Driver: "host"}}, "", "")
	n.make(network.CreateRequest{Name: "none", CreateOptions: network.CreateOptions{Driver: "null"}}, "", "")
	// Whoever looks for the gateway among the machine's own addresses finds it,
	// and the containers' addresses are such that the machine reaches them.
	n.make(network.CreateRequest{Name: gatewayBridge, CreateOptions: network.CreateOptions{Driver: "bridge", Options: map[string]string{
		"com.docker.network.bridge.enable_icc": "false", "com.docker.network.bridge.enable_ip_masquerade": "true",
		"com.docker.network.bridge.name": gatewayBridge,
	}}}, "127.0.0.0/8", "127.0.0.1")
	return n
}

func (n *localNetworks) make(r network.CreateRequest, subnet, gateway string) string {
	nw := &network.Inspect{
		Name: r.Name, ID: stringid.GenerateRandomID(), Created: time.Now(), Scope: "local", Driver: r.Driver,
		EnableIPv4: true, IPAM: network.IPAM{Driver: "default", Config: []network.IPAMConfig{}},
		Internal: r.Internal, Attachable: r.Attachable, ConfigOnly: r.ConfigOnly,
		Containers: map[string]network.EndpointResource{}, Options: r.Options, Labels: r.Labels,
	}
	if r.IPAM != nil {
		nw.IPAM = *r.IPAM
	}
	if subnet != "" {
		nw.IPAM.Config = []network.IPAMConfig{{Subnet: subnet, Gateway: gateway}}
	}
	if nw.Options == nil {
		nw.Options = map[string]string{}
	}
	if nw.Labels == nil {
		nw.Labels = map[string]string{}
	}
	n.own[r.Name] = nw
	return nw.ID
}

// attach puts a container on the bridge and on the networks of its task.
func (n *localNetworks) attach(c *simulated) {
	if c.node != n.engine.local() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	endpoint := func(address string) network.EndpointResource {
		return network.EndpointResource{
			Name: c.name(), EndpointID: stringid.GenerateRandomID(), MacAddress: "02:42:" + mac(c.id), IPv4Address: address,
		}
	}
	n.own[gatewayBridge].Containers[c.id] = endpoint(c.ip + "/8")
	for _, a := range c.task.Networks {
		if a.Network == nil || len(a.Addresses) == 0 {
			continue
		}
		nw := n.copies[a.Network.ID]
		if nw == nil {
			made := convert.BasicNetworkFromGRPC(*a.Network)
			made.Containers = map[string]network.EndpointResource{}
			nw = &made
			n.copies[a.Network.ID] = nw
		}
		nw.Containers[c.id] = endpoint(a.Addresses[0])
	}
}

func mac(id string) string {
	return fmt.Sprintf("%s:%s:%s:%s", id[:2], id[2:4], id[4:6], id[6:8])
}

// detach takes a container off its networks.
func (n *localNetworks) detach(c *simulated) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.own[gatewayBridge].Containers, c.id)
	for id, nw := range n.copies {
		delete(nw.Containers, c.id)
		if len(nw.Containers) == 0 {
			delete(n.copies, id)
		}
	}
}

// GetNetworks lists what a daemon knows without asking the Swarm.
func (n *localNetworks) GetNetworks(filter filters.Args, config backend.NetworkListConfig) ([]network.Inspect, error) {
	n.mu.Lock()
	var list []network.Inspect
	for _, nw := range slices.Concat(slices.Collect(maps.Values(n.own)), slices.Collect(maps.Values(n.copies))) {
		out := *nw
		out.Containers = maps.Clone(nw.Containers)
		list = append(list, out)
	}
	n.mu.Unlock()
	slices.SortFunc(list, func(a, b network.Inspect) int { return strings.Compare(a.Name, b.Name) })
	list, err := daemonnetwork.FilterNetworks(list, filter)
	if !config.Detailed {
		for i := range list {
			list[i].Containers = map[string]network.EndpointResource{}
		}
	}
	return list, err
}

// CreateNetwork makes a network of the node, or sends the caller on to the
// Swarm when it is one of the Swarm.
func (n *localNetworks) CreateNetwork(_ context.Context, r network.CreateRequest) (*network.CreateResponse, error) {
	if daemonnetwork.IsPredefined(r.Name) {
		return nil, errdefs.Forbidden(fmt.Errorf("operation is not permitted on predefined %s network ", r.Name))
	}
	if err := network.ValidateIPAM(r.IPAM, r.EnableIPv6 != nil && *r.EnableIPv6); err != nil {
		return nil, errdefs.InvalidParameter(err)
	}
	if strings.TrimSpace(r.Name) == "" {
		return nil, errdefs.InvalidParameter(errors.New("invalid name: name is empty"))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.named(r.Name) {
		return nil, libnetwork.NetworkNameError(r.Name)
	}
	if !slices.Contains([]string{"", "bridge", "ipvlan", "macvlan", "overlay"}, r.Driver) {
		return nil, noPlugin(r.Driver)
	}
	if r.Driver == "overlay" || r.Scope == "swarm" {
		return nil, libnetwork.ManagerRedirectError(r.Name)
	}
	if r.Driver == "" {
		r.Driver = "bridge"
	}
	id := n.make(r, "", "")
	n.engine.events.Log(events.ActionCreate, events.NetworkEventType, events.Actor{ID: id, Attributes: map[string]string{"name": r.Name, "type": r.Driver}})
	return &network.CreateResponse{ID: id}, nil
}

func (n *localNetworks) named(name string) bool {
	_, own := n.own[name]
	return own || slices.ContainsFunc(slices.Collect(maps.Values(n.copies)), func(nw *network.Inspect) bool { return nw.Name == name })
}

// DeleteNetwork removes a network of the node.
func (n *localNetworks) DeleteNetwork(id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, nw := range n.own {
		if nw.ID != id {
			continue
		}
		if daemonnetwork.IsPredefined(name) {
			return errdefs.Forbidden(fmt.Errorf("%s is a pre-defined network and cannot be removed", name))
		}
		if len(nw.Containers) > 0 {
			return errdefs.Forbidden(fmt.Errorf("network %s has active endpoints", name))
		}
		delete(n.own, name)
		n.engine.events.Log(events.ActionDestroy, events.NetworkEventType, events.Actor{ID: id, Attributes: map[string]string{"name": name, "type": nw.Driver}})
		return nil
	}
	return libnetwork.ErrNoSuchNetwork(id)
}

// ConnectContainerToNetwork is not simulated: there are no containers but tasks.
func (n *localNetworks) ConnectContainerToNetwork(context.Context, string, string, *network.EndpointSettings) error {
	return notSimulated("POST /networks/{id}/connect")
}

// DisconnectContainerFromNetwork is not simulated either.
func (n *localNetworks) DisconnectContainerFromNetwork(string, string, bool) error {
	return notSimulated("POST /networks/{id}/disconnect")
}

// NetworksPrune is not simulated.
func (n *localNetworks) NetworksPrune(context.Context, filters.Args) (*network.PruneReport, error) {
	return nil, notSimulated("POST /networks/prune")
}
