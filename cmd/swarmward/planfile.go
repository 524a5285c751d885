package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
)

// planFile is what plan --out writes and apply --plan takes: the plans that a
// person looked at, and what identifies them. It holds no secret.
type planFile struct {
	SchemaVersion int         `json:"schemaVersion"`
	Targets       []string    `json:"targets,omitempty"`
	Rotate        []string    `json:"rotate,omitempty"`
	PruneAll      bool        `json:"allowPruneAll,omitempty"`
	Plans         []savedPlan `json:"plans"`
}

// flags are those that the plan was made with.
func (f *planFile) flags() planFlags {
	return planFlags{targets: f.Targets, rotate: f.Rotate, allowPruneAll: f.PruneAll}
}

type savedPlan struct {
	Stack    string          `json:"stack"`
	Revision string          `json:"revision"`
	Digest   string          `json:"digest"`
	Text     string          `json:"text"` // as it was shown
	Plan     json.RawMessage `json:"plan"` // as plan -o json shows it
}

const planFileSchema = 1

func savePlans(path string, plans []*reconcile.Plan, f planFlags) error {
	out := planFile{SchemaVersion: planFileSchema, Targets: f.targets, Rotate: f.rotate, PruneAll: f.allowPruneAll}
	for _, p := range plans {
		var text, doc bytes.Buffer
		render.Text{}.Plan(&text, p)
		if err := render.PlanJSON(&doc, p); err != nil {
			return err
		}
		out.Plans = append(out.Plans, savedPlan{
			Stack: p.Stack, Revision: p.Revision, Digest: p.Digest(), Text: text.String(), Plan: doc.Bytes(),
		})
	}
	data, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	// A config's content may be in it, which is not everybody's to read.
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

func readPlans(path string) (*planFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--plan: %w", err)
	}
	var f planFile
	if err := json.Unmarshal(data, &f); err != nil || len(f.Plans) == 0 || f.Plans[0].Digest == "" {
		return nil, fmt.Errorf("--plan %s: this is not a plan; write one with `swarmward plan --out %s`", path, path)
	}
	if f.SchemaVersion != planFileSchema {
		return nil, fmt.Errorf("--plan %s: written by another version of swarmward (schema %d, this one reads %d); make the plan again", path, f.SchemaVersion, planFileSchema)
	}
	return &f, nil
}

// errMovedOn refuses a saved plan that would no longer do what it showed.
var errMovedOn = errors.New("nothing was changed: what this plan would do now is not what it showed when it was saved")

// match finds the saved plan of a stack, and says how the one that was made
// now differs from it.
func (f *planFile) match(path string, now *reconcile.Plan) error {
	var saved *savedPlan
	for i := range f.Plans {
		if f.Plans[i].Stack == now.Stack {
			saved = &f.Plans[i]
		}
	}
	switch {
	case saved == nil:
		return fmt.Errorf("--plan %s: it has no plan for stack %s; make it again", path, now.Stack)
	case saved.Digest == now.Digest():
		return nil
	}
	var text bytes.Buffer
	render.Text{}.Plan(&text, now)
	var b strings.Builder
	fmt.Fprintf(&b, "--plan %s: %v", path, errMovedOn)
	switch {
	case saved.Revision != now.Revision:
		fmt.Fprintf(&b, "; the spec is another one now (%s, was %s)", short(now.Revision), short(saved.Revision))
	case text.String() == saved.Text:
		b.WriteString("; the content of a secret or of a hidden value differs")
	default:
		b.WriteString("; the Swarm has moved on:\n")
		_, lines, _ := bytes.Cut(diff.Diff("when it was saved", []byte(saved.Text), "now", text.Bytes()), []byte("\n"))
		b.Write(bytes.TrimRight(lines, "\n"))
	}
	b.WriteString("\nlook at it again: swarmward plan --out " + path)
	return errors.New(b.String())
}

func short(revision string) string { return revision[:min(len(revision), 7)] }
