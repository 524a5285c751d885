package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

type applyFlags struct {
	planFlags
	lease         leaseFlags
	dryRun, yes   bool
	outsideWindow bool
	saved         string
}

func (a *app) applyCmd() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the Swarm what the spec says, wait until it runs, check that it works",
		Long: `Make one pass: compare the spec with the Swarm, show the plan, ask (on a
terminal, unless --yes), apply it in dependency order, wait until every service
has converged, and run the checks. What already is as the spec says is not
written. Exits with 0 only when everything converged and every check passed.

With --plan FILE it does what that plan, kept by plan --out, showed, and asks
nothing; when that is no longer what would be done, it refuses and does nothing.
It still needs the spec, for the contents of secrets.

A stack with windows of its own is written to while one of them is open, or with
--outside-window.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.dryRun {
				if f.saved != "" {
					return errors.New("--dry-run with --plan: plan alone shows what would be done")
				}
				return a.plan(cmd, f.planFlags)
			}
			return a.apply(cmd, f)
		},
	}
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show the plan and write nothing, as plan does")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&f.outsideWindow, "outside-window", false, "write although none of the stack's windows is open")
	cmd.Flags().StringVar(&f.saved, "plan", "", "do exactly what the plan in `FILE` shows, or refuse")
	f.register(cmd)
	f.lease.register(cmd, false)
	a.writesMarkdown(cmd, withDryRun, "`FORMAT` of the result on stdout: text or json; with --dry-run also markdown")
	a.takesGit(cmd)
	return cmd
}

func (a *app) apply(cmd *cobra.Command, f applyFlags) error {
	var saved *planFile
	if f.saved != "" {
		if len(f.targets)+len(f.rotate) > 0 || f.allowPruneAll {
			return errors.New("--target, --rotate and --allow-prune-all belong to the plan: give them to plan --out")
		}
		var err error
		if saved, err = readPlans(f.saved); err != nil {
			return err
		}
		f.planFlags, f.yes = saved.flags(), true
	}
	stacks, err := a.limited(cmd, f.targets)
	if err != nil {
		return err
	}
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	if err := f.lease.check(); err != nil {
		return err
	}
	r.Lease = f.lease.lease(cmd.Context(), e, cmd.Name())
	if r.Differ, err = f.differ(r.Differ, stacks); err != nil {
		return err
	}
	// Every plan is held to the saved one before the first is applied.
	for _, s := range stacks {
		if saved == nil {
			break
		}
		plan, _, err := r.Plan(cmd.Context(), s)
		if err != nil {
			return err
		}
		if err := saved.match(f.saved, plan); err != nil {
			report(a.err, err)
			return exit(reconcile.ExitStopped)
		}
	}
	worst := reconcile.ExitOK
	for i, s := range stacks {
		code, err := a.applyStack(cmd, r, s, f, saved, i)
		if err != nil {
			return err
		}
		worst = worse(worst, code)
	}
	return exit(worst)
}

// worse of two exit codes: an error before anything else, what could not be
// tried last.
func worse(x, y int) int {
	for _, c := range []int{reconcile.ExitError, reconcile.ExitNotConverged, reconcile.ExitCheckFailed, reconcile.ExitStopped, reconcile.ExitUnknown} {
		if x == c || y == c {
			return c
		}
	}
	return reconcile.ExitOK
}

func (a *app) applyStack(cmd *cobra.Command, r *reconcile.Reconciler, s *spec.Stack, f applyFlags, saved *planFile, i int) (int, error) {
	plan, seen, err := r.Plan(cmd.Context(), s)
	if err != nil {
		return 0, err
	}
	if saved != nil {
		if err := saved.match(f.saved, plan); err != nil {
			report(a.err, err)
			return reconcile.ExitStopped, nil
		}
	}
	if a.output == "text" {
		if err := a.showPlan(plan, i); err != nil {
			return 0, err
		}
	}
	if at, refused := r.Refusal(s, seen); refused != nil {
		return a.refuse(refused, &reconcile.Outcome{Stack: s.Name, Revision: s.Revision, Plan: plan, Standing: at})
	}
	if shut := reconcile.ShutAt(s, time.Now()); shut != nil && plan.Writes() && !f.outsideWindow {
		report(a.err, shut.Refusal(s.Name))
		return reconcile.ExitStopped, nil
	}
	asks := plan.Writes() && !f.yes && a.output == "text" && isTerminal(a.in) && isTerminal(a.out)
	if asks {
		if answer := a.ask(cmd.Context(), "\nApply this plan? Only yes is taken for it: "); answer != "yes" {
			fmt.Fprintln(a.out, "Nothing was changed.")
			return reconcile.ExitStopped, nil
		}
	}
	r.Replanned = a.agreed(asks)
	if saved != nil {
		r.Replanned = func(_, is *reconcile.Plan) error {
			if err := saved.match(f.saved, is); err != nil {
				return fmt.Errorf("%w: %w", reconcile.ErrReplanned, err)
			}
			return nil
		}
	}
	p := a.progress(s)
	r.Report, r.Heartbeat = p.event, p.heartbeat()
	o := r.Proceed(cmd.Context(), s, plan, seen)
	p.end()
	if a.output == "json" {
		err = render.OutcomeJSON(a.out, o)
	} else {
		a.text().Outcome(a.out, o, serviceKeys(s))
	}
	switch {
	case o.Err == nil:
	case cmd.Context().Err() == nil:
		report(a.err, o.Err)
	case o.Back != nil: // an apply would be refused
		report(a.err, onTheWay(o.Answer.Record))
	default:
		report(a.err, fmt.Errorf("interrupted; what was written stays, and the next apply continues from there"))
	}
	return o.ExitCode(), err
}

// ask returns the line that is typed, or nothing when ctx ends first.
func (a *app) ask(ctx context.Context, question string) string {
	fmt.Fprint(a.out, question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.out)
		return ""
	case line := <-answer:
		return line
	}
}

func serviceKeys(s *spec.Stack) []string {
	var keys []string
	for _, x := range s.Services {
		keys = append(keys, x.Key)
	}
	return keys
}
