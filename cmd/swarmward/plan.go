package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
)

func (a *app) planCmd() *cobra.Command {
	var allowPruneAll bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change; makes read-only calls alone",
		Long: `Show what apply would change, field by field, and what each change would cost.
Makes read-only calls alone. Exits with 2 when there is something to change or a
blocked difference, with 0 when the Swarm is what the spec says.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.plan(cmd, allowPruneAll) },
	}
	pruneFlag(cmd, &allowPruneAll)
	return cmd
}

func pruneFlag(cmd *cobra.Command, v *bool) {
	cmd.Flags().BoolVar(v, "allow-prune-all", false, "allow a plan that removes most of a stack's services")
}

func (a *app) plan(cmd *cobra.Command, allowPruneAll bool) error {
	stacks, err := a.stacks(cmd.Context())
	if err != nil {
		return err
	}
	a.warnings(stacks)
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	r.Differ.AllowPruneAll = allowPruneAll
	code := reconcile.ExitOK
	for i, s := range stacks {
		p, _, err := r.Plan(cmd.Context(), s)
		if err != nil {
			return err
		}
		if err := a.showPlan(p, i); err != nil {
			return err
		}
		if !p.Empty() {
			code = reconcile.ExitChanges
		}
	}
	return exit(code)
}

// showPlan writes the i-th plan of this run.
func (a *app) showPlan(p *reconcile.Plan, i int) error {
	if a.output == "json" {
		return render.PlanJSON(a.out, p)
	}
	if i > 0 {
		fmt.Fprintln(a.out)
	}
	a.text().Plan(a.out, p)
	return nil
}
