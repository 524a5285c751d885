package render

import (
	"github.com/swarmward/swarmward/spec"
)

// commitLine says of a commit what people ask first; empty where there is none.
func commitLine(c *spec.Commit) string {
	if c == nil {
		return ""
	}
	line := "commit " + c.ID[:min(len(c.ID), 7)]
	if c.Ref != "" && c.Ref != c.ID {
		line += " on " + c.Ref
	}
	if c.Author != "" {
		line += " by " + c.Author
	}
	if c.Subject != "" {
		line += ": " + c.Subject
	}
	if c.Signer != "" {
		line += " (signed by " + c.Signer + ")"
	}
	return line
}
