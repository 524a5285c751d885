package check

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/swarmward/swarmward/spec"
)

// compareBody looks for what must be in the body of an answer.
func (t *try) compareBody(c spec.HTTPCheck, u *url.URL, got answer) finding {
	for _, want := range c.Contains {
		if !strings.Contains(got.body, want) {
			return failed(ReasonBadBody,
				fmt.Sprintf("%s answered %d with %s, in which %q is missing.", plainURL(u), got.status, t.brief(got.body), want),
				"See whether another server answers for this name, or correct the check's contains.")
		}
	}
	if c.Regexp != "" {
		pattern, err := regexp.Compile(c.Regexp)
		if err != nil {
			return unknown(ReasonInvalid, "The check's regexp is not a regular expression.", "Write it as Go has them; backslashes need no doubling in single quotes.")
		}
		if !pattern.MatchString(got.body) {
			return failed(ReasonBadBody,
				fmt.Sprintf("%s answered %d with %s, which the expression %s does not match.", plainURL(u), got.status, t.brief(got.body), c.Regexp),
				"See whether another server answers for this name, or correct the check's regexp.")
		}
	}
	if len(c.JSON) > 0 {
		if f := t.compareJSON(c.JSON, u, got); f != nil {
			return *f
		}
	}
	return passed("")
}

func (t *try) compareJSON(want []spec.JSONValue, u *url.URL, got answer) *finding {
	remedy := "See whether another server answers for this name, or correct the check's json."
	var document any
	decoder := json.NewDecoder(strings.NewReader(got.body))
	decoder.UseNumber()
	err := decoder.Decode(&document)
	if err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			err = more
		}
	}
	if err != nil || len(got.body) >= maxAnswer {
		f := failed(ReasonBadJSON, fmt.Sprintf("%s answered %d with %s, which is not JSON.", plainURL(u), got.status, t.brief(got.body)), remedy)
		return &f
	}
	for _, w := range want {
		path := jsonPath(w.Path)
		value, ok := jsonAt(document, w.Path)
		if !ok {
			f := failed(ReasonBadJSON, fmt.Sprintf("%s answered %d with JSON that has no %s: %s.", plainURL(u), got.status, path, t.brief(got.body)), remedy)
			return &f
		}
		text, single := jsonText(value)
		if !single {
			f := failed(ReasonBadJSON, fmt.Sprintf("%s answered %d with JSON in which %s is not a single value.", plainURL(u), got.status, path), remedy)
			return &f
		}
		if !sameJSON(value, text, w.Want) {
			f := failed(ReasonBadJSON, fmt.Sprintf("%s answered %d with JSON in which %s is %s instead of %q.", plainURL(u), got.status, path, t.brief(text), w.Want), remedy)
			return &f
		}
	}
	return nil
}

// jsonPath writes a path as the spec does.
func jsonPath(path []string) string {
	words := make([]string, len(path))
	for i, name := range path {
		if words[i] = name; strings.Contains(name, ".") {
			words[i] = strconv.Quote(name)
		}
	}
	return strings.Join(words, ".")
}

// jsonAt follows keys and indexes into a document.
func jsonAt(v any, path []string) (any, bool) {
	for _, name := range path {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[name]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// jsonText is a single value as a spec writes it.
func jsonText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	case string:
		return v, true
	}
	return "", false
}

// sameJSON compares numbers as numbers, 1 and 1.0 are one, and whole ones to
// the last digit.
func sameJSON(v any, text, want string) bool {
	n, ok := v.(json.Number)
	if !ok || text == want {
		return text == want
	}
	if _, err := n.Int64(); err == nil && !strings.ContainsAny(want, ".eE") {
		return false
	}
	a, errA := n.Float64()
	b, errB := strconv.ParseFloat(want, 64)
	return errA == nil && errB == nil && a == b
}
