package trigger

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			every, takes time.Duration
			nudges       int
			least, most  int
		}{
			{time.Minute, 0, 0, 9, 11},
			{0, 0, 0, 0, 0},
			{0, time.Second, 100, 2, 2}, // one that comes while it is done is not lost
			{time.Minute, time.Hour, 100, 1, 1},
		} {
			n, busy := 0, false
			nudge := NewNudge()
			p := Poll{Every: c.every, Do: func(ctx context.Context) {
				if busy {
					t.Error("twice at a time")
				}
				busy = true
				n++
				select {
				case <-ctx.Done():
				case <-time.After(c.takes):
				}
				busy = false
			}}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			go func() {
				for i := range c.nudges {
					nudge.Now()
					if i == 0 && c.takes > 0 {
						synctest.Wait()
					}
				}
			}()
			p.Run(ctx, nudge)
			cancel()
			if n < c.least || n > c.most {
				t.Errorf("every %s, taking %s, %d nudges: %d times", c.every, c.takes, c.nudges, n)
			}
		}
	})
}

// Many that began together do not stay together.
func TestPollJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := map[time.Duration]bool{}
		last := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		Poll{Every: time.Minute, Do: func(context.Context) {
			d := time.Since(last)
			if took[d], last = true, time.Now(); d < 54*time.Second || d > time.Minute {
				t.Errorf("after %s", d)
			}
		}}.Run(ctx, nil)
		if len(took) < 10 {
			t.Errorf("in an hour it took %v", took)
		}
	})
}
