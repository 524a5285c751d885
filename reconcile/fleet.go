package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/swarmward/swarmward/spec"
)

// Member is a stack of a Fleet.
type Member struct {
	// Key tells it from the others, and to people: what it is loaded from.
	Key string
	// Name of the stack, where it is known already.
	Name string
	Load func(context.Context) (*spec.Stack, error)
}

// Fleet runs a loop for each of its members, which come and go. No member waits
// for another one. A stack's name belongs to the member that had it first, for
// as long as that one stays; the specs of others of that name cannot be used.
// Its methods are safe for concurrent use.
type Fleet struct {
	// Loop makes the loop of a member, with Load as its Load.
	Loop func(Member) *Loop
	Log  *slog.Logger // nil: discarded
	// Gone hears of a stack that is no longer reconciled, by the name that it
	// had. Nil: nobody does.
	Gone func(stack string)

	mu      sync.Mutex
	members map[string]*member // by key; those that still end, too
	names   map[string]*member // by stack name
}

// member is one that runs, or still ends.
type member struct {
	Member
	stack *spec.Stack   // the last good one
	name  string        // the one that it has, or is to have first
	wants string        // the one that it may not have
	nudge chan struct{} // of size one, as stir is
	stir  chan struct{} // what happened in the Swarm
	leave context.CancelFunc
	left  <-chan struct{} // closed as soon as it is to end
	ended chan struct{}
}

func (m *member) due() { poke(m.nudge) }

func poke(nudge chan<- struct{}) {
	select {
	case nudge <- struct{}{}:
	default:
	}
}

func (m *member) leaving() bool {
	select {
	case <-m.left:
		return true
	default:
		return false
	}
}

// Set makes these the members, until the next Set or until ctx ends: a loop
// starts for each that is new, and that of each which is missing ends. What is in
// the Swarm of a stack that goes stays there. Set does not wait for either.
func (f *Fleet) Set(ctx context.Context, members []Member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.members == nil {
		f.members, f.names = map[string]*member{}, map[string]*member{}
	}
	for key, m := range f.members {
		if !m.leaving() && !slices.ContainsFunc(members, func(n Member) bool { return n.Key == key }) {
			f.dismiss(m, members)
		}
	}
	for _, n := range members {
		if was := f.members[n.Key]; was == nil || was.leaving() {
			f.start(ctx, n, was)
		}
	}
}

// dismiss ends a loop, and says what becomes of its stack.
func (f *Fleet) dismiss(m *member, members []Member) {
	m.leave()
	moved := slices.IndexFunc(members, func(n Member) bool { return n.Name == m.name && m.name != "" && n.Key != m.Key })
	switch {
	case m.name == "":
		f.log().Info("a spec is gone; it named no stack that was reconciled", "spec", m.Key)
	case moved >= 0:
		f.log().Info("the spec of a stack has moved", "stack", m.name, "from", m.Key, "to", members[moved].Key)
	default:
		f.log().Warn("the spec of a stack is gone; the stack is left as it is and no longer looked at",
			"stack", m.name, "spec", m.Key, "remedy", "put the spec back, or remove the stack with `swarmward destroy "+m.name+"`")
	}
}

// start a loop, after the one that had its key has ended.
func (f *Fleet) start(ctx context.Context, n Member, after *member) {
	own, leave := context.WithCancel(ctx)
	m := &member{Member: n, nudge: make(chan struct{}, 1), stir: make(chan struct{}, 1), leave: leave, left: own.Done(), ended: make(chan struct{})}
	f.members[n.Key] = m
	if holder := f.names[n.Name]; n.Name != "" && holder == nil {
		m.name, f.names[n.Name] = n.Name, m
	}
	n.Load = func(ctx context.Context) (*spec.Stack, error) { return f.load(ctx, m) }
	loop := f.Loop(n)
	loop.Events = m.stir
	go func() {
		defer f.end(m)
		if after != nil {
			<-after.ended
		}
		loop.Run(own, m.nudge)
	}()
}

// end gives the name of a member free, and has those tried again whose specs
// could not be used because of it.
func (f *Fleet) end(m *member) {
	m.leave()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.members[m.Key] == m {
		delete(f.members, m.Key)
	}
	f.release(m)
	close(m.ended)
}

// release the name of a member, with f.mu held.
func (f *Fleet) release(m *member) {
	if m.name == "" || f.names[m.name] != m {
		return
	}
	delete(f.names, m.name)
	if f.Gone != nil {
		f.Gone(m.name)
	}
	for _, other := range f.members {
		if other.wants == m.name {
			other.due()
		}
	}
}

// load the spec of a member, whose stack must be its own.
func (f *Fleet) load(ctx context.Context, m *member) (*spec.Stack, error) {
	stack, err := m.Load(ctx)
	if err != nil {
		return nil, err
	}
	for {
		holder, err := f.claim(m, stack)
		if holder == nil {
			return stack, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-holder.ended:
		}
	}
}

// claim the stack's name for m. A holder that is about to end is returned, to
// be waited for.
func (f *Fleet) claim(m *member, stack *spec.Stack) (*member, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch holder := f.names[stack.Name]; {
	case holder == m:
	case holder == nil:
		if m.name != "" {
			f.log().Warn("a spec now names another stack; the one that it named is left as it is and no longer looked at",
				"stack", m.name, "spec", m.Key, "now", stack.Name)
			f.release(m)
		}
		m.name, f.names[stack.Name] = stack.Name, m
	case holder.leaving():
		return holder, nil
	default:
		m.wants = stack.Name
		return nil, fmt.Errorf("%s and %s are both stack %s; give one of them another `name:` line, meanwhile %s has it", holder.Key, m.Key, stack.Name, holder.Key)
	}
	m.stack, m.wants = stack, ""
	return nil, nil
}

// Has says whether there is such a member, and it is not about to end.
func (f *Fleet) Has(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[key]
	return m != nil && !m.leaving()
}

// Nudge makes a pass due of every member that concerned names, by what it is
// loaded from and its last good spec, which is nil as long as there is none. It
// returns how many those are. Nil concerns all.
func (f *Fleet) Nudge(concerned func(key string, stack *spec.Stack) bool) int {
	return f.each(concerned, (*member).due)
}

// Happened is Nudge for what was done in the Swarm, which may be somebody's
// answer to what a pass has written.
func (f *Fleet) Happened(concerned func(key string, stack *spec.Stack) bool) int {
	return f.each(concerned, func(m *member) { poke(m.stir) })
}

func (f *Fleet) each(concerned func(key string, stack *spec.Stack) bool, do func(*member)) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for key, m := range f.members {
		if concerned == nil || concerned(key, m.stack) {
			do(m)
			n++
		}
	}
	return n
}

// Wait for every loop to end, after the context of Set has.
func (f *Fleet) Wait() {
	f.mu.Lock()
	var ends []<-chan struct{}
	for _, m := range f.members {
		ends = append(ends, m.ended)
	}
	f.mu.Unlock()
	for _, end := range ends {
		<-end
	}
}

func (f *Fleet) log() *slog.Logger {
	if f.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return f.Log
}
