package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// troubled is how long mishaps befall the processes, and quiet how long they
// have to recover afterwards.
const (
	troubled = 200 * time.Second
	quiet    = 4 * time.Minute
)

// world is three controllers and some commands, and what happens to them.
type world struct {
	mishaps  []mishap
	commands []time.Duration // when they begin
}

func anyWorld(t *rapid.T) world {
	var w world
	seconds := func(t *rapid.T, label string, from, to int) time.Duration {
		return time.Duration(rapid.IntRange(from*10, to*10).Draw(t, label)) * time.Second / 10
	}
	who := []string{"run-0", "run-1", "run-2"}
	for i := range rapid.IntRange(0, 6).Draw(t, "commands") {
		w.commands = append(w.commands, seconds(t, "begins", 0, 110))
		who = append(who, fmt.Sprint("apply-", i))
	}
	asleep := map[string]bool{}
	for range rapid.IntRange(0, 20).Draw(t, "mishaps") {
		m := mishap{
			Who:  rapid.SampledFrom(who).Draw(t, "who"),
			What: rapid.SampledFrom([]string{"paused", "paused", "asleep", "unheard", "deaf", "stale", "slow", "slow", "jump", "killed"}).Draw(t, "what"),
			At:   seconds(t, "at", 0, 120),
		}
		// About as long as a claim lasts, or as a session does.
		m.Length = rapid.OneOf(rapid.Custom(func(t *rapid.T) time.Duration { return seconds(t, "claim", 1, 20) }),
			rapid.Custom(func(t *rapid.T) time.Duration { return seconds(t, "session", 20, 80) })).Draw(t, "length")
		if m.What == "killed" && m.Who == "run-0" {
			m.What = "paused" // somebody survives
		}
		asleep[m.Who] = asleep[m.Who] || m.What == "asleep"
		w.mishaps = append(w.mishaps, m)
	}
	for i, m := range w.mishaps {
		// Who sleeps while his clock is set back cannot know of it.
		if m.What == "jump" && i%2 == 0 && !asleep[m.Who] {
			w.mishaps[i].Length = -m.Length
		}
	}
	return w
}

// play the world, and return what is wrong with what happened.
func (w world) play() (wrong []string) {
	r := newRaft()
	process := func(name string) *process {
		ctx, kill := context.WithCancel(context.Background())
		for _, m := range w.mishaps {
			if m.Who == name && m.What == "killed" {
				time.AfterFunc(m.At, kill)
			}
		}
		time.AfterFunc(troubled+2*quiet, kill)
		return &process{raft: r, name: name, mishaps: w.mishaps, ctx: ctx, slow: claimTTL / 5}
	}
	ctx, stop := context.WithTimeout(context.Background(), troubled+quiet)
	defer stop()
	var mu sync.Mutex
	var running sync.WaitGroup
	for i := range 3 {
		p := process(fmt.Sprint("run-", i))
		running.Go(func() { p.controller(ctx, time.Duration(5+i)*time.Second) })
	}
	for i, at := range w.commands {
		p := process(fmt.Sprint("apply-", i))
		running.Go(func() {
			time.Sleep(at)
			lease := &Lease{Engine: p, Holder: p.name, What: "apply", Wait: 5 * time.Minute, clock: p.clock}
			err := p.pass(lease, 4, time.Second)
			if hurt := slices.ContainsFunc(w.mishaps, func(m mishap) bool { return m.Who == p.name && m.What != "jump" }); err != nil && !hurt {
				mu.Lock()
				defer mu.Unlock()
				wrong = append(wrong, fmt.Sprintf("%s, which nothing happened to: %v", p.name, err))
			}
		})
	}
	running.Wait()
	return append(wrong, r.judge()...)
}

// judge the order in which the Swarm made the writes, and what is left.
func (r *raft) judge() (wrong []string) {
	last := map[string]int{}
	for _, x := range r.writes {
		if x.by != x.claimed {
			wrong = append(wrong, fmt.Sprintf("%s wrote at %s, when %q had the claim", x.by, x.at, x.claimed))
		}
		if strings.HasPrefix(x.by, "run-") && x.by != x.leader {
			wrong = append(wrong, fmt.Sprintf("%s wrote at %s, when %q led", x.by, x.at, x.leader))
		}
		if x.at > troubled+2*sessionTTL && strings.HasPrefix(x.by, "run-") {
			last[x.by]++
		}
	}
	if len(last) != 1 {
		wrong = append(wrong, fmt.Sprintf("two times to live after the last mishap those write: %v", last))
	}
	if left := r.sessions(); len(left) > 0 {
		wrong = append(wrong, fmt.Sprintf("sessions are left: %v", left))
	}
	if m, err := MemoryOf(&Observed{Configs: byName(r.keptBy("swarmward.", time.Since(r.start)))}, "web"); err != nil || m.Writer != nil {
		wrong = append(wrong, fmt.Sprintf("the memory that is left: %v, %+v", err, m.Writer))
	}
	return wrong
}

// Whatever befalls them, no two write at a time, and soon after it somebody
// does; nothing is left of the dead.
func TestOneWriter(t *testing.T) {
	for range 3 { // of rapid's hundred worlds each
		rapid.Check(t, func(rt *rapid.T) {
			w := anyWorld(rt)
			var wrong []string
			synctest.Test(t, func(*testing.T) { wrong = w.play() })
			if len(wrong) > 0 {
				rt.Fatalf("commands at %v\n%v\n%s", w.commands, w.mishaps, strings.Join(wrong, "\n"))
			}
		})
	}
}
