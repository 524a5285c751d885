package engine

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOperations(t *testing.T) {
	for call, want := range map[string]string{
		"HEAD /_ping":                               "HEAD /_ping",
		"GET /v1.41/info":                           "GET /info",
		"GET /v1.51/services":                       "GET /services",
		"POST /v1.41/services/create":               "POST /services/create",
		"GET /v1.41/services/whatrack_redis":        "GET /services/{id}",
		"POST /v1.41/services/x1/update":            "POST /services/{id}/update",
		"GET /v1.41/tasks/x1/logs":                  "GET /tasks/{id}/logs",
		"POST /v1.41/networks/x1/connect":           "POST /networks/{id}/connect",
		"GET /v1.41/distribution/r.io/a/b:1/json":   "GET /distribution/{image}/json",
		"GET /v1.41/distribution/redis:7/json":      "GET /distribution/{image}/json",
		"GET /events":                               "GET /events",
		"GET /v1.41/services/x1/somebody":           "other",
		"GET /v1.41/somewhere/else":                 "other",
		"GET /":                                     "other",
		"GET /v1.41/events/../../whatever/x/y/z/zz": "other",
	} {
		method, path, _ := strings.Cut(call, " ")
		if got := operation(method, path); got != want {
			t.Errorf("%s is %q, want %q", call, got, want)
		}
	}
}

// Whoever counts the calls hears of each, of those without an answer too.
func TestCallsAreHeard(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/_ping"):
			w.Header().Set("Api-Version", "1.41")
		case strings.HasSuffix(r.URL.Path, "/info"):
			_, _ = io.WriteString(w, `{"Swarm": {"ControlAvailable": true, "LocalNodeState": "active"}}`)
		default:
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"message": "no"}`)
		}
	}))
	e, err := NewAt("tcp://"+server.Listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	var mu sync.Mutex
	var heard []Call
	e.Called = func(c Call) {
		mu.Lock()
		defer mu.Unlock()
		if c.Took <= 0 {
			t.Errorf("%+v took no time", c)
		}
		c.Took = 0
		heard = append(heard, c)
	}
	if _, err := e.preflight(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = e.api.SecretRemove(t.Context(), "whose")
	server.Close()
	_, _ = e.preflight(t.Context())
	want := []Call{
		{Operation: "HEAD /_ping", Code: 200}, {Operation: "GET /info", Code: 200},
		{Operation: "DELETE /secrets/{id}", Code: 500}, {Operation: "GET /info"},
	}
	if diff := cmp.Diff(want, heard); diff != "" {
		t.Error(diff)
	}
}
