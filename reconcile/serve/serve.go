// Package serve answers over HTTP what a running controller knows: whether it
// is alive and ready, what its last passes found, and what a check finds right
// now, to programs, to Prometheus and to people. It writes nothing to the Swarm.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
)

// Server answers requests from a board, and tries checks on demand. Board and
// Log must be set, and Prober where there is a check.
type Server struct {
	Board  *Board
	Prober reconcile.Prober
	// ReadOnly: what a check writes (the redis round trip, a publication) is left out.
	ReadOnly bool
	Log      *slog.Logger
	Version  string // of this program, for the page
	// Metrics that are told at /metrics; nil: none are.
	Metrics *Metrics
	Access  Access
	// Certificate to serve TLS with; nil: plain HTTP.
	Certificate *Certificate
	// Reconcile answers POST /api/v1/reconcile of those who have the token, and
	// Webhook all of POST /webhook/git: it looks at the signature itself. Where
	// one is nil, nobody may.
	Reconcile, Webhook http.Handler
	// Records are the revisions of a stack that worked, for /api/v1/history, as
	// they are to be shown. Nil: nobody keeps any.
	Records func(ctx context.Context, stack string) (any, error)

	probes probes
}

// Limits of the server.
const (
	connections = 512
	headerTime  = 5 * time.Second
	requestTime = 10 * time.Second
	answerTime  = time.Minute
	idleTime    = time.Minute
	headerBytes = 16 << 10
	drainTime   = 5 * time.Second
)

// ListenAndServe serves on addr until ctx ends, then finishes what it is
// answering for at most 5 s. It reports a port that cannot be opened.
func (s *Server) ListenAndServe(ctx context.Context, addr string) error {
	srv := &http.Server{Handler: s.Handler(), ReadTimeout: requestTime, WriteTimeout: answerTime}
	if s.Certificate != nil {
		srv.TLSConfig = s.Certificate.config()
	}
	return listen(ctx, addr, srv, s.Log)
}

// listen serves until ctx ends.
func listen(ctx context.Context, addr string, srv *http.Server, log *slog.Logger) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	srv.ReadHeaderTimeout, srv.IdleTimeout, srv.MaxHeaderBytes = headerTime, idleTime, headerBytes
	srv.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if srv.Shutdown(last) != nil {
			_ = srv.Close()
		}
	})()
	l = limit(l, connections)
	if srv.TLSConfig != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return nil
	}
	return err
}

func (s *Server) alive(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

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

func (s *Server) plan(w http.ResponseWriter, r *http.Request) {
	want := r.URL.Query().Get("stack")
	failed := ""
	for _, e := range s.Board.entries() {
		switch o := e.outcome; {
		case want != "" && want != e.stack.Name:
		case o.Plan != nil:
			w.Header().Set("Content-Type", "application/json")
			_ = render.PlanJSON(w, o.Plan)
			return
		case o.Err != nil:
			failed = fmt.Sprintf("the last pass of stack %s came to no plan: %s", e.stack.Name, o.Err)
		}
	}
	if failed != "" {
		fail(w, http.StatusServiceUnavailable, failed)
		return
	}
	fail(w, http.StatusNotFound, "no plan of such a stack yet")
}
