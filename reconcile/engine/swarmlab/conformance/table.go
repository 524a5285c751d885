package conformance

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Table is what a run of the rows has shown so far, an Engine a column.
type Table struct {
	rows []Row

	mu      sync.Mutex
	columns []*column
}

type column struct {
	kind, api string
	missing   string   // why there is no Engine; then there are no cells
	cells     []string // by row; empty for one that was not tried
}

// NewTable is an empty table with a column for each kind of Engine.
func NewTable(rows []Row, kinds ...string) *Table {
	t := &Table{rows: rows}
	for _, kind := range kinds {
		t.columns = append(t.columns, &column{kind: kind, missing: "it did not start", cells: make([]string, len(rows))})
	}
	return t
}

func (t *Table) column(kind string) *column {
	return t.columns[slices.IndexFunc(t.columns, func(c *column) bool { return c.kind == kind })]
}

// Has notes that there is an Engine of that kind, and its API version.
func (t *Table) Has(kind, api string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.column(kind)
	c.api, c.missing = api, ""
}

// Lacks notes why there is none.
func (t *Table) Lacks(kind, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.column(kind).missing = why
}

const (
	cellOK     = "ok"
	cellFailed = "FAIL"
	differs    = "differs as expected: "
	notHere    = "not here: "
)

// Record notes how a row ended on the Engine of that kind.
func (t *Table) Record(kind string, row int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.column(kind)
	c.cells[row] = t.cell(c, t.rows[row], ok)
}

func (t *Table) cell(c *column, r Row, ok bool) string {
	want := r.Want.of(c.kind, c.api)
	switch {
	case !ok:
		return cellFailed
	case r.only != "" && r.only != c.kind:
		return notHere + r.why
	case r.Want.reason != "" && c.kind == Simulated:
		return differs + clip(want, 50) + " (" + r.Want.reason + ")"
	case r.Want.since != "" && want != strings.ReplaceAll(r.Want.text, "{api}", c.api):
		return differs + clip(want, 50)
	}
	return cellOK
}

// clip keeps a cell on its line.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > n {
		return string([]rune(s)[:n-1]) + "…"
	}
	return s
}

// Print writes the rows, and a last line that counts.
func (t *Table) Print(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	section, name := len("section"), len("behaviour")
	for _, r := range t.rows {
		section = max(section, utf8.RuneCountInString(r.Section))
		name = max(name, utf8.RuneCountInString(r.Name))
	}
	line := func(sectionText, nameText string, cells []string) {
		fmt.Fprintf(w, "%-*s  %-*s  | %s\n", section, sectionText, name, nameText, strings.Join(cells, " | "))
	}
	width := len("swarmsim 1.51")
	var heads []string
	for _, c := range t.columns {
		heads = append(heads, fmt.Sprintf("%-*s", width, strings.TrimSpace(c.kind+" "+c.api)))
	}
	line("section", "behaviour", heads)
	for i, r := range t.rows {
		var cells []string
		for _, c := range t.columns {
			text := c.cells[i]
			switch {
			case c.missing != "":
				text = "-"
			case text == "":
				text = "not tried"
			}
			cells = append(cells, fmt.Sprintf("%-*s", width, text))
		}
		line(r.Section, r.Name, cells)
	}
	fmt.Fprintln(w, t.summary())
}

func (t *Table) summary() string {
	out := fmt.Sprintf("%d rows", len(t.rows))
	for _, c := range t.columns {
		if c.missing != "" {
			out += fmt.Sprintf("; no %s: %s", c.kind, c.missing)
			continue
		}
		var ok, failed, differ, not, untried int
		for _, cell := range c.cells {
			switch {
			case cell == cellOK:
				ok++
			case cell == cellFailed:
				failed++
			case strings.HasPrefix(cell, differs):
				differ++
			case strings.HasPrefix(cell, notHere):
				not++
			default:
				untried++
			}
		}
		out += fmt.Sprintf("; %s %s: %d ok, %d differ as expected, %d not here, %d failed", c.kind, c.api, ok, differ, not, failed)
		if untried > 0 {
			out += fmt.Sprintf(", %d not tried", untried)
		}
	}
	return out
}
