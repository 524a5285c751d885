package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// Session is the life of one controller among several, as the others see it. It
// is renewed once for all the stacks that it leads. Whoever finds another that
// is not renewed any more first breaks it, by compare and swap, so that its
// holder learns of it with the next renewal, and then removes it. What leads a
// stack and is gone is followed by whoever comes first.
//
// Engine must be set. Run keeps the session.
type Session struct {
	Engine Keeper
	Holder string        // who this process is, for people
	TTL    time.Duration // 0 means 45 s
	Log    *slog.Logger  // nil: discarded
	// Changed hears when another controller is gone: there may be stacks to lead.
	// Nil: nobody does.
	Changed func()
	// Asked hears what another controller was asked for, once at least. Nil:
	// nobody does.
	Asked func(Wish)

	clock func() instant // nil: that of the process

	mu    sync.Mutex
	life  *life         // nil: there is none now
	begun chan struct{} // closed when there is one; nil: nobody waits
	wish  *Wish         // to be said; nil: none

	seen  map[string]sighting // others, by id; of round alone
	heard map[string]int      // wishes of others, counted by them; of round alone
}

// life of a session, until it is lost.
type life struct {
	*hold
	id  string
	ctx context.Context // ends when it is lost
	end context.CancelCauseFunc
	// quiet until then: a wish was said. Of round alone.
	quiet time.Duration
}

// session is what the label LabelSession says.
type session struct {
	Holder  string    `json:"holder"`
	Began   time.Time `json:"began"`
	Renewed time.Time `json:"renewed"`
	Count   int       `json:"count"` // of renewals
	TTL     int64     `json:"ttlMilliseconds"`
	Asked   *wished   `json:"asked,omitempty"`
}

var sessionPrefix = keptName(keptSession, "")

func sessionName(id string) string { return sessionPrefix + id }

// living tells of a session that may still act.
func living(configs map[string]swarm.Config, id string) (session, bool) {
	c, ok := configs[sessionName(id)]
	if !ok || c.Spec.Labels[LabelBroken] != "" {
		return session{}, false
	}
	var s session
	if json.Unmarshal([]byte(c.Spec.Labels[LabelSession]), &s) != nil {
		// Its holder writes it anew when it lives, and else it ends as others do.
		s = session{Holder: "somebody whose session cannot be read", TTL: sessionTTL.Milliseconds()}
	}
	return s, true
}

func (s *Session) now() instant {
	if s.clock != nil {
		return s.clock()
	}
	return clock()
}

func (s *Session) ttl() time.Duration { return cmp.Or(s.TTL, sessionTTL) }

// look is how often the sessions are looked at.
func (s *Session) look() time.Duration { return s.ttl() / 15 }

// Run keeps a session until ctx ends, and then removes it. End ctx when nothing
// of the process writes any more.
func (s *Session) Run(ctx context.Context) {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	for ctx.Err() == nil {
		l := s.begin(ctx)
		if l == nil {
			return
		}
		l.keep(ctx, s.look(), func(ctx context.Context) error { return s.round(ctx, l) })
		s.mu.Lock()
		s.life = nil
		s.mu.Unlock()
		_, _, lost := l.now()
		if lost == nil {
			s.remove(ctx, l)
			lost = context.Canceled
		} else {
			s.Log.Warn("the session is lost; beginning another", "error", lost.Error())
		}
		l.end(lost)
	}
}

