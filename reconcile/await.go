package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"golang.org/x/sync/semaphore"

	"github.com/swarmward/swarmward/spec"
)

// errNotConverged ends an await whose verdict is in the outcome.
var errNotConverged = errors.New("did not converge")

// watch looks at the Swarm for all who wait: a look is shared by everybody who
// asked before it began.
type watch struct {
	engine Engine
	stack  *spec.Stack

	looking *semaphore.Weighted
	seen    *Observed
	at      time.Time // when seen was taken
	next    time.Time // not before then
}

func newWatch(e Engine, s *spec.Stack) *watch {
	return &watch{engine: e, stack: s, looking: semaphore.NewWeighted(1)}
}

// look returns a view of the Swarm that was taken after asked. While a large
// stack is written, somebody asks all the time: looking takes no more than a
// quarter of it.
func (w *watch) look(ctx context.Context, asked time.Time) (*Observed, error) {
	if err := w.looking.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer w.looking.Release(1)
	if w.seen != nil && w.at.After(asked) {
		return w.seen, nil
	}
	if err := pause(ctx, time.Until(w.next)); err != nil {
		return nil, err
	}
	at := time.Now()
	seen, err := w.engine.Progress(ctx, w.stack)
	if err != nil {
		return nil, err
	}
	w.seen, w.at, w.next = seen, at, time.Now().Add(3*time.Since(at))
	return seen, nil
}

// last is the view that was taken last; nil when there is none yet.
func (w *watch) last() *Observed {
	_ = w.looking.Acquire(context.Background(), 1) // a look under way ends in time
	defer w.looking.Release(1)
	return w.seen
}

// await waits until the service has converged, cannot, or has used up its
// time. It fails with errNotConverged after it noted the verdict; one that is
// interrupted notes how far the service was when it was seen last.
func (p *pass) await(ctx context.Context, s spec.Service) (err error) {
	last := Verdict{State: Progressing, Reason: "interrupted", Message: "not looked at yet"}
	defer func() {
		if err != nil && ctx.Err() != nil && !errors.Is(err, errNotConverged) {
			p.note(s, last)
		}
	}()
	began, said, lastSaid := time.Now(), "", time.Time{}
	var failing, asked time.Time // idle: the view that the plan was made from will do
	if !p.idle {
		asked = time.Now() // a view that is taken for others while this lingers is as good
		if err := p.linger(ctx, s); err != nil {
			return err
		}
	}
	for ; ; asked = time.Now() {
		seen, err := p.watch.look(ctx, asked)
		if err != nil {
			if failing.IsZero() {
				failing = time.Now()
			}
			if ctx.Err() != nil { // not the service's fault, and told once, by Apply
				return ctx.Err()
			}
			if time.Since(failing) > cmp.Or(p.Patience, engineGrace) {
				return p.settle(ctx, s, Verdict{State: Failed, Reason: "engine_error", Message: err.Error()}, nil)
			}
			p.report(Event{PhaseConverge, s.Key, "waiting", "the Engine does not answer: " + err.Error()})
		} else {
			failing = time.Time{}
			v := Judge(seen, s.Spec.Name, p.wrote(s.Spec.Name), seen.At)
			if v.State != Progressing {
				return p.settle(ctx, s, v, seen)
			}
			last = v
			if limit := deadline(p.stack.Settings.Timeout, seen.Services[s.Spec.Name].Spec, v.Desired); time.Since(began) > limit {
				v.State, v.Message = Failed, fmt.Sprintf("not converged within %s: %s", limit, v.Message)
				return p.settle(ctx, s, v, seen)
			}
			if v.Message != said || time.Since(lastSaid) > cmp.Or(p.Heartbeat, 10*time.Second) {
				said, lastSaid = v.Message, time.Now()
				p.report(Event{PhaseConverge, s.Key, "waiting", fmt.Sprintf("%s (%s)", v.Message, time.Since(began).Round(time.Second))})
			}
		}
		if err := pause(ctx, cmp.Or(p.Poll, 500*time.Millisecond)); err != nil {
			return err
		}
	}
}

// linger puts off the first look at a service that no other waits for until all
// writes are made: looking takes the Engine's time from them.
func (p *pass) linger(ctx context.Context, s spec.Service) error {
	if _, needed := p.gating[s.Key]; needed {
		return nil
	}
	t := time.NewTimer(cmp.Or(p.Poll, 500*time.Millisecond))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.made:
	case <-t.C:
	}
	return nil
}

// wrote is the time before this pass's write of the service; zero when it
// wrote none.
func (p *pass) wrote(name string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.written[name] {
		return p.since
	}
	return time.Time{}
}

// settle notes the final verdict, with what the container of the task that
// failed left behind.
func (p *pass) settle(ctx context.Context, s spec.Service, v Verdict, seen *Observed) error {
	if v.State == Failed && v.TaskID != "" {
		for _, t := range seen.Tasks[seen.Services[s.Spec.Name].ID] {
			if t.ID == v.TaskID {
				v = v.with(p.Engine.Remains(ctx, t, 5), s.Spec)
			}
		}
	}
	v = p.note(s, v)
	if v.State == Failed {
		p.report(Event{PhaseConverge, s.Key, "failed", v.Message})
		return fmt.Errorf("service %s: %w", s.Key, errNotConverged)
	}
	p.report(Event{PhaseConverge, s.Key, "done", v.Message})
	return nil
}

// note a verdict in the outcome.
func (p *pass) note(s spec.Service, v Verdict) Verdict {
	v.Message, _ = p.redact(v.Message)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Verdicts[s.Key] = v
	return v
}

// The least time that a service has to converge, and what an image may take to
// be pulled.
const (
	leastDeadline = 5 * time.Minute
	pullTime      = 2 * time.Minute
)

// deadline is how long a service may take to converge: as the spec says, or as
// long as its update would take batch by batch if every task took its time to
// stop, to start and to become healthy.
func deadline(given time.Duration, s swarm.ServiceSpec, tasks int) time.Duration {
	if given > 0 {
		return given
	}
	batch, parallel := 10*time.Second, 1
	if c := s.TaskTemplate.ContainerSpec; c != nil {
		if c.StopGracePeriod != nil {
			batch = *c.StopGracePeriod
		}
		if h := c.Healthcheck; h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" {
			batch += h.StartPeriod + time.Duration(cmp.Or(h.Retries, 3))*(cmp.Or(h.Interval, 30*time.Second)+cmp.Or(h.Timeout, 30*time.Second))
		}
	}
	monitor := 5 * time.Second
	if u := s.UpdateConfig; u != nil {
		monitor = cmp.Or(u.Monitor, monitor)
		batch += u.Delay
		if parallel = int(u.Parallelism); parallel == 0 { // all at once
			parallel = max(tasks, 1)
		}
	}
	batches := (tasks + parallel - 1) / parallel
	return max(leastDeadline, pullTime+time.Duration(batches)*(batch+monitor))
}
