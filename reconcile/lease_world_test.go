package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// raft is what of a Swarm the lease is kept in, and the writes to one stack in
// the order in which the Swarm made them.
type raft struct {
	mu      sync.Mutex
	start   time.Time
	index   uint64
	configs map[string]swarm.Config
	history []snapshot        // what configs were
	born    map[string]string // who made a session, by its id
	writes  []written
	kept    int // writes that keep the lease
}

// snapshot is what there was from a moment on.
type snapshot struct {
	since   time.Duration
	configs map[string]swarm.Config
}

// written is a write to the stack, and who had its claim and led it at that
// moment.
type written struct {
	at                  time.Duration
	by, claimed, leader string
}

func newRaft() *raft {
	return &raft{start: time.Now(), configs: map[string]swarm.Config{}, born: map[string]string{}}
}

// keptBy is what was kept at a moment.
func (r *raft) keptBy(prefix string, at time.Duration) []swarm.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	var configs map[string]swarm.Config
	for _, p := range r.history {
		if p.since <= at {
			configs = p.configs
		}
	}
	var out []swarm.Config
	for name, c := range configs {
		if strings.HasPrefix(name, prefix) {
			c.Spec.Labels = maps.Clone(c.Spec.Labels)
			out = append(out, c)
		}
	}
	return out
}

func (r *raft) do(by string, w Write) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.history = append(r.history, snapshot{time.Since(r.start), maps.Clone(r.configs)}) }()
	r.index++
	v := swarm.Meta{Version: swarm.Version{Index: r.index}}
	switch w := w.(type) {
	case CreateConfig:
		if _, ok := r.configs[w.Spec.Name]; ok {
			return fmt.Errorf("create: %w", ErrStale)
		}
		r.configs[w.Spec.Name] = swarm.Config{ID: fmt.Sprint(r.index), Meta: v, Spec: w.Spec}
		if id, ok := strings.CutPrefix(w.Spec.Name, sessionPrefix); ok {
			r.born[id] = by
		}
	case LabelConfig:
		c, ok := r.configs[w.Spec.Name]
		if !ok || c.ID != w.ID {
			return fmt.Errorf("config %s not found", w.ID)
		}
		if c.Version != w.Version {
			return fmt.Errorf("update labels: %w", ErrStale)
		}
		r.configs[w.Spec.Name] = swarm.Config{ID: c.ID, Meta: v, Spec: w.Spec}
	case Remove:
		if w.Kind == KindConfig {
			maps.DeleteFunc(r.configs, func(_ string, c swarm.Config) bool { return c.ID == w.ID })
			r.kept++
			return nil
		}
		r.wrote(by)
		return nil
	default:
		r.wrote(by)
		return nil
	}
	r.kept++
	return nil
}

func (r *raft) wrote(by string) {
	x := written{at: time.Since(r.start), by: by}
	labels := r.configs[memoryName("web")].Spec.Labels
	var claim Writer
	_ = json.Unmarshal([]byte(labels[LabelWriter]), &claim)
	x.claimed, x.leader = claim.Holder, r.born[labels[LabelLeader]]
	r.writes = append(r.writes, x)
}

// mishap is something that befalls a process for a while.
type mishap struct {
	Who    string
	What   string // paused, asleep, unheard, deaf, stale, slow, jump or killed
	At     time.Duration
	Length time.Duration // of a jump: how far, back where it is negative
}

func (m mishap) String() string { return fmt.Sprintf("%s %s at %s: %s", m.Who, m.What, m.At, m.Length) }

// process is one swarmward, with a connection and clocks of its own.
type process struct {
	Engine // the rest of one, which nobody asks
	*raft
	name    string
	mishaps []mishap
	ctx     context.Context // ends when the process is killed
	slow    time.Duration   // the longest that a request may be under way
}

func (p *process) during(what string) (left time.Duration) {
	now := time.Since(p.start)
	for _, m := range p.mishaps {
		if m.Who == p.name && m.What == what && now >= m.At && now < m.At+m.Length {
			left = max(left, m.At+m.Length-now)
		}
	}
	return left
}

// goOn once the process is not paused.
func (p *process) goOn() {
	for p.ctx.Err() == nil {
		left := max(p.during("paused"), p.during("asleep"))
		if left == 0 {
			return
		}
		_ = pause(p.ctx, left)
	}
}

