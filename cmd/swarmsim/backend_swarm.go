package main

import (
	"context"
	"errors"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/controlapi"
)

// clusterBackend is what the Engine's routers ask about the Swarm. Its methods
// do what the daemon of a manager does between a router and the control API.
type clusterBackend struct {
	engine  *Engine
	control *controlapi.Server
}

func errSwarmExists() error {
	return errdefs.Unavailable(verbatim(`This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.`))
}

// Init fails: there is a Swarm.
func (b *clusterBackend) Init(swarm.InitRequest) (string, error) { return "", errSwarmExists() }

// Join fails for the same reason.
func (b *clusterBackend) Join(swarm.JoinRequest) error { return errSwarmExists() }

// Leave is not simulated.
func (b *clusterBackend) Leave(context.Context, bool) error { return notSimulated("POST /swarm/leave") }

// UnlockSwarm fails: the Swarm is not locked.
func (b *clusterBackend) UnlockSwarm(swarm.UnlockRequest) error {
	return errdefs.Conflict(errors.New("swarm is not locked"))
}

// GetUnlockKey is not simulated: the Swarm is never locked.
func (b *clusterBackend) GetUnlockKey() (string, error) { return "", nil }

func (b *clusterBackend) cluster() (*api.Cluster, error) {
	r, err := called(b.control.ListClusters(context.Background(), &api.ListClustersRequest{}))
	if err != nil {
		return nil, err
	}
	return r.Clusters[0], nil
}

// Inspect describes the Swarm.
func (b *clusterBackend) Inspect() (swarm.Swarm, error) {
	c, err := b.cluster()
	if err != nil {
		return swarm.Swarm{}, err
	}
	return convert.SwarmFromGRPC(*c), nil
}

// Update changes the Swarm's settings.
func (b *clusterBackend) Update(version uint64, spec swarm.Spec, flags swarm.UpdateFlags) error {
	c, err := b.cluster()
	if err != nil {
		return err
	}
	merged, err := convert.MergeSwarmSpecToGRPC(spec, c.Spec)
	if err != nil {
		return errdefs.InvalidParameter(err)
	}
	_, err = called(b.control.UpdateCluster(context.Background(), &api.UpdateClusterRequest{
		ClusterID: c.ID, Spec: &merged, ClusterVersion: &api.Version{Index: version},
		Rotation: api.KeyRotation{
			WorkerJoinToken: flags.RotateWorkerToken, ManagerJoinToken: flags.RotateManagerToken, ManagerUnlockKey: flags.RotateManagerUnlockKey,
		},
	}))
	return err
}

// Info is the Swarm's part of /info.
func (b *clusterBackend) Info(context.Context) swarm.Info {
	local := b.engine.local()
	info := swarm.Info{
		NodeID: local.id, NodeAddr: local.addr, LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true,
		RemoteManagers: []swarm.Peer{{NodeID: local.id, Addr: local.addr + ":2377"}},
	}
	inspected, err := b.Inspect()
	if err != nil {
		info.Error = err.Error()
	}
	info.Cluster = &inspected.ClusterInfo
	nodes, err := b.GetNodes(swarm.NodeListOptions{})
	if err != nil {
		info.Error = err.Error()
	}
	info.Nodes = len(nodes)
	for _, n := range nodes {
		if n.ManagerStatus != nil {
			info.Managers++
		}
	}
	return info
}

// Status is what /_ping says of the Swarm.
func (b *clusterBackend) Status() string { return "active/manager" }

// IsManager is true: only a manager's Engine is simulated.
func (b *clusterBackend) IsManager() bool { return true }

// keyValues turns key=value filters into a map, as the daemon does.
func keyValues(values []string) map[string]string {
	return environment(values)
}