// begin a session; nil when ctx ends first.
func (s *Session) begin(ctx context.Context) *life {
	l := &life{hold: newHold(s.now, term{s.now(), s.ttl()}), id: randomID(), quiet: s.now().mono}
	first := session{Holder: s.Holder, Began: l.term.began.wall.UTC(), Renewed: l.term.began.wall.UTC(), TTL: s.ttl().Milliseconds()}
	for {
		err := s.write(ctx, swarm.Config{Spec: s.config(l.id, first)})
		// Nobody else makes one of that name: an answer was lost.
		if err == nil || errors.Is(err, ErrStale) {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		s.Log.Debug("no session yet", "error", err.Error())
		if pause(ctx, s.look()) != nil {
			return nil
		}
	}
	l.ctx, l.end = context.WithCancelCause(context.WithoutCancel(ctx))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = l
	if s.begun != nil {
		close(s.begun)
		s.begun = nil
	}
	return l
}

func (s *Session) config(id string, says session) swarm.ConfigSpec {
	text, _ := json.Marshal(says) // plain values
	return swarm.ConfigSpec{
		Annotations: swarm.Annotations{Name: sessionName(id), Labels: map[string]string{
			LabelKept: keptSession, LabelSchema: fmt.Sprint(memorySchema), LabelSession: string(text),
		}},
		Data: []byte("A controller of swarmward lives as long as it renews the labels of this config.\n"),
	}
}

// write creates the session or, where it has an id, relabels it.
func (s *Session) write(ctx context.Context, c swarm.Config) error {
	ctx, cancel := context.WithTimeout(ctx, callTime(s.ttl()))
	defer cancel()
	if c.ID == "" {
		return s.Engine.Do(ctx, CreateConfig{Spec: c.Spec})
	}
	return s.Engine.Do(ctx, LabelConfig{ID: c.ID, Version: c.Version, Spec: c.Spec})
}

// round looks at all sessions: what they say is heard, this one is renewed where
// that is due, and those of the dead are removed.
func (s *Session) round(ctx context.Context, l *life) error {
	listing, cancel := context.WithTimeout(ctx, callTime(s.ttl()))
	configs, err := s.Engine.Kept(listing, sessionPrefix)
	cancel()
	if err != nil {
		return err
	}
	all := byName(configs)
	if _, lives := living(all, l.id); !lives {
		lost := fmt.Errorf("%w: this controller was not heard of for too long, and others have taken over; nothing more was written", ErrLeased)
		l.set(instant{}, lost)
		l.end(lost)
		return lost
	}
	s.listen(l, all)
	if err := s.renew(ctx, l, all); err != nil {
		return err
	}
	s.bury(ctx, l, all)
	return nil
}

// renew after a fifth of the time to live, and where there is something to say.
func (s *Session) renew(ctx context.Context, l *life, all map[string]swarm.Config) error {
	c, began := all[sessionName(l.id)], s.now()
	wish := s.wishes(l, all, began)
	l.mu.Lock()
	due := began.mono-l.term.began.mono >= s.ttl()/5 || l.term.left(began) <= 0
	l.mu.Unlock()
	if !due && wish == nil {
		return nil
	}
	says, _ := living(map[string]swarm.Config{c.Spec.Name: c}, l.id)
	says.Renewed = began.wall.UTC()
	says.Count++
	if wish != nil {
		next := wished{Wish: *wish, Count: 1}
		if says.Asked != nil {
			next.Count += says.Asked.Count
		}
		says.Asked = &next
	}
	text, _ := json.Marshal(says)
	c.Spec.Labels = withLabels(c.Spec.Labels, map[string]string{LabelSession: string(text)})
	if err := s.write(ctx, c); err != nil {
		return err
	}
	if wish != nil {
		s.told(l, wish, began)
	}
	l.set(began, nil)
	return nil
}

// bury the sessions that nobody renews any more.
func (s *Session) bury(ctx context.Context, l *life, all map[string]swarm.Config) {
	seen, gone, now := map[string]sighting{}, 0, s.now()
	for name, c := range all {
		id := strings.TrimPrefix(name, sessionPrefix)
		if c.Spec.Labels[LabelKept] != keptSession || id == l.id || readableSchema(c.Spec, memorySchema) != nil {
			continue
		}
		sight := s.seen[id].see(c.Spec.Labels[LabelSession], now)
		seen[id] = sight
		says, lives := living(all, id)
		if lives && says.TTL > 0 && sight.dead(time.Duration(says.TTL)*time.Millisecond, now) {
			broken := c
			broken.Spec.Labels = withLabels(c.Spec.Labels, map[string]string{LabelBroken: s.Holder})
			if err := s.write(ctx, broken); err != nil {
				continue // it lives, or it is tried again
			}
			s.Log.Warn("a controller is not heard of any more", "controller", says.Holder)
			lives = false
		}
		if !lives && s.Engine.Do(ctx, Remove{KindConfig, c.ID, name}) == nil {
			delete(seen, id)
		}
	}
	for id := range s.seen {
		if _, ok := seen[id]; !ok {
			gone++
		}
	}
	if s.seen = seen; gone > 0 && s.Changed != nil {
		s.Changed()
	}
}

// remove the session at its end.
func (s *Session) remove(ctx context.Context, l *life) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	again := retries{patience: releaseTime}
	for err := s.removeOnce(ctx, l.id); err != nil && again.after(ctx, err); {
		err = s.removeOnce(ctx, l.id)
	}
}

func (s *Session) removeOnce(ctx context.Context, id string) error {
	configs, err := s.Engine.Kept(ctx, sessionName(id))
	for _, c := range configs {
		err = s.Engine.Do(ctx, Remove{KindConfig, c.ID, c.Spec.Name})
	}
	return err
}
