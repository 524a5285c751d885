package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/spec"
)

// breakage is what befalls one call of a scenario.
type breakage string

// Besides the faults of the Engine: the process is killed when the call has been
// made, and it is told to stop.
const (
	kill breakage = "kill"
	stop breakage = "stop"
)

// lane is one scenario with one kind of breakage, at every so-many-th call; a
// write that fails is never left out.
type lane struct {
	scenario
	breakage
	first, every int
}

// field is a Swarm for many grounds, and what was done on them.
type field struct {
	host   string
	base   shape
	binary func(ctx context.Context, args ...string) *exec.Cmd
	lanes  []lane
	poll   time.Duration // of passes within this process
	until  time.Time     // when no lane goes on; zero: each goes to its end

	mu    sync.Mutex
	free  []*ground
	ready int
	calls map[string]int // of the undisturbed scenarios

	broken atomic.Int64
}

// take is a ground that nobody uses.
func (f *field) take(t *testing.T) *ground {
	t.Helper()
	f.mu.Lock()
	var g *ground
	if n := len(f.free); n > 0 {
		g, f.free = f.free[n-1], f.free[:n-1]
	} else {
		f.ready++
		g = &ground{base: f.base, binary: f.binary, poll: f.poll, loaded: map[shape]*spec.Stack{}}
		g.base.Stack = fmt.Sprintf("crash%d", f.ready)
		g.base.Port += f.ready
	}
	f.mu.Unlock()
	g.t, g.dir = t, t.TempDir()
	g.faults = swarmlab.NewFaults(t, f.host)
	g.faults.Ahead = ahead
	var errs [2]error
	g.engine, errs[0] = engine.NewAt(g.faults.Host, nil)
	g.direct.Engine, errs[1] = engine.NewAt(f.host, nil)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	direct := swarmlab.Sim{Host: f.host}
	g.api = direct.Client(t)
	t.Cleanup(func() {
		g.faults.Arm(0, swarmlab.Pass, nil)
		g.clear()
		_, _ = g.engine.Close(), g.direct.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.free = append(f.free, g)
	})
	return g
}

// run takes a lane to its end.
func (f *field) run(t *testing.T, l lane) {
	g := f.take(t)
	g.prepare(l.scenario)
	g.settled("undisturbed", g.pass(l.scenario, g.engine))
	calls := g.faults.Calls()
	want, most, n := g.objects(), g.writes(calls), len(calls)
	if plan, _, err := g.reconciler(g.direct).Plan(t.Context(), g.stack()); l.act == nil && (err != nil || !plan.Empty()) {
		t.Errorf("undisturbed: %v: the plan is not empty:\n%s", err, plan)
	}
	f.mu.Lock()
	f.calls[l.name] = max(n, f.calls[l.name])
	f.mu.Unlock()
	for k := l.first; ; k++ {
		sampled := (k-l.first)%l.every == 0 || (l.breakage == breakage(swarmlab.Fail) || l.writes) && k <= n && calls[k-1].Write()
		if !sampled {
			continue
		}
		g.prepare(l.scenario)
		hit := g.breakAt(l, k)
		g.learnMemory()
		at := fmt.Sprintf("%s at call %d", l.breakage, k)
		if hit {
			at += fmt.Sprintf(", %v", g.faults.Calls()[k-1])
		}
		g.settled(at+", then undisturbed", g.pass(l.scenario, g.engine))
		made := g.writes(g.faults.Calls())
		if d := g.differs(want); d != "" {
			t.Fatalf("%s: not what an undisturbed run gives:\n%s", at, d)
		}
		for call, times := range made {
			if times > most[call] {
				t.Errorf("%s: %s was done %d times, undisturbed %d", at, call, times, most[call])
			}
		}
		if l.before != nil {
			if l.act != nil { // nothing runs any more that could be asked
				g.shape = g.base
				l.before(g)
			}
			if err := g.found(); err != nil {
				t.Errorf("%s: %v", at, err)
			}
		}
		if !hit {
			return
		}
		f.broken.Add(1)
		if !f.until.IsZero() && time.Now().After(f.until) {
			return
		}
	}
}

// differs is what there is else than is wanted. An Engine lists a network that was
// removed for as long as the container of a task is on it, also when its service
// was removed by a process that was killed before it had waited for that.
func (g *ground) differs(want []string) (d string) {
	g.t.Helper()
	for range 60 {
		if d = cmp.Diff(want, g.objects()); d == "" {
			break
		}
		<-time.After(500 * time.Millisecond)
	}
	return d
}

// writes counts the writes that the Engine carried out, by what they are, but for
// those to the stack's memory: the lease is renewed as time goes by.
func (g *ground) writes(calls []swarmlab.Call) map[string]int {
	g.learnMemory()
	out := map[string]int{}
	for _, c := range calls {
		if slices.ContainsFunc(g.memories, func(id string) bool { return strings.Contains(c.Path, "/configs/"+id) }) {
			continue
		}
		if c.Write() && c.Status < 300 && c.Status > 0 {
			out[generic(c.Method+" "+c.Path)]++
		}
	}
	return out
}

