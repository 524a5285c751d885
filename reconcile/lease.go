package reconcile

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// One writer at a time, kept in labels that change by compare and swap.
//
// A claim is for one pass over one stack, whoever makes it: the stack's memory
// names the writer. A session is for the life of a controller, one object for
// all its stacks: a stack's memory names the session that leads it.
//
// Both last for a time to live and are renewed. Nobody compares clocks: who
// holds one counts from when the last renewal that succeeded was begun, on both
// of its clocks; who waits for one counts from when it saw the last renewal. So
// the holder always stops before anybody else begins, for as long as a second
// takes as long on one machine as on another. What is over is not yet lost: a
// renewal that succeeds proves that nobody had it in between.
const (
	LabelWriter  = "swarmward.writer"  // Writer, as JSON, on a stack's memory
	LabelLeader  = "swarmward.leader"  // id of the session that leads the stack, on its memory
	LabelSession = "swarmward.session" // session, as JSON
	LabelBroken  = "swarmward.broken"  // who broke the session because nobody renewed it
)

// Times to live, where none is set.
const (
	claimTTL   = 15 * time.Second
	sessionTTL = 45 * time.Second
)

// ErrLeased is what a pass fails with when somebody else writes to the stack,
// or has come to while the pass could not be heard of.
var ErrLeased = errors.New("somebody else has the stack")

// Keeper is the part of an Engine where swarmward keeps what it has to know.
type Keeper interface {
	// Kept lists the configs whose names begin with prefix, in one read-only call.
	Kept(ctx context.Context, prefix string) ([]swarm.Config, error)
	// Do makes the one Engine call that w stands for.
	Do(ctx context.Context, w Write) error
}

// instant is now by both clocks of a process: one that never jumps and may stand
// still while the machine sleeps, and one that goes on and may be set.
type instant struct {
	mono time.Duration
	wall time.Time
}

var processStart = time.Now()

func clock() instant {
	t := time.Now()
	return instant{t.Sub(processStart), t.Round(0)}
}

// term is how long a holder may act: for ttl, from when the last renewal that
// succeeded was begun.
type term struct {
	began instant
	ttl   time.Duration
}

// left of the term for a write to begin in. The last fifth is for a write that
// is on its way. Whichever clock says that more time has passed is believed.
func (t term) left(now instant) time.Duration {
	passed := max(now.mono-t.began.mono, now.wall.Sub(t.began.wall))
	return t.ttl - t.ttl/5 - passed
}

// sighting is what somebody who waits knows of another's hold: what it said, and
// since when it has said so.
type sighting struct {
	text  string
	since time.Duration
}

// see the hold as it was read before now.
func (s sighting) see(text string, now instant) sighting {
	if s.text == text {
		return s
	}
	return sighting{text, now.mono}
}

// dead says whether nobody has renewed the hold for longer than it lasts. The
// clock that may be set has no say: it would let somebody begin too early.
func (s sighting) dead(ttl time.Duration, now instant) bool { return now.mono-s.since > ttl }

// hold is a claim or a session as its holder knows it.
type hold struct {
	clock func() instant
	kick  chan struct{} // asks for a renewal now

	mu      sync.Mutex
	term    term
	lost    error
	changed chan struct{} // closed at the next change of the two
}

func newHold(clock func() instant, t term) *hold {
	return &hold{clock: clock, kick: make(chan struct{}, 1), term: t, changed: make(chan struct{})}
}

func (h *hold) now() (left time.Duration, changed <-chan struct{}, lost error) {
	now := h.clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.term.left(now), h.changed, h.lost
}

// set notes a renewal that was begun then or, for good, the loss.
func (h *hold) set(began instant, lost error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost != nil {
		return
	}
	h.term.began, h.lost = began, lost
	close(h.changed)
	h.changed = make(chan struct{})
}

// await returns nil when a write may begin: at once within the term, otherwise
// after a renewal, for which it waits no longer than patience.
func (h *hold) await(ctx context.Context, patience time.Duration) error {
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for {
		left, changed, lost := h.now()
		if lost != nil || left > 0 {
			return lost
		}
		select {
		case h.kick <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-enough.C:
			return fmt.Errorf("%w: the lease of the stack could not be renewed, and without it nothing is written", ErrBrokenOff)
		}
	}
}

// guard calls cut when the term ends before stop is called.
func (h *hold) guard(cut func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			left, changed, lost := h.now()
			if lost != nil || left <= 0 {
				cut()
				return
			}
			end := time.NewTimer(left)
			select {
			case <-ctx.Done():
			case <-changed:
			case <-end.C:
			}
			if end.Stop(); ctx.Err() != nil {
				return
			}
		}
	}()
	return cancel
}

// keep renews at every interval, sooner where somebody asks or where it failed,
// until ctx ends or the hold is lost.
func (h *hold) keep(ctx context.Context, every time.Duration, renew func(context.Context) error) {
	wait := every
	for {
		next := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-next.C:
		case <-h.kick:
		}
		next.Stop()
		if ctx.Err() != nil {
			return
		}
		if wait = every; renew(ctx) != nil {
			wait = every / 5
		}
		if _, _, lost := h.now(); lost != nil {
			return
		}
	}
}

// transient says whether a call that failed so may succeed in a moment.
func transient(err error) bool {
	return errors.Is(err, ErrStale) || errors.Is(err, ErrBrokenOff) || errors.Is(err, ErrInternal) ||
		errors.Is(err, ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func randomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
