package serve

import (
	"maps"
	"time"

	"github.com/swarmward/swarmward/reconcile"
)

// Standing is what is true of a stack beside what its passes found. The zero
// value is that of a stack nobody has said anything about.
type Standing struct {
	Held       *Mark                 `json:"held,omitempty"`      // a revision that is not tried again
	Suspended  *Mark                 `json:"suspended,omitempty"` // a person's word that nothing is written
	Conditions []reconcile.Condition `json:"conditions,omitempty"`
	// Leader is the controller that reconciles the stack, where several could.
	Leader *reconcile.Leader `json:"leader,omitempty"`
	// Retry is when the next pass after a failure is due, Failures how many there
	// were in a row.
	Retry    time.Time `json:"retry,omitzero"`
	Failures int       `json:"failures,omitempty"`
	// SpecError says why the spec cannot be used; the last good one holds.
	SpecError string `json:"specError,omitempty"`
}

// Mark is something that somebody decided about a stack.
type Mark struct {
	Since time.Time `json:"since"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
}

// SourceState is where specs come from, and how that went.
type SourceState struct {
	Seen  time.Time `json:"seen,omitzero"` // when it last said what it holds
	Error string    `json:"error,omitempty"`
}

// Stand changes what is known of a stack. A stack that no pass was posted of
// may have a standing too.
func (b *Board) Stand(stack string, change func(*Standing)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.standings[stack]
	change(&s)
	b.keep(stack, s)
}

// stands takes up what a pass has found of its stack's standing.
func (b *Board) stands(stack string, o *reconcile.Outcome) {
	s := b.standings[stack]
	s.Leader = o.Leader
	if o.Status == nil {
		b.keep(stack, s)
		return
	}
	s.Conditions, s.Held, s.Suspended = o.Status.Conditions, nil, nil
	if h := o.Held; h != nil {
		s.Held = &Mark{Since: h.Since, Why: h.Why}
	}
	if x := o.Suspended; x != nil {
		s.Suspended = &Mark{Since: x.At, By: x.By, Why: x.Why}
	}
	b.keep(stack, s)
}

func (b *Board) keep(stack string, s Standing) {
	if b.standings == nil {
		b.standings = map[string]Standing{}
	}
	b.standings[stack] = s
}

// Source replaces what is known of a source. Its name is shown: it holds no
// password.
func (b *Board) Source(name string, s SourceState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sources == nil {
		b.sources = map[string]SourceState{}
	}
	b.sources[name] = s
}

// about is all that is known beside passes, at one moment.
type about struct {
	standings map[string]Standing
	sources   map[string]SourceState
}

func (b *Board) about() about {
	b.mu.Lock()
	defer b.mu.Unlock()
	return about{maps.Clone(b.standings), maps.Clone(b.sources)}
}
