// Package trigger says when a pass is due. A trigger only nudges: what to do is
// decided by the pass, which looks at everything anew.
package trigger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Nudge is a signal of size one: nudging one that is already pending is free
// and loses nothing.
type Nudge chan struct{}

// NewNudge makes one.
func NewNudge() Nudge { return make(Nudge, 1) }

// Now makes a pass due.
func (n Nudge) Now() {
	select {
	case n <- struct{}{}:
	default:
	}
}

// Schedule is a parsed cron schedule.
type Schedule struct{ schedule cron.Schedule }

// ParseSchedule reads five cron fields, six with seconds first, or a
// descriptor: @hourly, @every 1m. The time zone is the process's unless the
// text begins with CRON_TZ=.
func ParseSchedule(text string) (Schedule, error) {
	p := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	s, err := p.Parse(text)
	if err == nil {
		err = sensible(text, s)
	}
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule %q: %w; write five cron fields such as \"*/5 * * * *\", or \"@every 1m\"", text, err)
	}
	return Schedule{s}, nil
}

// sensible says what is wrong with a schedule that cron takes: for what is
// shorter than a second it takes one, and it waits for the 31st of February.
func sensible(text string, s cron.Schedule) error {
	every, is := strings.CutPrefix(text, "@every ")
	if d, err := time.ParseDuration(every); is && err == nil && d < time.Second {
		return errors.New("that is less than 1s")
	}
	if s.Next(time.Now()).IsZero() {
		return errors.New("there is no such day")
	}
	return nil
}

// Run nudges at every time of the schedule until ctx ends.
func (s Schedule) Run(ctx context.Context, nudge func()) {
	c := cron.New()
	c.Schedule(s.schedule, cron.FuncJob(nudge))
	c.Start()
	<-ctx.Done()
	c.Stop()
}
