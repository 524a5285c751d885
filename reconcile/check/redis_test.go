package check_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/spec"
)

// at is a redis check of an address with the password of a secret.
func at(address, secret string) spec.Check {
	return spec.Check{
		Timeout: 20 * time.Second,
		Redis:   &spec.RedisCheck{Target: spec.Target{Connect: address}, Password: spec.Credential{Secret: secret}},
	}
}

// expect probes and compares status and reason and, for redis, the evidence:
// connected says whether the server let the check in.
func expect(t *testing.T, c spec.Check, want string, connected bool) reconcile.CheckResult {
	t.Helper()
	r := probe(t, check.Prober{}, stack(), c)
	got, _, _ := strings.Cut(outcome(r), " via ")
	if got != want {
		t.Errorf("got %s, want %s: %s", got, want, r.Message)
	}
	if e := r.Redis; e != nil {
		passed := r.Status == reconcile.CheckPassed
		if e.Connected != connected || e.TestPassed != passed {
			t.Errorf("evidence %+v, want connected %v, passed %v", *e, connected, passed)
		}
		if e.TestValue != fmt.Sprintf("ok-%d", r.At.UnixNano()) || e.TestKey == "" {
			t.Errorf("evidence %+v", *e)
		}
		writes := c.Redis.Expect.Role != "replica"
		if passed && writes && (e.Retrieved == nil || *e.Retrieved != e.TestValue) || !connected && e.Retrieved != nil {
			t.Errorf("retrieved %v of %s", e.Retrieved, e.TestValue)
		}
	}
	return r
}

func TestRedisRoundTrip(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Password: redisPassword})
	r := expect(t, at(s.Addr, "redis_password"), "passed", true)
	if r.Redis.TestKey != "redis-health-check" || r.Via != "explicit "+s.Addr {
		t.Errorf("result %+v", r)
	}
	if keys := s.Command(t, redisPassword, "DBSIZE"); keys != "0" {
		t.Errorf("%s keys are left behind", keys)
	}

	c := at(s.Addr, "redis_password")
	c.Redis.Key, c.Redis.Database = "probe:{x}", 3
	s.Command(t, redisPassword, "SET", "redis-health-check", "untouched")
	if r := expect(t, c, "passed", true); r.Redis.TestKey != "probe:{x}" {
		t.Errorf("key %s", r.Redis.TestKey)
	}
	if got := s.Command(t, redisPassword, "GET", "redis-health-check"); got != "untouched" {
		t.Errorf("another key was touched: %q", got)
	}
	c.Redis.Database = 99
	if r := expect(t, c, "failed redis_error", false); !strings.Contains(r.Message, "database 99") {
		t.Errorf("message %q", r.Message)
	}
}

func TestRedisCredentials(t *testing.T) {
	locked := redistest.Start(t, redistest.Options{Password: redisPassword})
	open := redistest.Start(t, redistest.Options{})
	acl := redistest.Start(t, redistest.Options{Password: wrongPassword})
	acl.Command(t, wrongPassword, "ACL", "SETUSER", "checker", "on", ">"+redisPassword,
		"~redis-health-check", "+multi", "+exec", "+select", "+set", "+get", "+del")
	acl.Command(t, wrongPassword, "ACL", "SETUSER", "reader", "on", ">"+redisPassword, "~*", "+@read")
	acl.Command(t, wrongPassword, "ACL", "SETUSER", "elsewhere", "on", ">"+redisPassword, "~app:*", "+@all")
	as := func(user, secret string) spec.Check {
		c := at(acl.Addr, secret)
		c.Redis.Username = user
		return c
	}

	for _, tt := range []struct {
		name      string
		check     spec.Check
		want      string
		connected bool
	}{
		{"right password", at(locked.Addr, "redis_password"), "passed", true},
		{"wrong password", at(locked.Addr, "wrong_password"), "failed auth_failed", false},
		{"no password", at(locked.Addr, ""), "failed auth_required", false},
		{"external secret", at(locked.Addr, "external"), "unknown credential_unavailable", false},
		{"unknown secret", at(locked.Addr, "nonesuch"), "unknown credential_unavailable", false},
		{"open server, none wanted", at(open.Addr, ""), "passed", true},
		{"open server, one wanted", at(open.Addr, "redis_password"), "failed no_password_required", true},
		{"a user who may just do it", as("checker", "redis_password"), "passed", true},
		{"a user with another password", as("checker", "wrong_password"), "failed auth_failed", false},
		{"no such user", as("nobody", "redis_password"), "failed auth_failed", false},
		{"a user who may not write", as("reader", "redis_password"), "failed permission", true},
		{"a user with other keys", as("elsewhere", "redis_password"), "failed permission", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, tt.check, tt.want, tt.connected)
		})
	}
}

