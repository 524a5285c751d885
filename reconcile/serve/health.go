package serve

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// fresh is how long a probe's result is handed out again, so that a busy
// monitor does not become a load on the service it watches.
const fresh = time.Second

// probes remembers the last result of each check; callers that come while one
// is under way share it.
type probes struct {
	mu   sync.Mutex
	last map[string]*probe
}

type probe struct {
	mu     sync.Mutex
	at     time.Time
	result reconcile.CheckResult
}

func (s *Server) probe(ctx context.Context, stack *spec.Stack, c spec.Check) reconcile.CheckResult {
	s.probes.mu.Lock()
	if s.probes.last == nil {
		s.probes.last = map[string]*probe{}
	}
	key := stack.Name + "/" + c.Name
	p := s.probes.last[key]
	if p == nil {
		p = &probe{}
		s.probes.last[key] = p
	}
	s.probes.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) > fresh {
		// One caller that hangs up must not spoil the result of the others.
		p.result = s.Prober.Probe(context.WithoutCancel(ctx), stack, c)
		p.at = time.Now()
	}
	return p.result
}

// find returns the check that match accepts, of the stack asked for or of any.
func (s *Server) find(r *http.Request, match func(spec.Check) bool) (*spec.Stack, spec.Check, bool) {
	want := r.URL.Query().Get("stack")
	for _, e := range s.Board.entries() {
		if want != "" && want != e.stack.Name {
			continue
		}
		for _, c := range e.stack.Settings.Checks {
			if match(c) {
				return e.stack, c, true
			}
		}
	}
	return nil, spec.Check{}, false
}

// redis answers in the shape of whatrack's own health check: 200 when the round
// trip passed, 503 otherwise, retrieved null when disconnected. It is the check
// named redis or, without one, the first check of that kind.
func (s *Server) redis(w http.ResponseWriter, r *http.Request) {
	stack, c, ok := s.find(r, func(c spec.Check) bool { return c.Redis != nil && c.Name == "redis" })
	if !ok {
		stack, c, ok = s.find(r, func(c spec.Check) bool { return c.Redis != nil })
	}
	switch {
	case !ok:
		reply(w, http.StatusNotFound, map[string]string{"error": "the spec has no redis check, or no pass has been made yet"})
	case s.ReadOnly:
		reply(w, http.StatusForbidden, map[string]string{"error": "the redis round trip writes a key, which --dry-run does not"})
	default:
		res := s.probe(r.Context(), stack, c)
		trip := res.Redis
		if trip == nil {
			trip = &reconcile.RoundTrip{TestKey: c.Redis.Key}
		}
		reply(w, code(res), map[string]*reconcile.RoundTrip{"redis": trip})
	}
}

// check answers with the result of one check, tried now, and with the state and
// the diagnosis that the controller has of it.
func (s *Server) check(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("check")
	stack, c, ok := s.find(r, func(c spec.Check) bool { return c.Name == name })
	readable := true
	if ok && s.ReadOnly {
		c, readable = c.ReadOnly()
	}
	switch {
	case !ok:
		reply(w, http.StatusNotFound, map[string]string{"error": "the spec has no check of that name, or no pass has been made yet"})
	case !readable:
		reply(w, http.StatusForbidden, map[string]string{"error": "the check writes, which --dry-run does not"})
	default:
		res := s.probe(r.Context(), stack, c)
		known := s.Board.result(stack.Name, name)
		if res.State = known.State; res.Status == reconcile.CheckFailed {
			res.Diagnosis = known.Diagnosis
		}
		reply(w, code(res), res)
	}
}

func code(r reconcile.CheckResult) int {
	if r.Status == reconcile.CheckPassed {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}
