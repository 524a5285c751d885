package serve

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// everything is a board and metrics with something to say of each kind.
func everything() *Metrics {
	b := &Board{}
	m := NewMetrics(b, "1.0")
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	stack := whatrack()
	stack.Commit = &spec.Commit{ID: "4f2c1ab", Ref: "main", Author: "Ana <ana@example.com>", Subject: "Redis 7.4.7"}
	change := func(object string, a reconcile.Action) reconcile.Change {
		return reconcile.Change{Kind: reconcile.KindService, Object: object, Action: a, Impact: reconcile.ImpactRolling}
	}
	updated, failed, blocked := change("a", reconcile.ActionUpdate), change("b", reconcile.ActionUpdate), change("c", reconcile.ActionBlocked)
	b.Post(stack, &reconcile.Outcome{
		Stack: "whatrack", Revision: "4f2c1ab", Started: at, Took: 2 * time.Second,
		Standing: reconcile.Standing{Held: &reconcile.Hold{Since: at}, Suspended: &reconcile.Suspension{At: at}, Status: &reconcile.Status{}},
		Shut:     &reconcile.Shut{}, Leader: &reconcile.Leader{Holder: "a", Here: true},
		Plan:     &reconcile.Plan{Changes: []reconcile.Change{updated, failed, blocked, change("d", reconcile.ActionAdopt), change("e", reconcile.ActionNote)}},
		Applied:  []reconcile.Applied{{Change: updated}, {Change: failed, Err: errors.New("no")}},
		Verdicts: map[string]reconcile.Verdict{"redis": {State: reconcile.Converged}, "centrifugo": {State: reconcile.Failed}},
		Checks: []reconcile.CheckResult{{
			Name: "redis", Kind: "redis", Status: reconcile.CheckFailed, Reason: reconcile.ReasonRefused, Latency: 5 * time.Millisecond,
			State: &reconcile.CheckState{Since: at, LastPassed: &at, Flaps: 3},
		}},
	})
	b.Stand("whatrack", func(s *Standing) {
		s.Retry, s.Failures, s.SpecError = at.Add(time.Minute), 2, "it is broken"
	})
	b.Source("git.example.com/stacks", SourceState{Seen: time.Now(), Error: "no answer"})
	m.EngineCall("GET /services", 200, 3*time.Millisecond)
	m.EngineCall("GET /services", 0, time.Second)
	m.request("/healthz", 200)
	return m
}

func gather(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "swarmward_") {
			out[f.GetName()] = f
		}
	}
	return out
}

// values are those of one metric, by their labels; of a histogram how many it
// has counted.
func values(f *dto.MetricFamily) map[string]float64 {
	out := map[string]float64{}
	for _, m := range f.GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetValue())
		}
		v := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		out[strings.Join(labels, " ")] = v
	}
	return out
}

func TestMetricsFollowTheConventions(t *testing.T) {
	m := everything()
	families := slices.Collect(maps.Values(gather(t, m)))
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, p := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if body := ask(m.Handler(), "GET", "/metrics", "").Body.String(); !strings.Contains(body, "\n"+p+" ") {
			t.Errorf("no %s", p)
		}
	}
}

