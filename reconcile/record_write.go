package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// keptRecords is how many records of a stack are kept.
const keptRecords = 5

// keepRecord keeps a revision that has just been proved, unless the newest record
// says the same, drops the records beyond the last few, and then the revisions of
// secrets and configs that only those needed.
func (p *pass) keepRecord(ctx context.Context, seen *Observed) {
	if p.stack.Partial != nil || p.out.ExitCode() != ExitOK || len(p.errs) > 0 || ctx.Err() != nil {
		return
	}
	again := p.retries(PhaseRecord, "record")
	if len(p.out.Applied) > 0 {
		seen = nil // it was before what has been written since
	}
	dropped, err := p.upkeep(ctx, seen)
	for err != nil && again.after(ctx, err) {
		var more bool
		more, err = p.upkeep(ctx, nil)
		dropped = dropped || more
	}
	if err == nil && dropped {
		err = p.letGo(ctx)
	}
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("record: %w", err))
	}
}

// upkeep makes the records what they should be, as they are in seen or, without
// that, now. It may be tried again after any failure.
func (p *pass) upkeep(ctx context.Context, seen *Observed) (dropped bool, err error) {
	plan := p.plan
	if seen == nil {
		if plan, seen, err = p.again(ctx); err != nil || plan == nil {
			return false, err
		}
	}
	a := openArchive(seen, p.stack.Name)
	for _, c := range a.unfinished {
		if err := p.do(ctx, removal(c)); err != nil {
			return false, fmt.Errorf("unfinished part %s: %w", c.Spec.Name, err)
		}
	}
	r, err := newRecord(p.stack, plan, seen, p.out.Checks, p.Differ)
	if err != nil {
		return false, err
	}
	spare := a.records
	if len(spare) > 0 && spare[0].Same(r) {
		if w := p.writing; w != nil && w.Number == spare[0].Number { // the answer was lost
			p.kept(*w)
		}
	} else {
		if err := p.write(ctx, a, r); err != nil {
			return false, err
		}
		spare = append([]filed{{Record: r}}, spare...)
	}
	m, err := MemoryOf(seen, p.stack.Name)
	if err != nil {
		return false, err
	}
	for _, k := range spare[min(keptRecords, len(spare)):] {
		if m.Held != nil && m.Held.Record == k.Number {
			continue // the Swarm is kept there
		}
		for _, c := range k.objects { // without its first part the rest is known to be going
			if err := p.do(ctx, removal(c)); err != nil {
				return dropped, fmt.Errorf("old record %d: %w", k.Number, err)
			}
			dropped = true
		}
	}
	return dropped, nil
}

// again looks at the Swarm after the writes of this pass. Without a plan it is
// not what was proved any more: that is for the next pass.
func (p *pass) again(ctx context.Context) (*Plan, *Observed, error) {
	seen, err := p.Engine.Observe(ctx, p.stack)
	if err != nil {
		return nil, nil, err
	}
	plan := p.Differ.Diff(p.stack, seen)
	if slices.ContainsFunc(plan.Changes, func(c Change) bool {
		return c.Action == ActionBlocked || c.Write != nil && !c.AfterChecks
	}) {
		return nil, nil, nil
	}
	return plan, seen, nil
}

// write keeps r under the next number.
func (p *pass) write(ctx context.Context, a *archive, r Record) error {
	r.Number, r.At = a.next(), time.Now().UTC().Truncate(time.Second)
	p.writing = &r
	parts, err := r.encode(partSize)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := p.do(ctx, CreateConfig{Spec: part}); err != nil {
			return fmt.Errorf("%s: %w", part.Name, err)
		}
	}
	p.kept(r)
	return nil
}

func (p *pass) kept(r Record) {
	p.out.Recorded = &r
	p.report(Event{PhaseRecord, fmt.Sprintf("record %d", r.Number), "done", "kept"})
}

// next is a number that nothing has had. That of a record which was never
// complete is free again.
func (a *archive) next() int {
	last := 0
	for _, k := range a.records {
		last = max(last, k.Number)
	}
	for _, u := range a.unreadable {
		last = max(last, u.Number)
	}
	return last + 1
}

// letGo removes what no record needs any longer.
func (p *pass) letGo(ctx context.Context) error {
	plan, _, err := p.again(ctx)
	if err != nil || plan == nil {
		return err
	}
	p.removeAll(ctx, keepOf(plan.Changes, func(c Change) bool { return c.AfterChecks && (c.Kind == KindSecret || c.Kind == KindConfig) }))
	return nil
}

func removal(c swarm.Config) Remove {
	return Remove{Kind: KindConfig, ID: c.ID, Name: c.Spec.Name}
}
