package main

import (
	"os"
	"regexp"
	"strings"
)

// shellWords splits a shell's command line into words, as far as such lines
// start servers: quotes, variables, and $(cat FILE) are understood.
func shellWords(line string, env map[string]string, files fileset) []string {
	cat := regexp.MustCompile(`\$\(\s*(?:cat\s+|<\s*)([^\s)]+)\s*\)`)
	// What a file holds may have any characters: put it in after the splitting.
	var contents []string
	line = cat.ReplaceAllStringFunc(line, func(m string) string {
		contents = append(contents, strings.TrimRight(string(files[cat.FindStringSubmatch(m)[1]]), "\n"))
		return "\x00"
	})
	fill := func(word string) string {
		for strings.Contains(word, "\x00") && len(contents) > 0 {
			word = strings.Replace(word, "\x00", contents[0], 1)
			contents = contents[1:]
		}
		return word
	}
	var out []string
	var word strings.Builder
	var quote rune
	inWord := false
	end := func() {
		if inWord {
			text := word.String()
			out = append(out, fill(os.Expand(text, func(name string) string { return env[name] })))
		}
		word.Reset()
		inWord = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\n':
			end()
		case r == ';' || r == '&' || r == '|':
			end()
			out = append(out, ";")
		default:
			inWord = true
			word.WriteRune(r)
		}
	}
	end()
	return out
}

// environment is a container's variables by name.
func environment(env []string) map[string]string {
	out := make(map[string]string, len(env))
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		out[name] = value
	}
	return out
}
