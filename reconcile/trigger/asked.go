package trigger

import (
	"encoding/json"
	"net/http"
)

// Asked answers POST /api/v1/reconcile: it makes a pass due of the stack that
// ?stack= names, or of all. Who may ask has been found out before.
type Asked struct {
	// Nudge a stack, or all where the name is empty, and tell how many that were.
	Nudge func(stack string) int
}

func (a Asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	stack := r.URL.Query().Get("stack")
	n := a.Nudge(stack)
	if stack != "" && n == 0 {
		say(w, http.StatusNotFound, map[string]any{"error": "no stack " + stack + " is reconciled here"})
		return
	}
	say(w, http.StatusAccepted, map[string]any{"nudged": n})
}

func say(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
