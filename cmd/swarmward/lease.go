package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine"
)

// leaseFlags are those of verbs that write.
type leaseFlags struct{ ttl, wait time.Duration }

const leaseTTL = 45 * time.Second

// register the flags of a verb that makes a pass; run is a controller's.
func (f *leaseFlags) register(cmd *cobra.Command, controller bool) {
	cmd.Flags().DurationVar(&f.ttl, "lease-ttl", leaseTTL, "others take this controller's stacks over when it was not heard of for so `LONG`")
	if !controller {
		_ = cmd.Flags().MarkHidden("lease-ttl")
		cmd.Flags().DurationVar(&f.wait, "wait", 5*time.Minute, "wait so `LONG` for another swarmward that is changing the stack")
	}
}

func (f *leaseFlags) check() error {
	if f.ttl < time.Second {
		return fmt.Errorf("--lease-ttl %s: must be at least 1s", f.ttl)
	}
	return nil
}

// lease of this process, for a verb. A controller waits for a command no longer
// than one that died can hold it up; the next pass waits on.
func (f *leaseFlags) lease(ctx context.Context, e *engine.Engine, verb string) *reconcile.Lease {
	l := &reconcile.Lease{Engine: e, Holder: e.Holder(ctx), What: verb, TTL: f.ttl / 3, Wait: f.wait}
	if verb == "run" {
		l.Wait = f.ttl
	}
	return l
}

// agreed is asked when apply had to wait for somebody else and its plan was made
// again: what a person said yes to is done and nothing else.
func (a *app) agreed(asked bool) func(was, is *reconcile.Plan) error {
	return func(was, is *reconcile.Plan) error {
		switch {
		case was.Digest() == is.Digest():
			return nil
		case asked:
			return fmt.Errorf("stack %s: %w: somebody else changed the stack meanwhile; nothing was written; apply shows what is left to do now", is.Stack, reconcile.ErrReplanned)
		case a.output != "text":
			return nil // the outcome has the plan
		}
		_, err := io.WriteString(a.out, "\nSomebody else has changed the stack meanwhile. Now the plan is:\n\n")
		return errors.Join(err, a.showPlan(is, 0))
	}
}

// session with other controllers, which ends when nothing writes any more. When
// another is gone, there may be stacks to lead. A dry run has none.
func (c *controller) session(ctx context.Context) (end func()) {
	if c.flags.dryRun {
		return func() {}
	}
	l := c.flags.lease.lease(ctx, c.engine, "run")
	l.Session = &reconcile.Session{
		Engine: l.Engine, Holder: l.Holder, TTL: c.flags.lease.ttl, Log: c.log,
		Changed: func() { c.fleet.Nudge(nil) }, Asked: c.grant,
	}
	c.others.Store(l.Session)
	c.domain.Lease = l
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Session.Run(ctx)
	}()
	return func() { cancel(); <-ended }
}
