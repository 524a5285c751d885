package check_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/spec"
)

// The secrets of the test stack. No result may contain one of them.
const (
	redisPassword = "redis-pass-4f9c2a8d"
	wrongPassword = "other-pass-7b1e6c3f"
	apiKey        = "api-key-7f5a2d9c4e8b"
	wrongKey      = "api-key-0000deadbeef"
)

// stack is a small whatrack: services redis and centrifugo and their secrets.
func stack() *spec.Stack {
	named := func(key, name string) spec.Service {
		s := spec.Service{Key: key}
		s.Spec.Name = name
		s.Spec.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{}
		return s
	}
	return &spec.Stack{
		Name:     "whatrack",
		Services: []spec.Service{named("centrifugo", "whatrack_centrifugo"), named("redis", "whatrack_redis")},
		Secrets: []spec.Secret{
			{Key: "api_key", Data: spec.Sensitive(apiKey + "\n")},
			{Key: "external", External: true},
			{Key: "redis_password", Data: spec.Sensitive(redisPassword + "\r\n")},
			{Key: "wrong_key", Data: spec.Sensitive(wrongKey)},
			{Key: "wrong_password", Data: spec.Sensitive(wrongPassword)},
		},
	}
}

// probe tries a check and holds what must be true of every result: no secret in
// it, no connection left open, a reason unless it passed, whole sentences.
func probe(t *testing.T, p check.Prober, s *spec.Stack, c spec.Check) reconcile.CheckResult {
	t.Helper()
	var open atomic.Int64
	dial := p.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	p.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		open.Add(1)
		return &counted{Conn: conn, open: &open}, nil
	}
	if c.Name == "" {
		c.Name = "the-check"
	}
	r := p.Probe(t.Context(), s, c)
	provoked.add(r.Reason)

	if n := open.Load(); n != 0 {
		t.Errorf("%d connections left open", n)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range s.Secrets {
		if content := strings.TrimSpace(string([]byte(x.Data))); content != "" && strings.Contains(string(text), content) {
			t.Errorf("the result contains secret %s: %s", x.Key, text)
		}
	}
	if (r.Status == reconcile.CheckPassed) != (r.Reason == reconcile.ReasonNone) {
		t.Errorf("status %s with reason %q", r.Status, r.Reason)
	}
	if !strings.HasSuffix(r.Message, ".") || (r.Status != reconcile.CheckPassed && r.Reason != check.ReasonInterrupted && r.Remedy == "") {
		t.Errorf("message %q, remedy %q", r.Message, r.Remedy)
	}
	if r.Name != c.Name || r.Kind != c.Kind() || r.At.IsZero() || r.Latency < 0 {
		t.Errorf("result of check %s (%s): %+v", c.Name, c.Kind(), r)
	}
	if (c.Redis != nil) != (r.Redis != nil) {
		t.Errorf("evidence %+v", r.Redis)
	}
	return r
}

type counted struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// outcome is status, reason and way in one word each.
func outcome(r reconcile.CheckResult) string {
	s := string(r.Status)
	if r.Reason != "" {
		s += " " + string(r.Reason)
	}
	if r.Via != "" {
		s += " via " + r.Via
	}
	return s
}

// locatorFunc is a Locator.
type locatorFunc func(ctx context.Context, service string, port int) (reconcile.Location, error)

func (f locatorFunc) Locate(ctx context.Context, service string, port int) (reconcile.Location, error) {
	return f(ctx, service, port)
}

// network is a fake network: what a dial to each address meets.
func network(addresses map[string]string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		switch what := addresses[address]; what {
		case "accepts":
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			here, there := net.Pipe()
			go func() { _, _ = there.Read(make([]byte, 1)) }()
			return here, nil
		case "refuses":
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		case "swallows":
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
		case "unroutable":
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EHOSTUNREACH}
		case "panics":
			panic("the dialer broke")
		default:
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
		}
	}
}

