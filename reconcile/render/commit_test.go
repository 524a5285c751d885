package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// Every form of a plan says which commit it is for.
func TestPlanNamesItsCommit(t *testing.T) {
	id := "4f2c1ab0123456789012345678901234567890ab"
	p := &reconcile.Plan{Stack: "whatrack", Revision: id, Commit: &spec.Commit{
		ID: id, Ref: "main", Author: "Ann <ann@example.com>", Subject: "Raise\x1b[2J @everybody", Signer: "ann SHA256:x",
	}}
	var text, markdown, doc bytes.Buffer
	Text{}.Plan(&text, p)
	want := "whatrack @ 4f2c1ab   nothing to do, 0 objects are as the spec says\n" +
		"  commit 4f2c1ab on main by Ann <ann@example.com>: Raise\\x1b[2J @everybody\n  (signed by ann SHA256:x)\n"
	if text.String() != want {
		t.Errorf("text %q, want %q", text.String(), want)
	}
	if err := PlanMarkdown(&markdown, p); err != nil {
		t.Fatal(err)
	}
	if s := markdown.String(); !strings.Contains(s, "commit 4f2c1ab on main by Ann &#60;ann") || strings.Contains(s, "@everybody") {
		t.Errorf("Markdown %s", s)
	}
	if err := PlanJSON(&doc, p); err != nil {
		t.Fatal(err)
	}
	var out struct{ Commit spec.Commit }
	if err := json.Unmarshal(doc.Bytes(), &out); err != nil || out.Commit != *p.Commit {
		t.Errorf("JSON %+v, error %v", out.Commit, err)
	}
}
