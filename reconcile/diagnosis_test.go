package reconcile

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// kept is a Swarm with the service app_back, and what its tasks are.
func kept(tasks ...swarm.Task) *Observed {
	f := newFake()
	s := pair().Services[0].Spec
	s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 8080, Protocol: swarm.PortConfigProtocolTCP}}}
	f.seen.At = noon
	f.seen.Services["app_back"] = ObservedService{ID: "back", Spec: s, UpdatedAt: noon.Add(-24 * time.Hour)}
	f.seen.Tasks["back"] = tasks
	for _, t := range tasks {
		f.seen.UpToDate[t.ID] = true
	}
	node := f.seen.Nodes["n1"]
	node.Status.Addr = "10.0.0.5"
	f.seen.Nodes["n1"] = node
	return &f.seen
}

// aged is the task in slot 1 that has been in a state for so long.
func aged(state swarm.TaskState, age time.Duration, err string) swarm.Task {
	return task(string(state)+age.String(), state, age, says(err), func(t *swarm.Task) { t.Slot = 1 })
}

func TestDiagnose(t *testing.T) {
	byHand := &Plan{Changes: []Change{{
		Kind: KindService, Name: "back", Object: "app_back", Action: ActionUpdate, Cause: "changed by hand", Write: UpdateService{},
		Fields: []FieldChange{{Path: "services.back.image"}, {Path: "services.back.environment.A"}, {Path: "services.back.environment.B"}, {Path: "services.back.environment.C"}},
	}}}
	ahead := &Plan{Changes: []Change{{
		Kind: KindService, Name: "back", Object: "app_back", Action: ActionUpdate, Cause: "the spec changed", Write: UpdateService{},
		Fields: []FieldChange{{Path: "services.back.image"}},
	}}}
	for _, c := range []struct {
		name    string
		seen    *Observed
		plan    *Plan
		written []Recent
		verdict string
		tasks   []string
		fails   int
		changes []string
	}{
		{name: "runs, and nothing has happened", seen: kept(aged(swarm.TaskStateRunning, time.Hour, "")),
			verdict: "1 of 1 running", tasks: []string{"app_back.1 node-1 running"}},
		{name: "crash-loops", seen: kept(aged(swarm.TaskStateFailed, time.Minute, exit1), aged(swarm.TaskStateFailed, 2*time.Minute, exit1),
			aged(swarm.TaskStateStarting, time.Second, ""), aged(swarm.TaskStateFailed, 3*time.Minute, exit1), aged(swarm.TaskStateFailed, 11*time.Minute, exit1)),
			verdict: "its tasks keep failing (3 so far): task: non-zero exit (1)", fails: 3,
			tasks: []string{"app_back.1 node-1 starting", "app_back.1 node-1 failed: " + exit1, "app_back.1 node-1 failed: " + exit1, "app_back.1 node-1 failed: " + exit1}},
		{name: "was updated, and the old task stopped", seen: kept(aged(swarm.TaskStateRunning, time.Hour, ""), aged(swarm.TaskStateShutdown, 61*time.Minute, "")),
			verdict: "1 of 1 running", tasks: []string{"app_back.1 node-1 running"}},
		{name: "changed by hand", seen: kept(aged(swarm.TaskStateRunning, time.Hour, "")), plan: byHand, verdict: "1 of 1 running",
			tasks: []string{"app_back.1 node-1 running"}, changes: []string{"24h0m0s ago: changed by hand: image, environment.A, environment.B and 1 more"}},
		{name: "not applied yet", seen: kept(aged(swarm.TaskStateRunning, time.Hour, "")), plan: ahead, verdict: "1 of 1 running",
			tasks: []string{"app_back.1 node-1 running"}, changes: []string{"not applied yet: the spec changed: image"}},
		{name: "written lately, and long ago", seen: kept(aged(swarm.TaskStateRunning, time.Hour, "")), plan: &Plan{},
			written: []Recent{{noon.Add(-2 * time.Hour), "swarmward", "created"}, {noon.Add(-3 * time.Minute), "swarmward", "updated"}, {noon.Add(-time.Minute), "swarmward", "updated again"}},
			verdict: "1 of 1 running", tasks: []string{"app_back.1 node-1 running"}, changes: []string{"1m0s ago: updated again", "3m0s ago: updated"}},
		{name: "gone", seen: func() *Observed { o := kept(); delete(o.Services, "app_back"); return o }(), verdict: "the service is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := pair()
			d := Diagnose(s, s.Settings.Checks[0], CheckResult{Status: CheckFailed}, c.seen, c.plan, c.written)
			var tasks, changes []string
			for _, x := range d.Tasks {
				line := x.Name + " " + x.Node + " " + x.State
				if x.Error != "" {
					line += ": " + x.Error
				}
				tasks = append(tasks, line)
			}
			for _, x := range d.Changes {
				changes = append(changes, x.Text(d.At))
			}
			if d.Service != "app_back" || d.Verdict != c.verdict || d.Restarts != c.fails {
				t.Errorf("%s: %q, %d failures", d.Service, d.Verdict, d.Restarts)
			}
			if diff := cmp.Diff(c.tasks, tasks); diff != "" {
				t.Errorf("tasks (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.changes, changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// The log is that of the task that says most.
func TestSuspect(t *testing.T) {
	running, dead, longDead := aged(swarm.TaskStateRunning, time.Hour, ""), aged(swarm.TaskStateFailed, time.Minute, exit1), aged(swarm.TaskStateFailed, time.Hour, exit1)
	for _, c := range []struct {
		name  string
		tasks []swarm.Task
		want  string
	}{
		{"failed a minute ago", []swarm.Task{running, dead}, dead.ID},
		{"failed an hour ago and runs since", []swarm.Task{longDead, running}, running.ID},
		{"failed an hour ago for good", []swarm.Task{longDead}, longDead.ID},
		{"none", nil, ""},
	} {
		if got, ok := suspect(kept(c.tasks...), "app_back"); got.ID != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q", c.name, got.ID)
		}
	}
}

// The commands are the guide's, with what is real filled in.
func TestCommands(t *testing.T) {
	published := Way{Kind: "published", Address: "10.0.0.9:6379", Node: "node-1"}
	docker := []string{"docker service ps --no-trunc app_back", "docker service logs --tail 50 app_back"}
	at := func(connect string) spec.Target { return spec.Target{Service: "back", Port: 80, Connect: connect} }
	for _, c := range []struct {
		name  string
		check spec.Check
		tried []Way
		seen  *Observed
		want  []string
	}{
		{"redis", spec.Check{Redis: &spec.RedisCheck{Target: at(""), Password: spec.Credential{Secret: "password"}}}, []Way{published}, kept(),
			append(docker, "nc -zv 10.0.0.9 6379", `REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -h 10.0.0.9 -p 6379 -e ping`)},
		{"redis with a user", spec.Check{Redis: &spec.RedisCheck{Target: at(""), Username: "it's", Database: 2, Password: spec.Credential{Secret: "the-file"}}}, []Way{published}, kept(),
			append(docker, "nc -zv 10.0.0.9 6379", `REDISCLI_AUTH="$THE_FILE" redis-cli -h 10.0.0.9 -p 6379 --user 'it'\''s' -n 2 -e ping`)},
		{"centrifugo", spec.Check{Centrifugo: &spec.CentrifugoCheck{Target: at(""), APIKey: spec.Credential{Secret: "password"}}}, []Way{published}, kept(),
			append(docker, "nc -zv 10.0.0.9 6379", "curl -i http://10.0.0.9:6379/health", `curl -i -X POST -H "X-API-Key: $REDIS_PASSWORD" -d '{}' http://10.0.0.9:6379/api/info`)},
		{"http to a service", spec.Check{HTTP: &spec.HTTPCheck{Target: at(""), URL: "http://www.example.com/a?b=c&d=e"}}, []Way{published}, kept(),
			append(docker, "nc -zv 10.0.0.9 6379", `curl -i -H "Host: www.example.com" 'http://10.0.0.9:6379/a?b=c&d=e'`)},
		{"https to a service", spec.Check{HTTP: &spec.HTTPCheck{Target: at(""), URL: "https://u:p@www.example.com/"}}, []Way{published}, kept(),
			append(docker, "nc -zv 10.0.0.9 6379", "curl -i --connect-to ::10.0.0.9:6379 https://www.example.com/")},
		{"http to wherever it leads", spec.Check{HTTP: &spec.HTTPCheck{URL: "http://www.example.com/"}}, []Way{{Kind: "direct", Address: "www.example.com:80"}}, nil,
			[]string{"nc -zv www.example.com 80", "curl -i http://www.example.com/"}},
		{"an overlay is for containers; the port is published too", spec.Check{TCP: &spec.TCPCheck{Target: at("")}}, []Way{{Kind: "overlay", Address: "10.0.1.5:80"}},
			kept(aged(swarm.TaskStateRunning, time.Hour, "")), append(docker, "nc -zv 10.0.0.5 8080")},
		{"nothing runs, so there is nothing to connect to", spec.Check{TCP: &spec.TCPCheck{Target: at("")}}, nil, kept(), docker},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := pair()
			s.Secrets[0].Variable = "REDIS_PASSWORD"
			if c.seen == nil {
				c.seen = kept()
			}
			d := Diagnose(s, c.check, CheckResult{Tried: c.tried}, c.seen, nil, nil)
			if diff := cmp.Diff(c.want, d.Commands); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What others wrote may have a secret in it.
func TestDiagnosisIsMasked(t *testing.T) {
	s := pair()
	seen := kept(aged(swarm.TaskStateFailed, time.Minute, "exec hunter2hunter2: not found"), aged(swarm.TaskStateFailed, time.Minute, "exec hunter2hunter2: not found"), aged(swarm.TaskStateFailed, time.Minute, "exec hunter2hunter2: not found"))
	c := spec.Check{HTTP: &spec.HTTPCheck{Target: spec.Target{Service: "back", Port: 80}, URL: "http://a.example/?key=hunter2hunter2"}}
	d := Diagnose(s, c, CheckResult{Status: CheckFailed}, seen, nil, []Recent{{noon, "swarmward", "hunter2hunter2"}})
	d.Log = []string{"password is hunter2hunter2"}
	bare, _ := json.Marshal(d)
	if n := strings.Count(string(bare), "hunter2hunter2"); n < 6 {
		t.Fatalf("the secret is in %d places to begin with: %s", n, bare)
	}
	d.mask(Redactor(s))
	if masked, _ := json.Marshal(d); strings.Contains(string(masked), "hunter2") || strings.Contains(d.LogValue().String(), "hunter2") {
		t.Errorf("%s", masked)
	}
}

func TestGraceLeft(t *testing.T) {
	const grace = 30 * time.Second
	loop := []swarm.Task{aged(swarm.TaskStateFailed, 10*time.Second, exit1), aged(swarm.TaskStateFailed, 20*time.Second, exit1),
		aged(swarm.TaskStateFailed, 30*time.Second, exit1), aged(swarm.TaskStateRunning, time.Second, "")}
	for _, c := range []struct {
		name  string
		tasks []swarm.Task
		want  time.Duration
	}{
		{"has just started", []swarm.Task{aged(swarm.TaskStateRunning, 5*time.Second, "")}, 25 * time.Second},
		{"one of two has just started", []swarm.Task{aged(swarm.TaskStateRunning, time.Hour, ""), aged(swarm.TaskStateRunning, 20*time.Second, "")}, 10 * time.Second},
		{"runs for longer", []swarm.Task{aged(swarm.TaskStateRunning, 31*time.Second, "")}, 0},
		{"does not run", []swarm.Task{aged(swarm.TaskStateStarting, time.Second, "")}, 0},
		{"crash-loops, and has just started again", loop, 0},
	} {
		if got := GraceLeft(kept(c.tasks...), "app_back", grace); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := GraceLeft(kept(), "app_other", grace); got != 0 {
		t.Errorf("a service that is not there: %s", got)
	}
}
