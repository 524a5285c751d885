package check

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// redisExpect compares what the server says of itself with what the check
// expects.
func (t *try) redisExpect(ctx context.Context, c spec.RedisCheck, s *redisSession) *finding {
	if c.Expect == (spec.RedisExpect{}) {
		return nil
	}
	text, err := s.client.Info(ctx).Result()
	if err != nil {
		f := t.redisFailure(ctx, c, s, err)
		return &f
	}
	info := parseInfo(text)
	for _, e := range redisExpectations(c.Expect, info) {
		if !e.holds {
			f := failed(e.reason, fmt.Sprintf("Redis at %s %s.", t.way.Address, e.message), e.remedy)
			return &f
		}
	}
	return nil
}

// expectation is one thing that must hold, and what to say when it does not.
type expectation struct {
	reason          reconcile.Reason
	holds           bool
	message, remedy string
}

// redisExpectations are looked at in order, and the first that does not hold
// is the finding.
func redisExpectations(want spec.RedisExpect, info map[string]string) []expectation {
	role := map[string]string{"master": "master", "slave": "replica"}[info["role"]]
	replicas := onlineReplicas(info)
	limit, used := number(info["maxmemory"]), number(info["used_memory"])
	share := 0
	if limit > 0 {
		share = int(used * 100 / limit)
	}
	return []expectation{
		{ReasonWrongRole, want.Role == "" || want.Role == role,
			fmt.Sprintf("is a %s, not a %s", role, want.Role),
			"Point the check at the right server, or change this one's role with REPLICAOF."},
		{ReasonMasterDown, want.Role != "replica" || info["master_link_status"] == "up",
			"is a replica that has lost its master",
			"Bring the master back, or promote this server: REPLICAOF NO ONE."},
		{ReasonReplicasMissing, replicas >= want.Replicas,
			fmt.Sprintf("has %d of %d replicas connected", replicas, want.Replicas),
			"See the log of the missing replica: it must reach the master and know its password (masterauth)."},
		{ReasonAppendOnly, want.AppendOnly == nil || *want.AppendOnly == (info["aof_enabled"] == "1"),
			"runs with appendonly " + map[string]string{"1": "yes", "0": "no"}[info["aof_enabled"]],
			"Set appendonly in its configuration; CONFIG SET changes it until the next restart alone."},
		{ReasonSaveFailed, !want.LastSaveOK || info["rdb_last_bgsave_status"] == "ok" && info["aof_last_write_status"] == "ok" && info["aof_last_bgrewrite_status"] == "ok",
			"could not save its data to disk the last time it tried",
			"Free disk space and check the permissions of its data directory; its log has the cause."},
		{ReasonMemoryUnlimited, want.MemoryBelow == 0 || limit > 0,
			"has no maxmemory, so it grows until its container is killed",
			"Set maxmemory below the service's memory limit."},
		{ReasonMemoryHigh, want.MemoryBelow == 0 || share < want.MemoryBelow,
			fmt.Sprintf("uses %d%% of its maxmemory; the check wants less than %d%%", share, want.MemoryBelow),
			"Raise maxmemory and the service's memory limit, or free keys, or choose an eviction policy."},
	}
}

func onlineReplicas(info map[string]string) int {
	n := 0
	for i := range int(number(info["connected_slaves"])) {
		if strings.Contains(info["slave"+strconv.Itoa(i)], "state=online") {
			n++
		}
	}
	return n
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// parseInfo takes the lines of INFO or CLUSTER INFO apart.
func parseInfo(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[name] = value
		}
	}
	return out
}
