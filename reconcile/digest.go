package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
)

// Digest identifies what the plan would do to which state of the Swarm: two
// plans with one digest show the same differences and make the same writes.
// Versions, which the Swarm moves by itself, and the contents of secrets are
// not in it; their fingerprints are.
func (p *Plan) Digest() string {
	h := sha256.New()
	e := json.NewEncoder(h)
	put := func(v any) {
		if err := e.Encode(v); err != nil {
			panic(err) // API objects can always be written as JSON
		}
	}
	put([]string{p.Stack, p.Revision})
	for _, c := range p.Changes {
		put([]any{c.Kind, c.Name, c.Object, c.Action, c.Impact, c.AfterChecks})
		for _, f := range c.Fields {
			put([]any{f.Path, f.Old, f.New, f.Sensitive})
		}
		digestWrite(h, put, c.Write)
	}
	return "v1:" + hex.EncodeToString(h.Sum(nil)[:16])
}

func digestWrite(w io.Writer, put func(any), write Write) {
	switch x := write.(type) {
	case nil:
		return
	case CreateSecret:
		x.Spec.Data = nil
		put(x.Spec)
	case LabelSecret:
		x.Spec.Data = nil
		put(x.Spec)
	case LabelConfig:
		put(x.Spec)
	case CreateService:
		put([]any{SpecHash(x.Spec), x.Query})
	case UpdateService:
		put([]any{x.ID, SpecHash(x.Spec), x.Query})
	default:
		put(x)
	}
	_, _ = io.WriteString(w, "\n")
}
