package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

func (a *app) statusCmd() *cobra.Command {
	var noChecks bool
	cmd := &cobra.Command{
		Use:   "status [STACK]",
		Short: "How a stack is, and what to do; nothing in the Swarm is changed",
		Long: `Say how a stack is, the one named or those of the spec: whether the Swarm has what
the spec says (Synced), everything runs (Converged), the checks pass (Verified),
and whether somebody has suspended it or its revision is held. It runs the checks
as swarmward check does, unless --no-checks. Where no spec is at hand, the stack
is compared with its last record.

Exit codes: 0 all is well, 1 it cannot be told, 2 the Swarm differs from the spec,
3 a check failed, 4 not everything runs, 5 suspended or held, 6 a check could not
be tried. Where several hold it is the first of 1, 4, 3, 5, 2, 6.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.status(cmd, firstArg(args), noChecks) },
	}
	cmd.Flags().BoolVar(&noChecks, "no-checks", false, "do not run the checks")
	a.takesGit(cmd)
	return cmd
}

func (a *app) status(cmd *cobra.Command, name string, noChecks bool) error {
	all, err := a.subjects(cmd, name)
	if err != nil {
		return err
	}
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	checks := func(s *spec.Stack) []spec.Check { return s.Settings.Checks }
	if noChecks {
		checks = func(*spec.Stack) []spec.Check { return nil }
	}
	worst := reconcile.ExitOK
	var told []*reconcile.Status
	for i, x := range all {
		o := &reconcile.Outcome{}
		if x.spec != nil {
			o = r.Look(cmd.Context(), x.spec, checks)
			o.Shut = reconcile.ShutAt(x.spec, time.Now())
		} else {
			if err := inSwarm(cmd, e, all); err != nil {
				return err
			}
			x.spec, o = r.LookByName(cmd.Context(), x.name, checks)
		}
		s := reconcile.StatusOf(x.spec, o, nil, time.Now())
		told = append(told, s)
		worst = worse(worst, s.ExitCode())
		if a.output == "text" {
			if i > 0 {
				fmt.Fprintln(a.out)
			}
			a.text().Status(a.out, s)
		}
	}
	if a.output == "json" {
		err = render.ConditionsJSON(a.out, told)
	}
	if err != nil {
		return err
	}
	return exit(worst)
}
