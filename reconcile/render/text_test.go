package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/reconcile"
)

func plan() *reconcile.Plan {
	return &reconcile.Plan{
		Stack: "whatrack", Revision: "4f2c1ab9e0d1", Unchanged: 3,
		Warnings: []string{`x-swarmward.ignore: "a" matches nothing in this stack`},
		Changes: []reconcile.Change{
			{Kind: reconcile.KindNetwork, Name: "redeinterna", Object: "redeinterna", Action: reconcile.ActionCreate, Cause: "not in the Swarm yet", Write: reconcile.CreateNetwork{}},
			{Kind: reconcile.KindVolume, Name: "redis_data", Object: "redis_data", Action: reconcile.ActionBlocked, Impact: reconcile.ImpactData, Cause: "a volume cannot be changed",
				Fields: []reconcile.FieldChange{{Path: "volumes.redis_data.driver_opts.type", Old: new("nfs"), New: new("none")}}, Remedy: []string{"first this", "then that"}},
			{Kind: reconcile.KindSecret, Name: "key", Object: "whatrack_key.r2", Action: reconcile.ActionCreate, Cause: "its content changed",
				Fields: []reconcile.FieldChange{{Path: "secrets.key.content", Sensitive: true}}},
			{Kind: reconcile.KindConfig, Name: "conf", Object: "whatrack_conf.r2", Action: reconcile.ActionCreate, Cause: "its content changed",
				Fields: []reconcile.FieldChange{{Path: "configs.conf.content", Old: new("one\ntwo\nthree\n"), New: new("one\n2\nthree\n")}}},
			{Kind: reconcile.KindService, Name: "centrifugo", Object: "whatrack_centrifugo", Action: reconcile.ActionAdopt, Cause: "not under swarmward yet"},
			{Kind: reconcile.KindService, Name: "old", Object: "whatrack_old", Action: reconcile.ActionRemove, Tasks: 2, Cause: "no longer in the spec"},
			{Kind: reconcile.KindService, Name: "redis", Object: "whatrack_redis", Action: reconcile.ActionUpdate, Impact: reconcile.ImpactRolling, Tasks: 1, Cause: "the spec changed",
				Fields: []reconcile.FieldChange{
					{Path: "services.redis.image", Old: new("redis:7.2"), New: new("redis:7.4")},
					{Path: "services.redis.environment.LOG_LEVEL", New: new("debug")},
				}},
			{Kind: reconcile.KindService, Name: "web", Object: "whatrack_web", Action: reconcile.ActionNote, Notes: []string{"adopted later"}},
		},
	}
}

