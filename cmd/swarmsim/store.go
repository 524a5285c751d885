package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync/atomic"

	gogotypes "github.com/gogo/protobuf/types"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/ca"
	"github.com/moby/swarmkit/v2/identity"
	"github.com/moby/swarmkit/v2/manager/allocator/networkallocator"
	"github.com/moby/swarmkit/v2/manager/state"
	"github.com/moby/swarmkit/v2/manager/state/raft"
	"github.com/moby/swarmkit/v2/manager/state/store"
)

// versions stands where the replicated log is in a real manager: it commits
// every change at once and counts it.
type versions struct{ index atomic.Uint64 }

// ProposeValue commits.
func (v *versions) ProposeValue(_ context.Context, _ []api.StoreAction, commit func()) error {
	v.index.Add(1)
	if commit != nil {
		commit()
	}
	return nil
}

// GetVersion is the number of changes so far.
func (v *versions) GetVersion() *api.Version { return &api.Version{Index: v.index.Load()} }

// ChangesBetween always fails: there is no log to look into.
func (v *versions) ChangesBetween(_, _ api.Version) ([]state.Change, error) {
	return nil, errors.New("changes: no log is kept")
}

// seed fills an empty store as `docker swarm init` does, and adds the nodes.
func seed(s *store.MemoryStore, nodes []*node, predefined []networkallocator.PredefinedNetworkData) error {
	root, err := ca.CreateRootCA("swarm-ca")
	if err != nil {
		return fmt.Errorf("root CA: %w", err)
	}
	return s.Update(func(tx store.Tx) error {
		if err := store.CreateCluster(tx, newCluster(&root)); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		for i, n := range nodes {
			if err := store.CreateNode(tx, newNode(n, i == 0, &root)); err != nil {
				return fmt.Errorf("node %s: %w", n.hostname, err)
			}
		}
		if err := store.CreateNetwork(tx, newIngress()); err != nil {
			return fmt.Errorf("network ingress: %w", err)
		}
		for _, p := range predefined {
			if err := store.CreateNetwork(tx, newPredefined(p)); err != nil {
				return fmt.Errorf("network %s: %w", p.Name, err)
			}
		}
		return nil
	})
}

func newCluster(root *ca.RootCA) *api.Cluster {
	config := raft.DefaultRaftConfig()
	config.ElectionTick, config.HeartbeatTick = 10, 1
	var key []byte
	if signer, err := root.Signer(); err == nil {
		key = signer.Key
	}
	return &api.Cluster{
		ID: identity.NewID(),
		Spec: api.ClusterSpec{
			Annotations:   api.Annotations{Name: store.DefaultClusterName},
			Orchestration: api.OrchestrationConfig{TaskHistoryRetentionLimit: 5},
			Dispatcher:    api.DispatcherConfig{HeartbeatPeriod: &gogotypes.Duration{Seconds: 5}},
			Raft:          config,
			CAConfig:      ca.DefaultCAConfig(),
		},
		RootCA: api.RootCA{
			CAKey: key, CACert: root.Certs, CACertHash: root.Digest.String(),
			JoinTokens: api.JoinTokens{Worker: ca.GenerateJoinToken(root, false), Manager: ca.GenerateJoinToken(root, false)},
		},
	}
}

// newNode is a node that is ready; the leader is a manager, the others workers.
func newNode(n *node, leader bool, root *ca.RootCA) *api.Node {
	role := api.NodeRoleWorker
	var manager *api.ManagerStatus
	if leader {
		role = api.NodeRoleManager
		manager = &api.ManagerStatus{
			RaftID: 1, Addr: n.addr + ":2377", Leader: true, Reachability: api.RaftMemberStatus_REACHABLE,
		}
	}
	return &api.Node{
		ID:   n.id,
		Role: role,
		Certificate: api.Certificate{
			CN: n.id, Role: role, Status: api.IssuanceStatus{State: api.IssuanceStateIssued},
		},
		Spec: api.NodeSpec{
			DesiredRole:  role,
			Membership:   api.NodeMembershipAccepted,
			Availability: api.NodeAvailabilityActive,
		},
		Description:   description(n, root),
		Status:        api.NodeStatus{State: api.NodeStatus_READY, Addr: n.addr},
		ManagerStatus: manager,
	}
}

func description(n *node, root *ca.RootCA) *api.NodeDescription {
	var plugins []api.PluginDescription
	for _, p := range plugins28() {
		for _, name := range p.names {
			plugins = append(plugins, api.PluginDescription{Type: p.kind, Name: name})
		}
	}
	return &api.NodeDescription{
		Hostname:  n.hostname,
		Platform:  &api.Platform{Architecture: "x86_64", OS: "linux"},
		Resources: &api.Resources{NanoCPUs: nodeCPUs * 1e9, MemoryBytes: nodeMemory},
		Engine:    &api.EngineDescription{EngineVersion: engineVersion, Plugins: plugins},
		TLSInfo:   trust(root),
	}
}

// trust is what a node says of the authority that it trusts.
func trust(root *ca.RootCA) *api.NodeTLSInfo {
	info := &api.NodeTLSInfo{TrustRoot: root.Certs}
	if block, _ := pem.Decode(root.Certs); block != nil {
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			info.CertIssuerSubject, info.CertIssuerPublicKey = certificate.RawSubject, certificate.RawSubjectPublicKeyInfo
		}
	}
	return info
}

type pluginKind struct {
	kind  string
	names []string
}

// plugins28 are the drivers that an Engine 28 on Linux has built in.
func plugins28() []pluginKind {
	return []pluginKind{
		{"Log", []string{"awslogs", "fluentd", "gcplogs", "gelf", "journald", "json-file", "local", "splunk", "syslog"}},
		{"Network", []string{"bridge", "host", "ipvlan", "macvlan", "null", "overlay"}},
		{"Volume", []string{"local"}},
	}
}

func newIngress() *api.Network {
	return &api.Network{
		ID: identity.NewID(),
		Spec: api.NetworkSpec{
			Ingress:      true,
			Annotations:  api.Annotations{Name: "ingress"},
			DriverConfig: &api.Driver{},
			IPAM:         &api.IPAMOptions{Driver: &api.Driver{}, Configs: []*api.IPAMConfig{}},
		},
	}
}

// newPredefined makes a node's own network, such as host, known to services.
func newPredefined(p networkallocator.PredefinedNetworkData) *api.Network {
	return &api.Network{
		ID: identity.NewID(),
		Spec: api.NetworkSpec{
			Annotations:  api.Annotations{Name: p.Name, Labels: map[string]string{networkallocator.PredefinedLabel: "true"}},
			DriverConfig: &api.Driver{Name: p.Driver},
		},
	}
}
