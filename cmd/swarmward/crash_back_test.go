package main

import (
	"context"
	"os"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/spec"
)

// backScenarios break off what goes back: the note of an attempt, the hold, the
// way to the record, and the way on.
func backScenarios() []scenario {
	return []scenario{
		{name: "goes back", before: goodOne, after: bad, act: untilHeld, exit: reconcile.ExitNotConverged},
		{name: "goes on", before: heldOne, after: func(s *shape) { s.Conf, s.Grace = "maxmemory 100mb", "" }},
		{name: "rolled back by hand", before: twoOnes, args: []string{"rollback", "1", "--yes", "--by", "ana"}, act: rollBack},
	}
}

// backLanes kill the process at every write and every few calls, and have each
// write fail: what the calls between do is tried with the other scenarios.
func backLanes(s scenario) []lane {
	if os.Getenv("SWARMWARD_CRASH") == "all" {
		return lanes(s)
	}
	s.writes = true
	const never = 1000
	return []lane{{s, kill, 1, 6}, {s, breakage(swarmlab.Cut), 1, never}, {s, breakage(swarmlab.Fail), 1, never}, {s, stop, 4, 15}}
}

func goodOne(g *ground) {
	g.shape.GoesBack = true
	deployed(g)
}

// bad is a revision that nobody can log in to.
func bad(s *shape) { s.Conf, s.Env, s.Grace = "requirepass nobody-knows", "new", "100ms" }

func heldOne(g *ground) {
	goodOne(g)
	bad(&g.shape)
	g.settled("the revision to be held", g.pass(scenario{act: untilHeld}, g.direct))
}

func twoOnes(g *ground) {
	goodOne(g)
	g.shape.Conf, g.shape.Env = "maxmemory 100mb", "new"
	deployed(g)
}

// untilHeld is a pass over a revision that is to be held: well when it is, and
// everything works at the record.
func untilHeld(ctx context.Context, r *reconcile.Reconciler, s *spec.Stack) *reconcile.Outcome {
	o := r.Pass(ctx, s)
	if o.Back != nil {
		o = o.Back
	}
	if o.Held == nil || o.ExitCode() != reconcile.ExitStopped {
		return o
	}
	well := *o
	well.Held = nil
	return &well
}

func rollBack(ctx context.Context, r *reconcile.Reconciler, s *spec.Stack) *reconcile.Outcome {
	to, err := r.Return(ctx, s.Name, s, 1)
	if err != nil {
		return &reconcile.Outcome{Err: err}
	}
	return r.GoBack(ctx, to, reconcile.Hold{Why: "rolled back by ana"})
}
