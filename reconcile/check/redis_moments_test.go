package check_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/spec"
)

// What an ACL does not allow is named, and what works without is not asked for.
func TestRedisPermissions(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Password: wrongPassword})
	for _, tt := range []struct {
		name, rules, want, says, remedy string
		check                           spec.RedisCheck
	}{
		{"all of it", "~redis-health-check +multi +exec +set +get +del", "passed", "", "", spec.RedisCheck{}},
		{"no transactions", "~redis-health-check +set +get +del", "passed", "", "", spec.RedisCheck{}},
		{"no EXEC", "~* +multi +set +get +del", "failed permission", "not run EXEC.", "+exec", spec.RedisCheck{}},
		{"no DEL", "~* +set +get", "failed permission", "not run MULTI, DEL, EXEC.", "+multi +del +exec", spec.RedisCheck{}},
		{"nothing", "~*", "failed permission", "not run MULTI, SET, GET, DEL, EXEC.", "+multi", spec.RedisCheck{}},
		{"another key", "~app:* +@all", "failed permission", "not use the key redis-health-check.", "~redis-health-check", spec.RedisCheck{}},
		{"another database", "~* +@all -select", "failed permission", "not run SELECT.", "+select", spec.RedisCheck{Database: 3}},
		{"no INFO", "~* +@all -info", "failed permission", "not run INFO.", "+info", spec.RedisCheck{Expect: spec.RedisExpect{Role: "master"}}},
		{"no INFO, none needed", "~* +@all -info", "passed", "", "", spec.RedisCheck{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.Command(t, wrongPassword, append([]string{"ACL", "SETUSER", "checker", "reset", "on", ">" + redisPassword}, strings.Fields(tt.rules)...)...)
			c := at(s.Addr, "redis_password")
			tt.check.Target, tt.check.Password, tt.check.Username = c.Redis.Target, c.Redis.Password, "checker"
			c.Redis = &tt.check
			r := probe(t, check.Prober{}, stack(), c)
			if got, _, _ := strings.Cut(outcome(r), " via "); got != tt.want || !strings.Contains(r.Message, tt.says) || !strings.Contains(r.Remedy, tt.remedy) {
				t.Errorf("got %s, want %s: %s %s", got, tt.want, r.Message, r.Remedy)
			}
		})
	}
}

// A key that could not be deleted is gone by itself after a while.
func TestRedisKeysExpire(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Password: wrongPassword})
	s.Command(t, wrongPassword, "ACL", "SETUSER", "checker", "on", ">"+redisPassword, "~*", "+set", "+get")
	c := at(s.Addr, "redis_password")
	c.Redis.Username = "checker"
	expect(t, c, "failed permission", true)
	var seconds int
	if _, err := fmt.Sscan(s.Command(t, wrongPassword, "TTL", "redis-health-check"), &seconds); err != nil || seconds < 1 || seconds > 30 {
		t.Errorf("the key lives for %d seconds more (%v)", seconds, err)
	}
}

func TestRedisPasswordOptional(t *testing.T) {
	open := redistest.Start(t, redistest.Options{})
	c := at(open.Addr, "redis_password")
	c.Redis.PasswordOptional = true
	expect(t, c, "passed", true)
}

// A server that reads its data says so for as long as that lasts.
func TestRedisLoading(t *testing.T) {
	before := redistest.Start(t, redistest.Options{})
	before.Command(t, "", "EVAL", "for i=1,5000 do redis.call('set', 'k'..i, string.rep('x', 100)) end", "0")
	before.Command(t, "", "SAVE")
	before.Kill()
	after := redistest.Start(t, redistest.Options{Dir: before.Dir, Loading: true,
		Args: []string{"--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"}})
	expect(t, at(after.Addr, ""), "failed loading", true)
}

// Without a password Redis serves its own machine alone, and knows that by the
// address that a client has.
func TestRedisProtectedMode(t *testing.T) {
	own := outward(t)
	s := redistest.Start(t, redistest.Options{Host: own, Args: []string{"--protected-mode", "yes"}})
	expect(t, at(s.Addr, ""), "failed protected_mode", false)
}

// outward is an address of this machine that is not loopback's.
func outward(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	const missing = "this machine has no address but loopback's"
	if os.Getenv("SWARMWARD_REQUIRE_ENGINE") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// What the Redis client logs is passed on: here, that more was answered than asked.
func TestRedisLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	probe(t, check.Prober{Log: log}, stack(), at(talker(t, "-ERR unknown command\r\n$1\r\na\r\n$1\r\nb\r\n:1\r\n:1\r\n:1\r\n:1\r\n"), ""))
	if got := out.String(); !strings.Contains(got, "level=DEBUG") || !strings.Contains(got, "by=go-redis") {
		t.Errorf("log %q", got)
	}
}
