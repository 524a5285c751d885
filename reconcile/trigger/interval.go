package trigger

import "time"

// Longest is the longest time between two passes of the schedule, as far as the
// thousand after from tell; 0 where it has no two.
func (s Schedule) Longest(from time.Time) time.Duration {
	var longest time.Duration
	at := s.schedule.Next(from)
	for range 1000 {
		next := s.schedule.Next(at)
		if at.IsZero() || next.IsZero() {
			break
		}
		longest = max(longest, next.Sub(at))
		at = next
	}
	return longest
}
