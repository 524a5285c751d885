package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/serve"
	"github.com/swarmward/swarmward/reconcile/trigger"
	"github.com/swarmward/swarmward/spec"
	"github.com/swarmward/swarmward/spec/source"
)

type runFlags struct {
	schedule, listen string
	dryRun           bool
}

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "The controller: make passes on a schedule until SIGTERM",
		Long: `Make a pass at once and then on a schedule, until SIGINT or SIGTERM, which it
obeys within 10 s: what is being written is finished, nothing new is begun. Each
pass looks at every file of the spec anew; one that cannot be used never replaces the last good
one. A pass that fails is logged and tried again sooner, from 1 s to 5 min.
Between passes each check runs on its own interval; a status that changes is
logged once.

With --listen it answers on /healthz, /readyz, /api/v1/status, /api/v1/plan,
/api/v1/health/redis and /api/v1/health/CHECK.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.schedule, "schedule", "@every 1m", "cron `SCHEDULE` of the passes: five fields, six with seconds, or @every 1m")
	cmd.Flags().StringVar(&f.listen, "listen", "", "`ADDRESS` to serve HTTP on, such as :8080 (default: none)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "report drift, write nothing, run only checks that read")
	return cmd
}

func (a *app) run(ctx context.Context, f runFlags) error {
	schedule, err := trigger.ParseSchedule(f.schedule)
	if err != nil {
		return err
	}
	inputs, err := source.Paths(a.files)
	if err != nil {
		return err
	}
	// A spec that is wrong from the start is the caller's mistake, not a pass
	// that failed.
	stacks, err := a.stacks(ctx)
	if err != nil {
		return err
	}
	a.warnings(stacks)
	log := a.logger("json")
	r, e, err := a.reconciler("json")
	if err != nil {
		return err
	}
	defer e.Close()
	e.MayJoin = !f.dryRun

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	board := &serve.Board{}
	var wg sync.WaitGroup
	if f.listen != "" {
		server := &serve.Server{Board: board, Prober: r.Prober, ReadOnly: f.dryRun, Log: log}
		wg.Go(func() {
			if err := server.ListenAndServe(ctx, f.listen); err != nil {
				cancel(fmt.Errorf("--listen %s: %w", f.listen, err))
			}
		})
	}
	log.Info("swarmward runs", "version", version, "schedule", f.schedule, "listen", f.listen, "dry_run", f.dryRun, "stacks", len(inputs))
	for _, in := range inputs {
		nudge := trigger.NewNudge()
		wg.Go(func() { schedule.Run(ctx, nudge.Now) })
		perStack := *r
		perStack.Journal = &reconcile.Journal{}
		perStack.Report = func(e reconcile.Event) {
			log.Debug(string(e.Phase)+": "+e.State, "subject", e.Subject, "message", e.Message)
		}
		loader := &spec.Loader{}
		loop := &reconcile.Loop{
			Reconciler: &perStack, DryRun: f.dryRun, Log: log, Done: board.Post, Checked: board.Checked,
			Load: func(ctx context.Context) (*spec.Stack, error) { return loader.Load(ctx, a.options(in)) },
		}
		wg.Go(func() { loop.Run(ctx, nudge) })
	}
	<-ctx.Done()
	log.Info("stopping")
	wg.Wait()
	log.Info("stopped")
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
