package main

import (
	"context"

	"github.com/spf13/cobra"
)

type runFlags struct {
	serveFlags
	triggerFlags
	lease  leaseFlags
	dryRun bool
}

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "The controller: make passes as they are called for, until SIGTERM",
		Long: `Make a pass at once and then whenever one is called for, until SIGINT or SIGTERM,
which it obeys within 10 s: what is being written is finished, nothing new is
begun. What calls for a pass: the schedule; an event of the Engine, such as a
change by hand; a file of the spec that changes; a new commit; a webhook; a
request; SIGHUP. What comes within 200 ms is one pass.

Each pass looks at every file of the spec anew; one that cannot be used never
replaces the last good one. A pass that fails is logged and tried again sooner,
from 1 s to 5 min. Between passes each check runs on its own interval; a status
that changes is logged once. Outside of a stack's windows what differs is
reported, and nothing is written.

With -f DIR the stacks come and go with the files in it. A stack whose file is
gone is left as it is. No stack waits for another.

Several of them may share their stacks: for each stack one leads, and the others
stand by until it ends or is not heard of for --lease-ttl. A pass waits for an
apply that is under way, and an apply for a pass.

With --listen it shows people a page at / and answers programs at /healthz,
/readyz, /metrics, /api/v1/status, /api/v1/plan, /api/v1/history,
/api/v1/health/redis, /api/v1/health/CHECK and, with a token or a signature,
POST /api/v1/reconcile and POST /webhook/git.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), f) },
	}
	f.triggerFlags.register(cmd)
	f.serveFlags.register(cmd)
	f.lease.register(cmd, true)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "report drift, write nothing, run only checks that read")
	a.takesGit(cmd)
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
