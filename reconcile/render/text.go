// Package render shows plans, outcomes and check results: as text for people
// and as JSON for machines. It decides nothing.
package render

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/swarmward/swarmward/reconcile"
)

// Text writes for people. The zero value writes without colour.
type Text struct {
	Color bool
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

var signs = map[reconcile.Action]struct{ sign, color string }{
	reconcile.ActionCreate:  {"+", green},
	reconcile.ActionUpdate:  {"~", yellow},
	reconcile.ActionAdopt:   {"~", cyan},
	reconcile.ActionRemove:  {"-", red},
	reconcile.ActionBlocked: {"!", red},
	reconcile.ActionNote:    {"·", dim},
}

// Plan writes a plan: a line for each object, with what it will cost and why,
// and one for each field.
func (t Text) Plan(w io.Writer, p *reconcile.Plan) {
	fmt.Fprintf(w, "%s   %s\n", t.paint(bold, title(p.Stack, p.Revision)), headline(p))
	width := 0
	for _, c := range p.Changes {
		width = max(width, len(object(c)))
	}
	if len(p.Changes) > 0 {
		fmt.Fprintln(w)
	}
	for _, c := range p.Changes {
		s := signs[c.Action]
		fmt.Fprintf(w, "  %s %-*s   %s\n", t.paint(s.color, s.sign), width, object(c), t.paint(s.color, cost(c)))
		t.fields(w, c)
		for _, n := range c.Notes {
			fmt.Fprintf(w, "      %s\n", t.paint(dim, n))
		}
		for i, r := range c.Remedy {
			label := "to do: "
			if i > 0 {
				label = "       "
			}
			fmt.Fprintf(w, "      %s%s\n", label, r)
		}
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(w, "  %s %s\n", t.paint(yellow, "warning:"), warning)
	}
}

func title(stack, revision string) string {
	if revision == "" {
		return stack
	}
	return stack + " @ " + revision[:min(len(revision), 7)]
}

func headline(p *reconcile.Plan) string {
	s := p.Summary()
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{{s.Create, "to create"}, {s.Update, "to change"}, {s.Remove, "to remove"}, {s.Blocked, "blocked"}} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("nothing to do, %d objects are as the spec says", p.Unchanged)
	}
	if p.Unchanged > 0 {
		parts = append(parts, fmt.Sprintf("%d unchanged", p.Unchanged))
	}
	return strings.Join(parts, ", ")
}

func object(c reconcile.Change) string {
	name := c.Name
	if c.Object != c.Name && c.Kind != reconcile.KindService && !strings.HasSuffix(c.Object, "_"+c.Name) {
		name += " (" + c.Object + ")"
	}
	return string(c.Kind) + " " + name
}

// cost says what becomes of the object, what that does to running tasks, and
// why.
func cost(c reconcile.Change) string {
	var what string
	switch c.Action {
	case reconcile.ActionCreate:
		what = "create"
	case reconcile.ActionAdopt:
		what = "adopt, no restart"
	case reconcile.ActionRemove:
		what = "remove"
		if c.Tasks > 0 {
			what += ": " + tasks(c.Tasks, "stops", "stop")
		}
	case reconcile.ActionBlocked:
		what = "blocked"
		if c.Impact == reconcile.ImpactData {
			what += ": data would be lost"
		}
	case reconcile.ActionNote:
		return "no change"
	default:
		what = "no restart"
		if c.Impact == reconcile.ImpactRolling {
			what = "rolling: " + tasks(c.Tasks, "restarts", "restart")
		}
		if c.Kind == reconcile.KindSecret || c.Kind == reconcile.KindConfig {
			what = "labels only"
		}
	}
	if c.Cause != "" && !(c.Action == reconcile.ActionCreate && c.Cause == "not in the Swarm yet") {
		what += ", " + c.Cause
	}
	return what
}

func tasks(n int, one, many string) string {
	if n == 0 {
		return "no task runs now"
	}
	if n == 1 {
		return "1 task " + one
	}
	return fmt.Sprintf("%d tasks %s", n, many)
}

func (t Text) fields(w io.Writer, c reconcile.Change) {
	width := 0
	names := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		names[i] = strings.TrimPrefix(f.Path, string(c.Kind)+"s."+c.Name+".")
		if len(names[i]) <= 40 {
			width = max(width, len(names[i]))
		}
	}
	for i, f := range c.Fields {
		was, is := value(f.Old), value(f.New)
		if f.Old == nil && f.New == nil {
			fmt.Fprintf(w, "      %-*s  (sensitive, changed)\n", width, names[i])
			continue
		}
		if strings.Contains(was, "\n") || strings.Contains(is, "\n") {
			fmt.Fprintf(w, "      %s\n", names[i])
			t.lines(w, f)
			continue
		}
		fmt.Fprintf(w, "      %-*s  %s -> %s\n", width, names[i], t.paint(red, was), t.paint(green, is))
	}
}