func (p *process) clock() instant {
	p.goOn()
	now, since := clock(), time.Since(p.start)
	for _, m := range p.mishaps {
		switch {
		case m.Who != p.name || since < m.At:
		case m.What == "jump":
			now.wall = now.wall.Add(m.Length)
		case m.What == "asleep": // one of the clocks slept too
			now.mono -= min(m.Length, since-m.At)
		}
	}
	return now
}

// call takes a request to the Swarm and the answer back. A paused process sends
// nothing, but what it has sent arrives.
func (p *process) call(ctx context.Context, arrive func() error) error {
	if p.during("slow") > 0 && pause(ctx, p.slow) != nil {
		return fmt.Errorf("%w: %w", ErrBrokenOff, ctx.Err())
	}
	if p.ctx.Err() != nil {
		return ErrUnreachable
	}
	if left := p.during("unheard"); left > 0 {
		_ = pause(ctx, left)
		p.goOn()
		return ErrBrokenOff
	}
	err := arrive()
	if left := p.during("deaf"); left > 0 {
		_ = pause(ctx, min(left, time.Second))
		err = ErrBrokenOff
	}
	p.goOn()
	return err
}

func (p *process) Kept(ctx context.Context, prefix string) (out []swarm.Config, err error) {
	err = p.call(ctx, func() error {
		at := time.Since(p.start)
		for _, m := range p.mishaps {
			if m.Who == p.name && m.What == "stale" && at >= m.At && at < m.At+m.Length {
				at = m.At
			}
		}
		out = p.keptBy(prefix, at)
		return nil
	})
	return out, err
}

// Do fails through a manager that was the leader once and does not know better:
// it answers with what it knows, and can change nothing.
func (p *process) Do(ctx context.Context, w Write) error {
	if left := p.during("stale"); left > 0 {
		_ = pause(ctx, left)
		return ErrBrokenOff
	}
	return p.call(ctx, func() error { return p.do(p.name, w) })
}

// pass writes n times, with a pause after each, unless its turn ends first.
func (p *process) pass(lease *Lease, n int, rest time.Duration) error {
	configs, err := p.Kept(p.ctx, "swarmward.")
	if err != nil {
		return err
	}
	r := &Reconciler{Engine: p, Lease: lease}
	plan, seen := &Plan{Changes: []Change{{Write: CreateVolume{}}}}, &Observed{Configs: byName(configs)}
	t, end, err := r.turn(p.ctx, "web", seen)
	defer end()
	if err == nil {
		_, _, err = r.ready(t, plan, seen, func(context.Context) (*Plan, *Observed, error) { return plan, seen, nil })
	}
	if err != nil {
		return err
	}
	own := *r
	own.own = t
	for i := range n {
		var w Write = CreateVolume{}
		if i%3 == 2 {
			w = Remove{Kind: KindService, Name: "web_x"}
		}
		if err := own.do(t.ctx, w); err != nil && !transient(err) {
			return err
		}
		if err := pause(t.ctx, rest); err != nil {
			return context.Cause(t.ctx)
		}
		p.goOn()
	}
	return nil
}

// controller makes a pass at every interval until ctx ends.
func (p *process) controller(ctx context.Context, every time.Duration) {
	lease := &Lease{Engine: p, Holder: p.name, What: "run", Wait: 30 * time.Second, clock: p.clock}
	due := make(chan struct{}, 1)
	lease.Session = &Session{Engine: p, Holder: p.name, clock: p.clock, Changed: func() {
		select {
		case due <- struct{}{}:
		default:
		}
	}}
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(p.ctx, end)()
	var running sync.WaitGroup
	running.Go(func() { lease.Session.Run(lasting) })
	for ctx.Err() == nil && p.ctx.Err() == nil {
		_ = p.pass(lease, 6, 2*time.Second)
		next := time.NewTimer(every)
		select {
		case <-ctx.Done():
		case <-p.ctx.Done():
		case <-due:
		case <-next.C:
		}
		next.Stop()
	}
	end()
	running.Wait()
}

// sessions that there are.
func (r *raft) sessions() []string {
	var out []string
	for _, c := range r.keptBy(sessionPrefix, time.Since(r.start)) {
		out = append(out, c.Spec.Name)
	}
	slices.Sort(out)
	return out
}
