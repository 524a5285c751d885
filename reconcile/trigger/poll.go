package trigger

import (
	"context"
	"math/rand/v2"
	"time"
)

// Poll does something every so often, shortened by up to a tenth so that many
// do not march in step, and as soon as it is nudged; never twice at a time.
type Poll struct {
	Every time.Duration // 0: only when it is nudged
	Do    func(context.Context)
}

// Run until ctx ends.
func (p Poll) Run(ctx context.Context, nudges <-chan struct{}) {
	for ctx.Err() == nil {
		var due <-chan time.Time
		if p.Every > 0 {
			due = time.After(p.Every - rand.N(p.Every/10+1))
		}
		select {
		case <-ctx.Done():
			return
		case <-nudges:
		case <-due:
		}
		p.Do(ctx)
	}
}
