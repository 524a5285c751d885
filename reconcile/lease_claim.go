package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// Writer is who makes a pass over a stack: its claim.
type Writer struct {
	ID      string    `json:"id"`
	Holder  string    `json:"holder"`
	What    string    `json:"what"` // the verb
	Taken   time.Time `json:"taken"`
	Renewed time.Time `json:"renewed"`
	// Count of renewals: clocks may be set back, this goes on.
	Count int   `json:"count"`
	TTL   int64 `json:"ttlMilliseconds"`
}

// String says who it is, for a person.
func (w Writer) String() string {
	return fmt.Sprintf("swarmward %s (%s), since %s", w.What, w.Holder, w.Taken.Format("2006-01-02 15:04:05 MST"))
}

func (w Writer) ttl() time.Duration { return time.Duration(w.TTL) * time.Millisecond }

// Lease gives passes over a stack their turns, among all processes that write to
// the Swarm. Engine must be set. It is safe for concurrent use.
type Lease struct {
	Engine Keeper
	Holder string        // who this process is, for people
	What   string        // what it does: the verb
	TTL    time.Duration // of a claim; 0 means 15 s
	// Wait is how long a pass waits for somebody else's; 0: not at all.
	Wait time.Duration
	// Session of a controller, which then acts on the stacks that it leads alone;
	// nil: a command, which leads none.
	Session *Session

	clock func() instant // nil: that of the process

	mu   sync.Mutex
	seen map[string]sighting // claims of others, by stack
	held map[string]*claim
}

// claim of this process on a stack.
type claim struct {
	*hold
	lease *Lease
	stack string
	id    string
	users int // passes within passes share one; guarded by the Lease's mu

	cancel context.CancelFunc // ends the renewals
	ended  chan struct{}
}

func (l *Lease) now() instant {
	if l.clock != nil {
		return l.clock()
	}
	return clock()
}

func (l *Lease) ttl() time.Duration { return cmp.Or(l.TTL, claimTTL) }

// callTime bounds the calls that keep a hold: one that takes longer renews
// nothing.
func callTime(ttl time.Duration) time.Duration { return max(ttl, 5*time.Second) }

// read what the Swarm remembers of the stack now.
func read(ctx context.Context, k Keeper, stack string) (Memory, error) {
	configs, err := k.Kept(ctx, memoryName(stack))
	if err != nil {
		return Memory{}, fmt.Errorf("stack %s: what swarmward remembers of it: %w", stack, err)
	}
	return MemoryOf(&Observed{Configs: byName(configs)}, stack)
}

func byName(configs []swarm.Config) map[string]swarm.Config {
	out := make(map[string]swarm.Config, len(configs))
	for _, c := range configs {
		out[c.Spec.Name] = c
	}
	return out
}

// take the claim on a stack, waiting for somebody else's pass where there is
// one. It is fresh when nobody had it since seen was observed, which may be nil;
// else what was seen is out of date. say hears whom it waits for.
func (l *Lease) take(ctx context.Context, stack string, seen *Observed, say func(string)) (c *claim, fresh bool, err error) {
	l.mu.Lock()
	if c := l.held[stack]; c != nil {
		c.users++
		l.mu.Unlock()
		return c, true, nil
	}
	l.mu.Unlock()
	w := &waiting{lease: l, stack: stack, say: say, began: l.now(), retries: retries{patience: engineGrace}}
	w.me = Writer{ID: randomID(), Holder: l.Holder, What: l.What, TTL: l.ttl().Milliseconds()}
	var m Memory
	if fresh = seen != nil; fresh {
		m, err = MemoryOf(seen, stack)
	} else {
		m, err = read(ctx, l.Engine, stack)
	}
	for {
		if err == nil {
			var began instant
			if began, err = w.try(ctx, m); err == nil {
				return l.keep(ctx, stack, w.me.ID, began), fresh, nil
			}
		}
		fresh = false
		if err = w.pause(ctx, err); err != nil {
			return nil, false, err
		}
		m, err = read(ctx, l.Engine, stack)
	}
}

// waiting is somebody who wants to write.
type waiting struct {
	lease   *Lease
	stack   string
	say     func(string)
	began   instant
	retries retries
	me      Writer
	other   Writer // who has it
}

// try to take the claim, given what the memory says.
func (w *waiting) try(ctx context.Context, m Memory) (began instant, err error) {
	l := w.lease
	if !l.free(w.stack, m, w.me.ID) {
		w.other = *m.Writer
		return instant{}, errHeld
	}
	if l.Session != nil {
		if m.Leader, err = l.Session.mayLead(ctx, w.stack, m, nil); err != nil {
			return instant{}, err
		}
	}
	began = l.now()
	w.me.Taken, w.me.Renewed = began.wall.UTC(), began.wall.UTC()
	w.me.Count++
	m.Writer = new(w.me)
	ctx, cancel := context.WithTimeout(ctx, callTime(l.ttl()))
	defer cancel()
	if err = l.Engine.Do(ctx, m.Write(w.stack)); err != nil {
		return instant{}, fmt.Errorf("stack %s: to be the one who writes: %w", w.stack, err)
	}
	return began, nil
}

