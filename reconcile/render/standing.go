package render

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/swarmward/swarmward/reconcile"
)

// standingJSON is the part of an outcome that says how the pass stood to what is
// remembered of its stack. Where nothing is, it has no key.
type standingJSON struct {
	Suspended     *reconcile.Suspension `json:"suspended,omitempty"`
	Held          *reconcile.Hold       `json:"held,omitempty"`
	NotRolledBack string                `json:"notRolledBack,omitempty"`
	RolledBack    *outcomeJSON          `json:"rolledBack,omitempty"` // the pass that went back
}

func newStanding(o *reconcile.Outcome) standingJSON {
	s := standingJSON{Suspended: o.Suspended, Held: o.Held, NotRolledBack: o.Answer.Not}
	if o.Back != nil {
		back := newOutcome(o.Back)
		s.RolledBack = &back
	}
	return s
}

// wentBack tells what followed from a revision that did not prove itself.
func (t Text) wentBack(w io.Writer, o *reconcile.Outcome) {
	if o.Answer.Not != "" {
		fmt.Fprintln(w)
		t.paragraph(w, "", "", yellow, sentence(o.Answer.Not))
	}
	back := o.Back
	if back == nil {
		return
	}
	fmt.Fprintln(w)
	t.paragraph(w, "", "", yellow, fmt.Sprintf("Going back to record %d, because: %s.", o.Answer.Record, o.Answer.Why))
	var services []string
	if back.At != nil {
		for _, s := range back.At.Services {
			services = append(services, s.Key)
		}
	}
	t.Outcome(w, back, services)
	fmt.Fprintln(w)
	t.paragraph(w, "", "", "", fmt.Sprintf("Revision %s is held: it is not tried again until the spec changes, or `swarmward resume %s`.", short(back.Held.Revision), back.Stack))
}

// standing is the result of a pass that did not follow the spec.
func standing(o *reconcile.Outcome, result string) string {
	switch {
	case o.ExitCode() != reconcile.ExitStopped:
		return result
	case o.Suspended != nil:
		return "suspended"
	case o.Held == nil:
		return result
	case reconcile.ChecksExitCode(o.Checks) == reconcile.ExitUnknown:
		return fmt.Sprintf("at record %d; converged, but a check could not be tried", o.Held.Record)
	case len(o.Checks) == 0:
		return fmt.Sprintf("at record %d; converged, and there are no checks", o.Held.Record)
	}
	return fmt.Sprintf("at record %d; converged and verified", o.Held.Record)
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	r := []rune(strings.TrimSuffix(s, "."))
	if len(r) == 0 {
		return ""
	}
	return string(unicode.ToUpper(r[0])) + string(r[1:]) + "."
}

// Said writes a sentence on lines of its own.
func (t Text) Said(w io.Writer, s string) { t.paragraph(w, "", "", "", s) }

// MemoryJSON writes what is remembered of a stack as one JSON document.
func MemoryJSON(w io.Writer, stack string, m reconcile.Memory) error {
	return document(w, struct {
		SchemaVersion int                   `json:"schemaVersion"`
		Stack         string                `json:"stack"`
		Suspended     *reconcile.Suspension `json:"suspended"`
		Held          *reconcile.Hold       `json:"held"`
	}{schemaVersion, stack, m.Suspended, m.Held})
}
