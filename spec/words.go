package spec

import (
	"errors"
	"strings"
)

// splitWords splits a command the way docker stack deploy does: quotes and
// backslashes as in a POSIX shell, # begins a comment, and no operator means
// anything.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
			continue
		case c == '#' && !inWord:
			for i < len(text) && text[i] != '\n' {
				i++
			}
			continue
		case c == '\\':
			if i+1 == len(text) {
				return nil, errors.New("the command ends with a backslash")
			}
			i++
			word.WriteByte(text[i])
		case c == '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				return nil, errors.New("a single quote in the command is not closed")
			}
			word.WriteString(text[i+1 : i+1+end])
			i += end + 1
		case c == '"':
			end, err := doubleQuoted(text, i+1, &word)
			if err != nil {
				return nil, err
			}
			i = end
		default:
			word.WriteByte(c)
		}
		inWord = true
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// doubleQuoted writes what stands before the closing quote and returns where
// that is. A backslash takes any next character as it is.
func doubleQuoted(text string, from int, word *strings.Builder) (int, error) {
	for i := from; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return i, nil
		case text[i] == '\\' && i+1 < len(text):
			i++
			word.WriteByte(text[i])
		default:
			word.WriteByte(text[i])
		}
	}
	return 0, errors.New("a double quote in the command is not closed")
}
