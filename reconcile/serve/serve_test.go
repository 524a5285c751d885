package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

type prober func(spec.Check) reconcile.CheckResult

func (p prober) Probe(_ context.Context, _ *spec.Stack, c spec.Check) reconcile.CheckResult {
	return p(c)
}

func whatrack() *spec.Stack {
	return &spec.Stack{Name: "whatrack", Settings: spec.Settings{Checks: []spec.Check{
		{Name: "centrifugo", Centrifugo: &spec.CentrifugoCheck{}},
		{Name: "redis", Redis: &spec.RedisCheck{Key: "redis-health-check"}},
	}}}
}

func server(t *testing.T, p prober) (*Server, func(path string) (int, string)) {
	t.Helper()
	s := &Server{Board: &Board{}, Prober: p, Log: slog.New(slog.DiscardHandler)}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	return s, func(path string) (int, string) {
		t.Helper()
		res, err := http.Get(h.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, strings.TrimSpace(string(body))
	}
}

func redis(retrieved *string, status reconcile.CheckStatus) prober {
	return func(c spec.Check) reconcile.CheckResult {
		r := reconcile.CheckResult{Name: c.Name, Kind: c.Kind(), Status: status}
		if c.Redis != nil {
			r.Redis = &reconcile.RoundTrip{
				Connected: retrieved != nil, TestPassed: retrieved != nil,
				TestKey: "redis-health-check", TestValue: "ok-1234567890", Retrieved: retrieved,
			}
		}
		return r
	}
}

// The shape is the application's own; scripts compare it to the byte.
func TestRedisShape(t *testing.T) {
	for _, c := range []struct {
		name   string
		prober prober
		code   int
		want   string
	}{
		{"connected", redis(new("ok-1234567890"), reconcile.CheckPassed), 200,
			`{"redis":{"connected":true,"testPassed":true,"testKey":"redis-health-check","testValue":"ok-1234567890","retrieved":"ok-1234567890"}}`},
		{"disconnected", redis(nil, reconcile.CheckFailed), 503,
			`{"redis":{"connected":false,"testPassed":false,"testKey":"redis-health-check","testValue":"ok-1234567890","retrieved":null}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, get := server(t, c.prober)
			s.Board.Post(whatrack(), &reconcile.Outcome{})
			if code, body := get("/api/v1/health/redis"); code != c.code || body != c.want {
				t.Errorf("%d %s\nwant %d %s", code, body, c.code, c.want)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	s, get := server(t, redis(nil, reconcile.CheckPassed))
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("healthz before any pass: %d", code)
	}
	for _, path := range []string{"/readyz"} {
		if code, _ := get(path); code != 503 {
			t.Errorf("%s before any pass: %d", path, code)
		}
	}
	for _, path := range []string{"/api/v1/plan", "/api/v1/health/redis", "/api/v1/health/centrifugo", "/nothing"} {
		if code, _ := get(path); code != 404 {
			t.Errorf("%s before any pass: %d", path, code)
		}
	}
	s.Board.Post(whatrack(), &reconcile.Outcome{Stack: "whatrack", Err: errors.New("no Engine")})
	if code, _ := get("/readyz"); code != 503 {
		t.Errorf("ready although no pass reached the Swarm: %d", code)
	}
	if code, body := get("/api/v1/plan"); code != 503 || !strings.Contains(body, "no Engine") {
		t.Errorf("the plan of a pass that failed: %d %s", code, body)
	}
	s.Board.Post(whatrack(), &reconcile.Outcome{Stack: "whatrack", Plan: &reconcile.Plan{Stack: "whatrack"}})
	for path, want := range map[string]int{
		"/readyz": 200, "/api/v1/plan": 200, "/api/v1/plan?stack=whatrack": 200, "/api/v1/plan?stack=other": 404,
		"/api/v1/health/centrifugo": 200, "/api/v1/health/centrifugo?stack=other": 404, "/api/v1/health/nothing": 404,
	} {
		if code, body := get(path); code != want {
			t.Errorf("%s: %d, want %d: %s", path, code, want, body)
		}
	}
	var status struct {
		SchemaVersion int
		Stacks        []struct {
			Stack    string
			ExitCode int
		}
	}
	_, body := get("/api/v1/status")
	if err := json.Unmarshal([]byte(body), &status); err != nil || status.SchemaVersion != 1 || len(status.Stacks) != 1 || status.Stacks[0].Stack != "whatrack" {
		t.Errorf("status: %v %s", err, body)
	}
}

// What is heard between passes replaces what the pass found, and the state that
// the controller keeps is told beside a result of now.
func TestStates(t *testing.T) {
	s, get := server(t, redis(nil, reconcile.CheckFailed))
	stack, since := whatrack(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	state := func(flaps int) *reconcile.CheckState {
		return &reconcile.CheckState{Since: since, LastPassed: &since, Flaps: flaps}
	}
	s.Board.Checked(stack, reconcile.CheckResult{Name: "centrifugo"}) // before any pass: nowhere to put it
	s.Board.Post(stack, &reconcile.Outcome{Stack: "whatrack", Checks: []reconcile.CheckResult{
		{Name: "centrifugo", Status: reconcile.CheckPassed, State: state(0)}, {Name: "redis", Status: reconcile.CheckPassed, State: state(0)},
	}})
	before := s.Board.entries()[0].outcome
	s.Board.Checked(stack, reconcile.CheckResult{Name: "centrifugo", Status: reconcile.CheckFailed, State: state(3),
		Diagnosis: &reconcile.Diagnosis{Service: "whatrack_centrifugo", Commands: []string{"docker service ps --no-trunc whatrack_centrifugo"}}})
	if before.Checks[0].Status != reconcile.CheckPassed {
		t.Error("an outcome that somebody reads was changed")
	}
	type check struct {
		Name, Status string
		State        *reconcile.CheckState
		Diagnosis    *reconcile.Diagnosis
	}
	var status struct{ Stacks []struct{ Checks []check } }
	_, body := get("/api/v1/status")
	if err := json.Unmarshal([]byte(body), &status); err != nil || len(status.Stacks) != 1 || len(status.Stacks[0].Checks) != 2 {
		t.Fatalf("%v %s", err, body)
	}
	if c := status.Stacks[0].Checks[0]; c.Status != "failed" || c.State == nil || c.State.Flaps != 3 || !c.State.Since.Equal(since) ||
		c.Diagnosis == nil || c.Diagnosis.Service != "whatrack_centrifugo" || len(c.Diagnosis.Commands) != 1 {
		t.Errorf("status: %s", body)
	}
	var one check
	_, body = get("/api/v1/health/centrifugo")
	if err := json.Unmarshal([]byte(body), &one); err != nil || one.State == nil || one.State.Flaps != 3 || one.State.LastPassed == nil || one.Diagnosis == nil {
		t.Errorf("health: %v %s", err, body)
	}
	if _, body = get("/api/v1/health/redis"); strings.Contains(body, "state") || strings.Contains(body, "flaps") {
		t.Errorf("the redis shape is no longer the application's: %s", body)
	}
}

func TestWritesAreRefused(t *testing.T) {
	answer := redis(new("x"), reconcile.CheckPassed)
	s, get := server(t, func(c spec.Check) reconcile.CheckResult {
		if c.Centrifugo == nil || !c.Centrifugo.SkipPublish {
			t.Errorf("check %s may write", c.Name)
		}
		return answer(c)
	})
	s.ReadOnly = true
	s.Board.Post(whatrack(), &reconcile.Outcome{})
	for path, want := range map[string]int{"/api/v1/health/redis": 403, "/api/v1/health/centrifugo": 200} {
		if code, _ := get(path); code != want {
			t.Errorf("%s under --dry-run: %d, want %d", path, code, want)
		}
	}
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, httptest.NewRequest("POST", "/api/v1/status", nil))
	if rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", rec.Code)
	}
}

// Many monitors are one probe a second, not one each.
func TestProbesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var probes atomic.Int32
		s := &Server{Board: &Board{}, Prober: prober(func(spec.Check) reconcile.CheckResult {
			probes.Add(1)
			return reconcile.CheckResult{Status: reconcile.CheckPassed}
		})}
		stack := whatrack()
		burst := func() {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if r, ok := s.probe(t.Context(), stack, stack.Settings.Checks[0]); !ok || r.Status != reconcile.CheckPassed {
						t.Errorf("%+v", r)
					}
				})
			}
			wg.Wait()
		}
		burst()
		if n := probes.Load(); n != 1 {
			t.Errorf("%d probes for 20 requests at once", n)
		}
		<-time.After(2 * time.Second)
		burst()
		if n := probes.Load(); n != 2 {
			t.Errorf("%d probes after the first result had aged", n)
		}
	})
}

func TestListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := &Server{Board: &Board{}, Log: slog.New(slog.DiscardHandler)}
	if err := s.ListenAndServe(t.Context(), taken.Addr().String()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a port that is taken: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.ListenAndServe(ctx, "127.0.0.1:0"); err != nil {
		t.Errorf("told to stop: %v", err)
	}
}
