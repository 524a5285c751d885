package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// errNotConverged ends an await whose verdict is in the outcome.
var errNotConverged = errors.New("did not converge")

// watch looks at the Swarm for all who wait: a look is shared by everybody who
// asked before it began.
type watch struct {
	engine Engine
	stack  *spec.Stack

	mu   sync.Mutex
	seen *Observed
	at   time.Time
}

// look returns a view of the Swarm that was taken after asked.
func (w *watch) look(ctx context.Context, asked time.Time) (*Observed, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen != nil && w.at.After(asked) {
		return w.seen, nil
	}
	at := time.Now()
	seen, err := w.engine.Progress(ctx, w.stack)
	if err != nil {
		return nil, err
	}
	w.seen, w.at = seen, at
	return seen, nil
}

// How long an await bears an Engine that does not answer: a leader that was
// lost is replaced within some 13 s.
const engineGrace = 40 * time.Second

// await waits until the service has converged, cannot, or has used up its
// time. It fails with errNotConverged after it noted the verdict.
func (p *pass) await(ctx context.Context, s spec.Service) error {
	began, said, lastSaid := time.Now(), "", time.Time{}
	var failing time.Time
	for {
		seen, err := p.watch.look(ctx, time.Now())
		if err != nil {
			if failing.IsZero() {
				failing = time.Now()
			}
			if ctx.Err() != nil || time.Since(failing) > engineGrace {
				return p.settle(ctx, s, Verdict{State: Failed, Reason: "engine_error", Message: err.Error()})
			}
			p.report(Event{PhaseConverge, s.Key, "waiting", "the Engine does not answer: " + err.Error()})
		} else {
			failing = time.Time{}
			v := Judge(seen, s.Spec.Name, p.wrote(s.Spec.Name), seen.At)
			if v.State != Progressing {
				return p.settle(ctx, s, v)
			}
			if time.Since(began) > p.stack.Settings.Timeout {
				v.State, v.Message = Failed, fmt.Sprintf("not converged within %s: %s", p.stack.Settings.Timeout, v.Message)
				return p.settle(ctx, s, v)
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

// wrote is the time before this pass's write of the service; zero when it
// wrote none.
func (p *pass) wrote(name string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.out.Applied {
		if a.Change.Kind == KindService && a.Change.Object == name && a.Err == nil && a.Change.Action != ActionAdopt {
			return p.since
		}
	}
	return time.Time{}
}

// settle notes the final verdict, with the log of the task that failed.
func (p *pass) settle(ctx context.Context, s spec.Service, v Verdict) error {
	if v.State == Failed && v.TaskID != "" {
		if lines, err := p.Engine.Logs(ctx, v.TaskID, 5); err == nil && len(lines) > 0 {
			v.Message += "; its last log lines:\n    " + strings.Join(lines, "\n    ")
		}
	}
	v.Message, _ = p.redact(v.Message)
	p.mu.Lock()
	p.out.Verdicts[s.Key] = v
	p.mu.Unlock()
	if v.State == Failed {
		p.report(Event{PhaseConverge, s.Key, "failed", v.Message})
		return fmt.Errorf("service %s: %w", s.Key, errNotConverged)
	}
	p.report(Event{PhaseConverge, s.Key, "done", v.Message})
	return nil
}
