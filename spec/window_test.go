package spec_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/spec"
)

// at is a time as RFC 3339 writes it, or zero.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWindowOpens(t *testing.T) {
	berlin := spec.Window{Schedule: "0 2 * * *", Duration: 3 * time.Hour, Timezone: "Europe/Berlin"}
	half := spec.Window{Schedule: "30 2 * * *", Duration: time.Hour, Timezone: "Europe/Berlin"}
	weekend := spec.Window{Schedule: "0 22 * * FRI", Duration: 50 * time.Hour, Timezone: "UTC"}
	for _, c := range []struct {
		name   string
		window spec.Window
		now    string
		open   bool
		next   string
	}{
		{"before", berlin, "2026-06-10T01:59:59+02:00", false, "2026-06-10T02:00:00+02:00"},
		{"as it opens", berlin, "2026-06-10T02:00:00+02:00", true, "2026-06-10T05:00:00+02:00"},
		{"in it", berlin, "2026-06-10T04:59:59+02:00", true, "2026-06-10T05:00:00+02:00"},
		{"as it closes", berlin, "2026-06-10T05:00:00+02:00", false, "2026-06-11T02:00:00+02:00"},
		{"asked in another zone", berlin, "2026-06-10T00:30:00Z", true, "2026-06-10T05:00:00+02:00"},
		{"over midnight, and a day", weekend, "2026-06-14T23:00:00Z", true, "2026-06-15T00:00:00Z"},
		{"on Thursday", weekend, "2026-06-11T23:00:00Z", false, "2026-06-12T22:00:00Z"},

		// On 2026-03-29 the clocks go from 02:00 to 03:00: the window opens then.
		{"the night the clocks are put forward, before", berlin, "2026-03-29T01:59:59+01:00", false, "2026-03-29T03:00:00+02:00"},
		{"that night, in it", berlin, "2026-03-29T05:59:59+02:00", true, "2026-03-29T06:00:00+02:00"},
		{"that night, after it", berlin, "2026-03-29T06:00:00+02:00", false, "2026-03-30T02:00:00+02:00"},
		{"at a time that is skipped, before", half, "2026-03-29T01:30:00+01:00", false, "2026-03-29T03:00:00+02:00"},
		{"at a time that is skipped, in it", half, "2026-03-29T03:59:00+02:00", true, "2026-03-29T04:00:00+02:00"},

		// On 2026-10-25 they go from 03:00 back to 02:00: it opens once.
		{"the night the clocks are put back, before", half, "2026-10-25T02:29:00+02:00", false, "2026-10-25T02:30:00+02:00"},
		{"that night, in it", half, "2026-10-25T02:00:00+01:00", true, "2026-10-25T02:30:00+01:00"},
		{"that night, the second time", half, "2026-10-25T02:30:00+01:00", false, "2026-10-26T02:30:00+01:00"},
		{"that night, three hours are three", berlin, "2026-10-25T03:59:00+01:00", true, "2026-10-25T04:00:00+01:00"},

		// New York, and a window that is longer than the time between two of them.
		{"elsewhere", spec.Window{Schedule: "30 2 * * *", Duration: time.Hour, Timezone: "America/New_York"}, "2026-03-08T01:00:00-05:00", false, "2026-03-08T03:00:00-04:00"},
		{"always", spec.Window{Schedule: "0 * * * *", Duration: 90 * time.Minute, Timezone: "UTC"}, "2026-06-10T01:20:00Z", true, "2026-06-10T02:30:00Z"},
		{"no window at all", spec.Window{Schedule: "whenever", Duration: time.Hour}, "2026-06-10T01:20:00Z", false, ""},
	} {
		open, next := c.window.Open(at(t, c.now))
		if open != c.open || !next.Equal(at(t, c.next)) {
			t.Errorf("%s: at %s open is %v until %s, want %v until %s", c.name, c.now, open, next.Format(time.RFC3339), c.open, c.next)
		}
	}
}

func TestWindowsTogether(t *testing.T) {
	day := spec.Window{Schedule: "0 10 * * *", Duration: 2 * time.Hour, Timezone: "UTC"}
	noon := spec.Window{Schedule: "0 12 * * *", Duration: time.Hour, Timezone: "UTC"}
	night := spec.Window{Schedule: "0 22 * * *", Duration: time.Hour, Timezone: "UTC"}
	hourly := spec.Window{Schedule: "@hourly", Duration: time.Hour, Timezone: "UTC"}
	for _, c := range []struct {
		windows spec.Windows
		now     string
		open    bool
		next    string
	}{
		{nil, "2026-06-10T01:00:00Z", true, ""},
		{spec.Windows{night, day}, "2026-06-10T01:00:00Z", false, "2026-06-10T10:00:00Z"},
		{spec.Windows{day, noon, night}, "2026-06-10T10:30:00Z", true, "2026-06-10T13:00:00Z"},
		{spec.Windows{noon, night, day}, "2026-06-10T13:00:00Z", false, "2026-06-10T22:00:00Z"},
		{spec.Windows{hourly}, "2026-06-10T13:00:00Z", true, ""},
	} {
		open, next := c.windows.Open(at(t, c.now))
		if open != c.open || !next.Equal(at(t, c.next)) {
			t.Errorf("%v at %s: %v until %s", c.windows, c.now, open, next)
		}
	}
}

// Whatever the window and the time: what is said of the next change is true,
// and nothing changes before it.
func TestWindowTellsItsNextChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := spec.Window{
			Schedule: rapid.SampledFrom([]string{"0 2 * * *", "30 2 * * SUN", "*/20 * * * *", "15 0 1 * *", "@daily", "0 1,3 25-31 3,10 *"}).Draw(t, "schedule"),
			Duration: time.Duration(rapid.IntRange(1, 40*60).Draw(t, "minutes")) * time.Minute,
			Timezone: rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}).Draw(t, "zone"),
		}
		now := time.Date(2026, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 31).Draw(t, "day"), 0, rapid.IntRange(0, 24*60).Draw(t, "minute"), 0, 0, time.UTC)
		open, next := w.Open(now)
		if !next.After(now) {
			t.Fatalf("%v at %s changes at %s", w, now, next)
		}
		if is, _ := w.Open(next.Add(-time.Second)); is != open {
			t.Errorf("%v is open at %s: %v, a second before it changes: %v", w, now, open, is)
		}
		// As one closes the next may begin, or have begun.
		if is, until := w.Open(next); is == open && !(open && until.After(next)) {
			t.Errorf("%v at %s is still open: %v", w, next, is)
		}
	})
}

func TestWindowsOfASpec(t *testing.T) {
	const head = "name: a\nservices: {web: {image: nginx}}\n"
	stack := load(t, head+`x-swarmward: {windows: [{schedule: "0 2 * * *", duration: 3h, timezone: Europe/Berlin}, {schedule: "@weekly", duration: 30m}]}`+"\n")
	want := spec.Windows{{Schedule: "0 2 * * *", Duration: 3 * time.Hour, Timezone: "Europe/Berlin"}, {Schedule: "@weekly", Duration: 30 * time.Minute}}
	if diff := cmp.Diff(want, stack.Settings.Windows); diff != "" {
		t.Error(diff)
	}
}
