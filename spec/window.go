package spec

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // images have no time zones of their own

	"github.com/robfig/cron/v3"
)

// Window is a time in which a stack may be changed: it opens on a schedule, and
// stays open for a duration.
type Window struct {
	Schedule string // five cron fields, or a descriptor such as @daily
	Duration time.Duration
	Timezone string `json:",omitempty"` // a name of the IANA database; empty: the process's own
}

// Open says whether the window is open, and when that changes next. The
// schedule is one of wall clocks: where the clocks are put forward over its
// time, the window opens as soon as they have been; where they are put back, it
// opens once. Its duration is one of time that passes. A window that cannot be
// understood is never open, and next is zero.
func (w Window) Open(now time.Time) (open bool, next time.Time) {
	schedule, zone, err := w.parse()
	if err != nil {
		return false, time.Time{}
	}
	// Around a change of the clocks, what they show is not how time passes.
	wall := asUTC(now.Add(-w.Duration).In(zone)).Add(-clocksChange)
	var until time.Time
	for {
		if wall = schedule.Next(wall); wall.IsZero() {
			return !until.IsZero(), until
		}
		start := onClock(wall, zone)
		if start.After(now) {
			if until.IsZero() {
				return false, start
			}
			return true, until
		}
		if end := start.Add(w.Duration); end.After(now) {
			until = end
		}
	}
}

// clocksChange is more than clocks are changed by twice a year.
const clocksChange = 3 * time.Hour

// asUTC is what a wall clock in t's zone shows, on one that never changes.
func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// onClock is when a wall clock in the zone shows that time, or has just passed
// over it. Of two such times it is the first.
func onClock(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	if shows := asUTC(t); !shows.Equal(wall) {
		// The clocks skip it. Where t is on one side of the gap, what they skip is
		// the difference; the gap ends where the zone's offset changes.
		_, end := t.ZoneBounds()
		if start, _ := t.ZoneBounds(); shows.After(wall) {
			end = start
		}
		return end
	}
	if start, _ := t.ZoneBounds(); !start.IsZero() {
		_, was := start.Add(-time.Nanosecond).Zone()
		_, is := t.Zone()
		if earlier := t.Add(time.Duration(is-was) * time.Second); was > is && earlier.Before(start) {
			return earlier
		}
	}
	return t
}

// parse says what is wrong with the window.
func (w Window) parse() (cron.Schedule, *time.Location, error) {
	text := strings.TrimSpace(w.Schedule)
	switch {
	case strings.HasPrefix(text, "@every"):
		return nil, nil, errors.New("@every says no time of day")
	case strings.Contains(text, "TZ="):
		return nil, nil, errors.New("the time zone has a key of its own, timezone")
	}
	schedule, err := cron.ParseStandard(text)
	if err != nil {
		return nil, nil, err
	}
	if schedule.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, nil, errors.New("there is no such day")
	}
	zone := time.Local
	if w.Timezone != "" {
		if zone, err = time.LoadLocation(w.Timezone); err != nil {
			return nil, nil, fmt.Errorf("time zone %s is not known", w.Timezone)
		}
	}
	return schedule, zone, nil
}

// Windows are those of a stack. One without any may be changed at all times.
type Windows []Window

// Open says whether one is open, and when that changes next; zero: never.
func (ws Windows) Open(now time.Time) (open bool, next time.Time) {
	if len(ws) == 0 {
		return true, time.Time{}
	}
	var opens time.Time
	for _, w := range ws {
		switch is, at := w.Open(now); {
		case is:
			open = true
			if at.After(next) {
				next = at
			}
		case opens.IsZero() || !at.IsZero() && at.Before(opens):
			opens = at
		}
	}
	if !open {
		return false, opens
	}
	// Another one may be open when this one closes.
	for range longest {
		later, at := ws.at(next)
		if !later {
			return true, next
		}
		next = at
	}
	return true, time.Time{}
}

// longest is how many windows may follow one upon the other before they count
// as one that never closes.
const longest = 100

// at is when the last of those closes that are open then.
func (ws Windows) at(now time.Time) (open bool, until time.Time) {
	for _, w := range ws {
		if is, at := w.Open(now); is {
			open = true
			if at.After(until) {
				until = at
			}
		}
	}
	return open, until
}
