package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// BenchmarkController measures a controller of many stacks, and prints a table
// in Markdown. It asserts nothing. The environment sets SWARMWARD_BENCH_STACKS,
// of ten services each, SWARMWARD_BENCH_REPLICAS, and for how long the
// controller is left alone, SWARMWARD_BENCH_IDLE.
func BenchmarkController(b *testing.B) {
	stacks := sizes(b, "SWARMWARD_BENCH_STACKS", "100")[0]
	replicas, err := strconv.Atoi(cmp.Or(os.Getenv("SWARMWARD_BENCH_REPLICAS"), "0"))
	if err != nil {
		b.Fatal(err)
	}
	const services = 10
	idle, err := time.ParseDuration(cmp.Or(os.Getenv("SWARMWARD_BENCH_IDLE"), "3m"))
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		c := control(b, stacks, services, replicas)
		c.start()
		began := time.Now()
		c.quiet(2 * stacks) // the second pass of each writes nothing
		fmt.Fprintf(os.Stderr, "%d stacks of %d services deployed after %s\n", stacks, services, time.Since(began).Round(time.Second))

		var took []time.Duration
		for try := range 100 {
			took = append(took, c.drift(fmt.Sprintf("%s_web%d", stackName(rand.N(stacks)), rand.N(services)), try))
		}
		slices.Sort(took)
		c.quiet(0)

		before, _ := c.usage()
		passes := c.log.of("pass done")
		<-time.After(idle)
		after, memory := c.usage()
		goroutines, heap := c.inside()
		rows := []struct{ what, value string }{
			{"a change by hand is repaired, median of 100", took[len(took)/2].Round(time.Millisecond).String()},
			{"the same, the slowest", took[len(took)-1].Round(time.Millisecond).String()},
			{"CPU with nothing to do", fmt.Sprintf("%.2f %% of a core", 100*float64(after-before)/float64(idle))},
			{"resident memory", fmt.Sprintf("%d MB", memory>>20)},
			{"heap after a collection", fmt.Sprintf("%d MB", heap>>20)},
			{"goroutines", fmt.Sprint(goroutines)},
			{"passes while it had nothing to do", fmt.Sprint(c.log.of("pass done") - passes)},
		}
		for _, r := range rows {
			fmt.Fprintf(os.Stderr, "| %s | %s |\n", r.what, r.value)
		}
	}
}

// quiet waits until there were so many passes, and none for some seconds.
func (c *controlled) quiet(least int) {
	c.Helper()
	for was, since := -1, time.Now(); ; {
		if n := c.log.of("pass done"); n != was {
			was, since = n, time.Now()
		}
		if was >= least && time.Since(since) > 5*time.Second {
			return
		}
		select {
		case <-c.Context().Done():
			c.Fatalf("%d passes\n%s", was, c.log.tail())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// drift changes a service by hand, and says how long it stays so.
func (c *controlled) drift(service string, try int) time.Duration {
	c.Helper()
	ctx := c.Context()
	s, _, err := c.api.ServiceInspectWithRaw(ctx, service, swarm.ServiceInspectOptions{})
	if err != nil {
		c.Fatal(err)
	}
	want := s.Spec.TaskTemplate.ContainerSpec.Env
	s.Spec.TaskTemplate.ContainerSpec.Env = append(slices.Clone(want), fmt.Sprint("HAND=", try))
	if _, err := c.api.ServiceUpdate(ctx, s.ID, s.Version, s.Spec, swarm.ServiceUpdateOptions{}); err != nil {
		c.Fatal(err)
	}
	began := time.Now()
	for {
		s, _, err = c.api.ServiceInspectWithRaw(ctx, s.ID, swarm.ServiceInspectOptions{})
		if err != nil {
			c.Fatal(err)
		}
		if slices.Equal(s.Spec.TaskTemplate.ContainerSpec.Env, want) {
			return time.Since(began)
		}
		select {
		case <-ctx.Done():
			c.Fatalf("%s is never repaired\n%s", service, c.log.tail())
		case <-time.After(2 * time.Millisecond):
		}
	}
}
