package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/trigger"
	"github.com/swarmward/swarmward/spec"
	"github.com/swarmward/swarmward/spec/source"
)

// stacks keeps a fleet equal to what a source holds, while it holds now this
// and now that.
type stacks struct {
	source source.Source
	base   spec.Options // without files
	fleet  *reconcile.Fleet
	files  *trigger.Files // nil: nothing is watched
	log    *slog.Logger
	// told hears when the source last said what it holds, and what is wrong with it.
	told func(seen time.Time, err error)

	refreshing sync.Mutex // one at a time
	mu         sync.Mutex
	checkout   *source.Checkout
	loaded     map[string]*origin // by key
	trouble    string             // what the source said last
	seen       time.Time
}

// origin is one stack's way from the source.
type origin struct {
	in     source.Input
	loader spec.Loader
}

func keyOf(in source.Input) string { return strings.Join(in.Files, ", ") }

// begin looks at the source for the first time. It fails where the source, or
// every spec that it has, is of no use: that is the caller's mistake. Stacks
// are what can be used already.
func (s *stacks) begin(ctx context.Context) (usable []*spec.Stack, err error) {
	checkout, err := s.first(ctx)
	if checkout == nil {
		return nil, err
	}
	if len(checkout.Inputs) == 0 {
		return nil, errors.New("the source of the specs holds none: put a *.yaml file into it for each stack")
	}
	s.note(checkout, err)
	s.hold(checkout)
	var errs []error
	for _, in := range checkout.Inputs {
		stack, err := s.load(ctx, keyOf(in))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		usable = append(usable, stack)
	}
	if len(usable) == 0 {
		return nil, errors.Join(errs...)
	}
	return usable, nil
}

// firstLook is how long a source may take at the start that has something from
// an earlier time: the health check of the service waits little longer.
const firstLook = 15 * time.Second

func (s *stacks) first(ctx context.Context) (*source.Checkout, error) {
	soon, cancel := context.WithTimeoutCause(ctx, firstLook, fmt.Errorf("no answer within %s", firstLook))
	defer cancel()
	checkout, err := s.source.Get(soon)
	if checkout == nil && soon.Err() != nil && ctx.Err() == nil {
		return s.source.Get(ctx)
	}
	return checkout, err
}

// troubled says whether the source could not be used when it was looked at last.
func (s *stacks) troubled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble != ""
}

// refresh looks at the source again, has the stacks come and go, and those make
// a pass whose specs have changed.
func (s *stacks) refresh(ctx context.Context) {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	checkout, err := s.source.Get(ctx)
	if ctx.Err() != nil {
		return
	}
	s.note(checkout, err)
	if checkout != nil {
		s.hold(checkout)
		s.muster(ctx)
	}
	stale := s.stale()
	if len(stale) > 0 {
		s.fleet.Nudge(func(key string, _ *spec.Stack) bool { return slices.Contains(stale, key) })
	}
}

// note what the source says, and log it once.
func (s *stacks) note(checkout *source.Checkout, err error) {
	said := ""
	if err != nil {
		said = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if checkout != nil {
		s.seen = checkout.Seen
	}
	s.told(s.seen, err)
	switch {
	case said == s.trouble:
	case said != "":
		s.log.Error("the source of the specs cannot be used; what it last held stays in force", "error", said)
	default:
		s.log.Info("the source of the specs can be used again")
	}
	s.trouble = said
}

// hold what the source gave.
func (s *stacks) hold(checkout *source.Checkout) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tellCommit(s.log, s.checkout, checkout)
	was := s.loaded
	s.checkout, s.loaded = checkout, make(map[string]*origin, len(checkout.Inputs))
	for _, in := range checkout.Inputs {
		key := keyOf(in)
		if s.loaded[key] = was[key]; was[key] == nil {
			s.loaded[key] = &origin{in: in}
		}
	}
	for key := range was {
		if s.loaded[key] == nil && s.files != nil {
			s.files.Forget(key)
		}
	}
}

// muster makes the fleet what is held.
func (s *stacks) muster(ctx context.Context) {
	var members []reconcile.Member
	s.mu.Lock()
	inputs := s.checkout.Inputs
	s.mu.Unlock()
	for _, in := range inputs {
		key := keyOf(in)
		m := reconcile.Member{Key: key, Load: func(ctx context.Context) (*spec.Stack, error) { return s.load(ctx, key) }}
		// Of several that are new and have one name the first has it.
		if !s.fleet.Has(key) {
			if stack, err := s.load(ctx, key); err == nil {
				m.Name = stack.Name
			}
		}
		members = append(members, m)
	}
	s.fleet.Set(ctx, members)
}

// load what the source holds for a stack.
func (s *stacks) load(ctx context.Context, key string) (*spec.Stack, error) {
	l, o := s.options(key)
	if l == nil {
		return nil, errors.New("spec " + key + ": the source no longer has it")
	}
	stack, err := l.loader.Load(ctx, o)
	// What is new to be watched may have changed since it was read.
	for range 3 {
		if s.files == nil || !s.files.Watch(key, l.loader.Inputs()) || err == nil && !l.loader.Stale(o) {
			break
		}
		stack, err = l.loader.Load(ctx, o)
	}
	return stack, err
}

func (s *stacks) options(key string) (*origin, spec.Options) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.loaded[key]
	if l == nil {
		return nil, spec.Options{}
	}
	return l, s.checkout.Options(l.in, s.base)
}

// stale are the keys of the specs that would be loaded anew.
func (s *stacks) stale() []string {
	s.mu.Lock()
	var keys []string
	for key := range s.loaded {
		keys = append(keys, key)
	}
	s.mu.Unlock()
	return slices.DeleteFunc(keys, func(key string) bool {
		l, o := s.options(key)
		return l == nil || !l.loader.Stale(o)
	})
}

// count of the specs that the source holds.
func (s *stacks) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.loaded)
}

// follows is the branch, tag or commit that the source was told to hold; empty
// where that is not known.
func (s *stacks) follows() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.checkout.Commit == nil {
		return ""
	}
	return s.checkout.Commit.Ref
}
