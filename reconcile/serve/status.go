package serve

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/swarmward/swarmward/reconcile/render"
)

// controller is what the status says of the controller itself.
type controller struct {
	Sources map[string]SourceState `json:"sources,omitempty"`
	// Unusable are the specs that never could be used, by what they are loaded from.
	Unusable map[string]string `json:"unusable,omitempty"`
}

func (a about) controller(known []entry) controller {
	c := controller{Sources: a.sources}
	for name, s := range a.standings {
		if s.SpecError == "" || slices.ContainsFunc(known, func(e entry) bool { return e.stack.Name == name }) {
			continue
		}
		if c.Unusable == nil {
			c.Unusable = map[string]string{}
		}
		c.Unusable[name] = s.SpecError
	}
	return c
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	entries, rest := s.Board.entries(), s.Board.about()
	out := render.Status{Controller: rest.controller(entries)}
	for _, e := range entries {
		out.Stacks = append(out.Stacks, render.StackStatus{Outcome: e.outcome, Standing: rest.standings[e.stack.Name]})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = render.StatusJSON(w, out)
}

// historyTime bounds how long the Swarm is asked for records.
const historyTime = 20 * time.Second

// history of every stack, or of the one asked for: the passes of this
// controller, the newest first, and the revisions that worked.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	type stack struct {
		Stack   string     `json:"stack"`
		Passes  []PassNote `json:"passes"`
		Records any        `json:"records,omitempty"`
		Error   string     `json:"error,omitempty"` // why there are no records
	}
	out := struct {
		SchemaVersion int     `json:"schemaVersion"`
		Stacks        []stack `json:"stacks"`
	}{1, []stack{}}
	want := r.URL.Query().Get("stack")
	for _, e := range s.Board.entries() {
		if want != "" && want != e.stack.Name {
			continue
		}
		x := stack{Stack: e.stack.Name, Passes: e.passes}
		if s.Records != nil {
			ctx, cancel := context.WithTimeout(r.Context(), historyTime)
			records, err := s.Records(ctx, e.stack.Name)
			cancel()
			if x.Records = records; err != nil {
				x.Error = err.Error()
			}
		}
		out.Stacks = append(out.Stacks, x)
	}
	if want != "" && len(out.Stacks) == 0 {
		fail(w, http.StatusNotFound, "no pass of such a stack yet")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = render.JSON(w, out)
}
