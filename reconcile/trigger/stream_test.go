package trigger

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// A stream that is lost is opened again, ever later while that does not work,
// and then everybody is nudged.
func TestStreamComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened []time.Duration
		var lost, tried int
		began := time.Now()
		s := Stream{Log: slog.New(slog.DiscardHandler), Lost: func() { lost++ }}
		s.Follow = func(ctx context.Context, connected func()) error {
			since := time.Since(began)
			opened = append(opened, since)
			down := since > time.Minute && since < 10*time.Minute
			if down {
				return errors.New("no Engine")
			}
			connected()
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
			return errors.New("unexpected EOF")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
		defer cancel()
		s.Run(ctx, func() { tried++ })
		// Once a minute; and while nothing answers, from 100 ms to every 30 s.
		if n := len(opened); n < 24 || n > 36 {
			t.Errorf("opened %d times: %v", n, opened)
		}
		if wait := opened[2] - opened[1]; wait > 200*time.Millisecond {
			t.Errorf("tried again after %s", wait)
		}
		if lost < 1 || lost > 3 || tried != 1 {
			t.Errorf("everybody was nudged %d times; tried was called %d times", lost, tried)
		}
	})
}

// One that breaks at once each time, as behind a proxy that takes no streams,
// is no busy loop.
func TestStreamThatNeverHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := Stream{Log: slog.New(slog.DiscardHandler), Lost: func() {}, Follow: func(_ context.Context, connected func()) error {
			n++
			connected()
			return errors.New("unexpected EOF")
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		s.Run(ctx, func() {})
		if n > 40 {
			t.Errorf("opened %d times in ten minutes", n)
		}
	})
}
