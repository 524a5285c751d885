package render

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/swarmward/swarmward/reconcile"
)

// Status writes how a stack is: what is wrong at a glance, and what to do.
func (t Text) Status(w io.Writer, s *reconcile.Status) {
	what, color := glance(s)
	fmt.Fprintf(w, "%s   %s\n", t.paint(bold, title(s.Stack, s.Revision)), t.paint(color, what))
	if from := commitLine(s.Commit); from != "" {
		t.paragraph(w, "  ", "  ", dim, from)
	}
	fmt.Fprintln(w)
	for _, c := range s.Conditions {
		t.condition(w, s, c)
	}
	fmt.Fprintln(w)
	t.statusRows(w, s)
}

// glance is the status in a few words.
func glance(s *reconcile.Status) (what, color string) {
	suspended := s.Condition(reconcile.ConditionSuspended).Status == reconcile.ConditionTrue
	held := s.Condition(reconcile.ConditionHeld).Status == reconcile.ConditionTrue
	switch s.ExitCode() {
	case reconcile.ExitOK:
		if s.Condition(reconcile.ConditionVerified).Status == reconcile.ConditionTrue {
			return "well: as it should be, running and verified", green
		}
		return "well: as it should be and running", green
	case reconcile.ExitError:
		what, color = "not known", red
	case reconcile.ExitNotConverged:
		what, color = "not everything runs", red
	case reconcile.ExitCheckFailed:
		what, color = "a check fails", red
	case reconcile.ExitChanges:
		what, color = "not what the spec says", yellow
	case reconcile.ExitUnknown:
		what, color = "running; a check could not be tried", yellow
	case reconcile.ExitStopped:
		what, color = "running, and stopped for a person", yellow
	}
	if held {
		what += fmt.Sprintf("; kept at record %d", s.Record)
	}
	if suspended {
		what += "; suspended"
	}
	return what, color
}

// conditionColumn is where what is said of a condition begins.
const conditionColumn = 23

func (t Text) condition(w io.Writer, s *reconcile.Status, c reconcile.Condition) {
	good := c.Status == reconcile.ConditionTrue
	if c.Type == reconcile.ConditionSuspended || c.Type == reconcile.ConditionHeld {
		good = c.Status == reconcile.ConditionFalse
	}
	color := green
	switch {
	case c.Status == reconcile.ConditionUnknown:
		color = yellow
	case !good:
		color = red
	}
	message := c.Message
	if s.At.Sub(c.Since) >= time.Second {
		message = strings.TrimPrefix(message+"; for "+strings.TrimSuffix(reconcile.Ago(c.Since, s.At), " ago"), "; ")
	}
	further := strings.Repeat(" ", conditionColumn)
	first := fmt.Sprintf("  %-10s  %s", c.Type, t.paint(color, fmt.Sprintf("%-7s", c.Status)))
	if message == "" {
		fmt.Fprintln(w, strings.TrimRight(first, " "))
	} else {
		t.paragraph(w, first+"  ", further, "", message)
	}
	if c.Remedy != "" && !good {
		t.paragraph(w, further, further, "", "to do: "+c.Remedy)
	}
}

// statusRows has a line for each service and check, and for each other object
// that is not as it should be.
func (t Text) statusRows(w io.Writer, s *reconcile.Status) {
	type row struct{ what, state, said, todo string }
	var rows []row
	alike := 0
	for _, o := range s.Objects {
		r := row{what: string(o.Kind) + " " + o.Name, state: string(o.State), said: o.Message, todo: o.Remedy}
		switch {
		case o.Differs != "" && o.State == "":
			r.state, r.said = "differs", o.Differs
		case o.Differs != "":
			r.said = strings.TrimPrefix(r.said+"; differs: "+o.Differs, "; differs: ")
		case o.State == "":
			if o.Synced {
				alike++
			}
			continue
		}
		rows = append(rows, r)
	}
	for _, c := range s.Checks {
		r := row{what: "check " + c.Name, state: string(c.Status), said: c.Message, todo: c.Remedy}
		if c.Status == reconcile.CheckPassed {
			r.said, r.todo = "via "+c.Via, ""
		}
		rows = append(rows, r)
	}
	column := 0
	for _, r := range rows {
		column = max(column, min(utf8.RuneCountInString(r.what), t.width()/2))
	}
	further := strings.Repeat(" ", column+18)
	for _, r := range rows {
		first := fmt.Sprintf("  %-*s   %s  ", column, Printable(r.what), t.paint(stateColors[r.state], fmt.Sprintf("%-11s", r.state)))
		t.paragraph(w, first, further, "", r.said)
		if r.todo != "" {
			t.paragraph(w, further, further, "", "to do: "+r.todo)
		}
	}
	if alike > 0 {
		fmt.Fprintf(w, "  and %s as it should be\n", count(alike, "other object", "other objects"))
	}
}

// ConditionsJSON writes the status of stacks as one JSON document.
func ConditionsJSON(w io.Writer, all []*reconcile.Status) error {
	type statusJSON struct {
		*reconcile.Status
		ExitCode int `json:"exitCode"`
	}
	out := struct {
		SchemaVersion int          `json:"schemaVersion"`
		Stacks        []statusJSON `json:"stacks"`
	}{schemaVersion, []statusJSON{}}
	for _, s := range all {
		out.Stacks = append(out.Stacks, statusJSON{s, s.ExitCode()})
	}
	return document(w, out)
}
