package check_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/spec"
)

// A check that asks for several ways fails if one of them is closed, and says
// whether the service is dead or the way.
func TestFrom(t *testing.T) {
	overlay := reconcile.Way{Kind: "overlay", Address: "10.0.1.5:6379", Node: "node-1"}
	published := reconcile.Way{Kind: "published", Address: "10.0.0.5:6379", Node: "node-1"}
	bridge := reconcile.Way{Kind: "bridge", Address: "172.18.0.3:6379", Node: "node-1"}
	both := []string{"overlay", "published"}
	const open, refuses, swallows = "accepts", "refuses", "swallows"
	for _, tt := range []struct {
		name    string
		from    []string
		running int
		ways    []reconcile.Way
		net     map[string]string
		want    string
		byWay   string
		says    []string
		remedy  string
	}{
		{"both open", both, 1, []reconcile.Way{overlay, published},
			map[string]string{overlay.Address: open, published.Address: open},
			"passed via overlay 10.0.1.5:6379 on node-1, published 10.0.0.5:6379 on node-1", "overlay passed, published passed", nil, ""},
		{"a firewall that refuses", both, 1, []reconcile.Way{overlay, published},
			map[string]string{overlay.Address: open, published.Address: refuses},
			"failed port_closed via overlay 10.0.1.5:6379 on node-1", "overlay passed, published failed refused",
			[]string{"The server answers on the overlay, and not on the published port 10.0.0.5:6379 on node-1: a firewall is between, or the port is not published."},
			"nc -zv 10.0.0.5 6379"},
		{"a firewall that swallows", both, 1, []reconcile.Way{overlay, published},
			map[string]string{overlay.Address: open, published.Address: swallows},
			"failed port_closed via overlay 10.0.1.5:6379 on node-1", "overlay passed, published failed timeout", nil, "nc -zv 10.0.0.5 6379"},
		{"an overlay that is closed", both, 1, []reconcile.Way{overlay, published},
			map[string]string{overlay.Address: swallows, published.Address: open},
			"failed overlay_closed via published 10.0.0.5:6379 on node-1", "overlay failed timeout, published passed",
			[]string{"answers on the published port 10.0.0.5:6379 on node-1, and not on the overlay"}, "4789"},
		{"a dead service", both, 1, []reconcile.Way{overlay, published},
			map[string]string{overlay.Address: refuses, published.Address: refuses},
			"failed refused", "overlay failed refused, published failed refused", []string{"connection refused"}, ""},
		{"a service that does not run", both, 0, nil, nil,
			"failed not_running", "overlay failed not_running, published failed not_running", nil, "docker service ps"},
		{"one way is not there", both, 1, []reconcile.Way{published}, map[string]string{published.Address: open},
			"unknown no_path via published 10.0.0.5:6379 on node-1", "overlay unknown no_path, published passed",
			[]string{"The server answers on the published port", "There is no way over the overlay from here to port 6379 of service whatrack_redis."}, "attachable"},
		{"one way is not there, the other is closed", both, 1, []reconcile.Way{published}, map[string]string{published.Address: refuses},
			"failed refused", "overlay unknown no_path, published failed refused", nil, ""},
		{"nothing is published", []string{"published", "bridge"}, 1, []reconcile.Way{overlay, bridge}, map[string]string{bridge.Address: open},
			"unknown no_path via bridge 172.18.0.3:6379 on node-1", "published unknown no_path, bridge passed", nil, "Publish the port"},
		{"the better way is not taken", []string{"published"}, 1, []reconcile.Way{overlay, published},
			map[string]string{overlay.Address: open, published.Address: open},
			"passed via published 10.0.0.5:6379 on node-1", "published passed", nil, ""},
		{"an explicit address and the service", []string{"explicit", "overlay"}, 1, []reconcile.Way{overlay},
			map[string]string{overlay.Address: open, "redis.example:6379": refuses},
			"failed way_closed via overlay 10.0.1.5:6379 on node-1", "explicit failed refused, overlay passed", []string{"not on redis.example:6379"}, "nc -zv redis.example 6379"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var looks, left atomic.Int32
				p := check.Prober{Dial: network(tt.net), Locator: locatorFunc(func(context.Context, string, int) (reconcile.Location, error) {
					looks.Add(1)
					return reconcile.Location{Running: tt.running, Ways: tt.ways, Release: func() { left.Add(1) }}, nil
				})}
				start := time.Now()
				r := probe(t, p, stack(), spec.Check{
					From: tt.from, Timeout: 4 * time.Second,
					TCP: &spec.TCPCheck{Target: spec.Target{Service: "redis", Port: 6379, Connect: "redis.example:6379"}},
				})
				if got := outcome(r); got != tt.want {
					t.Errorf("got %s, want %s (%s)", got, tt.want, r.Message)
				}
				var each []string
				for _, w := range r.Ways {
					each = append(each, strings.TrimSpace(w.From+" "+string(w.Status)+" "+string(w.Reason)))
				}
				if got := strings.Join(each, ", "); got != tt.byWay {
					t.Errorf("by way: %s, want %s", got, tt.byWay)
				}
				for _, says := range tt.says {
					if !strings.Contains(r.Message, says) {
						t.Errorf("message %q, want it to say %q", r.Message, says)
					}
				}
				if !strings.Contains(r.Remedy, tt.remedy) {
					t.Errorf("remedy %q, want it to say %q", r.Remedy, tt.remedy)
				}
				if took := time.Since(start); took > 4*time.Second || r.Latency != took {
					t.Errorf("took %s, says %s; the ways are tried side by side", took, r.Latency)
				}
				if looks.Load() != 1 || left.Load() != 1 {
					t.Errorf("looked %d times and left %d times for one check", looks.Load(), left.Load())
				}
			})
		})
	}
}

// Each way has its own round trip; the evidence is that of the worst.
func TestFromRedis(t *testing.T) {
	p := check.Prober{Dial: network(map[string]string{"10.0.0.5:6379": "refuses"}), Locator: locatorFunc(func(context.Context, string, int) (reconcile.Location, error) {
		return reconcile.Location{}, errors.New("no leader")
	})}
	r := probe(t, p, stack(), spec.Check{
		From:  []string{"overlay", "explicit"},
		Redis: &spec.RedisCheck{Target: spec.Target{Service: "redis", Port: 6379, Connect: "10.0.0.5:6379"}, Password: spec.Credential{Secret: "redis_password"}},
	})
	if got := outcome(r); got != "failed refused" || r.Redis.Connected || r.Redis.TestPassed {
		t.Errorf("%s: %+v", got, r.Redis)
	}
	if w := r.Ways[0]; w.Status != reconcile.CheckUnknown || w.Reason != reconcile.ReasonEngineError {
		t.Errorf("the overlay: %+v", w)
	}
}