func TestLadder(t *testing.T) {
	overlay := reconcile.Way{Kind: "overlay", Address: "10.0.1.5:6379"}
	bridge := reconcile.Way{Kind: "bridge", Address: "172.18.0.3:6379"}
	published := reconcile.Way{Kind: "published", Address: "10.0.0.1:6379", Node: "node-1"}
	located := func(running int, ways ...reconcile.Way) check.Locator {
		return locatorFunc(func(_ context.Context, service string, port int) (reconcile.Location, error) {
			if service != "whatrack_redis" || port != 6379 {
				return reconcile.Location{}, fmt.Errorf("asked for %s:%d", service, port)
			}
			return reconcile.Location{Running: running, Ways: ways, Hint: "Publish the port."}, nil
		})
	}
	service := spec.Target{Service: "redis", Port: 6379}
	explicit := spec.Target{Service: "redis", Port: 6379, Connect: "db.example:6379"}

	for _, tt := range []struct {
		name    string
		target  spec.Target
		locator check.Locator
		net     map[string]string
		want    string
		says    string
	}{
		{"the only way", service, located(1, published), map[string]string{published.Address: "accepts"},
			"passed via published 10.0.0.1:6379 on node-1", "10.0.0.1:6379"},
		{"the best way first", service, located(1, overlay, published),
			map[string]string{overlay.Address: "accepts", published.Address: "accepts"}, "passed via overlay 10.0.1.5:6379", ""},
		{"the next where the first refuses", service, located(1, overlay, published),
			map[string]string{overlay.Address: "refuses", published.Address: "accepts"}, "passed via published 10.0.0.1:6379 on node-1", ""},
		{"the last where two swallow", service, located(1, overlay, bridge, published),
			map[string]string{overlay.Address: "swallows", bridge.Address: "swallows", published.Address: "accepts"},
			"passed via published 10.0.0.1:6379 on node-1", ""},
		{"an explicit address alone", explicit, located(0), map[string]string{explicit.Connect: "accepts"},
			"passed via explicit db.example:6379", ""},
		{"an explicit address that refuses has no second way", explicit, located(1, published),
			map[string]string{explicit.Connect: "refuses", published.Address: "accepts"}, "failed refused", "db.example:6379"},
		{"all refuse", service, located(1, overlay, published),
			map[string]string{overlay.Address: "refuses", published.Address: "refuses"}, "failed refused", "overlay 10.0.1.5:6379: connection refused"},
		{"all swallow", service, located(1, overlay, published),
			map[string]string{overlay.Address: "swallows", published.Address: "swallows"}, "failed timeout", "no answer in time"},
		{"some of each", service, located(1, overlay, published),
			map[string]string{overlay.Address: "refuses", published.Address: "swallows"}, "failed unreachable", "published 10.0.0.1:6379 on node-1: no answer in time"},
		{"no route", service, located(1, published), map[string]string{published.Address: "unroutable"}, "failed unreachable", "no route to host"},
		{"no such name", explicit, nil, nil, "failed unreachable", "the name db.example:6379 cannot be resolved"},
		{"nothing runs", service, located(0, published), nil, "failed not_running", "No task of service whatrack_redis is running."},
		{"nothing runs and no way", service, located(0), nil, "failed not_running", ""},
		{"no way", service, located(1), nil, "unknown no_path", "port 6379 of service whatrack_redis"},
		{"no locator", service, nil, nil, "unknown no_path", ""},
		{"the Engine fails", service, locatorFunc(func(context.Context, string, int) (reconcile.Location, error) {
			return reconcile.Location{}, errors.New("no leader")
		}), nil, "unknown engine_error", "no leader"},
		{"the Engine hangs", service, locatorFunc(func(ctx context.Context, _ string, _ int) (reconcile.Location, error) {
			<-ctx.Done()
			return reconcile.Location{}, ctx.Err()
		}), nil, "unknown engine_error", "deadline"},
		{"no target", spec.Target{}, nil, nil, "unknown invalid", ""},
		{"a panic", explicit, nil, map[string]string{explicit.Connect: "panics"}, "failed panic", "the dialer broke"},
		{"a panic of the locator", service, locatorFunc(func(context.Context, string, int) (reconcile.Location, error) {
			panic("the locator broke")
		}), nil, "failed panic", "the locator broke"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				p := check.Prober{Locator: tt.locator, Dial: network(tt.net)}
				r := probe(t, p, stack(), spec.Check{TCP: &spec.TCPCheck{Target: tt.target}, Timeout: 4 * time.Second})
				if got := outcome(r); got != tt.want {
					t.Errorf("got %s, want %s (%s)", got, tt.want, r.Message)
				}
				if !strings.Contains(r.Message, tt.says) {
					t.Errorf("message %q, want it to say %q", r.Message, tt.says)
				}
				if r.Reason == reconcile.ReasonNoPath && tt.locator != nil && r.Remedy != "Publish the port." {
					t.Errorf("remedy %q is not the locator's hint", r.Remedy)
				}
				if took := time.Since(start); took > 4*time.Second || r.Latency != took {
					t.Errorf("took %s, says %s; the timeout is 4s", took, r.Latency)
				}
			})
		})
	}
}

