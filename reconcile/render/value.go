package render

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/swarmward/swarmward/reconcile"
)

// Printable is s with all escaped that a terminal would act on or would not
// show: control characters, bytes that are no text, invisible and reordering
// characters. Line ends and tabs stay.
func Printable(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unprintable(r):
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func unprintable(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }

const unset = "(unset)"

// inline is a value on one line: as it is where that is unambiguous, quoted
// where it is empty, has blanks at its ends or what cannot be printed.
func inline(s *string) string {
	if s == nil {
		return unset
	}
	text := *s
	if list, ok := items(s); ok {
		text = "[" + strings.Join(quoted(list), ", ") + "]"
	}
	if text == "" || text == unset || text[0] == '"' || strings.TrimSpace(text) != text || Printable(text) != text || strings.ContainsAny(text, "\n\t") {
		return strconv.Quote(text)
	}
	return text
}

// items are the elements of a value that is a list. A plan has lists as JSON.
func items(s *string) ([]string, bool) {
	var list []string
	if s == nil || !strings.HasPrefix(*s, "[") || json.Unmarshal([]byte(*s), &list) != nil {
		return nil, false
	}
	same, err := json.Marshal(list)
	return list, err == nil && string(same) == *s
}

func quoted(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return out
}

// line of a value that is shown as a diff. What it begins with says what it is:
// '-', '+', ' ', '@' for a place, '!' for what is not shown.
type line struct {
	mark byte
	text string
}

// hidden says that a value changed and cannot be shown.
func hidden(f reconcile.FieldChange) bool {
	return f.Old == nil && f.New == nil || f.Sensitive && f.Old != nil && f.New != nil && *f.Old == *f.New
}

const hiddenText = "(sensitive, changed)"

// lines are a change's value as a diff: of the elements of a list, of the lines
// of a long text, or just the old and the new one.
func lines(f reconcile.FieldChange) []line {
	if hidden(f) {
		return []line{{'!', hiddenText}}
	}
	was, is := split(f)
	if len(was) > 1 || len(is) > 1 {
		return compared(was, is)
	}
	if len(was) == 1 && len(is) == 1 {
		was[0], is[0] = elide(was[0], is[0])
	}
	var out []line
	for _, l := range was {
		out = append(out, line{'-', l})
	}
	for _, l := range is {
		out = append(out, line{'+', l})
	}
	return out
}

// split is both values in lines that can be shown.
func split(f reconcile.FieldChange) (was, is []string) {
	a, isListA := items(f.Old)
	b, isListB := items(f.New)
	if (isListA || f.Old == nil) && (isListB || f.New == nil) {
		return listLines(a), listLines(b)
	}
	was, is = textLines(f.Old), textLines(f.New)
	if f.Old != nil && f.New != nil && strings.HasSuffix(*f.Old, "\n") != strings.HasSuffix(*f.New, "\n") {
		for s, l := range map[*string]*[]string{f.Old: &was, f.New: &is} {
			if !strings.HasSuffix(*s, "\n") {
				*l = append(*l, "(no line end here)")
			}
		}
	}
	return was, is
}

func textLines(s *string) []string {
	if s == nil {
		return nil
	}
	if !strings.Contains(*s, "\n") {
		return []string{inline(s)}
	}
	out := strings.Split(strings.TrimSuffix(*s, "\n"), "\n")
	for i, l := range out {
		_, err := strconv.Unquote(l)
		if Printable(l) != l || err == nil && l[0] == '"' && strings.Contains(l, `\`) {
			out[i] = strconv.Quote(l)
		}
	}
	return out
}

// listLines has a line for each element; further lines of one element are
// indented, and no other line is.
func listLines(list []string) []string {
	var out []string
	for _, s := range list {
		for i, l := range textLines(&s) {
			if i > 0 {
				l = "  " + l
			} else if strings.TrimSpace(l) != l {
				l = strconv.Quote(l)
			}
			out = append(out, l)
		}
	}
	return out
}

// compared is a diff with three lines around each difference.
func compared(was, is []string) []line {
	text := func(l []string) []byte {
		if len(l) == 0 {
			return nil
		}
		return []byte(strings.Join(l, "\n") + "\n")
	}
	const header = 3
	all := strings.Split(strings.TrimSuffix(string(diff.Diff("old", text(was), "new", text(is))), "\n"), "\n")
	var out []line
	for _, l := range all[min(header, len(all)):] {
		if l[0] == '@' {
			out = append(out, line{'@', l})
		} else {
			out = append(out, line{l[0], l[1:]})
		}
	}
	return out
}

// around is how much of what two long values share is shown on each side of
// where they differ; long is from where on that is worth it.
const (
	around = 40
	long   = 300
)

// elide leaves out what two long values have in common.
func elide(was, is string) (string, string) {
	a, b := []rune(was), []rune(is)
	if max(len(a), len(b)) < long {
		return was, is
	}
	short := min(len(a), len(b))
	head := 0
	for head < short && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < short-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	cut := func(s []rune) string {
		from, to := max(head-around, 0), min(len(s)-tail+around, len(s))
		out := string(s[from:to])
		if from > 0 {
			out = "…" + out
		}
		if to < len(s) {
			out += "…"
		}
		return out
	}
	return cut(a), cut(b)
}

// fold breaks a line into pieces of at most width characters, before a blank
// where there is one.
func fold(s string, width int) []string {
	var out []string
	rest := []rune(s)
	width = max(width, 10)
	for len(rest) > width {
		at := width
		for i := width; i > width/2; i-- {
			if rest[i] == ' ' {
				at = i
				break
			}
		}
		out = append(out, string(rest[:at]))
		rest = rest[at:]
	}
	return append(out, string(rest))
}
