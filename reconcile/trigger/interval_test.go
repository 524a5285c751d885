package trigger

import (
	"testing"
	"time"
)

func TestLongest(t *testing.T) {
	from := time.Date(2026, 3, 2, 12, 30, 0, 0, time.UTC) // a Monday
	for text, want := range map[string]time.Duration{
		"@every 1m":                       time.Minute,
		"CRON_TZ=UTC */5 * * * *":         5 * time.Minute,
		"CRON_TZ=UTC 0 9-17 * * *":        16 * time.Hour,
		"CRON_TZ=UTC 0 9-17 * * MON-FRI":  64 * time.Hour,
		"CRON_TZ=UTC 30 */20 9 * * *":     24*time.Hour - 40*time.Minute,
		"CRON_TZ=UTC 0,20,40 * 9 * * MON": 7*24*time.Hour - time.Hour + 20*time.Second,
	} {
		s, err := ParseSchedule(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Longest(from); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
