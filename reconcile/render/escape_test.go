package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/swarmward/swarmward/reconcile"
)

// A label that somebody gave a service by hand is shown, and tells the terminal
// nothing.
func TestEscapesAreShown(t *testing.T) {
	evil := "a\x1b]0;owned\x07\x1b[2Jb\u009b31m\u202e\u200b\xff\r"
	shown := `a\x1b]0;owned\a\x1b[2Jb\u009b31m\u202e\u200b\xff\r`
	if got := Printable(evil + "\n\t"); got != shown+"\n\t" {
		t.Errorf("%q", got)
	}
	p := hostile(evil)
	o := &reconcile.Outcome{Stack: "app", Revision: evil, Plan: p, Err: errors.New(evil),
		Verdicts: map[string]reconcile.Verdict{"web": {State: reconcile.Failed, Message: "its last log lines:\n    " + evil, Remedy: evil}},
		Checks: []reconcile.CheckResult{{Name: "redis", Status: reconcile.CheckFailed, Reason: "r", Message: evil, Remedy: evil, Via: evil,
			Diagnosis: &reconcile.Diagnosis{Service: evil, Verdict: evil, Tasks: []reconcile.TaskNote{{Name: evil, Node: evil, State: evil, Error: evil}},
				Log: []string{evil}, Changes: []reconcile.Recent{{What: evil}}, Commands: []string{evil}}}}}
	for name, write := range map[string]func(*bytes.Buffer){
		"text":             func(b *bytes.Buffer) { Text{}.Plan(b, p) },
		"narrow text":      func(b *bytes.Buffer) { Text{Width: 40}.Plan(b, p) },
		"outcome":          func(b *bytes.Buffer) { Text{}.Outcome(b, o, []string{"web"}) },
		"checks":           func(b *bytes.Buffer) { Text{}.Checks(b, o.Checks) },
		"markdown":         func(b *bytes.Buffer) { _ = PlanMarkdown(b, p) },
		"plan as JSON":     func(b *bytes.Buffer) { _ = PlanJSON(b, p) },
		"outcome as JSON":  func(b *bytes.Buffer) { _ = OutcomeJSON(b, o) },
		"checks as JSON":   func(b *bytes.Buffer) { _ = ChecksJSON(b, "app", o.Checks) },
		"outcomes as JSON": func(b *bytes.Buffer) { _ = StatusJSON(b, Status{Stacks: []StackStatus{{Outcome: o}}}) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			write(&b)
			text := b.String()
			if !utf8.ValidString(text) {
				t.Error("it is no text")
			}
			if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%q is in it: %q", text[i], text[max(0, i-20):min(len(text), i+20)])
			}
			if !strings.Contains(text, "owned") || !strings.Contains(text, `1b`) {
				t.Errorf("it is not shown:\n%s", text)
			}
		})
	}
}

// In JSON the values are what they were.
func TestJSONKeepsValues(t *testing.T) {
	value := "\x1b[31m \u009b \u202e \U000e0001 \u2028 é 漢 \U0001f600 <&> \x7f"
	var b bytes.Buffer
	if err := PlanJSON(&b, &reconcile.Plan{Changes: []reconcile.Change{{Fields: []reconcile.FieldChange{{New: &value}}}}}); err != nil {
		t.Fatal(err)
	}
	var doc planJSON
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if got := *doc.Changes[0].Fields[0].New; got != value {
		t.Errorf("%q, want %q", got, value)
	}
}
