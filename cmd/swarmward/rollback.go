package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
)

type rollbackFlags struct {
	yes        bool
	lease      leaseFlags
	by, reason string
}

func (a *app) rollbackCmd() *cobra.Command {
	var f rollbackFlags
	cmd := &cobra.Command{
		Use:   "rollback [STACK] [N]",
		Short: "Take a stack back to a revision that worked",
		Long: `Bring a stack, the one named or that of the spec, back to record N: everything that
the revision had which worked then. Without N it is the last record that is not
what runs. history lists the records. It shows the plan, asks (on a terminal,
unless --yes), applies it, waits until every service has converged, and runs the
checks of that revision, as apply does.

So that run does not undo it at once, the spec's revision is held: the Swarm stays
at the record until the spec changes, or swarmward resume.`,
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: completeStacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, n, err := stackAndNumber(args)
			if err != nil {
				return err
			}
			return a.rollback(cmd, name, n, f)
		},
	}
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().StringVar(&f.reason, "reason", "", "`TEXT` that says why, for those who wonder")
	f.lease.register(cmd, false)
	cmd.Flags().StringVar(&f.by, "by", person(), "`NAME` of who does it")
	a.takesGit(cmd)
	return cmd
}

// stackAndNumber of the arguments, each of which may be left out. A lone number
// is the record's.
func stackAndNumber(args []string) (stack string, number int, err error) {
	if len(args) == 0 {
		return "", 0, nil
	}
	last := args[len(args)-1]
	number, err = strconv.Atoi(last)
	switch {
	case err != nil && len(args) == 1:
		return last, 0, nil
	case err != nil || number < 1:
		return "", 0, fmt.Errorf("%s is no record: swarmward rollback [STACK] [N], where N counts from 1", last)
	case len(args) == 2:
		return args[0], number, nil
	}
	return "", number, nil
}

func (a *app) rollback(cmd *cobra.Command, name string, number int, f rollbackFlags) error {
	if err := f.lease.check(); err != nil {
		return err
	}
	x, err := a.oneSubject(cmd, name)
	if err != nil {
		return err
	}
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	to, err := r.Return(cmd.Context(), x.name, x.spec, number)
	if err != nil {
		return err
	}
	if a.output == "text" {
		fmt.Fprintf(a.out, "Back to record %d, which worked %s:\n\n", to.Record.Number, reconcile.Ago(to.Record.At, time.Now()))
		if err := a.showPlan(to.Plan, 0); err != nil {
			return err
		}
	}
	if to.Suspended != nil {
		code, err := a.refuse(to.Suspended.Refusal(x.name), &reconcile.Outcome{
			Stack: x.name, Revision: to.Record.Revision, Plan: to.Plan, Standing: reconcile.Standing{Suspended: to.Suspended},
		})
		return errors.Join(err, exit(code))
	}
	asks := to.Plan.Writes() && !f.yes && a.output == "text" && isTerminal(a.in) && isTerminal(a.out)
	r.Lease, r.Replanned = f.lease.lease(cmd.Context(), e, cmd.Name()), a.agreed(asks)
	if asks {
		if answer := a.ask(cmd.Context(), "\nGo back? Only yes is taken for it: "); answer != "yes" {
			fmt.Fprintln(a.out, "Nothing was changed.")
			return exit(reconcile.ExitStopped)
		}
	}
	return a.goBack(cmd, r, to, reconcile.Hold{Why: "rolled back by " + f.by + because(f.reason), Since: time.Now().UTC().Truncate(time.Second)})
}

func (a *app) goBack(cmd *cobra.Command, r *reconcile.Reconciler, to *reconcile.Return, h reconcile.Hold) error {
	p := a.progress(to.At)
	r.Report, r.Heartbeat = p.event, p.heartbeat()
	o := r.GoBack(cmd.Context(), to, h)
	p.end()
	var err error
	if a.output == "json" {
		err = render.OutcomeJSON(a.out, o)
	} else {
		a.text().Outcome(a.out, o, serviceKeys(to.At))
	}
	if begun := o.At != nil; begun && a.output == "text" {
		fmt.Fprintln(a.out)
		a.text().Said(a.out, heldBy(to))
	}
	switch {
	case o.Suspended != nil:
		report(a.err, o.Suspended.Refusal(o.Stack))
	case o.Err != nil && cmd.Context().Err() != nil && o.At == nil:
		report(a.err, errors.New("interrupted; nothing was written"))
	case o.Err != nil && cmd.Context().Err() != nil:
		report(a.err, onTheWay(to.Record.Number))
	case o.Err != nil:
		report(a.err, o.Err)
	}
	return errors.Join(err, exit(o.ExitCode()))
}

// onTheWay is what an interrupt leaves of a way back.
func onTheWay(record int) error {
	return fmt.Errorf("interrupted on the way back to record %d; what was written stays, and the next pass of run goes on to the record, or `swarmward rollback %[1]d`", record)
}

// heldBy tells what keeps run from undoing a rollback.
func heldBy(to *reconcile.Return) string {
	switch {
	case to.Held != nil:
		return fmt.Sprintf("Revision %s of the spec is held: run keeps the Swarm at record %d until the spec changes, or `swarmward resume %s`.", short(to.Held.Revision), to.Record.Number, to.At.Name)
	case to.Current != nil:
		return "That is what the spec says, so nothing is held."
	}
	return fmt.Sprintf("The spec is not at hand, so nothing is held: run brings the stack to its spec again, unless `swarmward suspend %s`.", to.At.Name)
}
