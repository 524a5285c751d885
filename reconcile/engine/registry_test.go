package engine

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
)

// A registry that swallows every packet costs a service its digest, not the
// service: the write has its time all the same.
func TestASilentRegistryLeavesTimeForTheWrite(t *testing.T) {
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/_ping"):
			w.Header().Set("Api-Version", "1.41")
		case strings.Contains(path, "/distribution/"):
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		case strings.HasSuffix(path, "/services/create"):
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"ID": "made"}`)
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	e, err := NewAt("tcp://"+server.Listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	e.Timeout = 3 * time.Second
	sp := swarm.ServiceSpec{
		Annotations:  swarm.Annotations{Name: "app_web"},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "registry.example.com/web:1"}},
	}
	if err := e.Do(t.Context(), reconcile.CreateService{Spec: sp, Query: true}); err != nil {
		t.Error(err)
	}
}
