package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// operator is a person at a shell on a node: with a folder of files, typing
// swarmward and docker. It remembers all that swarmward ever printed.
type operator struct {
	t      *testing.T
	node   *swarmlab.Node
	dir    string
	binary string

	mu   sync.Mutex
	said bytes.Buffer
}

func newOperator(t *testing.T, n *swarmlab.Node) *operator {
	return &operator{t: t, node: n, dir: t.TempDir(), binary: builtBinary(t)}
}

func (o *operator) write(name, content string) {
	o.t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), []byte(content), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := o.node.Command(ctx, o.binary, args...)
	cmd.Dir = o.dir
	return cmd
}

// result of one swarmward.
type result struct {
	args           string
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("$ swarmward %s\n%s%s[exit %d]", r.args, r.stdout, r.stderr, r.code)
}

// run types a swarmward command, and waits at most some minutes for it.
func (o *operator) run(args ...string) result {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 4*time.Minute)
	defer cancel()
	cmd := o.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		o.t.Fatalf("swarmward %v: %v", args, err)
	}
	r := result{strings.Join(args, " "), cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	o.mu.Lock()
	defer o.mu.Unlock()
	if args[0] != "env" { // whose purpose is to print them
		fmt.Fprintln(&o.said, r)
	}
	return r
}

// want types a command, and fails the test unless it exits with code and its
// output has every one of the texts.
func (o *operator) want(code int, args []string, texts ...string) result {
	o.t.Helper()
	r := o.run(args...)
	if r.code != code {
		o.t.Fatalf("exit %d, want %d:\n%s", r.code, code, r)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			o.t.Errorf("does not say %q:\n%s", text, r)
		}
	}
	for _, bad := range []string{"panic:", "goroutine ", ".go:"} {
		if strings.Contains(r.stdout+r.stderr, bad) {
			o.t.Errorf("shows a stack trace (%q):\n%s", bad, r)
		}
	}
	return r
}

func (o *operator) docker(args ...string) string {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.t.Context()), time.Minute)
	defer cancel()
	out, err := o.node.Docker(ctx, args...)
	if err != nil {
		o.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// eventually polls until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 90 s: %s", what)
		}
		<-time.After(200 * time.Millisecond) // also in a cleanup, where the test's context has ended
	}
}

// containerLogs are those of the containers that the filter finds, also of ended
// ones. `docker service logs` of an Engine 20.10 may wait for ever for a task that
// is gone.
func (o *operator) containerLogs(filter string) string {
	o.t.Helper()
	var all strings.Builder
	for _, id := range strings.Fields(o.docker("ps", "-aq", "--filter", filter)) {
		out, err := o.node.Command(o.t.Context(), "docker", "logs", "--tail", "2000", id).CombinedOutput() // both streams
		if err != nil && !strings.Contains(string(out), "No such container") {
			o.t.Fatalf("docker logs %s: %v: %s", id, err, out)
		}
		all.Write(out)
	}
	return all.String()
}

// clear removes a stack and all that it leaves, volumes included.
func (o *operator) clear(stack string) {
	o.t.Helper()
	for _, name := range strings.Fields(o.docker("service", "ls", "-q", "--filter", "label=com.docker.stack.namespace="+stack)) {
		o.docker("service", "rm", name)
	}
	eventually(o.t, "tasks of "+stack+" are gone", func() bool {
		// The Engine leaves the containers of a job that failed where they are.
		for _, id := range strings.Fields(o.docker("ps", "-aq", "--filter", "status=exited", "--filter", "label=com.docker.stack.namespace="+stack)) {
			_, _ = o.node.Docker(context.WithoutCancel(o.t.Context()), "rm", "-f", id) // or it goes by itself
		}
		return o.docker("ps", "-aq", "--filter", "label=com.docker.stack.namespace="+stack) == ""
	})
	for _, id := range strings.Fields(o.docker("config", "ls", "-q", "--filter", "label=swarmward.stack="+stack)) {
		o.docker("config", "rm", id)
	}
	for _, kind := range []string{"secret", "config", "network"} {
		for _, id := range strings.Fields(o.docker(kind, "ls", "-q", "--filter", "label=com.docker.stack.namespace="+stack)) {
			o.docker(kind, "rm", id)
		}
	}
	eventually(o.t, "networks of "+stack+" are gone", func() bool {
		return o.docker("network", "ls", "-q", "--filter", "label=com.docker.stack.namespace="+stack) == ""
	})
	for _, id := range strings.Fields(o.docker("volume", "ls", "-q", "--filter", "label=com.docker.stack.namespace="+stack)) {
		o.docker("volume", "rm", id)
	}
}
