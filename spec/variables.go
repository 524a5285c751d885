package spec

import "strings"

// gap is a place in a text where a variable could not be filled in.
type gap struct {
	offset   int    // in the text, of the dollar sign
	name     string // of the variable; empty when the reference is malformed
	required bool   // ${NAME:?message}
	message  string // of a required variable, as written
}

type lookup func(name string) (string, bool)

// expand fills in the variables of a text as Compose does: $NAME, ${NAME},
// ${NAME:-default}, ${NAME-default}, ${NAME:+instead}, ${NAME+instead},
// ${NAME:?message}, ${NAME?message} and $$ for a dollar sign. A variable that
// is not set is empty and a gap. It differs from compose-go's own template in
// that it misses no gap and logs nothing.
func expand(text string, get lookup) (string, []gap) {
	var out strings.Builder
	var gaps []gap
	for i := 0; i < len(text); {
		if text[i] != '$' || i+1 == len(text) {
			out.WriteByte(text[i])
			i++
			continue
		}
		next := text[i+1]
		switch {
		case next == '$':
			out.WriteByte('$')
			i += 2
		case isNameStart(next):
			end := nameEnd(text, i+1)
			value, ok := get(text[i+1 : end])
			if !ok {
				gaps = append(gaps, gap{offset: i, name: text[i+1 : end]})
			}
			out.WriteString(value)
			i = end
		case next == '{':
			value, end, found := expandBraced(text, i, get)
			out.WriteString(value)
			gaps = append(gaps, found...)
			i = end
		default:
			out.WriteByte('$')
			i++
		}
	}
	return out.String(), gaps
}

// expandBraced fills in the reference that begins with ${ at start, and says
// where it ends.
func expandBraced(text string, start int, get lookup) (string, int, []gap) {
	malformed := []gap{{offset: start}}
	end := closingBrace(text, start)
	if end < 0 || start+2 >= len(text) || !isNameStart(text[start+2]) {
		return "", start + 2, malformed
	}
	nameStop := nameEnd(text, start+2)
	name, rest := text[start+2:nameStop], text[nameStop:end]
	value, ok := get(name)
	if rest == "" {
		if !ok {
			return "", end + 1, []gap{{offset: start, name: name}}
		}
		return value, end + 1, nil
	}
	usable := ok
	if strings.HasPrefix(rest, ":") {
		usable = ok && value != ""
		rest = rest[1:]
	}
	if rest == "" {
		return "", end + 1, malformed
	}
	switch operator, word := rest[0], rest[1:]; {
	case operator == '-' && usable, operator == '?' && usable, operator == '+' && !usable:
		return value, end + 1, nil
	case operator == '-', operator == '+':
		value, gaps := expand(word, get)
		for i := range gaps {
			gaps[i].offset = start
		}
		return value, end + 1, gaps
	case operator == '?':
		return "", end + 1, []gap{{offset: start, name: name, required: true, message: word}}
	}
	return "", end + 1, malformed
}

// closingBrace is the brace that ends the reference at start, on its line;
// braces inside are balanced where they can be.
func closingBrace(text string, start int) int {
	line := text[start:]
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	open := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '{':
			open++
			i++ // what follows a brace never closes it: ${} is no reference
		case '}':
			if open--; open == 0 {
				return start + i
			}
		}
	}
	if last := strings.LastIndexByte(line, '}'); last > 0 {
		return start + last
	}
	return -1
}

func isNameStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func nameEnd(text string, i int) int {
	for i < len(text) && (isNameStart(text[i]) || text[i] >= '0' && text[i] <= '9') {
		i++
	}
	return i
}