// errHeld says that somebody else has the claim.
var errHeld = errors.New("somebody else has the claim")

// free says whether nobody has a claim on the stack, or one that has not been
// renewed for as long as it lasts.
func (l *Lease) free(stack string, m Memory, me string) bool {
	now := l.now()
	seen := l.sight(stack, m, now)
	return m.Writer == nil || m.Writer.ID == me || seen.dead(m.Writer.ttl(), now)
}

// sight notes since when the claim that there is on a stack has been as it is.
func (l *Lease) sight(stack string, m Memory, now instant) sighting {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]sighting{}
	}
	l.seen[stack] = l.seen[stack].see(m.Labels[LabelWriter], now)
	return l.seen[stack]
}

// pause before the next look, unless that was enough of waiting.
func (w *waiting) pause(ctx context.Context, err error) error {
	if !errors.Is(err, errHeld) {
		if w.retries.after(ctx, err) {
			return nil
		}
		return errors.Join(err, ctx.Err())
	}
	waited := w.lease.now().mono - w.began.mono
	if waited >= w.lease.Wait {
		return fmt.Errorf("stack %s: %w: %s; nothing was written; try again when that has ended", w.stack, ErrLeased, w.other)
	}
	w.say(fmt.Sprintf("for %s to end, at most %s", w.other, w.lease.Wait))
	w.retries = retries{patience: engineGrace}
	return pause(ctx, max(min(w.lease.ttl(), w.other.ttl())/15, 20*time.Millisecond))
}

// keep the claim that was taken: it is renewed until it is released.
func (l *Lease) keep(ctx context.Context, stack, id string, began instant) *claim {
	c := &claim{hold: newHold(l.now, term{began, l.ttl()}), lease: l, stack: stack, id: id, users: 1, ended: make(chan struct{})}
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*claim{}
	}
	l.held[stack] = c
	l.mu.Unlock()
	go func() {
		defer close(c.ended)
		c.hold.keep(ctx, l.ttl()/3, c.renew)
	}()
	return c
}

// renew the claim, or learn that it is lost.
func (c *claim) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime(c.lease.ttl()))
	defer cancel()
	m, err := c.mine(ctx)
	if err != nil {
		return err
	}
	began := c.lease.now()
	m.Writer.Renewed = began.wall.UTC()
	m.Writer.Count++
	if err := c.lease.Engine.Do(ctx, m.Write(c.stack)); err != nil {
		return err
	}
	c.set(began, nil)
	return nil
}

// mine is the stack's memory, when it still names this claim; otherwise the claim
// is lost.
func (c *claim) mine(ctx context.Context) (Memory, error) {
	m, err := read(ctx, c.lease.Engine, c.stack)
	switch {
	case err != nil && transient(err):
		return m, err
	case err != nil:
	case m.Writer == nil:
		err = fmt.Errorf("stack %s: %w: this pass was not heard of for too long, and its turn is over; nothing more was written", c.stack, ErrLeased)
	case m.Writer.ID != c.id:
		err = fmt.Errorf("stack %s: %w: this pass was not heard of for too long, and now it is %s; nothing more was written", c.stack, ErrLeased, *m.Writer)
	default:
		return m, nil
	}
	c.set(instant{}, err)
	return m, err
}

// releaseTime is how long the end of a pass may take to tell of itself; who
// waits learns it later otherwise.
const releaseTime = 5 * time.Second

// release the claim, when nobody uses it any more. The memory goes with it where
// drop says so; nil keeps it.
func (c *claim) release(ctx context.Context, drop func(context.Context, Memory) (bool, error)) error {
	c.lease.mu.Lock()
	c.users--
	if c.users > 0 {
		c.lease.mu.Unlock()
		return nil
	}
	delete(c.lease.held, c.stack)
	c.lease.mu.Unlock()
	c.cancel()
	<-c.ended
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	again := retries{patience: releaseTime}
	err := c.end(ctx, drop)
	for err != nil && transient(err) && again.after(ctx, err) {
		err = c.end(ctx, drop)
	}
	return err
}

func (c *claim) end(ctx context.Context, drop func(context.Context, Memory) (bool, error)) error {
	m, err := c.mine(ctx)
	if err != nil {
		return err
	}
	gone := false
	if drop != nil {
		if gone, err = drop(ctx, m); err != nil {
			return err
		}
	}
	if m.Writer = nil; gone {
		return c.lease.Engine.Do(ctx, Remove{KindConfig, m.ID, memoryName(c.stack)})
	}
	return c.lease.Engine.Do(ctx, m.Write(c.stack))
}

// blank says whether a memory has nothing to remember but who writes, and who
// led the stack once.
func (l *Lease) blank(ctx context.Context, m Memory) (bool, error) {
	for label := range m.Labels {
		switch label {
		case LabelStack, LabelKept, LabelSchema, LabelWriter, LabelLeader:
		default:
			return false, nil
		}
	}
	if m.Leader == "" {
		return true, nil
	}
	sessions, err := l.Engine.Kept(ctx, sessionPrefix)
	if err != nil {
		return false, err
	}
	_, lives := living(byName(sessions), m.Leader)
	return !lives, nil
}
