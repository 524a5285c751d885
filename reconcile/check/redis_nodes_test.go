package check_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/spec"
)

// publishedAt finds every service at one address.
func publishedAt(address string) check.Locator {
	return locatorFunc(func(context.Context, string, int) (reconcile.Location, error) {
		return reconcile.Location{Running: 1, Ways: []reconcile.Way{{Kind: "published", Address: address}}}, nil
	})
}

// monitoring is the configuration of a Sentinel that watches a master.
func monitoring(name, address string, more ...string) string {
	host, port, _ := net.SplitHostPort(address)
	return strings.Join(append([]string{"sentinel monitor " + name + " " + host + " " + port + " 1"}, more...), "\n")
}

func TestRedisSentinel(t *testing.T) {
	master := redistest.Start(t, redistest.Options{Password: redisPassword})
	gone := redistest.Unused(t)
	watched := redistest.Start(t, redistest.Options{Sentinel: monitoring("main", master.Addr) + "\n" + monitoring("lost", gone)})
	locked := redistest.Start(t, redistest.Options{Sentinel: monitoring("main", master.Addr, "requirepass "+wrongPassword)})
	ask := func(name, secret string, addresses ...string) spec.Check {
		c := at("", "redis_password")
		c.Redis.Database = 2
		c.Redis.Sentinel = &spec.Sentinel{Master: name, Addresses: addresses, Password: spec.Credential{Secret: secret}}
		return c
	}
	for _, tt := range []struct {
		name  string
		check spec.Check
		want  string
	}{
		{"it knows the master", ask("main", "", watched.Addr), "passed via sentinel " + master.Addr},
		{"the second one answers", ask("main", "", gone, watched.Addr), "passed via sentinel " + master.Addr},
		{"it wants a password", ask("main", "wrong_password", locked.Addr), "passed via sentinel " + master.Addr},
		{"it wants another password", ask("main", "redis_password", locked.Addr), "failed sentinel_auth via sentinel " + locked.Addr},
		{"it wants a password and gets none", ask("main", "", locked.Addr), "failed sentinel_auth via sentinel " + locked.Addr},
		{"its password is not known", ask("main", "external", locked.Addr), "unknown credential_unavailable"},
		{"it knows no such master", ask("other", "", watched.Addr), "failed no_master via sentinel " + watched.Addr},
		{"the master is gone", ask("lost", "", watched.Addr), "failed refused via sentinel " + watched.Addr},
		{"no Sentinel", ask("main", "redis_password", master.Addr), "failed not_sentinel via sentinel " + master.Addr},
		{"no Redis", ask("main", "", talker(t, "SSH-2.0\r\n")), "failed not_redis via sentinel "},
		{"nobody", ask("main", "", gone), "failed refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := probe(t, check.Prober{}, stack(), tt.check)
			if got := outcome(r); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s: %s", got, tt.want, r.Message)
			}
		})
	}
	t.Run("as a service of the stack", func(t *testing.T) {
		c := ask("main", "", "sentinel.example:26379")
		c.Redis.Target = spec.Target{Service: "redis", Port: 26379}
		if got := outcome(probe(t, check.Prober{Locator: publishedAt(watched.Addr)}, stack(), c)); got != "passed via sentinel "+master.Addr {
			t.Errorf("got %s", got)
		}
	})
}

// node starts a node of a Cluster that serves a range of slots.
func node(t *testing.T, from, to int) *redistest.Server {
	t.Helper()
	_, bus, _ := net.SplitHostPort(redistest.Unused(t))
	s := redistest.Start(t, redistest.Options{Args: []string{"--cluster-enabled", "yes", "--cluster-port", bus}})
	s.Command(t, "", "CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(from), fmt.Sprint(to))
	return s
}

func TestRedisCluster(t *testing.T) {
	const slots = 16384
	low, high := node(t, 0, slots/2-1), node(t, slots/2, slots-1)
	half := node(t, 0, slots/2-1)
	partly := redistest.Start(t, redistest.Options{Args: []string{"--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-port", port(redistest.Unused(t))}})
	single := redistest.Start(t, redistest.Options{})
	high.Command(t, "", "CLUSTER", "SET-CONFIG-EPOCH", "2")
	bus := busPort(t, high)
	host, client, _ := net.SplitHostPort(high.Addr)
	low.Command(t, "", "CLUSTER", "MEET", host, client, bus)
	for _, s := range []*redistest.Server{low, high} {
		eventually(t, "the Cluster is whole", func() bool {
			return strings.Contains(s.Command(t, "", "CLUSTER", "INFO"), "cluster_state:ok")
		})
	}
	ask := func(key string, addresses ...string) spec.Check {
		c := at("", "")
		c.Redis.Key, c.Redis.Cluster = key, addresses
		return c
	}
	lowKey, highKey := keyIn(t, low, 0, slots/2), keyIn(t, low, slots/2, slots)
	partly.Command(t, "", "CLUSTER", "ADDSLOTSRANGE", "0", fmt.Sprint(slots/2-1))
	eventually(t, "the part that is there works", func() bool {
		return strings.Contains(partly.Command(t, "", "CLUSTER", "INFO"), "cluster_state:ok")
	})
	alone := at(low.Addr, "")
	alone.Redis.Key = highKey

	for _, tt := range []struct {
		name  string
		check spec.Check
		want  string
	}{
		{"the node that has the key", ask(lowKey, low.Addr), "passed via cluster " + low.Addr},
		{"a node that names another", ask(highKey, low.Addr), "passed via cluster " + high.Addr},
		{"the second address answers", ask(lowKey, redistest.Unused(t), high.Addr), "passed via cluster " + low.Addr},
		{"a node asked as a single server", alone, "failed moved via explicit " + low.Addr},
		{"a single server", ask(lowKey, single.Addr), "failed not_cluster via cluster " + single.Addr},
		{"slots are missing", ask(lowKey, half.Addr), "failed cluster_down via cluster " + half.Addr},
		{"slots are missing, not the key's", ask(lowKey, partly.Addr), "failed cluster_down via cluster " + partly.Addr},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := probe(t, check.Prober{}, stack(), tt.check)
			if got := outcome(r); got != tt.want {
				t.Errorf("got %s, want %s: %s", got, tt.want, r.Message)
			}
		})
	}
	t.Run("the node with the key is gone", func(t *testing.T) {
		high.Kill()
		r := probe(t, check.Prober{}, stack(), ask(highKey, low.Addr))
		if got := outcome(r); got != "failed refused via cluster "+low.Addr || !strings.Contains(r.Message, high.Addr) {
			t.Errorf("got %s: %s", got, r.Message)
		}
	})
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

func busPort(t *testing.T, s *redistest.Server) string {
	t.Helper()
	lines := strings.Fields(s.Command(t, "", "CONFIG", "GET", "cluster-port"))
	return lines[len(lines)-1]
}

// keyIn finds a key with its slot in a range.
func keyIn(t *testing.T, s *redistest.Server, from, to int) string {
	t.Helper()
	for i := range 100 {
		key := fmt.Sprintf("probe-%d", i)
		var slot int
		if _, err := fmt.Sscan(s.Command(t, "", "CLUSTER", "KEYSLOT", key), &slot); err != nil {
			t.Fatal(err)
		}
		if slot >= from && slot < to {
			return key
		}
	}
	t.Fatal("no such key")
	return ""
}
