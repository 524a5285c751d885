package render

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// RecordJSON is a record as JSON has it.
type RecordJSON struct {
	Number   int                       `json:"number"`
	At       time.Time                 `json:"at"`
	Revision string                    `json:"revision"`
	Source   *spec.Commit              `json:"source,omitempty"`
	Checks   []reconcile.RecordedCheck `json:"checks"`
	Services []recordedServiceJSON     `json:"services"`
	Secrets  []recordedObjectJSON      `json:"secrets"`
	Configs  []recordedObjectJSON      `json:"configs"`
	// Before is the number of the record that Changes compares with; 0: the
	// oldest one there is.
	Before  int                `json:"before"`
	Changes []recordChangeJSON `json:"changes"`
}

type recordedServiceJSON struct {
	Key   string `json:"key"`
	Image string `json:"image"`
}

type recordedObjectJSON struct {
	Key      string `json:"key"`
	Object   string `json:"object"`
	External bool   `json:"external"`
}

func recordedObjects(all []reconcile.RecordedObject) []recordedObjectJSON {
	out := make([]recordedObjectJSON, 0, len(all))
	for _, o := range all {
		out = append(out, recordedObjectJSON{o.Key, o.Object, o.External})
	}
	return out
}

type recordChangeJSON struct {
	Action    reconcile.Action `json:"action"`
	Path      string           `json:"path"`
	Old       *string          `json:"old"`
	New       *string          `json:"new"`
	Sensitive bool             `json:"sensitive"`
}

// Records are a stack's records as JSON has them, newest first.
func Records(records []reconcile.Record) []RecordJSON {
	out := make([]RecordJSON, 0, len(records))
	for i := range records {
		out = append(out, newRecord(records, i))
	}
	return out
}

func newRecord(records []reconcile.Record, i int) RecordJSON {
	r := records[i]
	out := RecordJSON{
		Number: r.Number, At: r.At, Revision: r.Revision, Source: r.Source, Services: []recordedServiceJSON{},
		Checks: append([]reconcile.RecordedCheck{}, r.Checks...), Changes: []recordChangeJSON{},
		Secrets: recordedObjects(r.Secrets), Configs: recordedObjects(r.Configs),
	}
	for _, s := range r.Services {
		out.Services = append(out.Services, recordedServiceJSON{s.Key, image(s)})
	}
	if i+1 < len(records) {
		out.Before = records[i+1].Number
		for _, c := range r.Since(records[i+1]) {
			out.Changes = append(out.Changes, recordChangeJSON{c.Action, c.Path, c.Old, c.New, c.Sensitive})
		}
	}
	return out
}

func image(s reconcile.RecordedService) string {
	if c := s.Spec.TaskTemplate.ContainerSpec; c != nil {
		return c.Image
	}
	return ""
}

type unreadableJSON struct {
	Number  int      `json:"number"`
	Objects []string `json:"objects"`
	Message string   `json:"message"`
}

// HistoryJSON writes a stack's records as one JSON document.
func HistoryJSON(w io.Writer, stack string, records []reconcile.Record, unreadable []reconcile.Unreadable) error {
	bad := []unreadableJSON{}
	for _, u := range unreadable {
		bad = append(bad, unreadableJSON{u.Number, u.Objects, u.Why})
	}
	return document(w, struct {
		SchemaVersion int              `json:"schemaVersion"`
		Stack         string           `json:"stack"`
		Records       []RecordJSON     `json:"records"`
		Unreadable    []unreadableJSON `json:"unreadable"`
	}{schemaVersion, stack, Records(records), bad})
}

// RecordDocument writes the i-th record as one JSON document.
func RecordDocument(w io.Writer, records []reconcile.Record, i int) error {
	return document(w, struct {
		SchemaVersion int    `json:"schemaVersion"`
		Stack         string `json:"stack"`
		RecordJSON
	}{schemaVersion, records[i].Of, newRecord(records, i)})
}

const minute = "2006-01-02 15:04"

// History writes a stack's records, newest first: what each changed, who wrote
// it, and what proved it.
func (t Text) History(w io.Writer, stack string, records []reconcile.Record, unreadable []reconcile.Unreadable) {
	what := count(len(records), "record", "records") + " of what worked"
	if len(records) == 0 {
		what = "no record yet: swarmward apply makes one once everything runs and every check has passed"
	}
	t.paragraph(w, t.paint(bold, stack)+"   ", "    ", "", what)
	width := 1
	for i, r := range records {
		if i == 0 {
			fmt.Fprintln(w)
		}
		number := fmt.Sprint(r.Number)
		width = max(width, len(number))
		head := r.At.Local().Format(minute) + "  " + short(r.Revision)
		if r.Source != nil {
			head += "  " + author(r.Source) + ": " + r.Source.Subject
		}
		margin := strings.Repeat(" ", width+4)
		t.paragraph(w, fmt.Sprintf("  %-*s  ", width, number), margin, bold, head)
		t.paragraph(w, margin, margin, "", summary(records, i))
		t.paragraph(w, margin, margin, dim, proof(r))
	}
	if len(unreadable) > 0 {
		fmt.Fprintln(w)
	}
	for _, u := range unreadable {
		t.paragraph(w, "  ", "    ", yellow, "warning: "+u.String())
	}
}

