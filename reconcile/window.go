package reconcile

import (
	"fmt"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// Shut is that none of a stack's windows is open.
type Shut struct {
	Opens time.Time // when one does; zero: never
}

// ShutAt says whether the stack may not be changed at that time; nil: it may.
func ShutAt(stack *spec.Stack, now time.Time) *Shut {
	open, next := stack.Settings.Windows.Open(now)
	if open {
		return nil
	}
	return &Shut{Opens: next}
}

// Text is when the next window opens, as the end of a sentence.
func (s *Shut) Text() string {
	if s.Opens.IsZero() {
		return "none of its windows will open"
	}
	return "its next window opens at " + s.Opens.Format("Mon 2006-01-02 15:04 MST")
}

// Refusal of what would write to the stack, with the way out.
func (s *Shut) Refusal(stack string) error {
	return fmt.Errorf("stack %s is outside of its windows, and nothing was written: %s; wait until then, or write all the same with --outside-window", stack, s.Text())
}

// opening is when a stack that may not be changed may be; nil: it may, or never.
func opening(stack *spec.Stack, now time.Time) <-chan time.Time {
	if stack == nil {
		return nil
	}
	shut := ShutAt(stack, now)
	if shut == nil || shut.Opens.IsZero() {
		return nil
	}
	return time.After(shut.Opens.Sub(now))
}
