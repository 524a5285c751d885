// Package render shows plans, outcomes and check results: as text for people,
// as Markdown for a comment on a pull request, and as JSON for machines. It
// decides nothing, and the same input always gives the same bytes.
package render

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/swarmward/swarmward/reconcile"
)

// Text writes for people. The zero value writes without colour, 80 columns
// wide.
type Text struct {
	Color bool
	Width int // columns; 0 means 80
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
	bold   = "1"
	dim    = "2"
)

func (t Text) paint(code, s string) string {
	if !t.Color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t Text) width() int {
	if t.Width == 0 {
		return 80
	}
	return max(t.Width, 40)
}

var signs = map[reconcile.Action]struct{ sign, color string }{
	reconcile.ActionCreate:  {"+", green},
	reconcile.ActionUpdate:  {"~", yellow},
	reconcile.ActionAdopt:   {"~", cyan},
	reconcile.ActionRemove:  {"-", red},
	reconcile.ActionBlocked: {"!", red},
	reconcile.ActionNote:    {"·", dim},
}

// Indentation of what is said about an object, and of the lines of a value.
const (
	indent     = "      "
	lineIndent = indent + "  "
)

// Plan writes a plan: a line for each object, with what it will cost and why,
// one for each field, and the total.
func (t Text) Plan(w io.Writer, p *reconcile.Plan) {
	fmt.Fprintf(w, "%s   %s\n", t.paint(bold, title(p.Stack, p.Revision)), headline(p))
	if from := commitLine(p.Commit); from != "" {
		t.paragraph(w, "  ", "  ", dim, from)
	}
	if len(p.Changes) > 0 {
		fmt.Fprintln(w)
	}
	column := 0
	for _, c := range p.Changes {
		// A long name stands out of the column rather than move it.
		if n := utf8.RuneCountInString(object(c)); n <= t.width()/2 {
			column = max(column, n)
		}
	}
	for _, c := range p.Changes {
		t.change(w, c, column)
	}
	if len(p.Changes) > 0 && len(p.Warnings) > 0 {
		fmt.Fprintln(w)
	}
	for _, warning := range p.Warnings {
		t.paragraph(w, "  ", "    ", yellow, "warning: "+warning)
	}
	if sum := total(p); sum != "" {
		fmt.Fprintln(w)
		t.paragraph(w, "", "", bold, sum)
	}
}

func (t Text) change(w io.Writer, c reconcile.Change, column int) {
	s := signs[c.Action]
	name, what := object(c), Printable(cost(c))
	at := 4 + max(column, utf8.RuneCountInString(name)) + 3
	rows := fold(what, t.width()-at)
	if len(rows) > 1 && t.width()-at < 30 {
		fmt.Fprintf(w, "  %s %s\n", t.paint(s.color, s.sign), name)
		t.paragraph(w, indent, indent, s.color, what)
	} else {
		fmt.Fprintf(w, "  %s %-*s   %s\n", t.paint(s.color, s.sign), column, name, t.paint(s.color, rows[0]))
		for _, row := range rows[1:] {
			fmt.Fprintf(w, "%*s%s\n", at, "", t.paint(s.color, strings.TrimSpace(row)))
		}
	}
	t.fields(w, c)
	for _, n := range c.Notes {
		t.paragraph(w, indent, indent, dim, n)
	}
	for i, r := range c.Remedy {
		label := "to do: "
		if i > 0 {
			label = "       "
		}
		fmt.Fprintf(w, "%s%s%s\n", indent, label, Printable(r)) // a command stays whole, to be copied
	}
}

// paragraph breaks a sentence at the width.
func (t Text) paragraph(w io.Writer, first, further, color, s string) {
	for i, row := range fold(strings.ReplaceAll(Printable(s), "\n", " "), t.width()-len(further)) {
		if i > 0 {
			first = further
		}
		fmt.Fprintf(w, "%s%s\n", first, t.paint(color, strings.TrimSpace(row)))
	}
}

func title(stack, revision string) string {
	if revision == "" {
		return stack
	}
	return stack + " @ " + Printable(revision[:min(len(revision), 7)])
}

// counts says how many objects a plan does what to.
func counts(p *reconcile.Plan) string {
	s := p.Summary()
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{
		{s.Create, "to create"}, {s.Update - s.Adopt, "to change"}, {s.Adopt, "to adopt"},
		{s.Remove, "to remove"}, {s.Blocked, "blocked"}, {p.Unchanged, "unchanged"},
	} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return strings.Join(parts, ", ")
}

func headline(p *reconcile.Plan) string {
	if p.Empty() {
		return fmt.Sprintf("nothing to do, %s as the spec says", count(p.Unchanged, "object is", "objects are"))
	}
	return counts(p)
}