func TestPlanText(t *testing.T) {
	service := func(f ...reconcile.FieldChange) *reconcile.Plan {
		return &reconcile.Plan{Stack: "app", Changes: []reconcile.Change{{Kind: reconcile.KindService, Name: "web", Object: "app_web",
			Action: reconcile.ActionUpdate, Impact: reconcile.ImpactRolling, Tasks: 2, Cause: "the spec changed", Fields: f}}}
	}
	for _, c := range []struct {
		name  string
		width int
		plan  *reconcile.Plan
		want  string
	}{
		{"every kind and action", 0, plan(), `whatrack @ 4f2c1ab   3 to create, 1 to change, 1 to adopt, 1 to remove, 1 blocked, 3 unchanged

  + network redeinterna              create
  ! volume redis_data                blocked: data would be lost, a volume
                                     cannot be changed
      driver_opts.type  nfs -> none
      to do: first this
             then that
  + secret key (whatrack_key.r2)     create, its content changed
      content  (sensitive, changed)
  + config conf (whatrack_conf.r2)   create, its content changed
      content
        @@ -1,3 +1,3 @@
         one
        -two
        +2
         three
  ~ service centrifugo               adopt, no restart, not under swarmward yet
  - service old                      remove: 2 tasks stop, no longer in the spec
  ~ service redis                    rolling: 1 task restarts, the spec changed
      image                  redis:7.2 -> redis:7.4
      environment.LOG_LEVEL  (unset) -> debug
  · service web                      no change
      adopted later

  warning: x-swarmward.ignore: "a" matches nothing in this stack

Plan: 3 to create, 1 to change, 1 to adopt, 1 to remove, 1 blocked, 3 unchanged;
1 task restarts, 2 tasks stop.
`},
		{"nothing to do", 0, &reconcile.Plan{Stack: "whatrack", Unchanged: 11}, `whatrack   nothing to do, 11 objects are as the spec says
`},
		{"one object", 0, &reconcile.Plan{Stack: "whatrack", Unchanged: 1}, `whatrack   nothing to do, 1 object is as the spec says
`},
		{"tasks that start", 0, &reconcile.Plan{Stack: "app", Changes: []reconcile.Change{
			{Kind: reconcile.KindService, Name: "web", Object: "app_web", Action: reconcile.ActionCreate, Tasks: 3, Cause: "not in the Swarm yet"}}},
			`app   1 to create

  + service web   create: 3 tasks start

Plan: 1 to create; 3 tasks start.
`},
		{"a list too long for a line", 0, service(reconcile.FieldChange{Path: "services.web.command",
			Old: new(`["redis-server","--appendonly","yes","--maxmemory","256mb","--maxmemory-policy","noeviction"]`),
			New: new(`["redis-server","--appendonly","yes","--maxmemory","512mb","--maxmemory-policy","noeviction","--save","a \u0026\u0026 b"]`)}),
			`app   1 to change

  ~ service web   rolling: 2 tasks restart, the spec changed
      command
        @@ -2,6 +2,8 @@
         --appendonly
         yes
         --maxmemory
        -256mb
        +512mb
         --maxmemory-policy
         noeviction
        +--save
        +a && b

Plan: 1 to change; 2 tasks restart.
`},
		{"a short list", 0, service(reconcile.FieldChange{Path: "services.web.healthcheck.test", Old: new(`["CMD","true"]`), New: new(`["CMD-SHELL","a \u0026\u0026 b"]`)}),
			`app   1 to change

  ~ service web   rolling: 2 tasks restart, the spec changed
      healthcheck.test  ["CMD", "true"] -> ["CMD-SHELL", "a && b"]

Plan: 1 to change; 2 tasks restart.
`},
		{"a script in a list", 60, service(reconcile.FieldChange{Path: "services.web.command", Old: new(`["sh","-c","set -e\nrun --fast\nwait"]`), New: new(`["sh","-c","set -e\nrun --slow\nwait"," "]`)}),
			`app   1 to change

  ~ service web   rolling: 2 tasks restart, the spec changed
      command
        @@ -1,5 +1,6 @@
         sh
         -c
         set -e
        -  run --fast
        +  run --slow
           wait
        +" "

Plan: 1 to change; 2 tasks restart.
`},
		{"a long value", 0, service(reconcile.FieldChange{Path: `services.web.deploy.labels."traefik.http.routers.centrifugo.rule"`,
			Old: new("Host(`a.example.com`) && PathPrefix(`/connection`)"), New: new("Host(`b.example.com`) && (PathPrefix(`/connection`) || PathPrefix(`/api`) || Path(`/health`))")}),
			`app   1 to change

  ~ service web   rolling: 2 tasks restart, the spec changed
      deploy.labels."traefik.http.routers.centrifugo.rule"
        -Host(` + "`a.example.com`) && PathPrefix(`/connection`)" + `
        +Host(` + "`b.example.com`) && (PathPrefix(`/connection`) ||" + `
        … PathPrefix(` + "`/api`) || Path(`/health`))" + `

Plan: 1 to change; 2 tasks restart.
`},
		{"a value of kilobytes", 0, service(reconcile.FieldChange{Path: "services.web.environment.BLOB",
			Old: new(strings.Repeat("x", 4000) + "old" + strings.Repeat("y", 4000)), New: new(strings.Repeat("x", 4000) + "new" + strings.Repeat("y", 4000))}),
			`app   1 to change

  ~ service web   rolling: 2 tasks restart, the spec changed
      environment.BLOB
        -…` + strings.Repeat("x", 40) + "old" + strings.Repeat("y", 26) + `
        …` + strings.Repeat("y", 14) + `…
        +…` + strings.Repeat("x", 40) + "new" + strings.Repeat("y", 26) + `
        …` + strings.Repeat("y", 14) + `…

Plan: 1 to change; 2 tasks restart.
`},
		{"values that are easily overlooked", 0, service(
			reconcile.FieldChange{Path: "services.web.environment.EMPTY", New: new("")},
			reconcile.FieldChange{Path: "services.web.environment.BLANK", Old: new("a"), New: new("a ")},
			reconcile.FieldChange{Path: "services.web.environment.UNSET", Old: new("(unset)"), New: new(`"quoted"`)},
			reconcile.FieldChange{Path: "services.web.environment.TAB", Old: new("a\tb"), New: new("a b")}),
			`app   1 to change

  ~ service web   rolling: 2 tasks restart, the spec changed
      environment.EMPTY  (unset) -> ""
      environment.BLANK  a -> "a "
      environment.UNSET  "(unset)" -> "\"quoted\""
      environment.TAB    "a\tb" -> a b

Plan: 1 to change; 2 tasks restart.
`},
		{"a line end that is missing, and one of another kind", 0, service(
			reconcile.FieldChange{Path: "configs.a.content", Old: new("one\ntwo"), New: new("one\ntwo\n")},
			reconcile.FieldChange{Path: "configs.b.content", Old: new("one\r\ntwo\n"), New: new("one\ntwo\n")},
			reconcile.FieldChange{Path: "configs.c.content", Old: new("-- old\nx\n"), New: new("++ new\nx\n")}),
			`app   1 to change

  ~ service web   rolling: 2 tasks restart, the spec changed
      configs.a.content
        @@ -1,3 +1,2 @@
         one
         two
        -(no line end here)
      configs.b.content
        @@ -1,2 +1,2 @@
        -"one\r"
        +one
         two
      configs.c.content
        @@ -1,2 +1,2 @@
        --- old
        +++ new
         x

Plan: 1 to change; 2 tasks restart.
`},
		{"a secret within a value", 0, service(reconcile.FieldChange{Path: "services.web.environment.URL", Sensitive: true, Old: new("redis://:(sensitive)@a"), New: new("redis://:(sensitive)@a")}),
			`app   1 to change

  ~ service web   rolling: 2 tasks restart, the spec changed
      environment.URL  (sensitive, changed)

Plan: 1 to change; 2 tasks restart.
`},
		{"a narrow terminal and a long name", 50, &reconcile.Plan{Stack: "app", Unchanged: 2, Changes: []reconcile.Change{
			{Kind: reconcile.KindConfig, Name: "centrifugo_json", Object: "app_centrifugo_json", Action: reconcile.ActionRemove, Cause: "replaced by app_centrifugo_json.r2; removed once the checks have passed"},
			{Kind: reconcile.KindService, Name: "web", Object: "app_web", Action: reconcile.ActionAdopt, Notes: []string{"a note that is longer than the terminal is wide"}}}},
			`app   1 to adopt, 1 to remove, 2 unchanged

  - config centrifugo_json
      remove, replaced by app_centrifugo_json.r2;
      removed once the checks have passed
  ~ service web              adopt, no restart
      a note that is longer than the terminal is
      wide

Plan: 1 to adopt, 1 to remove, 2 unchanged; no
task restarts.
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got bytes.Buffer
			Text{Width: c.width}.Plan(&got, c.plan)
			if d := cmp.Diff(c.want, got.String()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// Colour is only paint: without it the bytes are the same.
func TestColor(t *testing.T) {
	var plain, painted bytes.Buffer
	Text{}.Plan(&plain, plan())
	Text{Color: true}.Plan(&painted, plan())
	stripped := painted.String()
	for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"} {
		stripped = strings.ReplaceAll(stripped, code, "")
	}
	if stripped != plain.String() {
		t.Errorf("(-plain +painted):\n%s", cmp.Diff(plain.String(), stripped))
	}
	if !strings.Contains(painted.String(), "\x1b[32m+\x1b[0m") {
		t.Error("no colour at all")
	}
}

func TestPlanJSON(t *testing.T) {
	var out bytes.Buffer
	if err := PlanJSON(&out, plan()); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		SchemaVersion   int
		Stack, Revision string
		Changes         []struct {
			Kind, Name, Action, Impact, Cause string
			Tasks                             int
			Fields                            []struct {
				Path      string
				Old, New  *string
				Sensitive bool
			}
		}
		Summary map[string]int
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.SchemaVersion != 1 || doc.Stack != "whatrack" || doc.Revision != "4f2c1ab9e0d1" || len(doc.Changes) != 8 {
		t.Errorf("%+v", doc)
	}
	if d := cmp.Diff(map[string]int{"create": 3, "update": 2, "adopt": 1, "remove": 1, "blocked": 1, "tasksStart": 0, "tasksRestart": 1, "tasksStop": 2}, doc.Summary); d != "" {
		t.Error(d)
	}
	f := doc.Changes[6].Fields[1]
	if f.Path != "services.redis.environment.LOG_LEVEL" || f.Old != nil || f.New == nil || *f.New != "debug" {
		t.Errorf("%+v", f)
	}
	if s := doc.Changes[2].Fields[0]; !s.Sensitive || s.Old != nil || s.New != nil {
		t.Errorf("%+v", s)
	}
}

func TestOutcomeText(t *testing.T) {
	made := []reconcile.Applied{{}, {Err: errors.New("not started: convergence of redis failed")}}
	passed := reconcile.CheckResult{Name: "redis", Status: reconcile.CheckPassed, Message: "Redis gave it back.", Via: "published 10.0.0.5:6379 on node-1", Latency: 27800 * time.Microsecond}
	failed := reconcile.CheckResult{Name: "redis", Status: reconcile.CheckFailed, Reason: "auth_failed", Message: "The password is refused.", Remedy: "Look at it."}
	unknown := reconcile.CheckResult{Name: "redis", Status: reconcile.CheckUnknown, Reason: reconcile.ReasonNoPath, Message: "There is no way."}
	for _, c := range []struct {
		name  string
		o     reconcile.Outcome
		texts []string
	}{
		{"verified", reconcile.Outcome{Checks: []reconcile.CheckResult{passed}},
			[]string{"converged and verified, nothing was written, in 1.5s", "check   redis   passed     Redis gave it back.", "via published 10.0.0.5:6379 on node-1, 27.8ms"}},
		{"no checks", reconcile.Outcome{}, []string{"converged; the spec has no checks"}},
		{"check failed", reconcile.Outcome{Checks: []reconcile.CheckResult{failed}, Applied: made[:1]},
			[]string{"converged, but a check failed, 1 written", "reason: auth_failed", "to do: Look at it."}},
		{"no path", reconcile.Outcome{Checks: []reconcile.CheckResult{unknown}}, []string{"a check could not be tried", "reason: no_path"}},
		{"not converged", reconcile.Outcome{Applied: made, Verdicts: map[string]reconcile.Verdict{"redis": {State: reconcile.Failed, Message: "its tasks keep failing", Remedy: "docker service logs x"}}},
			[]string{"not converged, 1 written, 1 not started", "service redis   failed     its tasks keep failing", "to do: docker service logs x"}},
		{"some failed", reconcile.Outcome{Err: errors.New("x"), Applied: []reconcile.Applied{
			{Change: reconcile.Change{Kind: reconcile.KindConfig, Name: "motd"}, Err: errors.New("create: no \x1b[2Jspace")},
			{Change: reconcile.Change{Kind: reconcile.KindNetwork, Name: "net"}, Err: errors.New("not started: config motd failed")},
		}}, []string{"failed, nothing was written, 1 failed, 1 not started", "  failed: config motd: create: no \\x1b[2Jspace\n", "  not started: network net: config motd failed\n"}},
		{"moved", reconcile.Outcome{Plan: &reconcile.Plan{}, Applied: []reconcile.Applied{
			{Change: reconcile.Change{Kind: reconcile.KindService, Name: "web"}, Err: fmt.Errorf("%w: image a -> b", reconcile.ErrMoved)},
		}}, []string{"stopped for what somebody changed by hand meanwhile", "failed: service web: changed by hand since the plan was made: image a -> b"}},
		{"somebody else's turn", reconcile.Outcome{Plan: &reconcile.Plan{}, Err: fmt.Errorf("stack web: %w: apply", reconcile.ErrLeased)},
			[]string{"stopped for somebody else, who writes to the stack, nothing was written"}},
		{"another plan", reconcile.Outcome{Plan: &reconcile.Plan{}, Err: reconcile.ErrReplanned}, []string{"stopped for somebody else, who writes to the stack"}},
		{"error", reconcile.Outcome{Err: errors.New("boom")}, []string{"failed, nothing was written"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Stack, c.o.Took = "whatrack", 1500*time.Millisecond
			var out bytes.Buffer
			Text{}.Outcome(&out, &c.o, []string{"redis"})
			for _, want := range c.texts {
				if !strings.Contains(out.String(), want) {
					t.Errorf("does not say %q:\n%s", want, out.String())
				}
			}
		})
	}
}

func TestOutcomeJSON(t *testing.T) {
	o := &reconcile.Outcome{Stack: "whatrack", Plan: plan(), Took: time.Second, Err: errors.New("boom"),
		Applied: []reconcile.Applied{{Change: plan().Changes[0], Err: errors.New("refused")}}}
	var out bytes.Buffer
	if err := OutcomeJSON(&out, o); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		SchemaVersion, ExitCode int
		Error                   string
		TookSeconds             float64
		Plan                    struct{ Stack string }
		Applied                 []struct{ Kind, Name, Action, Error string }
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil || doc.SchemaVersion != 1 || doc.ExitCode != 1 || doc.Error != "boom" ||
		doc.TookSeconds != 1 || doc.Plan.Stack != "whatrack" || len(doc.Applied) != 1 || doc.Applied[0].Error != "refused" {
		t.Errorf("%v %+v", err, doc)
	}
}
