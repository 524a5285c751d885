package spec

import (
	"cmp"
	"slices"

	"gopkg.in/yaml.v3"
)

// report collects findings, each once.
type report struct {
	findings []Finding
	errors   []Finding // those that stop the spec
	seen     map[Finding]bool
	// bad holds keys and values that a finding condemns. What is left without
	// them is still loaded, so that the later steps find their problems too.
	bad map[*yaml.Node]bool
	off []string // rules whose warnings are not wanted
	// left are places that are not looked at, for want of what is sealed: no
	// error, and what follows from it is none either.
	left []Finding
}

func newReport() *report {
	return &report{seen: map[Finding]bool{}, bad: map[*yaml.Node]bool{}}
}

func (r *report) fail(rule string, p position, path, message, remedy string) {
	r.add(SeverityError, rule, p, path, message, remedy)
}

func (r *report) warn(rule string, p position, path, message, remedy string) {
	r.add(SeverityWarning, rule, p, path, message, remedy)
}

func (r *report) add(s Severity, rule string, p position, path, message, remedy string) {
	f := Finding{
		Severity: s, Rule: rule, File: p.file, Line: p.line, Column: p.column,
		Path: path, Message: message, Remedy: remedy,
	}
	if !r.seen[f] {
		r.seen[f] = true
		r.findings = append(r.findings, f)
		if s == SeverityError {
			r.errors = append(r.errors, f)
		}
	}
}

// failed reports whether an error was found.
func (r *report) failed() bool { return len(r.errors) > 0 }

// leave notes a place that a rule would have found an error at.
func (r *report) leave(rule, path string) {
	r.left = append(r.left, Finding{Rule: rule, Path: path})
}

// has reports whether a rule found an error, or would have.
func (r *report) has(rule string) bool {
	return slices.ContainsFunc(slices.Concat(r.errors, r.left), func(f Finding) bool { return f.Rule == rule })
}

// invalid is the error that carries all findings: errors first, then in the
// order of the files.
func (r *report) invalid(docs []*document) *Invalid {
	order := map[string]int{}
	for i, d := range docs {
		order[d.name] = i
		if d.main {
			order[d.name] -= len(docs) // before what it includes
		}
	}
	sorted := slices.DeleteFunc(slices.Clone(r.findings), func(f Finding) bool {
		return f.Severity == SeverityWarning && slices.Contains(r.off, f.Rule)
	})
	slices.SortStableFunc(sorted, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Severity, b.Severity), // error sorts before warning
			cmp.Compare(order[a.File], order[b.File]),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
		)
	})
	return &Invalid{Findings: sorted}
}

// warnings are the findings that do not stop the stack.
func (r *report) warnings(docs []*document) []Finding {
	var out []Finding
	for _, f := range r.invalid(docs).Findings {
		if f.Severity == SeverityWarning {
			out = append(out, f)
		}
	}
	return out
}
