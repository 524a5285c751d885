package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
)

func (a *app) resumeCmd() *cobra.Command {
	var suspended, held bool
	cmd := &cobra.Command{
		Use:   "resume [STACK]",
		Short: "Let a stack be written again: end a suspension, try again what is held",
		Long: `End what keeps swarmward from bringing a stack, the one named or those of the
spec, to what its spec says: that it is suspended, and that its revision is held
because it did not prove itself. With --suspended or --held it ends only the one.
It writes nothing to the stack itself: the next pass does, of run or apply.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeStacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			if suspended == held { // neither, or both
				suspended, held = true, true
			}
			return a.resume(cmd, firstArg(args), suspended, held)
		},
	}
	cmd.Flags().BoolVar(&suspended, "suspended", false, "end the suspension alone")
	cmd.Flags().BoolVar(&held, "held", false, "try again what is held, and nothing else")
	a.takesGit(cmd)
	return cmd
}

func (a *app) resume(cmd *cobra.Command, name string, suspended, held bool) error {
	all, err := a.subjects(cmd, name)
	if err != nil {
		return err
	}
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	for _, x := range all {
		var was reconcile.Memory
		m, err := r.Remember(cmd.Context(), x.name, func(m *reconcile.Memory) bool {
			was = *m
			if suspended {
				m.Suspended = nil
			}
			if held {
				m.Held = nil
			}
			return m.Suspended != was.Suspended || m.Held != was.Held
		})
		if err == nil && m.ID == "" { // nothing is remembered of it
			err = inSwarm(cmd, e, []subject{x})
		}
		if err != nil {
			return err
		}
		if a.output == "json" {
			if err := render.MemoryJSON(a.out, x.name, m); err != nil {
				return err
			}
			continue
		}
		for _, line := range resumed(x.name, was, m) {
			a.text().Said(a.out, line)
		}
	}
	return nil
}

// resumed says what a resume ended, and what goes on.
func resumed(stack string, was, is reconcile.Memory) []string {
	var out []string
	if was.Suspended != nil && is.Suspended == nil {
		out = append(out, fmt.Sprintf("Stack %s is no longer suspended.", stack))
	}
	if was.Held != nil && is.Held == nil {
		out = append(out, fmt.Sprintf("Stack %s: revision %s is no longer held; the next pass tries it.", stack, short(was.Held.Revision)))
	}
	if len(out) == 0 {
		out = append(out, fmt.Sprintf("Stack %s: there was nothing to end.", stack))
	}
	if is.Suspended != nil {
		out = append(out, fmt.Sprintf("It is still suspended, by %s%s.", is.Suspended.By, because(is.Suspended.Why)))
	}
	if is.Held != nil {
		out = append(out, fmt.Sprintf("Revision %s is still held, at record %d: %s.", short(is.Held.Revision), is.Held.Record, is.Held.Why))
	}
	return out
}
