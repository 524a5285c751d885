package spec

import "time"

// Commit is the revision of a repository that a stack was read from.
type Commit struct {
	ID      string    `json:"commit"`           // in full, hexadecimal
	Ref     string    `json:"ref,omitempty"`    // the branch, tag or commit that was asked for
	Author  string    `json:"author,omitempty"` // NAME <ADDRESS>, as the commit says
	Subject string    `json:"subject,omitempty"`
	At      time.Time `json:"at"`               // when it was committed
	Signer  string    `json:"signer,omitempty"` // whose valid signature it was taken on; empty: none was asked for
}

// at is a copy of the stack as read from that commit, which holds the very
// same inputs.
func (s *Stack) at(c *Commit) *Stack {
	out := *s
	out.Commit, out.Revision = c, s.Hash
	if c != nil {
		out.Revision = c.ID
	}
	return &out
}
