package render

import (
	"fmt"
	"io"

	"github.com/swarmward/swarmward/reconcile"
)

// Destroyed writes the summary that ends a destroy: what went, what failed, and
// what was kept on purpose.
func (t Text) Destroyed(w io.Writer, o *reconcile.Outcome) {
	removed, failed, kept := 0, 0, 0
	for _, a := range o.Applied {
		if a.Err == nil {
			removed++
		} else {
			failed++
		}
	}
	for _, c := range o.Plan.Changes {
		if c.Action == reconcile.ActionNote {
			kept++
		}
	}
	result := "destroyed"
	if o.ExitCode() != reconcile.ExitOK {
		result = "not all of it is gone"
	}
	fmt.Fprintf(w, "\n%s   %s, %d removed", t.paint(bold, o.Stack), result, removed)
	if failed > 0 {
		fmt.Fprintf(w, ", %d failed", failed)
	}
	if kept > 0 {
		fmt.Fprintf(w, ", %d kept", kept)
	}
	fmt.Fprintf(w, ", in %s\n", roughly(o.Took))
}
