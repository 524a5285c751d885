package render

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/swarmward/swarmward/reconcile"
)

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
	for _, a := range o.Applied {
		switch {
		case a.Err == nil:
		case strings.HasPrefix(a.Err.Error(), "not started"):
			if a.Change.Kind == reconcile.KindService {
				continue // its verdict says so
			}
			fmt.Fprintf(w, "  %s %s %s: %s\n", t.paint(yellow, "not started:"), a.Change.Kind, a.Change.Name, Printable(strings.TrimPrefix(a.Err.Error(), "not started: ")))
		default:
			fmt.Fprintf(w, "  %s %s %s: %s\n", t.paint(red, "failed:"), a.Change.Kind, a.Change.Name, Printable(a.Err.Error()))
		}
	}
	for _, s := range services {
		v, ok := o.Verdicts[s]
		if !ok {
			continue
		}
		fmt.Fprintf(w, "  service %-*s   %s  %s\n", width, s, t.state(string(v.State)), Printable(v.Message))
		if v.Remedy != "" {
			fmt.Fprintf(w, "          %-*s   to do: %s\n", width, "", Printable(v.Remedy))
		}
	}
	t.checks(w, o.Checks, width)
	if o.Recorded != nil {
		fmt.Fprintf(w, "  record  %-*d   kept\n", width, o.Recorded.Number)
	}
	t.wentBack(w, o)
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
	if o.ExitCode() == reconcile.ExitStopped && slices.ContainsFunc(o.Applied, func(a reconcile.Applied) bool { return errors.Is(a.Err, reconcile.ErrMoved) }) {
		result = "stopped for what somebody changed by hand meanwhile"
	}
	if errors.Is(o.Err, reconcile.ErrLeased) || errors.Is(o.Err, reconcile.ErrReplanned) {
		result = "stopped for somebody else, who writes to the stack"
	}
	result = standing(o, result)
	if errors.Is(o.Err, context.Canceled) {
		result = "interrupted"
	}
	if o.ExitCode() == reconcile.ExitOK && len(o.Checks) == 0 {
		result = "converged; the spec has no checks"
	}
	return fmt.Sprintf("%s, %s, in %s", result, what, roughly(o.Took))
}

func (t Text) checks(w io.Writer, results []reconcile.CheckResult, width int) {
	for _, c := range results {
		fmt.Fprintf(w, "  check   %-*s   %s  %s\n", width, c.Name, t.state(string(c.Status)), Printable(c.Message))
		indent := fmt.Sprintf("          %-*s   ", width, "")
		if c.Via != "" {
			fmt.Fprintf(w, "%s%s\n", indent, t.paint(dim, fmt.Sprintf("via %s, %s", Printable(c.Via), c.Latency.Round(100*time.Microsecond))))
		}
		t.trouble(w, c, indent)
	}
}

func (t Text) state(s string) string {
	return t.paint(stateColors[s], fmt.Sprintf("%-9s", s))
}

var stateColors = map[string]string{"converged": green, "passed": green, "failed": red, "unknown": yellow, "progressing": yellow, "not started": yellow}

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
