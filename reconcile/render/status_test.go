package render

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// A status fits 80 columns, and tells at a glance what to do.
func TestStatusText(t *testing.T) {
	at := time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC)
	stack := &spec.Stack{Name: "app", Services: []spec.Service{{Key: "redis"}, {Key: "web"}}, Networks: []spec.Network{{Key: "net"}}}
	stack.Settings.Checks = []spec.Check{{Name: "redis"}}
	up := map[string]reconcile.Verdict{"redis": {State: reconcile.Converged, Message: "1 of 1 running"}, "web": {State: reconcile.Converged, Message: "2 of 2 running"}}
	passed := []reconcile.CheckResult{{Name: "redis", Status: reconcile.CheckPassed, Via: "published 10.0.0.5:6379"}}
	for _, c := range []struct {
		name string
		o    reconcile.Outcome
		want string
	}{
		{"well", reconcile.Outcome{Plan: &reconcile.Plan{Unchanged: 3}, Verdicts: up, Checks: passed}, `
app @ 4f2c1ab   well: as it should be, running and verified

  Synced      true     objects that are as the spec says: 3
  Converged   true     services that run as they should: 2
  Verified    true     checks that passed: 1
  Suspended   false
  Held        false

  service redis   converged    1 of 1 running
  service web     converged    2 of 2 running
  check redis     passed       via published 10.0.0.5:6379
  and 1 other object as it should be
`},
		{"all that can be wrong", reconcile.Outcome{
			Plan:     &reconcile.Plan{Changes: []reconcile.Change{{Kind: reconcile.KindService, Name: "redis", Action: reconcile.ActionUpdate, Cause: "changed by hand"}, {Kind: reconcile.KindConfig, Name: "app_old", Action: reconcile.ActionRemove, Cause: "no longer in the spec"}}},
			Verdicts: map[string]reconcile.Verdict{"redis": {State: reconcile.Failed, Reason: "crash_looping", Message: "its tasks keep failing (3 so far): task: non-zero exit (1): and \x1b[31m more of it", Remedy: "docker service ps --no-trunc app_redis"}},
			Checks:   []reconcile.CheckResult{{Name: "redis", Status: reconcile.CheckFailed, Reason: "refused", Message: "No connection could be made: published 10.0.0.5:6379 on node-1: connection refused.", Remedy: "See whether the server listens on that port, and its log with docker service logs."}},
			Standing: reconcile.Standing{Suspended: &reconcile.Suspension{By: "ana@node-1", Why: "the disk is moved", At: at.Add(-time.Hour)}, Held: &reconcile.Hold{Record: 3, Why: "check redis failed: readonly", Target: reconcile.Target{Revision: "0011223344"}, Since: at.Add(-90 * time.Second)}, Record: 3},
		}, `
app @ 4f2c1ab   not everything runs; kept at record 3; suspended

  Synced      false    the Swarm is kept at record 3, not at what the spec says;
                       objects that are not there yet: 2
                       to do: the next pass of run brings them there, or
                       ` + "`swarmward rollback 3`" + `
  Converged   false    service redis: its tasks keep failing (3 so far): task:
                       non-zero exit (1): and \x1b[31m more of it
                       to do: docker service ps --no-trunc app_redis
  Verified    false    check redis: No connection could be made: published
                       10.0.0.5:6379 on node-1: connection refused.
                       to do: See whether the server listens on that port, and
                       its log with docker service logs.
  Suspended   true     suspended by ana@node-1: the disk is moved; for 1h0m0s
                       to do: ` + "`swarmward resume app`" + ` lets swarmward write again
  Held        true     revision 0011223 is not tried again: check redis failed:
                       readonly; for 1m30s
                       to do: correct the spec, or ` + "`swarmward resume app`" + ` to try
                       the same again

  service redis    failed       its tasks keep failing (3 so far): task:
                                non-zero exit (1): and \x1b[31m more of it;
                                differs: update: changed by hand
                                to do: docker service ps --no-trunc app_redis
  config app_old   differs      remove: no longer in the spec
  check redis      failed       No connection could be made: published
                                10.0.0.5:6379 on node-1: connection refused.
                                to do: See whether the server listens on that
                                port, and its log with docker service logs.
  and 2 other objects as it should be
`},
		{"the Engine is away", reconcile.Outcome{Err: errors.New("docker: no Engine answers at unix:///var/run/docker.sock")}, `
app @ 4f2c1ab   not known

  Synced      unknown  docker: no Engine answers at unix:///var/run/docker.sock
  Converged   unknown  no service was looked at
  Verified    unknown  no check was run
  Suspended   unknown
  Held        unknown

`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Stack, c.o.Revision = "app", "4f2c1ab998877"
			var b bytes.Buffer
			Text{}.Status(&b, reconcile.StatusOf(stack, &c.o, nil, at))
			var got []string
			for line := range strings.Lines(b.String()) {
				line = strings.TrimRight(line, " \n")
				if got = append(got, line); utf8.RuneCountInString(line) > 80 {
					t.Errorf("longer than 80 columns: %s", line)
				}
			}
			if text := "\n" + strings.Join(got, "\n") + "\n"; text != c.want {
				t.Errorf("%s\nwant%s", text, c.want)
			}
		})
	}
}

// Whose revision it is stands under its name.
func TestStatusTellsTheCommit(t *testing.T) {
	stack := &spec.Stack{Name: "app", Commit: &spec.Commit{ID: "4f2c1ab998877", Ref: "main", Author: "Ann <ann@example.com>", Subject: "Raise Redis's memory"}}
	s := reconcile.StatusOf(stack, &reconcile.Outcome{Stack: "app", Revision: "4f2c1ab998877", Plan: &reconcile.Plan{}}, nil, time.Time{})
	var text, doc bytes.Buffer
	Text{}.Status(&text, s)
	if want := "app @ 4f2c1ab   well: as it should be and running\n  commit 4f2c1ab on main by Ann <ann@example.com>: Raise Redis's memory\n\n  Synced"; !strings.HasPrefix(text.String(), want) {
		t.Errorf("%s\nwant\n%s", text.String(), want)
	}
	if err := ConditionsJSON(&doc, []*reconcile.Status{s}); err != nil || !strings.Contains(doc.String(), `"subject": "Raise Redis's memory"`) {
		t.Errorf("no subject in %s, error %v", doc.String(), err)
	}
}
