package render

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/reconcile"
)

// examples are a check that passed, one that failed with all that can be known
// around it, and one that could not be tried.
func examples() []reconcile.CheckResult {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const died = "task: non-zero exit (1)"
	return []reconcile.CheckResult{
		{Name: "centrifugo", Kind: "centrifugo", Status: reconcile.CheckPassed, Message: "Centrifugo answers.", Via: "overlay 10.0.1.7:8000 on node-2", Latency: 2345678},
		{Name: "redis", Kind: "redis", Status: reconcile.CheckFailed, Reason: reconcile.ReasonPortClosed, Latency: 12345678901,
			Message: "Redis answers on the overlay, and not on the published port.", Remedy: "Open it.", Via: "overlay 10.0.1.5:6379 on node-1",
			Ways: []reconcile.WayResult{{From: "overlay", Status: reconcile.CheckPassed}, {From: "published", Status: reconcile.CheckFailed, Reason: reconcile.ReasonTimeout}},
			Diagnosis: &reconcile.Diagnosis{
				At: now, Service: "whatrack_redis", Verdict: "0 of 1 running, starting", Restarts: 4, LogOf: "whatrack_redis.1",
				Tasks: []reconcile.TaskNote{
					{Name: "whatrack_redis.1", Node: "node-1", State: "starting", Since: ago(3 * time.Second)},
					{Name: "whatrack_redis.1", Node: "node-1", State: "failed", Since: ago(9 * time.Second), Error: died},
					{Name: "whatrack_redis.1", Node: "node-1", State: "failed", Since: ago(20 * time.Second), Error: died},
				},
				Log: []string{"one", "two", "three", "four"},
				Changes: []reconcile.Recent{
					{By: "spec", What: "not applied yet: the spec changed: image"},
					{At: ago(5 * time.Minute), By: "swarmward", What: "updated by swarmward, because: changed by hand: environment.A"},
				},
				Commands: []string{"docker service ps --no-trunc whatrack_redis", "nc -zv 10.0.0.5 6379"},
			}},
		{Name: "web", Kind: "http", Status: reconcile.CheckUnknown, Reason: reconcile.ReasonNoPath, Message: "There is no way.", Remedy: "Make one."},
	}
}

func TestChecksText(t *testing.T) {
	const want = `CHECK        KIND         STATUS    LATENCY   REASON        VIA
centrifugo   centrifugo   passed    2.3ms     -             overlay 10.0.1.7:8000 on node-2
redis        redis        failed    12.35s    port_closed   overlay 10.0.1.5:6379 on node-1
web          http         unknown   0s        no_path       -

centrifugo: Centrifugo answers.
redis: Redis answers on the overlay, and not on the published port.
  reason: port_closed
  to do: Open it.
  from overlay: passed
  from published: timeout
  service: whatrack_redis: 0 of 1 running, starting, 4 failures in the last 10 minutes
  tasks:   whatrack_redis.1 on node-1: starting for 3s
           whatrack_redis.1 on node-1: failed 9s ago: task: non-zero exit (1)
  log:     two
           three
           four
  changes: not applied yet: the spec changed: image
           5m0s ago: updated by swarmward, because: changed by hand: environment.A
  look:    docker service ps --no-trunc whatrack_redis
           nc -zv 10.0.0.5 6379
web: There is no way.
  reason: no_path
  to do: Make one.
`
	var plain, colored bytes.Buffer
	Text{}.Checks(&plain, examples())
	if diff := cmp.Diff(want, plain.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	Text{Color: true}.Checks(&colored, examples())
	if !strings.Contains(colored.String(), "\x1b[31mfailed\x1b[0m    12.35s") || !strings.Contains(colored.String(), "\x1b[33munknown\x1b[0m   0s") {
		t.Errorf("colours move the columns, or are missing:\n%s", colored.String())
	}
}
