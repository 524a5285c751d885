package serve

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// fresh is how long a probe's result is handed out again, so that a busy
// monitor does not become a load on the service it watches.
const fresh = time.Second

// probes remembers the last result of each check; callers that come while one
// is under way share it.
type probes struct {
	flight singleflight.Group

	mu   sync.Mutex
	last map[string]reconcile.CheckResult
	at   map[string]time.Time
}

func (p *probes) recent(key string) (reconcile.CheckResult, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.at[key]
	return p.last[key], ok && time.Since(at) <= fresh
}

// keep a result, and none that is too old to be handed out.
func (p *probes) keep(key string, r reconcile.CheckResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last, p.at = map[string]reconcile.CheckResult{}, map[string]time.Time{}
	}
	for k, at := range p.at {
		if time.Since(at) > fresh {
			delete(p.last, k)
			delete(p.at, k)
		}
	}
	p.last[key], p.at[key] = r, time.Now()
}

// probe is false when the caller has gone meanwhile.
func (s *Server) probe(ctx context.Context, stack *spec.Stack, c spec.Check) (reconcile.CheckResult, bool) {
	key := stack.Name + "/" + c.Name
	if r, ok := s.probes.recent(key); ok {
		return r, true
	}
	// One caller that hangs up must not spoil the result of the others.
	lasting := context.WithoutCancel(ctx)
	result := s.probes.flight.DoChan(key, func() (any, error) {
		if r, ok := s.probes.recent(key); ok { // of a flight that ended a moment ago
			return r, nil
		}
		r := s.Prober.Probe(lasting, stack, c)
		s.probes.keep(key, r)
		return r, nil
	})
	select {
	case <-ctx.Done():
		return reconcile.CheckResult{}, false
	case r := <-result:
		return r.Val.(reconcile.CheckResult), true
	}
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
		fail(w, http.StatusNotFound, "the spec has no redis check, or no pass has been made yet")
	case s.ReadOnly:
		fail(w, http.StatusForbidden, "the redis round trip writes a key, which --dry-run does not")
	default:
		res, ok := s.try(w, r, stack, c)
		if !ok {
			return
		}
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
		fail(w, http.StatusNotFound, "the spec has no check of that name, or no pass has been made yet")
	case !readable:
		fail(w, http.StatusForbidden, "the check writes, which --dry-run does not")
	default:
		res, ok := s.try(w, r, stack, c)
		if !ok {
			return
		}
		known := s.Board.result(stack.Name, name)
		if res.State = known.State; res.Status == reconcile.CheckFailed {
			res.Diagnosis = known.Diagnosis
		}
		reply(w, code(res), res)
	}
}

// try a check for a request, which may take as long as the check.
func (s *Server) try(w http.ResponseWriter, r *http.Request, stack *spec.Stack, c spec.Check) (reconcile.CheckResult, bool) {
	patience(w, c.Timeout+answerTime)
	return s.probe(r.Context(), stack, c)
}

func code(r reconcile.CheckResult) int {
	if r.Status == reconcile.CheckPassed {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}