func TestRedisConditions(t *testing.T) {
	// A master that is not there: nothing listens where it should.
	master := strings.Replace(redistest.Unused(t), ":", " ", 1)
	for _, tt := range []struct {
		name      string
		options   redistest.Options
		want      string
		connected bool
	}{
		{"replica", redistest.Options{Args: []string{"--replicaof", master}}, "failed readonly", true},
		{"replica without its master", redistest.Options{Args: []string{"--replicaof", master, "--replica-serve-stale-data", "no"}}, "failed master_down", true},
		{"too few replicas", redistest.Options{Args: []string{"--min-replicas-to-write", "1"}}, "failed no_replicas", true},
		{"out of memory", redistest.Options{Args: []string{"--maxmemory", "1"}}, "failed out_of_memory", true},
		{"TLS", redistest.Options{TLS: true}, "failed tls_mismatch", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := redistest.Start(t, tt.options)
			expect(t, at(s.Addr, ""), tt.want, tt.connected)
		})
	}
}

func TestRedisCannotSave(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Args: []string{"--save", "3600 1"}})
	expect(t, at(s.Addr, ""), "passed", true)
	if err := os.RemoveAll(s.Dir); err != nil {
		t.Fatal(err)
	}
	s.Command(t, "", "BGSAVE")
	eventually(t, "the snapshot has failed", func() bool {
		return strings.Contains(s.Command(t, "", "INFO", "persistence"), "rdb_last_bgsave_status:err")
	})
	expect(t, at(s.Addr, ""), "failed misconf", true)
}

func TestRedisMaxClients(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Password: redisPassword, Args: []string{"--maxclients", "1"}})
	holder, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close() }()
	if _, err := holder.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	for range 10 { // the refusal races with the login that is on its way
		expect(t, at(s.Addr, "redis_password"), "failed max_clients", false)
	}
}

func TestRedisHangs(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Password: redisPassword})
	s.Freeze(t)
	c := at(s.Addr, "redis_password")
	c.Timeout = 300 * time.Millisecond
	expect(t, c, "failed timeout", false)
}

func TestRedisIsGone(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	s.Kill()
	expect(t, at(s.Addr, ""), "failed refused", false)
}

func TestNotRedis(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	noise := make([]byte, 4096)
	_, _ = rand.Read(noise)
	for _, tt := range []struct {
		name, address string
		want          string
	}{
		{"a web server", web.Listener.Addr().String(), "failed not_redis"},
		{"a banner", talker(t, "SSH-2.0-OpenSSH_9.2\r\n"), "failed not_redis"},
		{"noise", talker(t, "\x00"+string(noise)), "failed not_redis"},
		{"another kind of reply", talker(t, ":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n"), "failed not_redis"},
		{"a forwarder with nothing behind", talker(t, ""), "failed closed"},
		{"half a reply", talker(t, "-ERR half"), "failed closed"},
		{"protected mode", talker(t, "-DENIED Redis is running in protected mode because …\r\n"), "failed protected_mode"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, at(tt.address, "redis_password"), tt.want, false)
		})
	}
}

// talker says the same to everybody, reads what comes and hangs up.
func talker(t *testing.T, says string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if says != "" {
				_, _ = conn.Read(make([]byte, 1024))
			}
			_, _ = conn.Write([]byte(says))
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// Error replies that a real server gives only in moments that cannot be made
// to last; every command gets them.
func TestRedisErrorReplies(t *testing.T) {
	for _, tt := range []struct {
		reply, want string
		connected   bool
	}{
		{"LOADING Redis is loading the dataset in memory", "failed loading", false},
		{"ERR unknown command `HELLO`, with args beginning with: `2` `AUTH` `default` `" + redisPassword + "` ", "failed redis_error", false},
		{"ERR Client sent AUTH, but no password is set", "failed no_password_required", false},
		{"ERR invalid password", "failed auth_failed", false},
		{"CLUSTERDOWN The cluster is down", "failed cluster_down", false},
		{redisPassword, "failed redis_error", false},
	} {
		t.Run(tt.want, func(t *testing.T) {
			m := miniredis.RunT(t)
			m.SetError(tt.reply)
			expect(t, at(m.Addr(), "redis_password"), tt.want, tt.connected)
		})
	}
}

// A server in between that answers for another one.
func TestRedisMismatch(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerOtherValue(conn)
		}
	}()
	r := expect(t, at(l.Addr().String(), ""), "failed mismatch", true)
	if r.Redis.Retrieved == nil || *r.Redis.Retrieved != "ok-1" {
		t.Errorf("retrieved %v", r.Redis.Retrieved)
	}
}

// answerOtherValue speaks just enough of the protocol for one round trip.
func answerOtherValue(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		reply := "-ERR unknown command\r\n"
		if strings.Contains(strings.ToLower(string(buf[:n])), "multi") {
			reply = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n$4\r\nok-1\r\n:1\r\n"
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

// Several controllers check one server at the same time and on the same key.
func TestRedisCheckersDoNotDisturbEachOther(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Password: redisPassword})
	const checkers, rounds = 4, 150
	failures := make(chan string, checkers*rounds)
	var wg sync.WaitGroup
	for range checkers {
		wg.Go(func() {
			for range rounds {
				r := check.Prober{}.Probe(context.Background(), stack(), at(s.Addr, "redis_password"))
				if r.Status != reconcile.CheckPassed {
					failures <- outcome(r) + ": " + r.Message
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	for f := range failures {
		t.Error(f)
	}
	if keys := s.Command(t, redisPassword, "DBSIZE"); keys != "0" {
		t.Errorf("%s keys are left behind", keys)
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}
