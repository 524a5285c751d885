package spec

import (
	"time"

	"gopkg.in/yaml.v3"
)

// longestWindow is what a window may last: a week, after which it is none.
const longestWindow = 7 * 24 * time.Hour

// window decodes one of windows.
func (d *decoder) window(into *Windows) decode {
	return func(s *setting, path string) {
		if s.node.Kind != yaml.MappingNode {
			d.expected(s, path, "a mapping")
			return
		}
		var w Window
		d.mapping(s, path, fields{
			"schedule": d.text(&w.Schedule),
			"duration": d.duration(&w.Duration),
			"timezone": d.text(&w.Timezone),
		})
		for _, key := range []string{"schedule", "duration"} {
			if s.field(key) == nil {
				d.fail(s, path, "the window has no "+key, `write it as {schedule: "0 2 * * *", duration: 3h}`)
				return
			}
		}
		*into = append(*into, w)
		if w.Schedule == "" || w.Duration <= 0 {
			return // that is said already
		}
		if _, _, err := w.parse(); err != nil {
			at, key := s.field("schedule"), "schedule"
			if _, _, other := (Window{Schedule: w.Schedule}).parse(); other == nil {
				at, key = s.field("timezone"), "timezone"
			}
			d.fail(at, path+"."+key, "the window cannot be understood: "+err.Error(), `write a schedule in five cron fields such as "0 2 * * *", and a time zone such as Europe/Berlin`)
		}
		if w.Duration > longestWindow {
			d.fail(s.field("duration"), path+".duration", "the window is open for more than a week", "give a shorter duration, or several windows")
		}
	}
}