// breakAt begins the scenario and has its k-th call go wrong; false when it has
// fewer calls.
func (g *ground) breakAt(l lane, k int) bool {
	g.t.Helper()
	switch l.breakage {
	case kill:
		g.killed(l.scenario, k)
	case stop:
		g.stopped(l.scenario, k)
	default:
		// One call that fails is no reason to give up.
		if l.breakage == breakage(swarmlab.Delay) {
			g.engine.Timeout = time.Second
		}
		g.faults.Arm(k, swarmlab.Fault(l.breakage), nil)
		g.settled(fmt.Sprintf("%s at call %d", l.breakage, k), g.pass(l.scenario, g.engine))
	}
	return len(g.faults.Calls()) >= k
}

// killed has SIGKILL end the process once the k-th call has been made.
func (g *ground) killed(s scenario, k int) {
	g.t.Helper()
	cmd, out := g.process(g.t.Context(), s)
	started := make(chan struct{})
	g.faults.Arm(k, swarmlab.Delay, func() { <-started; _ = cmd.Process.Kill() })
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	close(started)
	err := cmd.Wait()
	if hit := len(g.faults.Calls()) >= k; hit == (cmd.ProcessState.ExitCode() == s.exit) || hit && cmd.ProcessState.ExitCode() > 0 {
		g.t.Fatalf("killed at call %d: %v\n%s", k, err, out)
	}
}

// stopped has SIGTERM end the process as the k-th call arrives. It has to obey
// in time.
func (g *ground) stopped(s scenario, k int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	cmd, out := g.process(ctx, s)
	started := make(chan struct{})
	g.faults.Arm(k, swarmlab.Pass, func() { <-started; _ = cmd.Process.Signal(syscall.SIGTERM) })
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	close(started)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 1 && code != s.exit || strings.Contains(out.String(), "panic:") {
		g.t.Fatalf("told to stop at call %d: exit %d, %v\n%s", k, code, ctx.Err(), out)
	}
}

// Whatever becomes of any one call, of swarmward at that moment, or of both: a
// pass later all is as if nothing had happened.
func TestCrash(t *testing.T) {
	t.Parallel()
	f := newField(t, swarmlab.StartSim(t).Host)
	f.poll = 100 * time.Millisecond
	f.base.Redis, f.base.RedisNext = "redis:7.4.6", "redis:7.4.7"
	f.base.App, f.base.AppNext, f.base.Resolve = "busybox:1.36", "busybox:1.37", "changed"
	for _, s := range scenarios() {
		f.lanes = append(f.lanes, lanes(s)...)
	}
	for _, s := range backScenarios() {
		f.lanes = append(f.lanes, backLanes(s)...)
	}
	f.runAll(t)
}

// The same on a real Engine, for a sample: as many calls as a minute allows, and
// one of each kind at least. SWARMWARD_CRASH=all takes every scenario, with every
// write and some other calls of it, to its end.
func TestCrashOnEngine(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	if err := lab.LoadImage(t.Context(), "busybox:next", nil); err != nil {
		t.Fatal(err)
	}
	f := newField(t, lab.Nodes[0].Host)
	all := os.Getenv("SWARMWARD_CRASH") == "all"
	if f.poll = time.Second; !all {
		f.until = time.Now().Add(time.Minute)
	}
	f.base.Redis, f.base.App, f.base.AppNext, f.base.Resolve = "redis:7.4.6", "busybox:lab", "busybox:next", "never"
	for _, s := range scenarios() {
		if s.name == "image" { // the Engine has no other Redis
			continue
		}
		if s.writes = all; all {
			f.lanes = append(f.lanes, lane{s, kill, 1, 7}, lane{s, breakage(swarmlab.Cut), 1, 7})
			continue
		}
		switch s.name {
		case "first deploy", "prune":
			f.lanes = append(f.lanes, lane{s, kill, 12, 15})
		case "all at once", "secret":
			f.lanes = append(f.lanes, lane{s, breakage(swarmlab.Cut), 14, 20})
		}
	}
	f.runAll(t)
}

func newField(t *testing.T, host string) *field {
	binary := builtBinary(t)
	return &field{
		host: host, calls: map[string]int{},
		base: shape{
			Label: "old", Env: "old", Conf: "maxmemory 90mb", Password: "first-password", Key: "first-key",
			Replicas: 1, Port: 16379,
		},
		binary: func(ctx context.Context, args ...string) *exec.Cmd { return exec.CommandContext(ctx, binary, args...) },
	}
}

// runAll takes every lane to its end, and tells how much that was.
func (f *field) runAll(t *testing.T) {
	t.Run("calls", func(t *testing.T) {
		for _, l := range f.lanes {
			t.Run(l.name+"/"+string(l.breakage), func(t *testing.T) {
				t.Parallel()
				f.run(t, l)
			})
		}
	})
	if t.Failed() {
		return
	}
	total := 0
	for _, n := range f.calls {
		total += n
	}
	t.Logf("%d scenarios, %d calls, %d faults injected, 0 lost", len(f.calls), total, f.broken.Load())
}

// lanes are the breakages of a scenario on a Swarm in one process: every call
// has a kill and a cut, and those that leave the Engine in the same states are
// taken in turns, unless SWARMWARD_CRASH asks for all.
func lanes(s scenario) []lane {
	every, seldom := 9, 9
	if os.Getenv("SWARMWARD_CRASH") == "all" {
		every, seldom = 1, 1
	}
	return []lane{
		{s, kill, 1, 1},
		{s, breakage(swarmlab.Cut), 1, 1},
		{s, breakage(swarmlab.Fail), min(1, every), every},
		{s, breakage(swarmlab.Drop), min(4, every), every},
		{s, breakage(swarmlab.Delay), min(7, every), every},
		{s, stop, 1, seldom},
	}
}
