package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Leader is the controller that reconciles a stack, of those that could.
type Leader struct {
	Holder string `json:"holder"`
	Here   bool   `json:"here"` // it is this one
}

// standing is why a pass of a controller does nothing: another one leads.
type standing struct{ Leader }

func (s *standing) Error() string { return "the controller " + s.Holder + " leads" }

// current is the session as it is now, waited for where one is about to begin.
func (s *Session) current(ctx context.Context) (*life, error) {
	enough := time.NewTimer(callTime(s.ttl()))
	defer enough.Stop()
	for {
		s.mu.Lock()
		l := s.life
		if l == nil && s.begun == nil {
			s.begun = make(chan struct{})
		}
		begun := s.begun
		s.mu.Unlock()
		if l != nil {
			return l, nil
		}
		select {
		case <-begun:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-enough.C:
			return nil, fmt.Errorf("%w: this controller has no session with the others yet, and without one it writes nothing", ErrBrokenOff)
		}
	}
}

// mayLead is the id to lead the stack under: this session leads it already, or
// nobody who lives does. Else the error is a standing. configs are all there
// are, or nil.
func (s *Session) mayLead(ctx context.Context, stack string, m Memory, seen *Observed) (string, error) {
	l, err := s.current(ctx)
	if err != nil || m.Leader == "" || m.Leader == l.id {
		return idOf(l), err
	}
	if seen == nil {
		configs, err := s.Engine.Kept(ctx, sessionName(m.Leader))
		if err != nil {
			return "", fmt.Errorf("stack %s: who leads it: %w", stack, err)
		}
		seen = &Observed{Configs: byName(configs)}
	}
	if other, lives := living(seen.Configs, m.Leader); lives {
		return "", &standing{Leader{Holder: other.Holder}}
	}
	return l.id, nil
}

func idOf(l *life) string {
	if l == nil {
		return ""
	}
	return l.id
}

// lead a stack that nobody leads, where nothing is to be written besides. A claim
// that was abandoned, by whoever was killed, goes.
func (s *Session) lead(ctx context.Context, stack string, m Memory, seen *Observed, abandoned bool) error {
	again := retries{patience: engineGrace}
	for {
		id, err := s.mayLead(ctx, stack, m, seen)
		if err == nil {
			if m.Leader == id && !abandoned {
				return nil
			}
			if m.Leader = id; abandoned {
				m.Writer = nil
			}
			if err = s.Engine.Do(ctx, m.Write(stack)); err == nil {
				return nil
			}
		}
		var other *standing
		if errors.As(err, &other) || !again.after(ctx, err) {
			return err
		}
		for seen, abandoned = nil, false; ; {
			if m, err = read(ctx, s.Engine, stack); err == nil {
				break
			}
			if !again.after(ctx, err) {
				return err
			}
		}
	}
}

// follows says whether the pass did nothing because another controller leads. A
// leader that is another than before is told.
func (l *Loop) follows(o *Outcome) bool {
	if o.Leader == nil {
		return false
	}
	was := l.leader
	l.leader = *o.Leader
	switch log := l.Log.With("stack", o.Stack, "leader", o.Leader.Holder); {
	case *o.Leader == was:
	case o.Leader.Here:
		log.Info("this controller leads the stack")
	default:
		log.Info("another controller leads the stack; standing by")
	}
	return !o.Leader.Here
}
