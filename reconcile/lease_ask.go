package reconcile

import (
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// Wish is what a controller is asked for from outside. A request reaches one of
// several, which need not be the one that leads the stack, so it tells the others.
type Wish struct {
	Stack string `json:"stack,omitempty"` // that is to have a pass; empty: all
	// Source: the source of the specs is to be looked at, and only what is new in
	// it makes a pass.
	Source bool `json:"source,omitempty"`
}

// and is what grants both.
func (w Wish) and(other Wish) Wish {
	if w == other {
		return w
	}
	return Wish{}
}

// wished is a Wish as a session says it.
type wished struct {
	Wish
	Count int `json:"count"` // of all wishes so far: two may be the same
}

// askInterval is the least time between two wishes of one session: what comes
// between is one.
const askInterval = time.Second

// Ask the other controllers, where there are any. It does not block. A session
// that is lost takes what it was to say with it.
func (s *Session) Ask(w Wish) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wish != nil {
		w = s.wish.and(w)
	}
	s.wish = &w
	s.stir()
}

// Hear of a config that has changed, and say whether it is a session. That of
// another one may say something new.
func (s *Session) Hear(config string) (session bool) {
	id, session := strings.CutPrefix(config, sessionPrefix)
	s.mu.Lock()
	defer s.mu.Unlock()
	if session && s.life != nil && s.life.id != id {
		s.stir()
	}
	return session
}

// stir has the sessions looked at now. s.mu is held.
func (s *Session) stir() {
	if s.life == nil {
		return
	}
	select {
	case s.life.kick <- struct{}{}:
	default:
	}
}

// wishes is what is to be said now, given who is there to hear it; nil: nothing.
func (s *Session) wishes(l *life, all map[string]swarm.Config, now instant) *Wish {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(all) == 1:
		s.wish = nil
	case s.wish != nil && now.mono >= l.quiet:
		return s.wish
	}
	return nil
}

// told notes that a wish was said.
func (s *Session) told(l *life, w *Wish, now instant) {
	l.quiet = now.mono + askInterval
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wish == w {
		s.wish = nil
	}
}

// listen to what the others say.
func (s *Session) listen(l *life, all map[string]swarm.Config) {
	heard := map[string]int{}
	for name, c := range all {
		id := strings.TrimPrefix(name, sessionPrefix)
		says, lives := living(all, id)
		if id == l.id || !lives || c.Spec.Labels[LabelKept] != keptSession || says.Asked == nil {
			continue
		}
		if heard[id] = says.Asked.Count; heard[id] != s.heard[id] && s.Asked != nil {
			s.Asked(says.Asked.Wish)
		}
	}
	s.heard = heard
}
