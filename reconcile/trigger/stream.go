package trigger

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Stream keeps a stream of events open: one that is lost is opened again, soon
// at first and then ever later.
type Stream struct {
	// Follow opens it, calls connected, and nudges on its own as long as the
	// stream holds. It returns why it is lost.
	Follow func(ctx context.Context, connected func()) error
	// Lost nudges everybody who listened, after the stream is open again: nobody
	// knows what happened meanwhile.
	Lost func()
	Log  *slog.Logger
}

// How long a lost stream waits to be opened again, before jitter, and how long
// it has to hold to count as one that does.
const (
	againFirst = 100 * time.Millisecond
	againMost  = 30 * time.Second
	holds      = 10 * time.Second
)

// Run until ctx ends. tried is called once: when the stream is open, or could
// not be opened.
func (s Stream) Run(ctx context.Context, tried func()) {
	tried = sync.OnceFunc(tried)
	again, lost := againFirst, false
	for {
		var since time.Time
		err := s.Follow(ctx, func() {
			since = time.Now()
			if lost {
				s.Log.Info("events are heard of again")
				s.Lost()
			}
			tried()
		})
		tried()
		if ctx.Err() != nil {
			return
		}
		if !since.IsZero() && time.Since(since) >= holds {
			again = againFirst
		}
		if !lost || !since.IsZero() {
			s.Log.Warn("the Engine's events are not heard of; until they are, only the schedule starts passes", "error", err.Error())
		}
		lost = true
		select {
		case <-ctx.Done():
			return
		case <-time.After(again - rand.N(again/4)):
		}
		again = min(2*again, againMost)
	}
}
