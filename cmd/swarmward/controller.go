package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

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
	poll     trigger.Nudge // a look at the source

	domain *reconcile.Reconciler // each stack has a copy
	engine *engine.Engine
	fleet  *reconcile.Fleet
	stacks *stacks
	board  *serve.Board
	words  *words
	others atomic.Pointer[reconcile.Session] // with other controllers; nil: none

	// running are the parts that run until the context ends; stop ends it for
	// all of them, with the reason.
	running sync.WaitGroup
	stop    context.CancelCauseFunc
}

// controller is wired, and runs nothing yet. A source or a lone spec that is
// wrong from the start is the caller's mistake, not a pass that failed.
func (a *app) controller(ctx context.Context, f runFlags) (*controller, error) {
	c := &controller{app: a, flags: f, log: a.logger("json"), board: &serve.Board{}, poll: trigger.NewNudge(), words: newWords()}
	if err := errors.Join(f.serveFlags.check(), f.triggerFlags.check(), f.lease.check()); err != nil {
		return nil, err
	}
	if f.webhookSecret != "" && f.listen == "" {
		return nil, errors.New("--webhook-secret-file: no webhook is taken where nothing is served: give --listen, such as :8080")
	}
	var err error
	if c.schedule, err = trigger.ParseSchedule(f.schedule); err != nil {
		return nil, err
	}
	c.fleet = &reconcile.Fleet{Loop: c.loop, Log: c.log, Gone: c.board.Forget}
	from, err := a.from()
	if err != nil {
		return nil, err
	}
	c.stacks = &stacks{source: from, base: a.options(source.Input{}), fleet: c.fleet, log: c.log, told: c.source}
	if c.stacks.files, err = trigger.NewFiles(c.log); err != nil {
		c.log.Warn("files are not watched: a change of one is noticed with the next pass that is due", "error", err.Error())
	}
	usable, err := c.stacks.begin(ctx)
	if err != nil {
		return nil, err
	}
	if c.stacks.troubled() {
		c.poll.Now()
	}
	a.warnings(usable)
	if c.domain, c.engine, err = a.reconciler("json"); err != nil {
		return nil, err
	}
	c.engine.MayJoin = !f.dryRun
	// It does the same again and again, where other verbs do it once.
	c.engine.Repeats, c.domain.Differ.Unchanged = true, &reconcile.Unchanged{}
	c.domain.Self, c.domain.Differ.Fingerprints.Sparing = c.engine.OwnService, true
	return c, nil
}

func (c *controller) close() { _ = c.engine.Close() }

// run until ctx ends or a part cannot go on, which is the error.
func (c *controller) run(ctx context.Context) error {
	ctx, c.stop = context.WithCancelCause(ctx)
	defer c.stop(nil)
	c.log.Info("swarmward runs", "version", version, "schedule", c.flags.schedule, "listen", c.flags.listen, "dry_run", c.flags.dryRun, "stacks", c.stacks.count())
	if err := c.serve(ctx); err != nil {
		return err
	}
	defer c.session(ctx)()
	c.triggers(ctx)
	c.stacks.muster(ctx)
	<-ctx.Done()
	c.log.Info("stopping")
	c.fleet.Wait()
	c.running.Wait()
	c.log.Info("stopped")
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// loop of one stack.
func (c *controller) loop(m reconcile.Member) *reconcile.Loop {
	r := *c.domain
	r.Parallel = writesEach(c.stacks.count())
	r.Journal = &reconcile.Journal{}
	r.Report = func(e reconcile.Event) {
		c.log.Debug(string(e.Phase)+": "+e.State, "subject", e.Subject, "message", e.Message)
	}
	// Until its spec can be used, a stack goes by what it is loaded from.
	name := m.Key
	stand := func(change func(*serve.Standing)) { c.board.Stand(name, change) }
	return &reconcile.Loop{
		Reconciler: &r, DryRun: c.flags.dryRun, Log: c.log, Checked: c.board.Checked,
		Load: func(ctx context.Context) (*spec.Stack, error) {
			stack, err := m.Load(ctx)
			if err != nil {
				stand(func(s *serve.Standing) { s.SpecError = err.Error() })
				return nil, err
			}
			if name == m.Key {
				c.board.Forget(name)
			}
			name = stack.Name
			stand(func(s *serve.Standing) { s.SpecError = "" })
			return stack, nil
		},
		Done: c.board.Post,
		Rested: func(failures int, retry time.Time) {
			stand(func(s *serve.Standing) { s.Failures, s.Retry = failures, retry })
		},
	}
}

// writesEach is how many writes at a time a stack of so many has, so that all
// together are no flood.
func writesEach(stacks int) int { return max(2, min(8, 64/max(1, stacks))) }
