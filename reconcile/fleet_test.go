package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// harbour is a fleet on one Swarm, and what was heard of it.
type harbour struct {
	Fleet
	swarm *fakeSwarm
	probe func(context.Context, string) CheckStatus // by the stack's name

	mu     sync.Mutex
	passes map[string]int
	gone   []string
	log    strings.Builder
}

func newHarbour(t *testing.T) *harbour {
	t.Helper()
	h := &harbour{swarm: newFake(), passes: map[string]int{}}
	h.Log = slog.New(slog.NewTextHandler(&lockedWriter{w: &h.log, mu: &h.mu}, nil))
	h.Gone = func(stack string) { h.note(func() { h.gone = append(h.gone, stack) }) }
	h.Fleet.Loop = func(m Member) *Loop {
		return &Loop{
			Reconciler: &Reconciler{Engine: h.swarm, Prober: harbourProber{h}}, Load: m.Load, Log: h.Log,
			Done: func(s *spec.Stack, _ *Outcome) { h.note(func() { h.passes[s.Name]++ }) },
		}
	}
	return h
}

func (h *harbour) note(do func()) { h.mu.Lock(); defer h.mu.Unlock(); do() }

func (h *harbour) logged(text string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Count(h.log.String(), text)
}

// ran are the passes since this was asked last.
func (h *harbour) ran() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := maps.Clone(h.passes)
	clear(h.passes)
	return was
}

type lockedWriter struct {
	w  *strings.Builder
	mu *sync.Mutex
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

type harbourProber struct{ h *harbour }

func (p harbourProber) Probe(ctx context.Context, s *spec.Stack, c spec.Check) CheckResult {
	if p.h.probe == nil {
		return passing(c)
	}
	return CheckResult{Name: c.Name, Status: p.h.probe(ctx, s.Name)}
}

// named is a stack of one service with one check.
func named(name string) *spec.Stack {
	s := pair()
	s.Name, s.Networks, s.Secrets, s.Configs = name, nil, nil, nil
	s.Services = s.Services[:1]
	own := &s.Services[0].Spec
	own.Name, own.Labels = name+"_back", map[string]string{spec.LabelNamespace: name}
	own.TaskTemplate.Networks, own.TaskTemplate.ContainerSpec.Secrets, own.TaskTemplate.ContainerSpec.Configs = nil, nil, nil
	return s
}

// of is a member for each file, FILE or FILE=STACK.
func of(files ...string) []Member {
	var out []Member
	for _, f := range files {
		file, stack, _ := strings.Cut(f, "=")
		if stack == "" {
			stack = file
		}
		out = append(out, Member{Key: file + ".yaml", Load: func(context.Context) (*spec.Stack, error) { return named(stack), nil }})
	}
	return out
}

// sail has the fleet run while do happens, and end after it.
func (h *harbour) sail(t *testing.T, do func(ctx context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	do(ctx)
	cancel()
	h.Wait()
}

// moment is time enough for everything that is due, and for what it wrote to
// come to rest.
func moment() { time.Sleep(30 * time.Second); synctest.Wait() }

func TestStacksComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t)
		h.sail(t, func(ctx context.Context) {
			h.Set(ctx, of("a", "b"))
			moment()
			if got := h.ran(); !cmp.Equal(got, map[string]int{"a": 1, "b": 1}) {
				t.Errorf("at first: %v", got)
			}
			h.Set(ctx, of("b", "c"))
			moment()
			if got := h.ran(); !cmp.Equal(got, map[string]int{"c": 1}) {
				t.Errorf("after another came: %v", got)
			}
			if n := h.Nudge(nil); n != 2 {
				t.Errorf("%d were nudged", n)
			}
			moment()
			if got := h.ran(); !cmp.Equal(got, map[string]int{"b": 1, "c": 1}) {
				t.Errorf("after a nudge: %v", got)
			}
			if h.logged("the spec of a stack is gone") != 1 || !cmp.Equal(h.gone, []string{"a"}) || h.Has("a.yaml") || !h.Has("b.yaml") {
				t.Errorf("gone: %q", h.gone)
			}
			if _, there := h.swarm.seen.Services["a_back"]; !there {
				t.Error("what a stack had in the Swarm was removed with its spec")
			}
			// One that comes back is the same again, at once and for once.
			h.Set(ctx, of("b", "c", "a"))
			h.Set(ctx, of("b", "c"))
			h.Set(ctx, of("b", "c", "a"))
			moment()
			if got := h.ran(); got["a"] < 1 || got["a"] > 2 || h.logged("both stack") != 0 {
				t.Errorf("after it came back: %v", got)
			}
		})
		if slices.Sort(h.gone); len(h.gone) < 4 {
			t.Errorf("at the end the board still has some: gone %q", h.gone)
		}
	})
}

// A name belongs to whoever had it first, until that one goes.
func TestOneNameTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t)
		h.sail(t, func(ctx context.Context) {
			h.Set(ctx, of("a"))
			moment()
			h.Set(ctx, of("a", "copy=a"))
			moment()
			if got := h.ran(); !cmp.Equal(got, map[string]int{"a": 1}) {
				t.Errorf("passes: %v", got)
			}
			if h.logged("a.yaml and copy.yaml are both stack a") == 0 {
				t.Error("nobody was told of the two")
			}
			h.Set(ctx, of("copy=a"))
			moment()
			if got := h.ran(); !cmp.Equal(got, map[string]int{"a": 1}) {
				t.Errorf("after the first has gone: %v", got)
			}
			// Known names decide at the start, by the order of the files.
			both := of("x=twin", "y=twin")
			both[0].Name, both[1].Name = "twin", "twin"
			h.Set(ctx, slices.Concat(of("copy=a"), both))
			moment()
			if h.logged("x.yaml and y.yaml are both stack twin; give one of them another `name:` line, meanwhile x.yaml has it") == 0 {
				t.Error("the second one has the name")
			}
		})
	})
}

