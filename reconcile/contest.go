package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// contests are differences that come back as often as they are written away:
// another tool, or another swarmward's spec, holds the Swarm to something else.
// An event calls for a pass at once, so the two would write as fast as they can,
// and restart tasks each time.
type contests struct {
	written map[string][]time.Time // by contest
	told    map[string]bool
	until   time.Time // no event makes a pass before that
}

// So often within the window the same write is a contest. Who changes something
// by hand a few times is answered at once each time.
const (
	contestWindow = 10 * time.Minute
	contestWrites = 5
	contestMost   = 30 * time.Second // between two passes that the other one calls for
)

// note what a pass has written, and return what has become a contest by that.
// The time until the next pass that an event makes doubles with every write.
func (c *contests) note(applied []Applied, now time.Time) (begun []Change) {
	if c.written == nil {
		c.written, c.told = map[string][]time.Time{}, map[string]bool{}
	}
	for key, times := range c.written {
		times = slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > contestWindow })
		if c.written[key] = times; len(times) == 0 {
			delete(c.written, key)
			delete(c.told, key)
		}
	}
	for _, a := range applied {
		if a.Err != nil {
			continue
		}
		key := contestOf(a.Change)
		c.written[key] = append(c.written[key], now)
		over := len(c.written[key]) - contestWrites
		if over < 0 {
			continue
		}
		if at := now.Add(min(backoffFirst<<min(over, 9), contestMost)); at.After(c.until) {
			c.until = at
		}
		if !c.told[key] {
			c.told[key] = true
			begun = append(begun, a.Change)
		}
	}
	return begun
}

// contestOf identifies a write by what it makes of what: another spec that wants
// something else of the same object begins anew.
func contestOf(c Change) string {
	parts := []string{string(c.Kind), c.Name, string(c.Action)}
	for _, f := range c.Fields {
		to := ""
		if f.New != nil {
			to = *f.New
		}
		parts = append(parts, fmt.Sprintf("%s=%q", f.Path, to))
	}
	return strings.Join(parts, " ")
}

// wait is how long an event has to wait.
func (c *contests) wait(now time.Time) time.Duration { return c.until.Sub(now) }

// contested tells a person what does not stay as it is written.
func (l *Loop) contested(stack string, o *Outcome) {
	for _, c := range l.contests.note(o.Applied, time.Now()) {
		var paths []string
		for _, f := range c.Fields {
			paths = append(paths, f.Path)
		}
		l.Log.Warn("somebody else keeps changing this back; passes that follow upon it wait up to "+contestMost.String(),
			"stack", stack, "object", subject(c), "action", string(c.Action), "fields", strings.Join(paths, ", "),
			"remedy", "end the other tool, or leave it the fields with x-swarmward: {ignore: […]}")
	}
}
