package reconcile

import (
	"slices"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// CheckState is how a check has done since somebody began to watch it.
type CheckState struct {
	Since      time.Time  `json:"since"`                // of the status it is in
	LastPassed *time.Time `json:"lastPassed,omitempty"` // nil: never since then
	Flaps      int        `json:"flaps"`                // turns from passed to failed or back, in the last hour
}

// flapWindow is how long a turn counts as a flap.
const flapWindow = time.Hour

// history remembers how the checks of one stack went, by name.
type history map[string]*checkPast

type checkPast struct {
	status CheckStatus
	state  CheckState
	known  CheckStatus // the last one that was not unknown
	turns  []time.Time
	tried  time.Time
}

// note takes a result up and puts the state into it. It returns the status
// before, empty where there was none.
func (h history) note(r *CheckResult, now time.Time) (was CheckStatus) {
	p := h[r.Name]
	if p == nil {
		p = &checkPast{}
		h[r.Name] = p
	}
	was, p.tried = p.status, now
	if r.Status != p.status {
		p.status, p.state.Since = r.Status, now
	}
	if r.Status == CheckPassed {
		p.state.LastPassed = &now
	}
	if r.Status != CheckUnknown {
		if p.known != "" && p.known != r.Status {
			p.turns = append(p.turns, now)
		}
		p.known = r.Status
	}
	for len(p.turns) > 0 && now.Sub(p.turns[0]) > flapWindow {
		p.turns = p.turns[1:]
	}
	p.state.Flaps = len(p.turns)
	state := p.state
	r.State = &state
	return was
}

// keep forgets all but these checks.
func (h history) keep(checks []spec.Check) {
	for name := range h {
		if !slices.ContainsFunc(checks, func(c spec.Check) bool { return c.Name == name }) {
			delete(h, name)
		}
	}
}
