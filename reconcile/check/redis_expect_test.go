package check_test

import (
	"os"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/spec"
)

// replicaOf is the option that makes a server follow another one.
func replicaOf(s *redistest.Server) []string {
	return []string{"--replicaof", strings.Replace(s.Addr, ":", " ", 1)}
}

func TestRedisExpectations(t *testing.T) {
	yes, no := true, false
	master := redistest.Start(t, redistest.Options{Args: []string{"--repl-diskless-sync-delay", "0", "--maxmemory", "100mb"}})
	replica := redistest.Start(t, redistest.Options{Args: replicaOf(master)})
	writable := redistest.Start(t, redistest.Options{Args: append(replicaOf(master), "--replica-read-only", "no")})
	orphan := redistest.Start(t, redistest.Options{Args: []string{"--replicaof", strings.Replace(redistest.Unused(t), ":", " ", 1)}})
	durable := redistest.Start(t, redistest.Options{Args: []string{"--appendonly", "yes"}})
	full := redistest.Start(t, redistest.Options{Args: []string{"--maxmemory", "20mb"}})
	full.Command(t, "", "EVAL", "for i=1,10 do redis.call('set', 'k'..i, string.rep('x', 1024*1024)) end", "0")
	broken := redistest.Start(t, redistest.Options{Args: []string{"--stop-writes-on-bgsave-error", "no"}})
	if err := os.RemoveAll(broken.Dir); err != nil {
		t.Fatal(err)
	}
	broken.Command(t, "", "BGSAVE")
	eventually(t, "the snapshot has failed", func() bool {
		return strings.Contains(broken.Command(t, "", "INFO", "persistence"), "rdb_last_bgsave_status:err")
	})
	for _, s := range []*redistest.Server{replica, writable} {
		eventually(t, "the replica follows", func() bool {
			return strings.Contains(s.Command(t, "", "INFO", "replication"), "master_link_status:up")
		})
	}
	eventually(t, "the master counts its replicas", func() bool {
		return strings.Count(master.Command(t, "", "INFO", "replication"), "state=online") == 2
	})

	for _, tt := range []struct {
		name   string
		server *redistest.Server
		expect spec.RedisExpect
		want   string
	}{
		{"all of it", master, spec.RedisExpect{Role: "master", Replicas: 2, AppendOnly: &no, LastSaveOK: true, MemoryBelow: 90}, "passed"},
		{"a master's role", writable, spec.RedisExpect{Role: "master"}, "failed wrong_role"},
		{"more replicas", master, spec.RedisExpect{Replicas: 3}, "failed replicas_missing"},
		{"append-only on", durable, spec.RedisExpect{AppendOnly: &yes}, "passed"},
		{"append-only on where it is off", master, spec.RedisExpect{AppendOnly: &yes}, "failed append_only"},
		{"append-only off where it is on", durable, spec.RedisExpect{AppendOnly: &no}, "failed append_only"},
		{"a save that worked", broken, spec.RedisExpect{LastSaveOK: true}, "failed save_failed"},
		{"nothing of the save", broken, spec.RedisExpect{Role: "master"}, "passed"},
		{"memory to spare", full, spec.RedisExpect{MemoryBelow: 40}, "failed memory_high"},
		{"memory to spare without a limit", durable, spec.RedisExpect{MemoryBelow: 40}, "failed memory_unlimited"},
		{"a replica", replica, spec.RedisExpect{Role: "replica"}, "passed"},
		{"a replica that is a master", master, spec.RedisExpect{Role: "replica"}, "failed wrong_role"},
		{"a replica that follows", orphan, spec.RedisExpect{Role: "replica"}, "failed master_down"},
		{"a master that is a replica", replica, spec.RedisExpect{Role: "master"}, "failed readonly"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := at(tt.server.Addr, "")
			c.Redis.Expect = tt.expect
			expect(t, c, tt.want, true)
		})
	}
	if got := replica.Command(t, "", "GET", "redis-health-check"); got != "" {
		t.Errorf("a key was left: %q", got)
	}
}