// A spec that moves to another file is waited for by the new one, and no
// trouble.
func TestASpecMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t)
		h.probe = func(context.Context, string) CheckStatus {
			time.Sleep(5 * time.Second) // whatever happens meanwhile
			return CheckPassed
		}
		h.sail(t, func(ctx context.Context) {
			h.Set(ctx, of("a"))
			moment()
			h.Nudge(nil)
			time.Sleep(time.Second) // in its check
			moved := of("b=a")
			moved[0].Name = "a"
			h.Set(ctx, moved)
			moment()
			if got := h.ran(); !cmp.Equal(got, map[string]int{"a": 2}) {
				t.Errorf("passes: %v", got)
			}
			if h.logged("both stack") != 0 || h.logged("is gone") != 0 || h.logged(`the spec of a stack has moved" stack=a from=a.yaml to=b.yaml`) != 1 {
				t.Error(h.log.String())
			}
		})
	})
}

// A spec that now names another stack leaves the old one as it is.
func TestAStackIsRenamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t)
		name := "old"
		m := Member{Key: "a.yaml", Load: func(context.Context) (*spec.Stack, error) {
			if name == "" {
				return nil, errors.New("a.yaml:1:1: broken")
			}
			return named(name), nil
		}}
		h.sail(t, func(ctx context.Context) {
			h.Set(ctx, []Member{m})
			moment()
			name = "" // keeps the last good one, and its name
			h.Nudge(nil)
			moment()
			h.Set(ctx, slices.Concat([]Member{m}, of("other=old")))
			moment()
			if h.logged("a.yaml and other.yaml are both stack old") == 0 {
				t.Error("the name of a broken spec was given away")
			}
			name = "new"
			h.Nudge(nil)
			moment()
			if h.logged("a spec now names another stack") != 1 || !cmp.Equal(h.gone, []string{"old"}) {
				t.Errorf("gone %q", h.gone)
			}
			if got := h.ran(); got["new"] == 0 {
				t.Errorf("passes: %v", got)
			}
			h.Nudge(func(_ string, s *spec.Stack) bool { return s != nil && s.Name == "old" })
			moment()
			if got := h.ran(); !cmp.Equal(got, map[string]int{"old": 1}) {
				t.Errorf("passes of who has the old name now: %v", got)
			}
		})
	})
}

// However many nudges come from wherever: one more pass.
func TestAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t)
		h.sail(t, func(ctx context.Context) {
			h.Set(ctx, of("a", "b"))
			moment()
			h.ran()
			var storm sync.WaitGroup
			for i := range 10_000 {
				storm.Go(func() {
					time.Sleep(time.Duration(i%150) * time.Millisecond)
					switch i % 3 {
					case 0:
						h.Nudge(nil)
					case 1:
						h.Nudge(func(_ string, s *spec.Stack) bool { return Concerns(s, KindService, "a_back") })
					default:
						h.Nudge(func(key string, _ *spec.Stack) bool { return key == "a.yaml" })
					}
				})
			}
			storm.Wait()
			moment()
			if got := h.ran(); !cmp.Equal(got, map[string]int{"a": 1, "b": 1}) {
				t.Errorf("after the storm: %v", got)
			}
		})
	})
}

// Three stacks that cannot go on, each in its way, do not delay a fourth.
func TestNoStackWaitsForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t)
		h.probe = func(ctx context.Context, stack string) CheckStatus {
			if stack == "slow" {
				<-ctx.Done() // a check that hangs as long as it may
				return CheckUnknown
			}
			return CheckPassed
		}
		slow := named("slow")
		slow.Settings.Checks[0].Timeout = time.Hour
		hangs := &hangingRegistry{fakeSwarm: h.swarm, stack: "registry"}
		make := h.Fleet.Loop
		h.Fleet.Loop = func(m Member) *Loop {
			l := make(m)
			l.Reconciler.Engine = hangs
			return l
		}
		h.sail(t, func(ctx context.Context) {
			h.Set(ctx, slices.Concat([]Member{
				{Key: "slow.yaml", Load: func(context.Context) (*spec.Stack, error) { return slow, nil }},
				{Key: "broken.yaml", Load: func(context.Context) (*spec.Stack, error) { return nil, errors.New("broken.yaml:1:1: broken") }},
			}, of("registry", "good")))
			moment()
			if got := h.ran(); !cmp.Equal(got, map[string]int{"good": 1}) {
				t.Fatalf("passes that ended: %v", got)
			}
			for i := range 5 {
				h.swarm.mu.Lock()
				edit(h.swarm, "good_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{fmt.Sprint("DRIFT=", i)} })
				h.swarm.mu.Unlock()
				began := time.Now()
				h.Nudge(nil)
				for repaired := false; !repaired; time.Sleep(10 * time.Millisecond) {
					h.swarm.mu.Lock()
					repaired = slices.Equal(h.swarm.seen.Services["good_back"].Spec.TaskTemplate.ContainerSpec.Env, []string{"LOG_LEVEL=info"})
					h.swarm.mu.Unlock()
					if time.Since(began) > time.Minute {
						t.Fatal("it is never repaired")
					}
				}
				if took := time.Since(began); took > 250*time.Millisecond {
					t.Errorf("repaired after %s", took)
				}
				moment()
			}
		})
	})
}

// hangingRegistry does not answer whoever looks at one stack.
type hangingRegistry struct {
	*fakeSwarm
	stack string
}

func (h *hangingRegistry) Observe(ctx context.Context, s *spec.Stack) (*Observed, error) {
	if s.Name == h.stack {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.fakeSwarm.Observe(ctx, s)
}
