package reconcile

import (
	"slices"
	"sync"
	"time"
)

// Recent is a change to a service that may be why a check fails.
type Recent struct {
	At   time.Time `json:"at,omitzero"`  // zero: still to come
	By   string    `json:"by,omitempty"` // swarmward, hand or spec; empty where nobody can tell
	What string    `json:"what"`
}

// Text is the change as seen at now.
func (r Recent) Text(now time.Time) string {
	if r.At.IsZero() {
		return r.What
	}
	return Ago(r.At, now) + ": " + r.What
}

// Ago is a time in the past in words: 3m20s ago.
func Ago(at, now time.Time) string {
	return now.Sub(at).Round(time.Second).String() + " ago"
}

// Journal remembers what was written to services lately, for diagnoses. The
// zero value is ready, a nil one remembers nothing; it is safe for concurrent
// use.
type Journal struct {
	mu      sync.Mutex
	entries []journalEntry
}

type journalEntry struct {
	service string
	Recent
}

// journalled is how many writes are remembered.
const journalled = 200

func (j *Journal) note(service string, r Recent) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, journalEntry{service, r})
	j.entries = slices.Delete(j.entries, 0, max(0, len(j.entries)-journalled))
}

// of a service, by its full name; the oldest first.
func (j *Journal) of(service string) []Recent {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Recent
	for _, e := range j.entries {
		if e.service == service {
			out = append(out, e.Recent)
		}
	}
	return out
}
