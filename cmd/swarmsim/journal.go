package main

import (
	"slices"
	"strings"
	"sync"
	"time"
)

const journalLimit = 200

// entry is a line that a container wrote.
type entry struct {
	at     time.Time
	stream string
	line   string
}

// journal is the last lines of a container. The zero value is an empty one.
type journal struct {
	mu      sync.Mutex
	entries []entry
	dropped int
}

func (j *journal) add(stream, line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) == journalLimit {
		j.entries = slices.Delete(j.entries, 0, 1)
		j.dropped++
	}
	j.entries = append(j.entries, entry{time.Now(), stream, line})
}

// Write takes a program's log.
func (j *journal) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		j.add("stderr", strings.TrimRight(line, "\n"))
	}
	return len(p), nil
}

// since are the entries after the first n, and how many there have been.
func (j *journal) since(n int) ([]entry, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := min(max(0, n-j.dropped), len(j.entries))
	return slices.Clone(j.entries[from:]), j.dropped + len(j.entries)
}