// total sums a plan up: the objects, and the tasks that it touches.
func total(p *reconcile.Plan) string {
	if p.Empty() {
		return ""
	}
	s := p.Summary()
	var parts []string
	for _, x := range []struct {
		n         int
		one, many string
	}{{s.TasksStart, "starts", "start"}, {s.TasksRestart, "restarts", "restart"}, {s.TasksStop, "stops", "stop"}} {
		if x.n > 0 {
			parts = append(parts, count(x.n, "task "+x.one, "tasks "+x.many))
		}
	}
	if s.TasksRestart == 0 && s.Update > 0 {
		parts = append(parts, "no task restarts")
	}
	if len(parts) == 0 {
		return "Plan: " + counts(p) + "."
	}
	return "Plan: " + counts(p) + "; " + strings.Join(parts, ", ") + "."
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func object(c reconcile.Change) string {
	name := c.Name
	if c.Object != c.Name && c.Kind != reconcile.KindService && !strings.HasSuffix(c.Object, "_"+c.Name) {
		name += " (" + c.Object + ")"
	}
	return Printable(string(c.Kind) + " " + name)
}

// cost says what becomes of the object, what that does to running tasks, and
// why.
func cost(c reconcile.Change) string {
	what := effect(c)
	if why := reason(c); why != "" {
		what += ", " + why
	}
	return what
}

// reason is the cause, where it says more than the action does.
func reason(c reconcile.Change) string {
	if c.Action == reconcile.ActionNote || c.Action == reconcile.ActionCreate && c.Cause == "not in the Swarm yet" {
		return ""
	}
	return c.Cause
}

func effect(c reconcile.Change) string {
	switch c.Action {
	case reconcile.ActionCreate:
		if c.Tasks > 0 {
			return "create: " + tasks(c.Tasks, "starts", "start")
		}
		return "create"
	case reconcile.ActionAdopt:
		return "adopt, no restart"
	case reconcile.ActionRemove:
		if c.Tasks > 0 {
			return "remove: " + tasks(c.Tasks, "stops", "stop")
		}
		return "remove"
	case reconcile.ActionBlocked:
		if c.Impact == reconcile.ImpactData {
			return "blocked: data would be lost"
		}
		return "blocked"
	case reconcile.ActionNote:
		return "no change"
	}
	switch {
	case c.Kind == reconcile.KindSecret || c.Kind == reconcile.KindConfig:
		return "labels only"
	case c.Impact == reconcile.ImpactRolling:
		return "rolling: " + tasks(c.Tasks, "restarts", "restart")
	}
	return "no restart"
}

func tasks(n int, one, many string) string {
	if n == 0 {
		return "no task runs now"
	}
	return count(n, "task "+one, "tasks "+many)
}

// fieldName is a field's path as seen from its object.
func fieldName(c reconcile.Change, f reconcile.FieldChange) string {
	return Printable(strings.TrimPrefix(f.Path, string(c.Kind)+"s."+c.Name+"."))
}

// fields shows each value on one line where it fits, and as a diff where it
// does not.
func (t Text) fields(w io.Writer, c reconcile.Change) {
	column := 0
	for _, f := range c.Fields {
		if n := utf8.RuneCountInString(fieldName(c, f)); n <= t.width()/2 {
			column = max(column, n)
		}
	}
	for _, f := range c.Fields {
		name := fieldName(c, f)
		if hidden(f) {
			fmt.Fprintf(w, "%s%-*s  %s\n", indent, column, name, hiddenText)
			continue
		}
		was, is := inline(f.Old), inline(f.New)
		used := len(indent) + max(column, utf8.RuneCountInString(name)) + 2 + utf8.RuneCountInString(was) + 4 + utf8.RuneCountInString(is)
		if used <= t.width() && !multiline(f) {
			fmt.Fprintf(w, "%s%-*s  %s -> %s\n", indent, column, name, t.paint(red, was), t.paint(green, is))
			continue
		}
		fmt.Fprintf(w, "%s%s\n", indent, name)
		for _, l := range lines(f) {
			t.line(w, l)
		}
	}
}

func multiline(f reconcile.FieldChange) bool {
	return f.Old != nil && strings.Contains(*f.Old, "\n") || f.New != nil && strings.Contains(*f.New, "\n")
}

// maxRows is how many rows of one line are shown.
const maxRows = 20

// line writes a line of a diff; what does not fit goes on after a mark that no
// line of a diff begins with.
func (t Text) line(w io.Writer, l line) {
	color := map[byte]string{'-': red, '+': green, ' ': dim, '@': dim, '!': yellow}[l.mark]
	if l.mark == '@' || l.mark == '!' {
		fmt.Fprintf(w, "%s%s\n", lineIndent, t.paint(color, l.text))
		return
	}
	rows := fold(l.text, t.width()-len(lineIndent)-2)
	mark := string(l.mark)
	for i, row := range rows {
		if i == maxRows {
			left := utf8.RuneCountInString(strings.Join(rows[i:], ""))
			fmt.Fprintf(w, "%s%s\n", lineIndent, t.paint(dim, fmt.Sprintf("… %d more characters; -o json has them", left)))
			return
		}
		fmt.Fprintf(w, "%s%s\n", lineIndent, t.paint(color, mark+row))
		mark = "…"
	}
}
