package main

import (
	"context"

	"github.com/spf13/cobra"
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
	c, err := a.controller(ctx, f)
	if err != nil {
		return err
	}
	defer c.close()
	return c.run(ctx)
}
