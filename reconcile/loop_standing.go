package reconcile

import (
	"time"

	"github.com/swarmward/swarmward/spec"
)

// statuses of the checks, as they were last.
func (l *Loop) statuses() map[string]CheckStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]CheckStatus, len(l.past))
	for name, p := range l.past {
		out[name] = p.status
	}
	return out
}

// settle takes up what a pass left: that of the pass which went back to a
// record, where one did.
func (l *Loop) settle(stack *spec.Stack, o *Outcome) *Outcome {
	log := l.Log.With("stack", o.Stack)
	if o.Answer.Not != "" {
		log.Error(o.Answer.Not, "revision", o.Revision, "why", o.Answer.Why)
	}
	if o.Back != nil {
		l.log(stack, o)
		if l.Done != nil {
			l.Done(stack, o)
		}
		log.Warn("going back", "revision", o.Revision, "record", o.Answer.Record, "why", o.Answer.Why)
		o = o.Back
	}
	switch {
	case o.Leader != nil && !o.Leader.Here: // who leads tells it
	case o.Suspended != nil:
		log.Warn("suspended: nothing is written", "by", o.Suspended.By, "why", o.Suspended.Why, "since", o.Suspended.At)
	case o.Held != nil:
		log.Warn("held: the Swarm is kept at a record", "revision", o.Held.Revision, "record", o.Held.Record, "why", o.Held.Why, "since", o.Held.Since)
	}
	l.remember(stack, o)
	l.status = StatusOf(stack, o, l.status, time.Now())
	o.Status = l.status
	return o
}
