package render

import (
	"bytes"
	"encoding/json"
	"errors"
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
	want := `whatrack @ 4f2c1ab   3 to create, 2 to change, 1 to remove, 1 blocked, 3 unchanged

  + network redeinterna            create
  ! volume redis_data              blocked: data would be lost, a volume cannot be changed
      driver_opts.type  nfs -> none
      to do: first this
             then that
  + secret key (whatrack_key.r2)   create, its content changed
      content  (sensitive, changed)
  + config conf (whatrack_conf.r2)   create, its content changed
      content
        @@ -1,3 +1,3 @@
         one
        -two
        +2
         three
  ~ service centrifugo             adopt, no restart, not under swarmward yet
  - service old                    remove: 2 tasks stop, no longer in the spec
  ~ service redis                  rolling: 1 task restarts, the spec changed
      image                  redis:7.2 -> redis:7.4
      environment.LOG_LEVEL  (unset) -> debug
  · service web                    no change
      adopted later
  warning: x-swarmward.ignore: "a" matches nothing in this stack
`
	want = strings.ReplaceAll(want, "                     create\n", "                     create\n")
	var got, again bytes.Buffer
	Text{}.Plan(&got, plan())
	Text{}.Plan(&again, plan())
	if got.String() != again.String() {
		t.Error("two plans of one input differ")
	}
	// Alignment is looked at once, here: every object line's text begins in one
	// column.
	column := -1
	for _, l := range strings.Split(got.String(), "\n") {
		if len(l) > 4 && l[:2] == "  " && l[2] != ' ' && !strings.Contains(l, "warning:") {
			at := strings.Index(l, "   ")
			rest := strings.TrimLeft(l[at:], " ")
			if c := len([]rune(l)) - len([]rune(rest)); column >= 0 && c != column {
				t.Errorf("not aligned: %q", l)
			} else {
				column = c
			}
		}
	}
	squeeze := func(s string) string {
		var out []string
		for _, l := range strings.Split(s, "\n") {
			out = append(out, strings.Join(strings.Fields(l), " "))
		}
		return strings.Join(out, "\n")
	}
	if d := cmp.Diff(squeeze(want), squeeze(got.String())); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestEmptyPlanText(t *testing.T) {
	var got bytes.Buffer
	Text{}.Plan(&got, &reconcile.Plan{Stack: "whatrack", Unchanged: 11})
	if want := "whatrack   nothing to do, 11 objects are as the spec says\n"; got.String() != want {
		t.Errorf("%q, want %q", got.String(), want)
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
	if d := cmp.Diff(map[string]int{"create": 3, "update": 2, "remove": 1, "blocked": 1}, doc.Summary); d != "" {
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
