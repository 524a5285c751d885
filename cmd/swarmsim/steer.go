package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/docker/docker/api/server/httpstatus"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/errdefs"
)

// controlPath begins the paths of the control endpoint.
const controlPath = "/swarmsim/"

// control is the endpoint by which a test or a person makes things happen that
// happen by themselves on a real Swarm.
func (e *Engine) control() http.Handler {
	m := http.NewServeMux()
	handle := func(pattern string, do func(r *http.Request) error) {
		m.HandleFunc("POST "+controlPath+pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				writeError(w, httpstatus.FromError(err), err.Error())
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
	}
	handle("nodes/{name}/down", func(r *http.Request) error { return e.SetDown(r.PathValue("name"), true) })
	handle("nodes/{name}/up", func(r *http.Request) error { return e.SetDown(r.PathValue("name"), false) })
	handle("registry/away", func(*http.Request) error { e.registry.leave(true); return nil })
	handle("registry/back", func(*http.Request) error { e.registry.leave(false); return nil })
	handle("registry/add", func(r *http.Request) error { return e.registry.add(r.URL.Query().Get("image")) })
	handle("services/{name}/set", func(r *http.Request) error {
		values := map[string]string{}
		for key, all := range r.URL.Query() {
			values[key] = all[len(all)-1]
		}
		return e.behaviors.tell(r.PathValue("name"), values)
	})
	handle("services/{name}/fault", func(r *http.Request) error { return e.fault(r.PathValue("name"), r.URL.Query().Get("text")) })
	for verb, do := range map[string]func(*simulated) error{
		"stop":      func(c *simulated) error { return withServed(c, func(s *served) error { s.pause(); return nil }) },
		"start":     func(c *simulated) error { return withServed(c, (*served).resume) },
		"kill":      func(c *simulated) error { c.kill(137); return nil },
		"oom":       func(c *simulated) error { c.killOOM(); return nil },
		"unhealthy": func(c *simulated) error { c.killUnhealthy(); return nil },
	} {
		handle("services/{name}/"+verb, func(r *http.Request) error { return e.eachContainer(r.PathValue("name"), do) })
	}
	m.HandleFunc("GET "+controlPath+"state", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(e.state())
	})
	m.HandleFunc(controlPath, func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotImplemented, fmt.Sprintf("not simulated: %s %s", r.Method, r.URL.Path))
	})
	return m
}

func withServed(c *simulated, do func(*served) error) error {
	if s := c.serving(); s != nil {
		return do(s)
	}
	return errdefs.InvalidParameter(fmt.Errorf("service %s: nothing answers in its containers; only Redis and Centrifugo are served", c.task.ServiceAnnotations.Name))
}

// eachContainer does something to the running containers of a service.
func (e *Engine) eachContainer(service string, do func(*simulated) error) error {
	found := false
	for _, c := range e.agent.all() {
		if c.task.ServiceAnnotations.Name == service && c.status() == container.StateRunning {
			found = true
			if err := do(c); err != nil {
				return err
			}
		}
	}
	if !found {
		return errdefs.NotFound(fmt.Errorf("service %s: no container of it runs", service))
	}
	return nil
}

// fault makes the Redis servers of a service answer every command with an
// error; an empty text ends that.
func (e *Engine) fault(service, text string) error {
	return e.eachContainer(service, func(c *simulated) error {
		return withServed(c, func(s *served) error {
			if s.redis == nil {
				return errdefs.InvalidParameter(fmt.Errorf("service %s: it is no Redis", service))
			}
			s.redis.Server().SetPreHook(redisHook(text))
			return nil
		})
	})
}

// Served says where a program of a container answers.
type Served struct {
	Service   string   `json:"service"`
	Task      string   `json:"task"`
	Node      string   `json:"node"`
	Addresses []string `json:"addresses"`
}

// State is what the Swarm's own API does not tell.
type State struct {
	Nodes    map[string]string `json:"nodes"`    // hostname to up or down
	Registry string            `json:"registry"` // here or away
	Served   []Served          `json:"served"`
}

func (e *Engine) state() State {
	out := State{Nodes: map[string]string{}, Registry: "here", Served: []Served{}}
	for _, n := range e.nodes {
		out.Nodes[n.hostname] = "up"
		if n.isDown() {
			out.Nodes[n.hostname] = "down"
		}
	}
	e.registry.mu.Lock()
	if e.registry.away {
		out.Registry = "away"
	}
	e.registry.mu.Unlock()
	for _, c := range e.agent.all() {
		s := c.serving()
		if s == nil {
			continue
		}
		entry := Served{Service: c.task.ServiceAnnotations.Name, Task: c.task.ID, Node: c.node.hostname}
		s.mu.Lock()
		for _, f := range s.fronts {
			entry.Addresses = append(entry.Addresses, f.address)
		}
		s.mu.Unlock()
		out.Served = append(out.Served, entry)
	}
	slices.SortFunc(out.Served, func(a, b Served) int { return strings.Compare(a.Service+a.Task, b.Service+b.Task) })
	return out
}
