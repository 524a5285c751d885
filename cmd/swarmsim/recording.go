package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// The marks between which a README holds the recording of the demo.
const recordingBegin, recordingEnd = "<!-- recording: make recording -->\n```console\n", "```\n<!-- end of recording -->"

// record replaces what is between the marks in a file.
func record(path, shown string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, _, after, err := recording(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(before+settled(shown)+after), 0o644)
}

// recording cuts a text at the marks, which stay in before and after.
func recording(text string) (before, shown, after string, err error) {
	head, rest, ok := strings.Cut(text, recordingBegin)
	body, tail, closed := strings.Cut(rest, recordingEnd)
	if !ok || !closed {
		return "", "", "", fmt.Errorf("it has no %q and %q", recordingBegin, recordingEnd)
	}
	return head + recordingBegin, body, recordingEnd + tail, nil
}

// volatile is what differs from one run to the next, and what stands for it.
var volatile = []struct {
	pattern *regexp.Regexp
	stable  string
}{
	{regexp.MustCompile(`ok-\d+`), "ok-1795397128655924425"},
	{regexp.MustCompile(`127\.\d+\.(\d+\.\d+)`), "127.77.$1"},
	{regexp.MustCompile(`in [0-9.]+m?s\b`), "in 2.5s"},
	{regexp.MustCompile(`, \d+ nodes?([.;])`), ", 1 node$1"}, // one that has just stopped may still be counted
	{regexp.MustCompile(`(on node-\d+), [0-9.]+m?s\b`), "$1, 6ms"},
	{regexp.MustCompile(`(passed|failed)   [0-9.]+[mµ]?s +`), "$1   6ms       "},
	{regexp.MustCompile(`running for \S+`), "running for 3s"},
	{regexp.MustCompile(`\S+ ago: `), "3s ago: "},
	{regexp.MustCompile(`(whatrack @) [0-9a-f]{7}`), "$1 4f2c1ab"},
}

// settled is the text of a run with all that is volatile replaced.
func settled(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.stable)
	}
	return strings.TrimLeft(withoutLogs(text), "\n")
}

// logLabel begins the lines of a log in a diagnosis.
const logLabel = "log:     "

// withoutLogs leaves out what servers wrote: no two runs write the same.
func withoutLogs(text string) string {
	var out []string
	indent := -1 // of the log that is left out
	for line := range strings.Lines(text) {
		own := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case indent >= 0 && own > indent:
			continue
		case strings.HasPrefix(line[own:], logLabel):
			indent = own
			line = line[:own] + logLabel + "(its last lines)\n"
		default:
			indent = -1
		}
		out = append(out, line)
	}
	return strings.Join(out, "")
}