func short(revision string) string { return Printable(revision[:min(len(revision), 7)]) }

// author without the address.
func author(c *spec.Commit) string {
	name, _, _ := strings.Cut(c.Author, " <")
	return name
}

func proof(r reconcile.Record) string {
	if len(r.Checks) == 0 {
		return "converged; the spec had no checks"
	}
	var names []string
	for _, c := range r.Checks {
		names = append(names, c.Name)
	}
	return count(len(names), "check", "checks") + " passed: " + strings.Join(names, ", ")
}

// summaryPaths is how many changes a summary names.
const summaryPaths = 3

// summary says in a line what a record changed.
func summary(records []reconcile.Record, i int) string {
	if i+1 == len(records) {
		if records[i].Number == 1 {
			return "the first one"
		}
		return "the oldest one that is kept"
	}
	changes := records[i].Since(records[i+1])
	if len(changes) == 0 {
		return fmt.Sprintf("what record %d is", records[i+1].Number)
	}
	for _, older := range records[i+2:] {
		if len(records[i].Since(older)) == 0 {
			return fmt.Sprintf("back to what record %d is", older.Number)
		}
	}
	var parts []string
	for _, c := range changes[:min(summaryPaths, len(changes))] {
		sign := signs[c.Action].sign
		if c.Action == reconcile.ActionUpdate {
			sign = ""
		}
		parts = append(parts, sign+c.Path)
	}
	if more := len(changes) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

// Record writes all that a person wants to know of the i-th record.
func (t Text) Record(w io.Writer, records []reconcile.Record, i int) {
	r := records[i]
	fmt.Fprintf(w, "%s   record %d\n\n", t.paint(bold, title(r.Of, r.Revision)), r.Number)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-9s %s\n", name, Printable(fmt.Sprintf(format, args...)))
	}
	row("kept", "%s", r.At.Local().Format(time.RFC3339))
	row("revision", "%s", r.Revision)
	if r.Source != nil {
		row("commit", "%s", r.Source.Author+", "+r.Source.At.Local().Format(minute))
		row("", "%s", r.Source.Subject)
	}
	for _, c := range r.Checks {
		text := c.Name + " passed"
		if c.Via != "" {
			text += fmt.Sprintf(" via %s, %s", c.Via, c.Latency.Round(100*time.Microsecond))
		}
		row("check", "%s", text)
	}
	for _, s := range r.Services {
		name, _, _ := strings.Cut(image(s), "@")
		row("service", "%s   %s", s.Key, name)
	}
	for _, o := range r.Secrets {
		row("secret", "%s   %s", o.Key, o.Object)
	}
	for _, o := range r.Configs {
		row("config", "%s   %s", o.Key, o.Object)
	}
	fmt.Fprintln(w)
	if i+1 == len(records) {
		fmt.Fprintln(w, "  "+strings.ToUpper(summary(records, i)[:1])+summary(records, i)[1:]+": there is nothing to compare it with.")
		return
	}
	changes := r.Since(records[i+1])
	if len(changes) == 0 {
		fmt.Fprintf(w, "  Nothing has changed since record %d.\n", records[i+1].Number)
		return
	}
	fmt.Fprintf(w, "  Changed since record %d:\n\n", records[i+1].Number)
	for _, c := range changes {
		t.recordChange(w, c)
	}
}

func (t Text) recordChange(w io.Writer, c reconcile.RecordChange) {
	s := signs[c.Action]
	fmt.Fprintf(w, "  %s %s", t.paint(s.color, s.sign), Printable(c.Path))
	was, is := inline(c.Old), inline(c.New)
	switch {
	case c.Sensitive:
		fmt.Fprintln(w, "  "+hiddenText)
	case c.Old == nil && c.New == nil:
		fmt.Fprintln(w)
	case utf8.RuneCountInString(c.Path+was+is) <= t.width()-10 && !multiline(c.FieldChange):
		fmt.Fprintf(w, "  %s -> %s\n", t.paint(red, was), t.paint(green, is))
	default:
		fmt.Fprintln(w)
		for _, l := range lines(c.FieldChange) {
			t.line(w, l)
		}
	}
}
