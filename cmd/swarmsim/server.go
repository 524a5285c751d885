package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	dockerapi "github.com/docker/docker/api"
	"github.com/docker/docker/api/server"
	"github.com/docker/docker/api/server/middleware"
	"github.com/docker/docker/api/server/router/distribution"
	"github.com/docker/docker/api/server/router/network"
	"github.com/docker/docker/api/server/router/swarm"
	"github.com/docker/docker/api/server/router/system"
	"github.com/docker/docker/api/server/router/volume"
	"github.com/gorilla/mux"
)

// Handler is the Engine's API: its own routers where it is simulated, and
// swarmsim's control endpoint.
func (e *Engine) Handler(ctx context.Context) (http.Handler, error) {
	versioned, err := middleware.NewVersionMiddleware(engineVersion, dockerapi.DefaultVersion, dockerapi.MinSupportedAPIVersion)
	if err != nil {
		return nil, fmt.Errorf("API versions: %w", err)
	}
	s := &server.Server{}
	s.UseMiddleware(*versioned)
	b := systemBackend{eventLog: e.events, engine: e}
	routes := s.CreateMux(ctx,
		containersRouter{e},
		distribution.NewRouter(e.registry),
		network.NewRouter(e.networks, networksBackend{e.cluster}),
		swarm.NewRouter(e.cluster),
		system.NewRouter(b, e.cluster, b, func() map[string]bool { return nil }),
		volume.NewRouter(e.volumes, e.cluster),
	)
	engine, control := gaps(routes), e.control()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, controlPath) {
			control.ServeHTTP(w, r)
			return
		}
		engine.ServeHTTP(w, r)
	}), nil
}

// gaps answers 501 where the Engine's routers have nothing.
func gaps(routes *mux.Router) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var match mux.RouteMatch
		if routes.Match(r, &match) && match.MatchErr == nil && match.Route != nil {
			template, err := match.Route.GetPathTemplate()
			if err == nil && !strings.HasSuffix(template, "/{path:.*}") && (r.Method != http.MethodOptions) {
				routes.ServeHTTP(w, r)
				return
			}
		}
		writeError(w, http.StatusNotImplemented, fmt.Sprintf("not simulated: %s %s", r.Method, r.URL.Path))
	})
}

// listen opens unix:///path or tcp://host:port and tells the address to use as
// DOCKER_HOST.
func listen(address string) (net.Listener, string, error) {
	network, where, ok := strings.Cut(address, "://")
	if !ok || network != "unix" && network != "tcp" {
		return nil, "", fmt.Errorf("address %s: it is neither unix:///path nor tcp://host:port", address)
	}
	l, err := net.Listen(network, where)
	if err != nil {
		return nil, "", fmt.Errorf("address %s: %w", address, err)
	}
	if network == "tcp" {
		where = l.Addr().String()
	}
	return l, network + "://" + where, nil
}

// serveHTTP answers until the context ends. The Engine's routers complain of
// clients that leave before the end.
func serveHTTP(ctx context.Context, l net.Listener, handler http.Handler, log *slog.Logger) error {
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	go func() {
		<-ctx.Done()
		_ = s.Close()
	}()
	if err := s.Serve(l); err != http.ErrServerClosed {
		return fmt.Errorf("API: %w", err)
	}
	return nil
}
