package serve

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

func TestPage(t *testing.T) {
	s := testServer()
	s.Version = "1.0-test"
	if rec := ask(s.Handler(), "GET", "/", ""); rec.Code != 200 || !strings.Contains(rec.Body.String(), "No pass has been made yet") {
		t.Errorf("before any pass: %d\n%s", rec.Code, rec.Body)
	}
	old, young, since := "redis:7.2", "redis:7.4", time.Now().Add(-time.Hour)
	stack := whatrack()
	stack.Commit = &spec.Commit{Author: "Ana", Subject: "Newer <Redis>"}
	s.Board.Post(stack, &reconcile.Outcome{
		Stack: "whatrack", Revision: "4f2c1ab", Started: since, Leader: &reconcile.Leader{Holder: "task.1", Here: true},
		Plan: &reconcile.Plan{Changes: []reconcile.Change{{
			Kind: reconcile.KindService, Name: "redis", Action: reconcile.ActionUpdate, Cause: "changed by hand",
			Fields: []reconcile.FieldChange{
				{Path: "image", Old: &old, New: &young}, {Path: "environment.PASSWORD", Sensitive: true},
			},
		}, {
			Kind: reconcile.KindVolume, Name: "redis_data", Action: reconcile.ActionBlocked, Remedy: []string{"docker volume rm redis_data"},
		}}},
		Standing: reconcile.Standing{Held: &reconcile.Hold{Since: since, Why: "it did not work"}, Status: &reconcile.Status{Conditions: []reconcile.Condition{
			{Type: reconcile.ConditionHeld, Status: reconcile.ConditionTrue, Reason: "held", Message: "revision 4f2c1ab is not tried again", Remedy: "correct the spec", Since: since},
		}}},
		Verdicts: map[string]reconcile.Verdict{"centrifugo": {State: reconcile.Failed, Message: "no suitable node"}},
		Checks: []reconcile.CheckResult{{
			Name: "redis", Kind: "redis", Status: reconcile.CheckFailed, Reason: reconcile.ReasonRefused, Remedy: "See its log.",
			Message: `it said <script>alert("x")</script>`, State: &reconcile.CheckState{Since: since, Flaps: 2},
			Diagnosis: &reconcile.Diagnosis{Commands: []string{"docker service ps whatrack_redis"}},
		}},
	})
	s.Board.Stand("whatrack", func(x *Standing) { x.Failures, x.SpecError = 3, "line 4: unknown key" })
	s.Board.Stand("stacks/broken.yaml", func(x *Standing) { x.SpecError = "line 9" })
	s.Board.Source("git.example.com/stacks", SourceState{Error: "no answer"})
	rec := ask(s.Handler(), "GET", "/", "")
	body := rec.Body.String()
	for _, want := range []string{
		"1.0-test", "Led from here: task.1", "stacks/broken.yaml", "line 9", "git.example.com/stacks", "no answer", "<title>swarmward – whatrack</title>",
		"4f2c1ab", "Newer &lt;Redis&gt;", "not_converged",
		"service redis", "changed by hand", "redis:7.2 -&gt; redis:7.4", "environment.PASSWORD (sensitive, changed)",
		"volume redis_data", "docker volume rm redis_data", "no suitable node",
		"refused", "See its log.", "docker service ps whatrack_redis", "&lt;script&gt;alert", "1h0m0s ago",
		"Held 1h0m0s ago: it did not work", "revision 4f2c1ab is not tried again", "correct the spec", "3 failed in a row", "line 4: unknown key",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("it does not show %q", want)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
	if strings.Contains(body, "<script") || regexp.MustCompile(`(?i)(src|href|url)\s*[=(]`).MatchString(body) {
		t.Error("the page loads something")
	}
	// The browser takes the one style that the policy names.
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(body)
	sum := sha256.Sum256([]byte(style[1]))
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(rec.Header().Get("Content-Security-Policy"), want) {
		t.Errorf("policy %q, want %s", rec.Header().Get("Content-Security-Policy"), want)
	}
	if strings.Contains(body, "style=") || strings.Contains(body, "ZgotmplZ") {
		t.Error("a style that the policy forbids, or one that the template did not trust")
	}
}
