package render

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/swarmward/swarmward/reconcile"
)

// GitHub takes comments of at most 65,536 characters. The table gets the first
// part of what there is, the details the rest.
const (
	tableLimit   = 25_000
	commentLimit = 60_000
)

// Marker is the first line of a stack's plan as Markdown: the same one each
// time, so that whoever posts the comment finds the one to replace.
func Marker(stack string) string {
	return "<!-- swarmward:plan:" + regexp.MustCompile(`[^A-Za-z0-9._-]`).ReplaceAllString(stack, "_") + " -->"
}

// PlanMarkdown writes a plan as a comment on a pull request. Nothing in it
// becomes markup, a mention or a reference, whatever the values are, and it is
// never longer than a comment may be.
func PlanMarkdown(w io.Writer, p *reconcile.Plan) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, Marker(p.Stack))
	heading := "### " + code(p.Stack)
	if p.Revision != "" {
		heading += " at " + code(p.Revision[:min(len(p.Revision), 7)])
	}
	fmt.Fprintf(b, "%s: %s\n", heading, headline(p))
	if from := commitLine(p.Commit); from != "" {
		fmt.Fprintf(b, "\n%s\n", prose(from))
	}
	left := table(b, p.Changes)
	details(b, p.Changes, commentLimit-tableLimit+left)
	if len(p.Warnings) > 0 {
		fmt.Fprintln(b)
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(b, "- Warning: %s\n", prose(warning))
	}
	if sum := total(p); sum != "" {
		fmt.Fprintf(b, "\n**%s**\n", sum)
	}
	return b.Flush()
}

// table has a row for each object, and returns what it left of its limit.
func table(w io.Writer, changes []reconcile.Change) int {
	left := tableLimit
	if len(changes) == 0 {
		return left
	}
	fmt.Fprint(w, "\n| | object | impact | why |\n|---|---|---|---|\n")
	for i, c := range changes {
		row := fmt.Sprintf("| %s | %s | %s | %s |\n", code(signs[c.Action].sign), subject(c), prose(effect(c)), prose(reason(c)))
		if left -= len(row); left < 0 {
			fmt.Fprintf(w, "\n%s; `swarmward plan` shows all.\n", count(len(changes)-i, "more object is not listed", "more objects are not listed"))
			return 0
		}
		fmt.Fprint(w, row)
	}
	return left
}

func subject(c reconcile.Change) string {
	kind, name, _ := strings.Cut(object(c), " ")
	if name, full, ok := strings.Cut(name, " ("); ok {
		return kind + " " + code(name) + " (" + code(strings.TrimSuffix(full, ")")) + ")"
	}
	return kind + " " + code(name)
}

// details show the values that change, as far as limit goes.
func details(w io.Writer, changes []reconcile.Change, limit int) {
	for i, c := range changes {
		text := section(c, limit/2)
		if limit -= len(text); limit < 0 {
			fmt.Fprintf(w, "\nThe details of %s are not shown here; `swarmward plan` shows all.\n", count(len(changes)-i, "more object", "more objects"))
			return
		}
		fmt.Fprint(w, text)
	}
}

// collapse is from how many lines on the values of an object are folded away.
const collapse = 40

// section is what there is to say of one object; nothing where the table says
// it all. Its values take at most limit bytes.
func section(c reconcile.Change, limit int) string {
	if len(c.Fields)+len(c.Notes)+len(c.Remedy) == 0 {
		return ""
	}
	var b strings.Builder
	body, n := fieldDiff(c, limit)
	if n > collapse {
		fmt.Fprintf(&b, "\n<details><summary>%s: %s</summary>\n", subjectHTML(c), count(n, "line", "lines"))
	} else {
		fmt.Fprintf(&b, "\n#### %s\n", subject(c))
	}
	if body != "" {
		fmt.Fprint(&b, "\n", fenced("diff", body))
	}
	for i, note := range c.Notes {
		if i == 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "- Note: %s\n", prose(note))
	}
	if len(c.Remedy) > 0 {
		fmt.Fprint(&b, "\nTo do:\n\n", fenced("", Printable(strings.Join(c.Remedy, "\n"))+"\n"))
	}
	if n > collapse {
		fmt.Fprint(&b, "\n</details>\n")
	}
	return b.String()
}

// fieldDiff is an object's values for a ```diff block, and its number of lines.
func fieldDiff(c reconcile.Change, limit int) (string, int) {
	var b strings.Builder
	n := 0
	for _, f := range c.Fields {
		rows := []string{"@@ " + fieldName(c, f) + " @@"}
		for _, l := range lines(f) {
			if l.mark == '@' {
				rows = append(rows, l.text)
			} else {
				rows = append(rows, string(l.mark)+l.text)
			}
		}
		for _, row := range rows {
			if b.Len()+len(row) > limit {
				fmt.Fprintln(&b, "! more than a comment can hold; swarmward plan shows all")
				return b.String(), n + 1
			}
			fmt.Fprintln(&b, row)
			n++
		}
	}
	return b.String(), n
}

// fenced is a code block that its text cannot end.
func fenced(language, text string) string {
	fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	return fence + language + "\n" + text + fence + "\n"
}

func longestRun(s string, of rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

var simple = regexp.MustCompile(`^[A-Za-z0-9 ._/:+~!·-]+$`)

// code is a name as code, where neither markup nor mentions are looked for.
func code(s string) string {
	if simple.MatchString(s) {
		return "`" + s + "`"
	}
	return "<code>" + entities(s) + "</code>"
}

// subjectHTML is a subject where Markdown is not read.
func subjectHTML(c reconcile.Change) string {
	kind, name, _ := strings.Cut(object(c), " ")
	return kind + " <code>" + entities(name) + "</code>"
}

var calls = regexp.MustCompile(`[@#]+`)

// prose is a sentence without markup. What would call a person or refer to an
// issue is shown as code, since GitHub looks for both after Markdown is done.
func prose(s string) string {
	var b strings.Builder
	last := 0
	for _, at := range calls.FindAllStringIndex(s, -1) {
		b.WriteString(entities(s[last:at[0]]) + "<code>" + entities(s[at[0]:at[1]]) + "</code>")
		last = at[1]
	}
	return b.String() + entities(s[last:])
}

// links are what GitHub makes a link of, without being asked.
var links = strings.NewReplacer("://", "&#58;//", "www.", "www&#46;")

// entities writes what Markdown, HTML or a table would take for theirs as
// numbers, and line ends as blanks.
func entities(s string) string {
	var b strings.Builder
	for _, r := range Printable(s) {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case strings.ContainsRune("&<>`*_[]|~\\$#@!", r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return links.Replace(b.String())
}
