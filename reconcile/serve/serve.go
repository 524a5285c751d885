// Package serve answers over HTTP what a running controller knows: whether it
// is alive and ready, what its last passes found, and what a check finds right
// now. It writes nothing to the Swarm.
package serve

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

// Board holds what the last pass of every stack found. The zero value is
// ready; it is safe for concurrent use.
type Board struct {
	mu     sync.Mutex
	stacks map[string]entry
}

type entry struct {
	stack   *spec.Stack
	outcome *reconcile.Outcome
}

// Checked replaces the result of one check of a stack that was posted.
func (b *Board) Checked(stack *spec.Stack, r reconcile.CheckResult) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.stacks[stack.Name]
	if !ok {
		return
	}
	// Readers have the old one.
	o := *e.outcome
	o.Checks = slices.Clone(o.Checks)
	i := slices.IndexFunc(o.Checks, func(c reconcile.CheckResult) bool { return c.Name == r.Name })
	if i < 0 {
		o.Checks = append(o.Checks, r)
	} else {
		o.Checks[i] = r
	}
	b.stacks[stack.Name] = entry{e.stack, &o}
}

// result of a check that the controller has last; zero where it has none.
func (b *Board) result(stack, check string) reconcile.CheckResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.stacks[stack].outcome; o != nil {
		for _, c := range o.Checks {
			if c.Name == check {
				return c
			}
		}
	}
	return reconcile.CheckResult{}
}

// Post replaces what is known of a stack.
func (b *Board) Post(stack *spec.Stack, o *reconcile.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stacks == nil {
		b.stacks = map[string]entry{}
	}
	b.stacks[stack.Name] = entry{stack, o}
}

// entries are sorted by stack name.
func (b *Board) entries() []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]entry, 0, len(b.stacks))
	for _, e := range b.stacks {
		out = append(out, e)
	}
	slices.SortFunc(out, func(x, y entry) int {
		if x.stack.Name < y.stack.Name {
			return -1
		}
		return 1
	})
	return out
}

// Server answers requests from a board, and tries checks on demand.
type Server struct {
	Board  *Board
	Prober reconcile.Prober
	// ReadOnly: what a check writes (the redis round trip, a publication) is left out.
	ReadOnly bool
	Log      *slog.Logger
	probes   probes
}

// Handler routes the requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /api/v1/status", s.status)
	mux.HandleFunc("GET /api/v1/plan", s.plan)
	mux.HandleFunc("GET /api/v1/health/redis", s.redis)
	mux.HandleFunc("GET /api/v1/health/{check}", s.check)
	return mux
}

// ListenAndServe serves on addr until ctx ends, then finishes what it is
// answering for at most 5 s. It reports a port that cannot be opened.
func (s *Server) ListenAndServe(ctx context.Context, addr string) error {
	srv := &http.Server{
		Addr: addr, Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = srv.Shutdown(last)
	})()
	err := srv.ListenAndServe()
	if ctx.Err() != nil {
		<-stopped
		return nil
	}
	return err
}

// ready: a first pass has reached the Swarm for some stack.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	for _, e := range s.Board.entries() {
		if e.outcome.Err == nil {
			_, _ = w.Write([]byte("ok\n"))
			return
		}
	}
	http.Error(w, "no pass has reached the Swarm yet", http.StatusServiceUnavailable)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	var outcomes []*reconcile.Outcome
	for _, e := range s.Board.entries() {
		outcomes = append(outcomes, e.outcome)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = render.StatusJSON(w, outcomes)
}

func (s *Server) plan(w http.ResponseWriter, r *http.Request) {
	want := r.URL.Query().Get("stack")
	for _, e := range s.Board.entries() {
		if (want == "" || want == e.stack.Name) && e.outcome.Plan != nil {
			w.Header().Set("Content-Type", "application/json")
			_ = render.PlanJSON(w, e.outcome.Plan)
			return
		}
	}
	reply(w, http.StatusNotFound, map[string]string{"error": "no plan of such a stack yet"})
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
