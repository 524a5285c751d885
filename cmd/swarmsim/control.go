package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/manager/allocator"
	"github.com/moby/swarmkit/v2/manager/allocator/networkallocator"
	"github.com/moby/swarmkit/v2/manager/orchestrator/constraintenforcer"
	"github.com/moby/swarmkit/v2/manager/orchestrator/global"
	"github.com/moby/swarmkit/v2/manager/orchestrator/jobs"
	"github.com/moby/swarmkit/v2/manager/orchestrator/replicated"
	"github.com/moby/swarmkit/v2/manager/orchestrator/taskreaper"
	"github.com/moby/swarmkit/v2/manager/orchestrator/volumeenforcer"
	"github.com/moby/swarmkit/v2/manager/scheduler"
	"github.com/moby/swarmkit/v2/manager/state/store"
	"google.golang.org/grpc/status"
)

// startControl runs what a leader runs, all of it Swarm's own code, until the
// process ends.
func startControl(ctx context.Context, s *store.MemoryStore, networks networkallocator.Provider, log *slog.Logger) error {
	na, err := networks.NewAllocator(nil)
	if err != nil {
		return fmt.Errorf("network allocator: %w", err)
	}
	alloc, sched := allocator.New(s, na), scheduler.New(s)
	replicas, globals, job := replicated.NewReplicatedOrchestrator(s), global.NewGlobalOrchestrator(s), jobs.NewOrchestrator(s)
	constraints, volumes, reaper := constraintenforcer.New(s), volumeenforcer.New(s), taskreaper.New(s)

	run := func(name string, f func(context.Context) error) {
		go func() {
			if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
				log.Error(name+" stopped", "err", err)
			}
		}()
	}
	plain := func(f func()) func(context.Context) error {
		return func(context.Context) error { f(); return nil }
	}
	run("allocator", alloc.Run)
	run("scheduler", sched.Run)
	run("replicated orchestrator", replicas.Run)
	run("global orchestrator", globals.Run)
	run("jobs orchestrator", plain(func() { job.Run(ctx) }))
	run("task reaper", plain(func() { reaper.Run(ctx) }))
	run("constraint enforcer", plain(constraints.Run))
	run("volume enforcer", plain(volumes.Run))
	return nil
}

// called gives an error of the control API the shape that it has after its way
// through gRPC, which is what a daemon hands on to its clients.
func called[T any](response T, err error) (T, error) {
	if err != nil {
		return response, status.Convert(err).Err()
	}
	return response, nil
}

// verbatim is an error in the very words of the Engine, or of another program,
// which do not follow our style.
func verbatim(format string, args ...any) error { return fmt.Errorf(format, args...) }

// lookup finds an object as every daemon does: by its whole id, then by its
// name, then by the beginning of its id.
func lookup[T any](kind, input string, byID func() (T, error), list func(names, idPrefixes []string) ([]T, error)) (T, error) {
	if found, err := byID(); err == nil {
		return found, nil
	}
	var none T
	found, err := list([]string{input}, nil)
	if err != nil || len(found) == 0 {
		found, err = list(nil, []string{input})
	}
	switch {
	case err != nil:
		return none, err
	case len(found) == 0 && kind == "network":
		// The daemon gives this one no class, so that it becomes a 500.
		return none, fmt.Errorf("network %s not found", input)
	case len(found) == 0:
		return none, errdefs.NotFound(fmt.Errorf("%s %s not found", kind, input))
	case len(found) > 1:
		return none, errdefs.InvalidParameter(fmt.Errorf("%s %s is ambiguous (%d matches found)", kind, input, len(found)))
	}
	return found[0], nil
}
