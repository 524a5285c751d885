package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

func (a *app) checkCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [NAME...]",
		Short: "Run the checks alone",
		Long: `Run the checks of the spec, or those named, and nothing else: nothing in the
Swarm is changed. The redis check writes one key, which expires by itself, and
the centrifugo check publishes to a channel where nobody is.

The result is a table; what failed comes with a diagnosis: the tasks and their
errors, the last log lines, recent changes, and commands to look closer.`,
		RunE: a.check,
	}
	a.takesGit(cmd)
	return cmd
}

func (a *app) check(cmd *cobra.Command, names []string) error {
	stacks, err := a.stacks(cmd.Context())
	if err != nil {
		return err
	}
	if err := known(stacks, names); err != nil {
		return err
	}
	r, e, err := a.reconciler("text")
	if err != nil {
		return err
	}
	defer e.Close()
	code := reconcile.ExitOK
	for _, s := range stacks {
		checks := slices.DeleteFunc(slices.Clone(s.Settings.Checks), func(c spec.Check) bool {
			return len(names) > 0 && !slices.Contains(names, c.Name)
		})
		results := r.Verify(cmd.Context(), s, checks)
		if a.output == "json" {
			err = render.ChecksJSON(a.out, s.Name, results)
		} else if len(results) == 0 && len(stacks) == 1 {
			fmt.Fprintf(a.out, "stack %s has no checks; x-swarmward.checks in the spec names them\n", s.Name)
		} else {
			a.text().Checks(a.out, results)
		}
		if err != nil {
			return err
		}
		code = worse(code, reconcile.ChecksExitCode(results))
	}
	return exit(code)
}

// known refuses a name that no stack has a check of.
func known(stacks []*spec.Stack, names []string) error {
	var all []string
	for _, s := range stacks {
		for _, c := range s.Settings.Checks {
			all = append(all, c.Name)
		}
	}
	for _, n := range names {
		if !slices.Contains(all, n) {
			return fmt.Errorf("check %q is not in the spec; it has: %s", n, strings.Join(all, ", "))
		}
	}
	return nil
}
