package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

// subject is a stack that a verb is about; spec is nil where none is at hand.
type subject struct {
	name string
	spec *spec.Stack
}

// subjects are the stacks of the spec, or the one that is named, by an argument
// or where there is no spec by --stack. Its spec is used where it is at hand.
func (a *app) subjects(cmd *cobra.Command, name string) ([]subject, error) {
	given := cmd.Flags().Changed("file") || a.git.URL != ""
	stacks, err := a.stacks(cmd.Context())
	if name == "" && a.stack != "" && !given && errors.Is(err, fs.ErrNotExist) {
		name = a.stack
	}
	if name == "" {
		if err != nil {
			return nil, fmt.Errorf("%w\nwithout its spec, name the stack: %s --stack NAME", err, cmd.CommandPath())
		}
		var out []subject
		for _, s := range stacks {
			out = append(out, subject{s.Name, s})
		}
		return out, nil
	}
	if given && err != nil {
		return nil, err
	}
	var names []string
	for _, s := range stacks {
		if s.Name == name {
			return []subject{{name, s}}, nil
		}
		names = append(names, s.Name)
	}
	if given {
		return nil, fmt.Errorf("stack %s is not in what -f names, which has %s", name, strings.Join(names, ", "))
	}
	return []subject{{name: name}}, nil
}

// oneSubject is the one stack that a verb is about.
func (a *app) oneSubject(cmd *cobra.Command, name string) (subject, error) {
	all, err := a.subjects(cmd, name)
	if err != nil {
		return subject{}, err
	}
	if i := slices.IndexFunc(all, func(x subject) bool { return x.name == a.stack }); i >= 0 {
		return all[i], nil
	}
	if len(all) != 1 {
		return subject{}, fmt.Errorf("-f names %d stacks; say which one: %s --stack NAME", len(all), cmd.CommandPath())
	}
	return all[0], nil
}

// inSwarm makes sure of stacks whose spec is not at hand: a name that is
// misspelt would be remembered for nobody.
func inSwarm(cmd *cobra.Command, e *engine.Engine, all []subject) error {
	for _, s := range all {
		if s.spec != nil {
			continue
		}
		known, err := e.Stacks(cmd.Context())
		if err != nil {
			return err
		}
		if !slices.Contains(slices.Collect(maps.Keys(known)), s.name) {
			return noStack(cmd.Context(), e, s.name)
		}
	}
	return nil
}

// person is who gives a command, unless --by says somebody else.
func person() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil || name == "" {
		return name + host
	}
	return name + "@" + host
}

func firstArg(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// refuse tells why nothing is done, with the exit code for that.
func (a *app) refuse(why error, o *reconcile.Outcome) (int, error) {
	if o.Suspended == nil && o.Held == nil { // what is remembered cannot be read
		return 0, why
	}
	report(a.err, why)
	if a.output == "json" {
		return reconcile.ExitStopped, render.OutcomeJSON(a.out, o)
	}
	return reconcile.ExitStopped, nil
}
