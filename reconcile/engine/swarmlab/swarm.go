package swarmlab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

const (
	swarmPort = "2377"
	readyTime = 90 * time.Second
)

// form makes one Swarm of the nodes and waits until each of them is ready.
func (l *Lab) form(ctx context.Context, o Options) error {
	first := l.Nodes[0]
	c, err := first.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.SwarmInit(ctx, swarm.InitRequest{
		ListenAddr:       first.Addr + ":" + swarmPort,
		AdvertiseAddr:    first.Addr,
		AutoLockManagers: o.Autolock,
		Spec:             swarm.Spec{EncryptionConfig: swarm.EncryptionConfig{AutoLockManagers: o.Autolock}},
	})
	if err != nil {
		return first.withLog(fmt.Errorf("%s: swarm init: %w", first.Name, err))
	}
	info, err := c.SwarmInspect(ctx)
	if err != nil {
		return fmt.Errorf("%s: swarm inspect: %w", first.Name, err)
	}
	for i, n := range l.Nodes[1:] {
		token := info.JoinTokens.Worker
		if i+1 < o.Managers {
			token = info.JoinTokens.Manager
		}
		if err := n.join(ctx, first, token); err != nil {
			return err
		}
	}
	err = poll(ctx, readyTime, "swarm: all nodes ready", func(ctx context.Context) error {
		return l.ready(ctx, c)
	})
	if err != nil {
		return first.withLog(err)
	}
	return nil
}

func (n *Node) join(ctx context.Context, manager *Node, token string) error {
	c, err := n.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.SwarmJoin(ctx, swarm.JoinRequest{
		ListenAddr:    n.Addr + ":" + swarmPort,
		AdvertiseAddr: n.Addr,
		RemoteAddrs:   []string{manager.Addr + ":" + swarmPort},
		JoinToken:     token,
	})
	if err != nil {
		return n.withLog(fmt.Errorf("%s: swarm join: %w", n.Name, err))
	}
	return nil
}

func (l *Lab) ready(ctx context.Context, c *client.Client) error {
	nodes, err := c.NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		return err
	}
	if len(nodes) != len(l.Nodes) {
		return fmt.Errorf("%d of %d nodes are known", len(nodes), len(l.Nodes))
	}
	for _, n := range nodes {
		if n.Status.State != swarm.NodeStateReady {
			return fmt.Errorf("%s is %s", n.Description.Hostname, n.Status.State)
		}
		if m := n.ManagerStatus; m != nil && m.Reachability != swarm.ReachabilityReachable {
			return fmt.Errorf("manager %s is %s", n.Description.Hostname, m.Reachability)
		}
	}
	return nil
}

// Leader is the node that the Swarm's running managers call their leader. It
// waits for an election to end, as long as ctx allows.
func (l *Lab) Leader(ctx context.Context) (*Node, error) {
	for {
		n, err := l.leader(ctx)
		if err == nil {
			return n, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("swarm: no leader: %w", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (l *Lab) leader(ctx context.Context) (*Node, error) {
	var errs []error
	for _, n := range l.Nodes {
		if !n.up() {
			continue
		}
		leader, err := n.askLeader(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, candidate := range l.Nodes {
			// A killed leader keeps its title until it is missed.
			if candidate.Name == leader && candidate.up() {
				return candidate, nil
			}
		}
		errs = append(errs, fmt.Errorf("%s names %q, which is down", n.Name, leader))
	}
	return nil, errors.Join(append(errs, errors.New("no running manager names a running one"))...)
}

func (n *Node) askLeader(ctx context.Context) (string, error) {
	c, err := n.dial()
	if err != nil {
		return "", err
	}
	defer c.Close()
	nodes, err := c.NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		return "", fmt.Errorf("%s: %w", n.Name, err)
	}
	for _, node := range nodes {
		if node.ManagerStatus != nil && node.ManagerStatus.Leader {
			return node.Description.Hostname, nil
		}
	}
	return "", fmt.Errorf("%s: no node is marked as the leader", n.Name)
}

// up reports whether the node's Engine was started and not taken down.
func (n *Node) up() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.daemon != nil
}
