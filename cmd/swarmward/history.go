package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

func (a *app) historyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history [STACK]",
		Short: "List the revisions of a stack that worked",
		Long: `List the revisions of a stack that worked, newest first: when each was kept, what
it changed, who wrote it, and which checks passed. The stack is the one named, or
the one of the spec. Makes read-only calls alone.

A record is kept by apply and run, in the Swarm itself, of every revision whose
services all converged and whose checks all passed; the last five stay. It holds
the specs of services, networks and volumes, the settings, and the names of the
secrets and configs that were used, never a secret's content.

  swarmward history show N         all of one record
  swarmward plan --against N       what would change if it were applied
  swarmward export --revision N    it as a spec`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.history(cmd, args) },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "show [STACK] N",
		Short: "Show one record: what it was, what it changed, what proved it",
		Args:  cobra.RangeArgs(1, 2),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.showRecord(cmd, args) },
	})
	a.takesGit(cmd)
	return cmd
}

// records of a stack. One that is neither in the Swarm nor in a spec is a mistake.
func (a *app) records(ctx context.Context, x subject) ([]reconcile.Record, []reconcile.Unreadable, error) {
	r, e, err := a.reconciler("text")
	if err != nil {
		return nil, nil, err
	}
	defer e.Close()
	seen, err := r.Observe(ctx, &spec.Stack{Name: x.name})
	if err != nil {
		return nil, nil, err
	}
	records, unreadable := reconcile.Records(seen, x.name)
	if len(records)+len(unreadable)+len(seen.Services) == 0 && x.spec == nil {
		return nil, nil, noStack(ctx, e, x.name)
	}
	return records, unreadable, nil
}

func (a *app) history(cmd *cobra.Command, args []string) error {
	x, err := a.oneSubject(cmd, firstArg(args))
	if err != nil {
		return err
	}
	records, unreadable, err := a.records(cmd.Context(), x)
	if err != nil {
		return err
	}
	if a.output == "json" {
		return render.HistoryJSON(a.out, x.name, records, unreadable)
	}
	a.text().History(a.out, x.name, records, unreadable)
	return nil
}

func (a *app) showRecord(cmd *cobra.Command, args []string) error {
	number, name := args[len(args)-1], ""
	if len(args) == 2 {
		name = args[0]
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("history show %s: give the number of a record; swarmward history lists them", number)
	}
	x, err := a.oneSubject(cmd, name)
	if err != nil {
		return err
	}
	records, unreadable, err := a.records(cmd.Context(), x)
	if err != nil {
		return err
	}
	if _, err := reconcile.FindRecord(x.name, n, records, unreadable); err != nil {
		return err
	}
	i := slices.IndexFunc(records, func(r reconcile.Record) bool { return r.Number == n })
	if a.output == "json" {
		return render.RecordDocument(a.out, records, i)
	}
	a.text().Record(a.out, records, i)
	return nil
}

// records of a stack, as /api/v1/history has them.
func (c *controller) records(ctx context.Context, name string) (any, error) {
	seen, err := c.domain.Observe(ctx, &spec.Stack{Name: name})
	if err != nil {
		return nil, err
	}
	records, unreadable := reconcile.Records(seen, name)
	var errs []error
	for _, u := range unreadable {
		errs = append(errs, errors.New(u.String()))
	}
	return render.Records(records), errors.Join(errs...)
}

// recorded is a record as what there is to export.
func (a *app) recorded(ctx context.Context, e *engine.Engine, now spec.Live, n int) (spec.Live, *spec.Known, error) {
	seen, err := e.Observe(ctx, &spec.Stack{Name: now.Name})
	if err != nil {
		return now, nil, err
	}
	records, unreadable := reconcile.Records(seen, now.Name)
	r, err := reconcile.FindRecord(now.Name, n, records, unreadable)
	if err != nil {
		return now, nil, err
	}
	return r.Live(now)
}

// planAgainst shows what would change if the record with that number were
// applied.
func (a *app) planAgainst(cmd *cobra.Command, n int) error {
	x, err := a.oneSubject(cmd, "")
	if err != nil {
		return err
	}
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	seen, err := r.Observe(cmd.Context(), &spec.Stack{Name: x.name})
	if err != nil {
		return err
	}
	records, unreadable := reconcile.Records(seen, x.name)
	record, err := reconcile.FindRecord(x.name, n, records, unreadable)
	if err != nil {
		return err
	}
	stack, err := record.Stack(x.spec, seen, r.Differ.Fingerprints)
	if err != nil {
		return err
	}
	plan, _, err := r.Plan(cmd.Context(), stack)
	if err != nil {
		return err
	}
	if err := a.showPlan(plan, 0); err != nil {
		return err
	}
	if !plan.Empty() {
		return exit(reconcile.ExitChanges)
	}
	return nil
}

// checkAgainst refuses what a plan against a record cannot have.
func (f *planFlags) checkAgainst() error {
	if f.out != "" || len(f.targets)+len(f.rotate) > 0 {
		return errors.New("--against shows what a record would change: leave out --out, --target and --rotate")
	}
	return nil
}