// Every kind of check keeps its timeout when the server says nothing, and ends
// when the caller gives up.
func TestSilence(t *testing.T) {
	silent := spec.Target{Connect: "10.0.0.1:1"}
	for _, c := range []spec.Check{
		{Redis: &spec.RedisCheck{Target: silent, Password: spec.Credential{Secret: "redis_password"}}},
		{Redis: &spec.RedisCheck{Target: silent, TLS: &spec.TLS{}}},
		{Redis: &spec.RedisCheck{Sentinel: &spec.Sentinel{Master: "main"}, Target: silent}},
		{TCP: &spec.TCPCheck{Target: silent, Expect: "220 "}},
		{TCP: &spec.TCPCheck{Target: silent, TLS: &spec.TLS{}}},
		{Centrifugo: &spec.CentrifugoCheck{Target: silent, APIKey: spec.Credential{Secret: "api_key"}}},
		{Route: &spec.RouteCheck{URL: "http://www.example.com/", Traefik: silent, Body: "{}", Refuse: []string{"/admin"}}},
		{Route: &spec.RouteCheck{URL: "https://www.example.com/", Traefik: silent, Body: "{}"}},
		{HTTP: &spec.HTTPCheck{Target: silent, URL: "http://www.example.com/"}},
		{HTTP: &spec.HTTPCheck{Target: silent, URL: "https://www.example.com/"}},
	} {
		t.Run(c.Kind(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.Timeout = 3 * time.Second
				var there []net.Conn
				defer func() {
					for _, conn := range there {
						_ = conn.Close()
					}
				}()
				p := check.Prober{Dial: func(context.Context, string, string) (net.Conn, error) {
					here, other := net.Pipe()
					there = append(there, other)
					go func() { _, _ = other.Read(make([]byte, 4096)) }()
					return here, nil
				}}
				start := time.Now()
				r := probe(t, p, stack(), c)
				want := "failed timeout via explicit 10.0.0.1:1"
				if c.Route != nil { // Traefik is there, and what it leads to says nothing
					want = "failed gateway_timeout via explicit 10.0.0.1:1"
				}
				if got := outcome(r); got != want {
					t.Errorf("got %s (%s)", got, r.Message)
				}
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("took %s", took)
				}

				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				start = time.Now()
				r = p.Probe(ctx, stack(), c)
				provoked.add(r.Reason)
				if got := outcome(r); got != "unknown interrupted via explicit 10.0.0.1:1" {
					t.Errorf("interrupted: got %s", got)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("took %s to end when the caller gave up", took)
				}
			})
		})
	}
}

func TestNoKind(t *testing.T) {
	r := check.Prober{}.Probe(t.Context(), stack(), spec.Check{Name: "empty"})
	if got := outcome(r); got != "unknown invalid" {
		t.Errorf("got %s", got)
	}
}
