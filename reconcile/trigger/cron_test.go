package trigger

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseSchedule(t *testing.T) {
	for _, good := range []string{"*/5 * * * *", "30 */5 * * * *", "@hourly", "@every 90s", "CRON_TZ=Europe/Lisbon 0 3 * * *"} {
		if _, err := ParseSchedule(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "every minute", "61 * * * *", "@sometimes", "@every soon", "* * * *", "@every -5m", "@every 100ms", "0 0 31 2 *"} {
		_, err := ParseSchedule(bad)
		if err == nil || !strings.Contains(err.Error(), `"@every 1m"`) || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestScheduleNudges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := ParseSchedule("@every 1m")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute+time.Second)
		defer cancel()
		nudges := make(chan struct{}, 100)
		s.Run(ctx, func() { nudges <- struct{}{} })
		if len(nudges) != 5 {
			t.Errorf("%d nudges in five minutes", len(nudges))
		}
	})
}

// A storm is one nudge, and none is lost.
func TestNudgesCoalesce(t *testing.T) {
	n := NewNudge()
	for range 10_000 {
		n.Now()
	}
	if len(n) != 1 {
		t.Errorf("%d pending", len(n))
	}
	<-n
	n.Now()
	if len(n) != 1 {
		t.Error("the next one is lost")
	}
}
