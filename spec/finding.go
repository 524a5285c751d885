package spec

import (
	"fmt"
	"strings"
)

// Severity of a finding.
type Severity string

// A finding either stops the spec or is only told.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is one thing that is wrong with a spec: where, what, and what to
// write instead.
type Finding struct {
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`           // short name, such as unknown-key
	File     string   `json:"file,omitempty"` // as the user named it
	Line     int      `json:"line,omitempty"` // from 1; 0 when unknown
	Column   int      `json:"column,omitempty"`
	Path     string   `json:"path,omitempty"` // services.redis.image
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy,omitempty"`
}

// String is one line: file:line:column: path: message; remedy.
func (f Finding) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
		}
		b.WriteString(": ")
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Message)
	if f.Remedy != "" {
		b.WriteString("; " + f.Remedy)
	}
	return b.String()
}

// Invalid is the error of a spec that cannot be used. It carries every
// finding at once, errors first.
type Invalid struct {
	Findings []Finding
}

// Error lists the errors, one a line.
func (e *Invalid) Error() string {
	var lines []string
	for _, f := range e.Findings {
		if f.Severity == SeverityError {
			lines = append(lines, f.String())
		}
	}
	return strings.Join(lines, "\n")
}
