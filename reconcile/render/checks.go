package render

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/swarmward/swarmward/reconcile"
)

// Checks writes check results as a table, and below it what each found: of one
// that did not pass, with what to do and what is known around it.
func (t Text) Checks(w io.Writer, results []reconcile.CheckResult) {
	rows := [][]string{{"CHECK", "KIND", "STATUS", "LATENCY", "REASON", "VIA"}}
	for _, c := range results {
		rows = append(rows, []string{Printable(c.Name), Printable(c.Kind), string(c.Status),
			latency(c.Latency), Printable(cmp.Or(string(c.Reason), "-")), Printable(cmp.Or(c.Via, "-"))})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+3)
			if i == len(row)-1 {
				padding = ""
			}
			switch {
			case n == 0:
				cell = t.paint(bold, cell)
			case i == 2:
				cell = t.paint(stateColors[cell], cell)
			}
			line.WriteString(cell + padding)
		}
		fmt.Fprintln(w, line.String())
	}
	fmt.Fprintln(w)
	for _, c := range results {
		fmt.Fprintf(w, "%s: %s\n", t.paint(bold, Printable(c.Name)), Printable(c.Message))
		t.trouble(w, c, "  ")
	}
}

// latency is at most seven columns wide.
func latency(d time.Duration) string {
	if d < time.Second {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// trouble says why a check did not pass, what to do, and what is known around
// it.
func (t Text) trouble(w io.Writer, c reconcile.CheckResult, indent string) {
	if c.Reason != "" {
		fmt.Fprintf(w, "%sreason: %s\n", indent, Printable(string(c.Reason)))
	}
	if c.Remedy != "" {
		fmt.Fprintf(w, "%sto do: %s\n", indent, Printable(c.Remedy))
	}
	for _, way := range c.Ways {
		fmt.Fprintf(w, "%sfrom %s: %s\n", indent, way.From, cmp.Or(string(way.Reason), string(way.Status)))
	}
	if c.Diagnosis != nil {
		t.diagnosis(w, c.Diagnosis, indent)
	}
}

// What of a diagnosis is shown; JSON has the rest.
const (
	shownTasks = 2
	shownLog   = 3
)

func (t Text) diagnosis(w io.Writer, d *reconcile.Diagnosis, indent string) {
	said := func(label string, lines ...string) {
		for i, line := range lines {
			if i > 0 {
				label = ""
			}
			fmt.Fprintf(w, "%s%-9s%s\n", indent, label, Printable(line))
		}
	}
	if d.Service != "" {
		state := d.Service + ": " + d.Verdict
		if d.Restarts > 0 {
			state += ", " + count(d.Restarts, "failure", "failures") + " in the last 10 minutes"
		}
		said("service:", state)
	}
	var lines []string
	for _, task := range d.Tasks[:min(len(d.Tasks), shownTasks)] {
		lines = append(lines, taskLine(task, d.At))
	}
	said("tasks:", lines...)
	said("log:", d.Log[max(0, len(d.Log)-shownLog):]...)
	lines = nil
	for _, c := range d.Changes {
		lines = append(lines, c.Text(d.At))
	}
	said("changes:", lines...)
	said("look:", d.Commands...)
}

func taskLine(task reconcile.TaskNote, now time.Time) string {
	line := task.Name
	if task.Node != "" {
		line += " on " + task.Node
	}
	if line += ": " + task.State; task.Error != "" {
		return line + " " + reconcile.Ago(task.Since, now) + ": " + task.Error
	}
	return line + " for " + strings.TrimSuffix(reconcile.Ago(task.Since, now), " ago")
}
