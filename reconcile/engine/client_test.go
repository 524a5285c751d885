package engine

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/swarmward/swarmward/spec"
)

// side is how many lists a look makes side by side.
const side = 8

// The connections that one look opens serve the next.
func TestConnectionsAreKept(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var opened atomic.Int64
	var lists sync.WaitGroup // nobody is answered before all have asked
	server := &http.Server{
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				opened.Add(1)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := "[]"
			switch {
			case strings.HasSuffix(r.URL.Path, "/_ping"):
				w.Header().Set("Api-Version", "1.41")
				return
			case strings.HasSuffix(r.URL.Path, "/info"):
				_, _ = io.WriteString(w, `{"Swarm": {"ControlAvailable": true, "LocalNodeState": "active"}}`)
				return
			case strings.HasSuffix(r.URL.Path, "/volumes"):
				answer = "{}"
			}
			lists.Done()
			lists.Wait()
			_, _ = io.WriteString(w, answer)
		}),
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	e, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for range 20 {
		lists.Add(side)
		if _, err := e.Observe(t.Context(), &spec.Stack{Name: "app"}); err != nil {
			t.Fatal(err)
		}
	}
	// A connection may still be on its way back when the next look wants one;
	// then there is one more to keep.
	if n := opened.Load(); n < side || n > connections {
		t.Errorf("%d connections for 20 looks of %d calls side by side", n, side)
	}
}
