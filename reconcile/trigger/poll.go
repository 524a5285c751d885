package trigger

import (
	"context"
	"math/rand/v2"
	"time"
)

// Poll does something every so often, shortened by up to a tenth so that many
// do not march in step, and as soon as it is nudged; never twice at a time.
type Poll struct {
	Every time.Duration
	Do    func(context.Context)
}

// Run until ctx ends.
func (p Poll) Run(ctx context.Context, nudges <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-nudges:
		case <-time.After(p.Every - rand.N(p.Every/10+1)):
		}
		p.Do(ctx)
	}
}
