package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/serve"
	"github.com/swarmward/swarmward/reconcile/trigger"
	"github.com/swarmward/swarmward/spec"
	"github.com/swarmward/swarmward/spec/source"
)

// controller is what run runs: a loop for each stack, what nudges the loops,
// and what is told of them over HTTP.
type controller struct {
	*app
	flags    runFlags
	log      *slog.Logger
	schedule trigger.Schedule
	inputs   []source.Input

	domain *reconcile.Reconciler // each stack has a copy
	engine *engine.Engine
	board  *serve.Board

	// running are the parts that run until the context ends; stop ends it for
	// all of them, with the reason.
	running sync.WaitGroup
	stop    context.CancelCauseFunc
}

// controller is wired, and runs nothing yet. A spec that is wrong from the
// start is the caller's mistake, not a pass that failed.
func (a *app) controller(ctx context.Context, f runFlags) (*controller, error) {
	c := &controller{app: a, flags: f, log: a.logger("json"), board: &serve.Board{}}
	if err := f.serveFlags.check(); err != nil {
		return nil, err
	}
	var err error
	if c.schedule, err = trigger.ParseSchedule(f.schedule); err != nil {
		return nil, err
	}
	if c.inputs, err = source.Paths(a.files); err != nil {
		return nil, err
	}
	stacks, err := a.stacks(ctx)
	if err != nil {
		return nil, err
	}
	a.warnings(stacks)
	if c.domain, c.engine, err = a.reconciler("json"); err != nil {
		return nil, err
	}
	c.engine.MayJoin = !f.dryRun
	return c, nil
}

func (c *controller) close() { _ = c.engine.Close() }

// run until ctx ends or a part cannot go on, which is the error.
func (c *controller) run(ctx context.Context) error {
	ctx, c.stop = context.WithCancelCause(ctx)
	defer c.stop(nil)
	c.log.Info("swarmward runs", "version", version, "schedule", c.flags.schedule, "listen", c.flags.listen, "dry_run", c.flags.dryRun, "stacks", len(c.inputs))
	if err := c.serve(ctx); err != nil {
		return err
	}
	for _, in := range c.inputs {
		nudge := trigger.NewNudge()
		c.running.Go(func() { c.schedule.Run(ctx, nudge.Now) })
		loop := c.loop(in)
		c.running.Go(func() { loop.Run(ctx, nudge) })
	}
	<-ctx.Done()
	c.log.Info("stopping")
	c.running.Wait()
	c.log.Info("stopped")
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// loop of one stack.
func (c *controller) loop(in source.Input) *reconcile.Loop {
	r := *c.domain
	r.Journal = &reconcile.Journal{}
	r.Report = func(e reconcile.Event) {
		c.log.Debug(string(e.Phase)+": "+e.State, "subject", e.Subject, "message", e.Message)
	}
	loader := &spec.Loader{}
	return &reconcile.Loop{
		Reconciler: &r, DryRun: c.flags.dryRun, Log: c.log, Done: c.board.Post, Checked: c.board.Checked,
		Load: func(ctx context.Context) (*spec.Stack, error) { return loader.Load(ctx, c.options(in)) },
	}
}
