package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// managers are three managers; swarmward talks to one that is not the leader.
func managers(t *testing.T) (lab *swarmlab.Lab, leader *swarmlab.Node, o *operator) {
	t.Helper()
	lab = swarmlab.Start(t, swarmlab.Options{Managers: 3})
	if err := lab.LoadImage(t.Context(), "busybox:lab", nil); err != nil {
		t.Fatal(err)
	}
	leader, err := lab.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range lab.Nodes {
		if n != leader {
			return lab, leader, newOperator(t, n)
		}
	}
	panic("all nodes are the leader")
}

// many is a stack of n services, each with a config of its own.
func many(n int, value string) string {
	var b strings.Builder
	b.WriteString("name: many\nservices:\n")
	for i := range n {
		fmt.Fprintf(&b, "  s%d: {image: \"busybox:lab\", command: [sleep, \"1000\"], stop_signal: SIGKILL, environment: {V: %q}, configs: [c%d], networks: [net]}\n", i, value, i)
	}
	b.WriteString("networks: {net: {}}\nconfigs:\n")
	for i := range n {
		fmt.Fprintf(&b, "  c%d: {content: %q}\n", i, fmt.Sprint(value, i))
	}
	return b.String()
}

// whole holds the Swarm to the stack: n services with their tasks, n configs in
// so many revisions, as many records, one network, and nothing twice.
func (o *operator) whole(n, revisions int) {
	o.t.Helper()
	o.want(0, []string{"plan"}, "nothing to do")
	count := func(args ...string) int {
		return len(strings.Fields(o.docker(append(args, "--filter", "label=com.docker.stack.namespace=many")...)))
	}
	if s, c, net := count("service", "ls", "-q"), count("config", "ls", "-q"), count("network", "ls", "-q"); s != n || c != n*revisions || net != 1 {
		o.t.Errorf("%d services, %d configs, %d networks; want %d, %d and 1", s, c, net, n, n*revisions)
	}
	o.want(0, []string{"history"}, fmt.Sprintf("many   %d record", revisions))
}

// The leader dies in the middle of an apply and in the middle of a controller's
// life: it takes longer, and that is all.
func TestLeaderDies(t *testing.T) {
	t.Parallel()
	swarmlab.Require(t)
	lab, leader, o := managers(t)
	const n = 6
	o.write("desired-state.yaml", many(n, "a"))

	done := make(chan result, 1)
	go func() { done <- o.run("apply") }()
	eventually(t, "the first service is there", func() bool { return o.docker("service", "ls", "-q") != "" })
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.code != 0 {
		t.Errorf("apply while the leader dies:\n%s", r)
	}
	o.whole(n, 1)

	// The dead one comes back, and the new leader dies under a controller.
	if err := leader.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	next, err := lab.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if next == o.node {
		o.node = leader
	}
	eventually(t, "all managers are reachable", func() bool {
		return strings.Count(o.docker("node", "ls", "--format", "{{.ManagerStatus}}"), "Reachable") == 2
	})
	c := o.controllerWith(t, "--schedule", "@every 2s")
	eventually(t, "a pass is done", func() bool { return strings.Contains(c.text(), `"pass done"`) })
	o.write("desired-state.yaml", many(n, "b"))
	eventually(t, "it writes", func() bool { return strings.Contains(o.docker("config", "ls"), ".r2") })
	if err := next.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a pass finds nothing more to do", func() bool {
		return strings.Contains(c.after(`"subject":"record 2","message":"kept"`), `"exit":0`)
	})
	c.stop()
	o.whole(n, 2)
}

// Without a quorum nothing is written and nothing is taken for true; with one
// again the controller goes on.
func TestQuorumIsLost(t *testing.T) {
	t.Parallel()
	swarmlab.Require(t)
	lab, _, o := managers(t)
	o.write("desired-state.yaml", many(2, "a"))
	o.want(0, []string{"apply"}, "converged")
	c := o.controllerWith(t, "--schedule", "@every 1s")
	eventually(t, "a pass is done", func() bool { return strings.Contains(c.text(), `"pass done"`) })
	var dead []*swarmlab.Node
	for _, n := range lab.Nodes {
		if n != o.node {
			if err := n.Kill(); err != nil {
				t.Fatal(err)
			}
			dead = append(dead, n)
		}
	}
	const lost = "cannot answer for the Swarm"
	eventually(t, "it says so", func() bool { return strings.Contains(c.text(), lost) })
	o.write("desired-state.yaml", many(2, "b"))
	said := strings.Count(c.text(), lost)
	eventually(t, "it keeps trying", func() bool { return strings.Count(c.text(), lost) > said })
	for _, n := range dead {
		if err := n.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it has made the new spec", func() bool {
		out, err := o.node.Docker(t.Context(), "service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Env}}", "many_s0", "many_s1")
		return err == nil && strings.Count(out, "[V=b]") == 2
	})
	eventually(t, "it has converged", func() bool { return strings.Contains(c.text(), `"subject":"record 2","message":"kept"`) })
	c.stop()
	o.whole(2, 2)
}

// background is a swarmward that runs beside the test, and all that it said.
type background struct {
	t    *testing.T
	stop func()
	mu   sync.Mutex
	out  bytes.Buffer
}

func (b *background) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

func (b *background) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}

// after is what it said after the last time it said mark.
func (b *background) after(mark string) string {
	text := b.text()
	if i := strings.LastIndex(text, mark); i >= 0 {
		return text[i:]
	}
	return ""
}

func (o *operator) controllerWith(t *testing.T, args ...string) *background {
	t.Helper()
	b := &background{t: t}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := o.command(ctx, append([]string{"run", "--log-format", "json", "--log-level", "debug"}, args...)...)
	cmd.Stdout, cmd.Stderr = b, b
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	b.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Errorf("the controller does not stop:\n%s", b.text())
		}
		cancel()
	})
	t.Cleanup(func() {
		b.stop()
		if t.Failed() {
			text := b.text()
			t.Logf("the controller said last:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return b
}