func value(s *string) string {
	if s == nil {
		return "(unset)"
	}
	return *s
}

// lines shows a long value as a line diff.
func (t Text) lines(w io.Writer, f reconcile.FieldChange) {
	for _, l := range strings.Split(string(diff.Diff("old", whole(f.Old), "new", whole(f.New))), "\n") {
		switch {
		case l == "", strings.HasPrefix(l, "diff "), strings.HasPrefix(l, "--- old"), strings.HasPrefix(l, "+++ new"):
			continue
		case strings.HasPrefix(l, "@@"):
			l = t.paint(dim, l)
		default:
			l = t.paint(map[byte]string{'+': green, '-': red, ' ': dim}[l[0]], l)
		}
		fmt.Fprintf(w, "        %s\n", l)
	}
}

// whole ends in a line end, so that a missing one does not show as a change.
func whole(s *string) []byte {
	if s == nil {
		return nil
	}
	return []byte(strings.TrimSuffix(*s, "\n") + "\n")
}

// Outcome writes the summary that ends an apply.
func (t Text) Outcome(w io.Writer, o *reconcile.Outcome, services []string) {
	made, failed, skipped := 0, 0, 0
	for _, a := range o.Applied {
		switch {
		case a.Err == nil:
			made++
		case strings.HasPrefix(a.Err.Error(), "not started"):
			skipped++
		default:
			failed++
		}
	}
	fmt.Fprintf(w, "\n%s   %s\n", t.paint(bold, title(o.Stack, o.Revision)), verdictLine(o, made, failed, skipped))
	width := 0
	for _, s := range services {
		width = max(width, len(s))
	}
	for _, c := range o.Checks {
		width = max(width, len(c.Name))
	}
	for _, s := range services {
		v, ok := o.Verdicts[s]
		if !ok {
			continue
		}
		fmt.Fprintf(w, "  service %-*s   %s  %s\n", width, s, t.state(string(v.State)), v.Message)
		if v.Remedy != "" {
			fmt.Fprintf(w, "          %-*s   to do: %s\n", width, "", v.Remedy)
		}
	}
	t.checks(w, o.Checks, width)
}

func verdictLine(o *reconcile.Outcome, made, failed, skipped int) string {
	what := "nothing was written"
	if made > 0 {
		what = fmt.Sprintf("%d written", made)
	}
	if failed > 0 {
		what += fmt.Sprintf(", %d failed", failed)
	}
	if skipped > 0 {
		what += fmt.Sprintf(", %d not started", skipped)
	}
	result := map[int]string{
		reconcile.ExitOK:           "converged and verified",
		reconcile.ExitError:        "failed",
		reconcile.ExitCheckFailed:  "converged, but a check failed",
		reconcile.ExitNotConverged: "not converged",
		reconcile.ExitStopped:      "converged but for what is blocked",
		reconcile.ExitUnknown:      "converged, but a check could not be tried",
	}[o.ExitCode()]
	if errors.Is(o.Err, context.Canceled) {
		result = "interrupted"
	}
	if o.ExitCode() == reconcile.ExitOK && len(o.Checks) == 0 {
		result = "converged; the spec has no checks"
	}
	return fmt.Sprintf("%s, %s, in %s", result, what, roughly(o.Took))
}

// Checks writes check results, one line each and one more for what to do.
func (t Text) Checks(w io.Writer, results []reconcile.CheckResult) {
	width := 0
	for _, c := range results {
		width = max(width, len(c.Name))
	}
	t.checks(w, results, width)
}

func (t Text) checks(w io.Writer, results []reconcile.CheckResult, width int) {
	for _, c := range results {
		fmt.Fprintf(w, "  check   %-*s   %s  %s\n", width, c.Name, t.state(string(c.Status)), c.Message)
		indent := fmt.Sprintf("          %-*s   ", width, "")
		if c.Via != "" {
			fmt.Fprintf(w, "%s%s\n", indent, t.paint(dim, fmt.Sprintf("via %s, %s", c.Via, c.Latency.Round(100*time.Microsecond))))
		}
		if c.Reason != "" {
			fmt.Fprintf(w, "%sreason: %s\n", indent, c.Reason)
		}
		if c.Remedy != "" {
			fmt.Fprintf(w, "%sto do: %s\n", indent, c.Remedy)
		}
	}
}

func (t Text) state(s string) string {
	color := map[string]string{"converged": green, "passed": green, "failed": red, "unknown": yellow, "progressing": yellow, "not started": yellow}[s]
	return t.paint(color, fmt.Sprintf("%-9s", s))
}

// roughly is a duration with as many digits as a person reads.
func roughly(d time.Duration) time.Duration {
	switch {
	case d < 100*time.Millisecond:
		return d.Round(time.Millisecond)
	case d < time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}
