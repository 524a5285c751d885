package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

// planFlags say what a plan is about and what it may do.
type planFlags struct {
	allowPruneAll bool
	targets       []string
	rotate        []string
	out           string
	against       int
}

func (f *planFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.allowPruneAll, "allow-prune-all", false, "allow a plan that removes most of a stack's services")
	cmd.Flags().StringArrayVar(&f.targets, "target", nil, "limit to this `OBJECT` of the spec, such as services.redis, and what it uses; may be repeated")
	cmd.Flags().StringArrayVar(&f.rotate, "rotate", nil, "replace this adopted `SECRET`, whose content nothing has proved, by what the spec says; may be repeated")
}

// differ compares as the flags say.
func (f *planFlags) differ(d reconcile.Differ, stacks []*spec.Stack) (reconcile.Differ, error) {
	d.AllowPruneAll, d.Rotate = f.allowPruneAll, map[string]bool{}
	var known []string
	for _, s := range stacks {
		for _, x := range s.Secrets {
			known = append(known, x.Key)
		}
	}
	for _, key := range f.rotate {
		if !slices.Contains(known, key) {
			return d, fmt.Errorf("--rotate: secret %q is not in the spec, which has %s", key, cmp.Or(strings.Join(known, ", "), "none"))
		}
		d.Rotate[key] = true
	}
	return d, nil
}

func (a *app) planCmd() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change; makes read-only calls alone",
		Long: `Show what apply would change, field by field, and what each change would cost.
Makes read-only calls alone. Exits with 2 when there is something to change or a
blocked difference, with 0 when the Swarm is what the spec says. With --out the
plan is also kept in a file, for apply --plan to do exactly that and no more. With
--against N it shows what going back to a record of the history would change.

-o json is for programs. -o markdown is a comment for a pull request; its first
line is the same each time, so that a bot finds the comment to replace.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("against") {
				return a.plan(cmd, f)
			}
			if err := f.checkAgainst(); err != nil {
				return err
			}
			return a.planAgainst(cmd, f.against)
		},
	}
	f.register(cmd)
	cmd.Flags().IntVar(&f.against, "against", 0, "compare record `N` of swarmward history with the Swarm, instead of the spec")
	cmd.Flags().StringVar(&f.out, "out", "", "also keep the plan in `FILE`, for apply --plan")
	a.writesMarkdown(cmd, "always", "`FORMAT` of the plan on stdout: text, json or markdown")
	a.takesGit(cmd)
	return cmd
}

func (a *app) plan(cmd *cobra.Command, f planFlags) error {
	stacks, err := a.limited(cmd, f.targets)
	if err != nil {
		return err
	}
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	if r.Differ, err = f.differ(r.Differ, stacks); err != nil {
		return err
	}
	code := reconcile.ExitOK
	var plans []*reconcile.Plan
	for i, s := range stacks {
		p, seen, err := r.Plan(cmd.Context(), s)
		if err != nil {
			return err
		}
		if err := a.showPlan(p, i); err != nil {
			return err
		}
		if _, refused := r.Refusal(s, seen); refused != nil {
			fmt.Fprintf(a.err, "warning: an apply is refused: %s\n", render.Printable(refused.Error()))
		}
		if !p.Empty() {
			code = reconcile.ExitChanges
		}
		plans = append(plans, p)
	}
	if f.out != "" {
		if err := savePlans(f.out, plans, f); err != nil {
			return err
		}
	}
	return exit(code)
}

// limited are the stacks, or the part of the one stack that targets name. Their
// warnings are told.
func (a *app) limited(cmd *cobra.Command, targets []string) ([]*spec.Stack, error) {
	stacks, err := a.stacks(cmd.Context())
	if err != nil {
		return nil, err
	}
	a.warnings(stacks)
	if len(targets) == 0 {
		return stacks, nil
	}
	if len(stacks) != 1 {
		return nil, fmt.Errorf("--target names objects of one stack, and -f names %d; name one file", len(stacks))
	}
	part, err := reconcile.Limit(stacks[0], targets)
	if err != nil {
		return nil, fmt.Errorf("--target: %w", err)
	}
	return []*spec.Stack{part}, nil
}

// showPlan writes the i-th plan of this run.
func (a *app) showPlan(p *reconcile.Plan, i int) error {
	if a.output == "json" {
		return render.PlanJSON(a.out, p)
	}
	if i > 0 {
		fmt.Fprintln(a.out)
	}
	if a.output == markdownFormat {
		return render.PlanMarkdown(a.out, p)
	}
	a.text().Plan(a.out, p)
	return nil
}
