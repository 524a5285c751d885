package reconcile

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asking is a controller that notes what it hears of the others' wishes.
type asking struct {
	*Session
	end func()

	mu     sync.Mutex
	wishes []Wish
}

func asks(ctx context.Context, f *fakeSwarm, name string) *asking {
	a := &asking{Session: &Session{Engine: f, Holder: name}}
	a.Asked = func(w Wish) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.wishes = append(a.wishes, w)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { a.Run(ctx); close(ended) }()
	a.end = func() { cancel(); <-ended }
	return a
}

// heard is what has come since it was asked last.
func (a *asking) heard() []Wish {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.wishes
	a.wishes = nil
	return out
}

// What one controller is asked for, all others hear once; it does not come back,
// and who comes later hears of it at most once.
func TestWishesReachTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		a, b, c := asks(t.Context(), f, "a"), asks(t.Context(), f, "b"), asks(t.Context(), f, "c")
		time.Sleep(a.look())
		for _, w := range []Wish{{Stack: "app"}, {Source: true}, {Source: true}} {
			a.Ask(w)
			time.Sleep(a.look() + time.Second)
			want := []Wish{w}
			if diff := cmp.Diff(want, b.heard()) + cmp.Diff(want, c.heard()) + cmp.Diff([]Wish(nil), a.heard()); diff != "" {
				t.Error(diff)
			}
		}
		// An event of the session is heard of at once.
		synctest.Wait()
		a.Ask(Wish{Stack: "app"})
		synctest.Wait()
		if !b.Hear(sessionName(a.life.id)) || a.Hear("app_config") {
			t.Error("a session and a stack's config are not told apart")
		}
		synctest.Wait()
		if diff := cmp.Diff([]Wish{{Stack: "app"}}, b.heard()); diff != "" {
			t.Error(diff)
		}
		c.end()
		d := asks(t.Context(), f, "d")
		time.Sleep(5 * a.look())
		if n := len(d.heard()); n > 1 {
			t.Errorf("the one that came late heard %d wishes", n)
		}
		for _, x := range []*asking{a, b, d} {
			x.end()
		}
	})
}

// Ten thousand wishes are few writes, and none is lost: what is said grants them
// all. Who is alone says nothing.
func TestWishesAreFewWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		writes := func() int {
			f.mu.Lock()
			defer f.mu.Unlock()
			n := len(f.writes)
			f.writes = nil
			return n
		}
		a := asks(t.Context(), f, "a")
		time.Sleep(a.look())
		writes()
		a.Ask(Wish{})
		time.Sleep(time.Second)
		if n := writes(); n > 0 {
			t.Errorf("alone it has written %d times", n)
		}
		b := asks(t.Context(), f, "b")
		time.Sleep(a.look())
		writes()
		for n := range 10_000 {
			a.Ask(Wish{Stack: []string{"app", "web"}[n%2]})
			if n%1000 == 0 {
				synctest.Wait()
			}
		}
		time.Sleep(3 * a.look())
		if n := writes(); n > 3 {
			t.Errorf("%d writes", n)
		}
		heard := b.heard()
		if len(heard) == 0 || heard[len(heard)-1] != (Wish{}) {
			t.Errorf("the others heard %+v", heard)
		}
		a.end()
		b.end()
		for name := range f.seen.Configs {
			if strings.HasPrefix(name, sessionPrefix) {
				t.Errorf("%s is left", name)
			}
		}
	})
}
