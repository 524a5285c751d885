package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/swarmward/swarmward/spec"
)

// maxMoves is how often a Cluster may send a check to another node.
const maxMoves = 5

// redisMaster asks Sentinel for the master and opens a session with that.
func (t *try) redisMaster(ctx context.Context, c spec.RedisCheck, password string) (*redisSession, *finding) {
	watcher := c
	watcher.Username, watcher.Password, watcher.Database = c.Sentinel.Username, c.Sentinel.Password, 0
	own, problem := t.credential(watcher.Password)
	if problem != nil {
		return nil, problem
	}
	conn, problem := t.connectFirst(ctx, "sentinel", c.Sentinel.Addresses)
	if problem != nil {
		return nil, problem
	}
	s, problem := t.redisOver(ctx, conn, watcher, own)
	if problem != nil {
		return nil, problem
	}
	defer s.close()
	address, err := s.client.Do(ctx, "sentinel", "get-master-addr-by-name", c.Sentinel.Master).StringSlice()
	switch {
	case errors.Is(err, redis.Nil):
		f := failed(ReasonNoMaster,
			fmt.Sprintf("The Sentinel at %s watches no master named %s.", t.way.Address, c.Sentinel.Master),
			"Correct master_name in the check's url, or have the Sentinel monitor it: see SENTINEL MASTERS.")
		return nil, &f
	case err != nil:
		f := t.redisFailure(ctx, watcher, s, err)
		switch f.reason {
		case ReasonAuthRequired, ReasonAuthFailed:
			f = failed(ReasonSentinelAuth, fmt.Sprintf("The Sentinel at %s does not take the check's password for it, or wants one.", t.way.Address),
				"Name the secret with Sentinel's own password in the check: sentinel_password: {secret: …}.")
		case ReasonRedisError:
			f = failed(ReasonNotSentinel, fmt.Sprintf("What listens at %s is Redis, but no Sentinel.", t.way.Address),
				"Check the host and the port of the check's url; Sentinel's is 26379 unless it is told otherwise.")
		}
		return nil, &f
	case len(address) != 2:
		f := t.notRedis(s.heard.text())
		return nil, &f
	}
	return t.redisAt(ctx, c, password, "sentinel", net.JoinHostPort(address[0], address[1]))
}

// movedTo is the node that a MOVED reply of the node at from names; empty when
// the error is none.
func movedTo(from string, err error) string {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return ""
	}
	words := strings.Fields(reply.Error())
	if len(words) != 3 || words[0] != "MOVED" {
		return ""
	}
	host, port, err := net.SplitHostPort(words[2])
	if err != nil {
		return ""
	}
	if host == "" { // the node knows no better than the client
		host, _, _ = net.SplitHostPort(from)
	}
	return net.JoinHostPort(host, port)
}

// clusterState looks whether every slot is served: the round trip has used one.
func (t *try) clusterState(ctx context.Context, c spec.RedisCheck, s *redisSession) *finding {
	text, err := s.client.Do(ctx, "cluster", "info").Text()
	if err != nil {
		f := t.redisFailure(ctx, c, s, err)
		if f.reason == ReasonRedisError {
			f = failed(ReasonNotCluster, fmt.Sprintf("Redis at %s is a server of its own, not a node of a Cluster.", t.way.Address),
				"Write redis:// instead of redis-cluster:// in the check, or start the server with cluster-enabled yes.")
		}
		return &f
	}
	info := parseInfo(text)
	if info["cluster_state"] != "ok" || info["cluster_slots_ok"] != "16384" {
		f := failed(ReasonClusterDown,
			fmt.Sprintf("The Cluster of Redis at %s serves %s of 16384 slots.", t.way.Address, info["cluster_slots_ok"]),
			"See which node is missing with CLUSTER NODES, and bring it or a replica of it back.")
		return &f
	}
	return nil
}
