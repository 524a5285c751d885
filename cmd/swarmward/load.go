package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
	"github.com/swarmward/swarmward/spec/source"
)

func (a *app) options(in source.Input) spec.Options {
	return spec.Options{Files: in.Files, Name: a.stack, EnvFiles: a.envFiles, Environ: os.Environ(), Identities: a.ageFiles}
}

// stacks reads every stack that -f names, or that is in git. Two with one name would undo each
// other's work without end.
func (a *app) stacks(ctx context.Context) ([]*spec.Stack, error) {
	checkout, err := a.checkout(ctx)
	if err != nil {
		return nil, err
	}
	var out []*spec.Stack
	var errs []error
	for _, in := range checkout.Inputs {
		s, err := spec.Load(ctx, checkout.Options(in, a.options(in)))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, s)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return out, unique(out)
}

func unique(stacks []*spec.Stack) error {
	seen := map[string]*spec.Stack{}
	for _, s := range stacks {
		if other, dup := seen[s.Name]; dup {
			return fmt.Errorf("%s and %s are both stack %s; give one of them another `name:` line", other.Files[0], s.Files[0], s.Name)
		}
		seen[s.Name] = s
	}
	return nil
}

// warnings go to stderr: they are no result.
func (a *app) warnings(stacks []*spec.Stack) {
	for _, s := range stacks {
		for _, f := range s.Warnings {
			fmt.Fprintf(a.err, "warning: %s\n", render.Printable(f.String()))
		}
	}
}

// reconciler is the domain wired to this machine's Engine.
func (a *app) reconciler(logs string) (*reconcile.Reconciler, *engine.Engine, error) {
	log := a.logger(logs)
	e, err := engine.New(log)
	if err != nil {
		return nil, nil, err
	}
	e.MayJoin = true
	return &reconcile.Reconciler{
		Engine: e, Prober: check.Prober{Locator: e, Log: log},
		Differ: reconcile.Differ{Fingerprints: &reconcile.Fingerprints{}},
	}, e, nil
}