// The README's table and the metrics are the same, to the last label.
func TestReadmeMetrics(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for name, f := range gather(t, everything()) {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", name, strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp()))
	}
	slices.Sort(want)
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `swarmward_") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table should be\n%s\n%s", strings.Join(want, "\n"), diff)
	}
}

func TestMetricValues(t *testing.T) {
	got := map[string]map[string]float64{}
	for name, f := range gather(t, everything()) {
		got[name] = values(f)
	}
	delete(got, "swarmward_build_info") // Go's version is in it
	at := float64(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Unix())
	if age := got["swarmward_source_age_seconds"]["git.example.com/stacks"]; age < 0 || age > 60 {
		t.Errorf("a source that was seen now is %v s old", age)
	}
	delete(got, "swarmward_source_age_seconds")
	one := func(v float64) map[string]float64 { return map[string]float64{"whatrack": v} }
	check := func(v float64) map[string]float64 { return map[string]float64{"redis redis whatrack": v} }
	want := map[string]map[string]float64{
		"swarmward_passes_total": {
			"ok whatrack": 0, "error whatrack": 0, "check_failed whatrack": 0, "not_converged whatrack": 1, "stopped whatrack": 0, "unknown whatrack": 0, "standby whatrack": 0,
		},
		"swarmward_pass_duration_seconds":                one(1),
		"swarmward_changes_total":                        {"update rolling service whatrack": 1},
		"swarmward_drift":                                one(2), // what failed, and what is blocked
		"swarmward_blocked":                              one(1),
		"swarmward_services_not_converged":               one(1),
		"swarmward_last_pass_timestamp_seconds":          one(at + 2),
		"swarmward_last_pass_exit_code":                  one(4),
		"swarmward_revision_info":                        {"Ana <ana@example.com> main 4f2c1ab whatrack Redis 7.4.7": 1},
		"swarmward_held":                                 one(1),
		"swarmward_suspended":                            one(1),
		"swarmward_suspended_timestamp_seconds":          one(at),
		"swarmward_window_closed":                        one(1),
		"swarmward_rollbacks_total":                      one(0),
		"swarmward_next_retry_timestamp_seconds":         one(at + 60),
		"swarmward_consecutive_failures":                 one(2),
		"swarmward_spec_unusable":                        one(1),
		"swarmward_check_result":                         {"redis redis passed whatrack": 0, "redis redis failed whatrack": 1, "redis redis unknown whatrack": 0},
		"swarmward_check_reason":                         {"redis redis refused whatrack": 1},
		"swarmward_check_latency_seconds":                check(.005),
		"swarmward_check_flaps":                          check(3),
		"swarmward_check_last_success_timestamp_seconds": check(at),
		"swarmward_check_since_timestamp_seconds":        check(at),
		"swarmward_source_failing":                       {"git.example.com/stacks": 1},
		"swarmward_lease_holder":                         one(1),
		"swarmward_stacks":                               {"": 1},
		"swarmward_engine_request_duration_seconds":      {"200 GET /services": 1, "none GET /services": 1},
		"swarmward_engine_request_errors_total":          {"GET /services": 1},
		"swarmward_http_requests_total":                  {"200 /healthz": 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Nothing is left of a stack that is gone.
func TestMetricsOfAGoneStackDisappear(t *testing.T) {
	m := everything()
	m.board.Post(&spec.Stack{Name: "other"}, &reconcile.Outcome{Stack: "other", Plan: &reconcile.Plan{}})
	m.board.Forget("whatrack")
	rec := ask(m.Handler(), "GET", "/metrics", "")
	if strings.Contains(rec.Body.String(), "whatrack") {
		t.Errorf("something is left:\n%s", rec.Body)
	}
	if !strings.Contains(rec.Body.String(), `swarmward_drift{stack="other"} 0`) {
		t.Errorf("the other stack is gone too:\n%s", rec.Body)
	}
}

// A pass that the Engine cut short does not hide what is known, and a check that
// the spec no longer has is not told for ever.
func TestMetricsOutliveAFailedPass(t *testing.T) {
	m := everything()
	stack := whatrack()
	m.board.Post(stack, &reconcile.Outcome{Stack: "whatrack", Err: errors.New("docker: no answer")})
	got := gather(t, m)
	if v := values(got["swarmward_drift"])["whatrack"]; v != 2 {
		t.Errorf("drift %v", v)
	}
	if v := values(got["swarmward_check_result"])["redis redis failed whatrack"]; v != 1 {
		t.Errorf("check %v", v)
	}
	if v := values(got["swarmward_last_pass_exit_code"])["whatrack"]; v != 1 {
		t.Errorf("exit code %v", v)
	}
	stack.Settings.Checks = nil
	m.board.Post(stack, &reconcile.Outcome{Stack: "whatrack", Plan: &reconcile.Plan{}})
	if f := gather(t, m)["swarmward_check_result"]; f != nil {
		t.Errorf("still there: %v", f)
	}
}

// Who stands by tells of a stack that it does, and nothing else: the leader's
// word would be contradicted by an old one.
func TestMetricsOfAStandby(t *testing.T) {
	m := everything()
	m.board.Post(whatrack(), &reconcile.Outcome{Stack: "whatrack", Plan: &reconcile.Plan{}, Leader: &reconcile.Leader{Holder: "b"}})
	for name, f := range gather(t, m) {
		v, of := 0.0, false
		for labels, value := range values(f) {
			if strings.Contains(labels, "whatrack") {
				v, of = max(v, value), true
			}
		}
		switch counts := strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_duration_seconds"); {
		case name == "swarmward_lease_holder" && (!of || v != 0):
			t.Errorf("%s is %v", name, v)
		case of && !counts && name != "swarmward_lease_holder":
			t.Errorf("%s is told", name)
		}
	}
	if v := values(gather(t, m)["swarmward_passes_total"])["standby whatrack"]; v != 1 {
		t.Errorf("%v passes of a standby", v)
	}
	rec := ask((&Server{Board: m.board}).Handler(), "GET", "/api/v1/status", "")
	if !strings.Contains(rec.Body.String(), `"holder": "b"`) {
		t.Errorf("the status does not name the leader:\n%s", rec.Body)
	}
}

// A pass that went back has changed what it undid, too, and what counts is what
// is left after that.
func TestMetricsOfAWayBack(t *testing.T) {
	b := &Board{}
	m := NewMetrics(b, "1.0")
	c := reconcile.Change{Kind: reconcile.KindService, Object: "a", Action: reconcile.ActionUpdate}
	o := &reconcile.Outcome{Stack: "s", Plan: &reconcile.Plan{Changes: []reconcile.Change{c}}, Applied: []reconcile.Applied{{Change: c}}}
	back := *o
	back.Plan = &reconcile.Plan{Changes: []reconcile.Change{c, {Kind: reconcile.KindConfig, Object: "b", Action: reconcile.ActionRemove}}}
	o.Back = &back
	b.Post(&spec.Stack{Name: "s"}, o)
	got := gather(t, m)
	for name, want := range map[string]map[string]float64{
		"swarmward_changes_total": {"update none service s": 2}, "swarmward_rollbacks_total": {"s": 1}, "swarmward_drift": {"s": 1},
	} {
		if diff := cmp.Diff(want, values(got[name])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if n := b.entries()[0].passes[0]; !n.WentBack || n.Written != 2 || n.Differing != 1 {
		t.Errorf("%+v", n)
	}
}

// What others write into a commit stays one short label.
func TestLabels(t *testing.T) {
	for text, want := range map[string]string{
		"fine": "fine", "bad \xff bytes": "bad ? bytes", strings.Repeat("ä", 200): strings.Repeat("ä", labelled),
	} {
		if got := label(text); got != want {
			t.Errorf("%q", got)
		}
	}
}
