package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// schemaVersion of every JSON document; it grows when a field changes its
// meaning or goes away.
const schemaVersion = 1

// planJSON is described key by key in the README.
type planJSON struct {
	SchemaVersion int               `json:"schemaVersion"`
	Stack         string            `json:"stack"`
	Revision      string            `json:"revision"`
	Commit        *spec.Commit      `json:"commit"`
	Changes       []changeJSON      `json:"changes"`
	Unchanged     int               `json:"unchanged"`
	Warnings      []string          `json:"warnings"`
	Summary       reconcile.Summary `json:"summary"`
}

type changeJSON struct {
	Kind   reconcile.Kind   `json:"kind"`
	Name   string           `json:"name"`
	Object string           `json:"object"`
	Action reconcile.Action `json:"action"`
	Impact reconcile.Impact `json:"impact"`
	Tasks  int              `json:"tasks"`
	Cause  string           `json:"cause"`
	Fields []fieldJSON      `json:"fields"`
	Notes  []string         `json:"notes"`
	Remedy []string         `json:"remedy"`
	// AfterChecks is true for what is kept until the checks have passed.
	AfterChecks bool `json:"afterChecks"`
}

type fieldJSON struct {
	Path      string  `json:"path"`
	Old       *string `json:"old"`
	New       *string `json:"new"`
	Sensitive bool    `json:"sensitive"`
}

func newPlan(p *reconcile.Plan) planJSON {
	out := planJSON{
		SchemaVersion: schemaVersion, Stack: p.Stack, Revision: p.Revision, Commit: p.Commit, Changes: []changeJSON{},
		Unchanged: p.Unchanged, Warnings: list(p.Warnings), Summary: p.Summary(),
	}
	for _, c := range p.Changes {
		x := changeJSON{
			Kind: c.Kind, Name: c.Name, Object: c.Object, Action: c.Action,
			Impact: cmp.Or(c.Impact, reconcile.ImpactNone), Tasks: c.Tasks, Cause: c.Cause,
			Notes: list(c.Notes), Remedy: list(c.Remedy), Fields: []fieldJSON{}, AfterChecks: c.AfterChecks,
		}
		for _, f := range c.Fields {
			x.Fields = append(x.Fields, fieldJSON{f.Path, f.Old, f.New, f.Sensitive})
		}
		out.Changes = append(out.Changes, x)
	}
	return out
}

// list is never null in JSON.
func list(s []string) []string { return append([]string{}, s...) }

// PlanJSON writes a plan as one JSON document.
func PlanJSON(w io.Writer, p *reconcile.Plan) error { return document(w, newPlan(p)) }

type outcomeJSON struct {
	SchemaVersion int                          `json:"schemaVersion"`
	Stack         string                       `json:"stack"`
	Revision      string                       `json:"revision"`
	ExitCode      int                          `json:"exitCode"`
	Error         string                       `json:"error,omitempty"`
	Started       time.Time                    `json:"started"`
	TookSeconds   float64                      `json:"tookSeconds"`
	Plan          *planJSON                    `json:"plan,omitempty"`
	Applied       []appliedJSON                `json:"applied"`
	Services      map[string]reconcile.Verdict `json:"services"`
	Checks        []reconcile.CheckResult      `json:"checks"`
	Leader        *reconcile.Leader            `json:"leader,omitempty"` // among several controllers
	Record        int                          `json:"record,omitempty"` // that was kept of it
	standingJSON
}

type appliedJSON struct {
	Kind   reconcile.Kind   `json:"kind"`
	Name   string           `json:"name"`
	Object string           `json:"object"`
	Action reconcile.Action `json:"action"`
	Error  string           `json:"error,omitempty"`
}

// OutcomeJSON writes an outcome as one JSON document.
func OutcomeJSON(w io.Writer, o *reconcile.Outcome) error { return document(w, newOutcome(o)) }

// Status is what a controller knows. Standing and Controller are written as
// they are.
type Status struct {
	Stacks     []StackStatus
	Controller any
}

// StackStatus is the last outcome of a stack, and what else is true of it.
type StackStatus struct {
	Outcome  *reconcile.Outcome
	Standing any
}

// StatusJSON writes a status as one JSON document.
func StatusJSON(w io.Writer, s Status) error {
	type stack struct {
		outcomeJSON
		Standing any `json:"standing,omitempty"`
	}
	out := struct {
		SchemaVersion int     `json:"schemaVersion"`
		Stacks        []stack `json:"stacks"`
		Controller    any     `json:"controller,omitempty"`
	}{schemaVersion, []stack{}, s.Controller}
	for _, x := range s.Stacks {
		out.Stacks = append(out.Stacks, stack{newOutcome(x.Outcome), x.Standing})
	}
	return document(w, out)
}

// JSON writes any document of a schema of its own, escaped as all others.
func JSON(w io.Writer, v any) error { return document(w, v) }

func newOutcome(o *reconcile.Outcome) outcomeJSON {
	out := outcomeJSON{
		SchemaVersion: schemaVersion, Stack: o.Stack, Revision: o.Revision, ExitCode: o.ExitCode(),
		Started: o.Started, TookSeconds: o.Took.Seconds(), Applied: []appliedJSON{},
		Services: o.Verdicts, Checks: o.Checks, Leader: o.Leader, standingJSON: newStanding(o),
	}
	if o.Plan != nil {
		p := newPlan(o.Plan)
		out.Plan = &p
	}
	if o.Recorded != nil {
		out.Record = o.Recorded.Number
	}
	if o.Err != nil {
		out.Error = o.Err.Error()
	}
	for _, a := range o.Applied {
		x := appliedJSON{Kind: a.Change.Kind, Name: a.Change.Name, Object: a.Change.Object, Action: a.Change.Action}
		if a.Err != nil {
			x.Error = a.Err.Error()
		}
		out.Applied = append(out.Applied, x)
	}
	return out
}

// ChecksJSON writes check results as one JSON document.
func ChecksJSON(w io.Writer, stack string, results []reconcile.CheckResult) error {
	return document(w, struct {
		SchemaVersion int                     `json:"schemaVersion"`
		Stack         string                  `json:"stack"`
		ExitCode      int                     `json:"exitCode"`
		Checks        []reconcile.CheckResult `json:"checks"`
	}{schemaVersion, stack, reconcile.ChecksExitCode(results), results})
}

// document writes v. What a terminal would act on is escaped, which changes no
// value.
func document(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range b.String() {
		if !unprintable(r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}
