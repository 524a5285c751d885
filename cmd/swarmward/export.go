package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/spec"
)

// export is what its flags say.
type export struct {
	secrets string
	pin     bool
	dir     string
	write   string
	force   bool
	record  int
}

func (a *app) exportCmd() *cobra.Command {
	var x export
	cmd := &cobra.Command{
		Use:   "export STACK",
		Short: "Write a live stack as a spec; makes read-only calls alone",
		Long: `Write a stack of the Swarm, whoever deployed it, as a spec: a plan made from it
is empty, but for what is to be adopted. Makes read-only calls alone.

Swarm gives no secret back. With --secrets external the spec uses those that
are there; with --secrets environment it takes their contents from variables,
which it lists. A spec has no words for some of what can be done by hand: that
is told, and left as it is by x-swarmward.ignore. depends_on and checks are not
in a Swarm; add them.

With --revision N it writes what a record of the history has, with depends_on and
checks.`,
		Args:              oneStack,
		ValidArgsFunction: completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.export(cmd.Context(), args[0], x) },
	}
	f := cmd.Flags()
	f.StringVar(&x.secrets, "secrets", string(spec.SecretsExternal), "`HOW` the spec has its secrets: external or environment")
	f.BoolVar(&x.pin, "pin", false, "keep the digests that images were resolved to")
	f.StringVar(&x.dir, "dir", "", "`DIR` for the contents of configs that are long or no text (default: all in the spec)")
	f.StringVarP(&x.write, "write", "w", "", "`FILE` to write, instead of stdout")
	f.IntVar(&x.record, "revision", 0, "write record `N` of swarmward history instead of what is live")
	f.BoolVar(&x.force, "force", false, "overwrite files that exist")
	return cmd
}

func oneStack(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one stack: swarmward export STACK; `docker stack ls` lists them")
	}
	return nil
}

func completeStacks(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	e, err := engine.New(nil)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer e.Close()
	stacks, err := e.Stacks(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return slices.Sorted(maps.Keys(stacks)), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) export(ctx context.Context, stack string, x export) error {
	if err := x.check(a.output); err != nil {
		return err
	}
	e, err := engine.New(a.logger("text"))
	if err != nil {
		return err
	}
	defer e.Close()
	live, err := e.Live(ctx, stack)
	if err != nil {
		return err
	}
	o := spec.ExportOptions{Pin: x.pin, Secrets: spec.SecretsFrom(x.secrets)}
	if x.dir != "" {
		if o.Dir, err = x.relativeDir(); err != nil {
			return err
		}
	}
	var invalid *spec.Invalid
	if x.record != 0 {
		if live, o.Known, err = a.recorded(ctx, e, live, x.record); err != nil {
			return err
		}
	} else if len(live.Services) == 0 {
		return noStack(ctx, e, stack)
	} else if err := settle(ctx, e, live, &o); err != nil && !errors.As(err, &invalid) {
		return err
	}
	out, err := spec.Export(live, o)
	if err != nil {
		return err
	}
	if err := x.save(a.out, out); err != nil {
		return err
	}
	a.mind(live, out, invalid)
	if invalid != nil {
		return exitCode(reconcile.ExitError)
	}
	return nil
}

func (x export) check(output string) error {
	switch {
	case output != "text":
		return errors.New("export writes a spec, which is YAML: leave out --output")
	case x.secrets != string(spec.SecretsExternal) && x.secrets != string(spec.SecretsEnvironment):
		return fmt.Errorf("--secrets %q: must be external or environment", x.secrets)
	case x.write != "" && !x.force:
		return absent(x.write)
	}
	return nil
}

func absent(file string) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s exists; give --force to overwrite it", file)
	}
	return nil
}

// relativeDir is --dir as the spec says it: relative to its own folder.
func (x export) relativeDir() (string, error) {
	from, err := filepath.Abs(filepath.Dir(x.write))
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(x.dir)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(from, to)
	return filepath.ToSlash(rel), err
}

func noStack(ctx context.Context, e *engine.Engine, name string) error {
	stacks, err := e.Stacks(ctx)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(stacks))
	switch near := spec.Nearest(name, names); {
	case len(names) == 0:
		return fmt.Errorf("stack %s is not in the Swarm, which has none; a stack is what `docker stack deploy` or swarmward made", name)
	case near != "":
		return fmt.Errorf("stack %s is not in the Swarm; did you mean %s? There are: %s", name, near, strings.Join(names, ", "))
	}
	return fmt.Errorf("stack %s is not in the Swarm; there are: %s", name, strings.Join(names, ", "))
}

// settle plans with what would be written. What the spec cannot say becomes
// x-swarmward.ignore; what remains even so is noted.
func settle(ctx context.Context, e *engine.Engine, live spec.Live, o *spec.ExportOptions) error {
	p, err := rehearse(ctx, e, live, *o)
	if err != nil {
		return err
	}
	paths, remains := p.Unsaid()
	if len(paths) > 0 {
		for _, path := range paths {
			o.Notes = append(o.Notes, path+": a spec cannot say what it is in the Swarm; x-swarmward.ignore leaves it as it is")
		}
		o.Ignore = paths
		if p, err = rehearse(ctx, e, live, *o); err != nil {
			return err
		}
		paths, remains = p.Unsaid()
		remains = append(paths, remains...)
	}
	for _, line := range remains {
		o.Notes = append(o.Notes, "a plan will show this: "+line)
	}
	return nil
}

// rehearse plans with the spec that o gives. The secrets are external, whatever
// o says: nobody knows their contents.
func rehearse(ctx context.Context, e *engine.Engine, live spec.Live, o spec.ExportOptions) (*reconcile.Plan, error) {
	dir, err := os.MkdirTemp("", "swarmward-export-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	o.Secrets, o.Dir = spec.SecretsExternal, "."
	out, err := spec.Export(live, o)
	if err != nil {
		return nil, err
	}
	for name, data := range out.Files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(dir, "spec.yaml")
	if err := os.WriteFile(file, out.YAML, 0o600); err != nil {
		return nil, err
	}
	stack, err := spec.Load(ctx, spec.Options{Files: []string{file}, Environ: os.Environ()})
	if err != nil {
		return nil, err
	}
	p, _, err := (&reconcile.Reconciler{Engine: e}).Plan(ctx, stack)
	return p, err
}
