// Package engine is the adapter to the Docker Engine, and the only importer of
// its client: it observes the Swarm, makes one call per write, turns names into
// ids when it writes and ids into names when it reads, and finds the ways to a
// service's port.
//
// A network, secret or config that a write names may have been created a
// moment ago; ids are looked up when they are needed, never guessed.
package engine

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/reconcile"
)

// Engine talks to one Docker Engine. It is safe for concurrent use.
type Engine struct {
	// MayJoin lets Locate join the container of this process to an attachable
	// network for as long as a check needs it. Set it before the first call.
	MayJoin bool
	// Timeout bounds every call; 0 means 30 s: a manager without a quorum answers
	// its first call after 20 s, a follower whose leader was killed after some
	// 13 s. Set it before the first call.
	Timeout time.Duration
	// Called hears of every call, from several goroutines; nil: nobody does. Set
	// it before the first call.
	Called func(Call)
	// Repeats keeps the last answers to the lists that a look makes, for who looks
	// again and again: one that is byte for byte the last one is not decoded
	// again. Set it before the first call.
	Repeats bool

	api    *client.Client
	log    *slog.Logger
	guests guests
	rounds rounds
	lasts  lasts

	mu  sync.Mutex
	ids map[reconcile.Kind]map[string]known // by name
	// predefined networks of the Swarm, id -> name.
	predefined map[string]string
}

var _ reconcile.Engine = (*Engine)(nil)

func (e *Engine) timeout() time.Duration { return cmp.Or(e.Timeout, 30*time.Second) }

// New connects as the docker CLI does: DOCKER_HOST, DOCKER_TLS_VERIFY,
// DOCKER_CERT_PATH, DOCKER_API_VERSION; the API version is negotiated. It makes
// no call yet. log may be nil.
func New(log *slog.Logger) (*Engine, error) { return connect(log, client.FromEnv) }

// NewAt connects to the Engine at host, a value for DOCKER_HOST, without a look
// at the environment.
func NewAt(host string, log *slog.Logger) (*Engine, error) {
	return connect(log, client.WithHost(host))
}

func connect(log *slog.Logger, to client.Opt) (*Engine, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{log: log, guests: guests{stay: map[string]*stay{}}}
	observed, complete := e.observed()
	api, err := client.NewClientWithOpts(to, keepConnections, client.WithAPIVersionNegotiation(), observed)
	if err != nil {
		return nil, fmt.Errorf("docker: %w; check DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH", err)
	}
	if host := api.DaemonHost(); strings.HasPrefix(host, "ssh://") {
		return nil, fmt.Errorf("docker: DOCKER_HOST is %s, and swarmward does not speak SSH; forward the socket with `ssh -fNL /tmp/manager.sock:/var/run/docker.sock %s`, and set DOCKER_HOST=unix:///tmp/manager.sock",
			host, strings.TrimPrefix(host, "ssh://"))
	}
	complete()
	e.api = api
	return e, nil
}

// keepConnections has as many kept open as calls are made side by side: the
// client would close all but two after each call.
func keepConnections(c *client.Client) error {
	if tr, ok := c.HTTPClient().Transport.(*http.Transport); ok {
		tr.MaxIdleConns, tr.MaxIdleConnsPerHost, tr.IdleConnTimeout = connections, connections, 30*time.Second
	}
	return nil
}

// Eight writes at a time, and the lists of a look.
const connections = 16

// Close leaves the networks that Locate joined, and releases the connections.
func (e *Engine) Close() error {
	e.leaveAll()
	return e.api.Close()
}

// preflight makes sure that this Engine is a manager that can speak for the
// Swarm: elsewhere some lists answer happily with local data alone.
func (e *Engine) preflight(ctx context.Context) (system.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	info, err := e.api.Info(ctx)
	if err != nil {
		return info, e.explain("docker", err)
	}
	return info, notManager(info)
}
