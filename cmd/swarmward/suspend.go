package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
)

func (a *app) suspendCmd() *cobra.Command {
	var reason, by string
	cmd := &cobra.Command{
		Use:   "suspend [STACK]",
		Short: "Have nothing written to a stack until it is resumed",
		Long: `Suspend a stack: the one named, or those of the spec. From its next pass on, run
writes nothing; it goes on to report what differs and to run the checks. An apply
or rollback is refused with exit code 5. Who suspended the stack, when and why is
kept in the Swarm, for every controller and every status. To end it:
swarmward resume.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeStacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.suspend(cmd, firstArg(args), reconcile.Suspension{By: by, Why: reason})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for those who wonder")
	cmd.Flags().StringVar(&by, "by", person(), "`NAME` of who suspends it")
	a.takesGit(cmd)
	return cmd
}

func (a *app) suspend(cmd *cobra.Command, name string, s reconcile.Suspension) error {
	all, err := a.subjects(cmd, name)
	if err != nil {
		return err
	}
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	if err := inSwarm(cmd, e, all); err != nil {
		return err
	}
	for _, x := range all {
		s.At = time.Now().UTC().Truncate(time.Second)
		already := false
		m, err := r.Remember(cmd.Context(), x.name, func(m *reconcile.Memory) bool {
			// Said again without a reason, it changes nothing.
			if already = m.Suspended != nil && (s.Why == "" || s.Why == m.Suspended.Why); already {
				return false
			}
			m.Suspended = &s
			return true
		})
		if err != nil {
			return err
		}
		if a.output == "json" {
			if err := render.MemoryJSON(a.out, x.name, m); err != nil {
				return err
			}
			continue
		}
		is := "is suspended"
		if already {
			is = "was suspended already"
		}
		a.text().Said(a.out, fmt.Sprintf("Stack %s %s, by %s%s. Nothing is written to it until `swarmward resume %s`.", x.name, is, m.Suspended.By, because(m.Suspended.Why), x.name))
	}
	return nil
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
