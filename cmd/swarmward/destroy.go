package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

func (a *app) destroyCmd() *cobra.Command {
	var yes, dryRun, keepHistory bool
	var lease leaseFlags
	cmd := &cobra.Command{
		Use:   "destroy [STACK]",
		Short: "Remove a stack; volumes stay",
		Long: `Remove the services, configs, secrets and networks that swarmward made or adopted
for a stack: the one named, or the one of the spec. Volumes stay with their data,
and so does everything that somebody else made; what stays is listed with the
command that would remove it. The records of the stack's history go too, for the
secrets that they name are gone; --keep-history keeps them. Shows what it would do and asks first; without a
terminal it takes --yes. A suspended stack is left alone.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := a.stackToDestroy(cmd, args)
			if err != nil {
				return err
			}
			return a.destroy(cmd, name, yes, dryRun, keepHistory, lease)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be removed and remove nothing")
	cmd.Flags().BoolVar(&keepHistory, "keep-history", false, "keep the records of the stack's history")
	lease.register(cmd, false)
	a.takesGit(cmd)
	return cmd
}

// stackToDestroy is the argument, or --stack, or what the spec says.
func (a *app) stackToDestroy(cmd *cobra.Command, args []string) (string, error) {
	switch {
	case len(args) > 0 && a.stack != "" && a.stack != args[0]:
		return "", fmt.Errorf("destroy %s with --stack %s: name one stack", args[0], a.stack)
	case len(args) > 0:
		return args[0], nil
	case a.stack != "":
		return a.stack, nil
	}
	stacks, err := a.stacks(cmd.Context())
	if err != nil {
		return "", fmt.Errorf("%w\nto remove a stack without its spec, name it: swarmward destroy STACK", err)
	}
	if len(stacks) != 1 {
		return "", fmt.Errorf("-f names %d stacks; say which one to remove: swarmward destroy STACK", len(stacks))
	}
	return stacks[0].Name, nil
}

func (a *app) destroy(cmd *cobra.Command, name string, yes, dryRun, keepHistory bool, lease leaseFlags) error {
	if err := lease.check(); err != nil {
		return err
	}
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	stack := &spec.Stack{Name: name}
	seen, err := r.Observe(cmd.Context(), stack)
	if err != nil {
		return err
	}
	plan := reconcile.Destroy(name, seen)
	if !keepHistory {
		plan.Forget(seen)
	}
	if len(plan.Changes) == 0 {
		return fmt.Errorf("there is nothing of a stack %s in this Swarm; docker stack ls shows what there is", name)
	}
	if a.output == "text" || dryRun {
		if err := a.showPlan(plan, 0); err != nil {
			return err
		}
	}
	if dryRun {
		if plan.Writes() {
			return exit(reconcile.ExitChanges)
		}
		return nil
	}
	switch m, err := reconcile.MemoryOf(seen, name); {
	case err != nil: // somebody else's, or not readable: the stack goes all the same
	case m.Suspended != nil && plan.Writes():
		code, err := a.refuse(m.Suspended.Refusal(name), &reconcile.Outcome{
			Stack: name, Plan: plan, Standing: reconcile.Standing{Suspended: m.Suspended},
		})
		return errors.Join(err, exit(code))
	}
	if plan.Writes() && !yes {
		if !isTerminal(a.in) || !isTerminal(a.out) || a.output != "text" {
			return errors.New("destroy asks before it removes anything, and there is no terminal to ask on; give --yes")
		}
		if answer := a.ask(cmd.Context(), fmt.Sprintf("\nRemove stack %s? Only its name is taken for yes: ", name)); answer != name {
			fmt.Fprintln(a.out, "Nothing was removed.")
			return exit(reconcile.ExitStopped)
		}
	}
	p := a.progress(stack)
	r.Report, r.Heartbeat = p.event, p.heartbeat()
	r.Lease, r.Replanned = lease.lease(cmd.Context(), e, cmd.Name()), a.agreed(!yes)
	o := r.Destroy(cmd.Context(), name, plan, seen)
	p.end()
	if a.output == "json" {
		err = render.OutcomeJSON(a.out, o)
	} else {
		a.text().Destroyed(a.out, o)
	}
	switch {
	case o.Err != nil && cmd.Context().Err() != nil:
		report(a.err, errors.New("interrupted; what was removed is gone, and the next destroy continues from there"))
	case o.Err != nil:
		report(a.err, o.Err)
	}
	return errors.Join(err, exit(o.ExitCode()))
}
