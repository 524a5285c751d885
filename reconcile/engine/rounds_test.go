package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// attended writes down the rounds there were, each of which takes a second.
type attended struct {
	rounds
	was []string
}

func (a *attended) run(r *round) error {
	names := slices.Sorted(maps.Keys(r.stacks))
	if r.full {
		names = append(names, "(full)")
	}
	a.was = append(a.was, strings.Join(names, " "))
	select {
	case <-time.After(time.Second):
		return nil
	case <-r.ctx.Done():
		a.was = append(a.was, "given up")
		return r.ctx.Err()
	}
}

// Who comes while a round is under way is in the next one, never in one that
// began before he came.
func TestRoundsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attended
		var all sync.WaitGroup
		look := func(stack string, full bool) {
			all.Go(func() {
				asked := time.Now()
				r := a.join(a.run, stack, full)
				defer a.leave(r)
				<-r.done
				if since := time.Since(asked); since < time.Second || since >= 2*time.Second {
					t.Errorf("%s has waited %s", stack, since)
				}
			})
			synctest.Wait()
		}
		look("a", true)
		time.Sleep(100 * time.Millisecond)
		for _, s := range []string{"b", "c", "b"} {
			look(s, false)
		}
		time.Sleep(time.Second)
		look("d", false)
		look("e", true)
		all.Wait()
		look("f", false)
		all.Wait()
		if diff := cmp.Diff([]string{"a (full)", "b c", "d e (full)", "f"}, a.was); diff != "" {
			t.Errorf("rounds (-want +got):\n%s", diff)
		}
	})
}

// A round ends with the last who waits for it, and is none for who comes then.
func TestRoundsAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attended
		under, next := a.join(a.run, "a", false), a.join(a.run, "b", false)
		synctest.Wait()
		a.leave(next)
		late := a.join(a.run, "c", false)
		a.leave(under)
		<-under.done
		<-late.done
		a.leave(late)
		if late == next || !errors.Is(under.err, context.Canceled) || late.err != nil {
			t.Errorf("the round under way: %v, the one after it: %v", under.err, late.err)
		}
		if diff := cmp.Diff([]string{"a", "given up", "c"}, a.was); diff != "" {
			t.Errorf("rounds (-want +got):\n%s", diff)
		}
	})
}
