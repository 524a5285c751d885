package swarmlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/client"
)

// Node is one Engine and the machine that it seems to run on.
type Node struct {
	Name  string // host name: node-1, node-2, …
	Host  string // a value for DOCKER_HOST: unix://…
	Addr  string // its address, reachable from the root network namespace
	Netns string // the name of its network namespace, as ip netns knows it

	run    string // sockets and what does not outlive the Engine
	data   string // data root, log, configuration
	cgroup string
	driver string

	mu     sync.Mutex
	daemon *daemon // nil when it is down
}

func newNode(l *Lab, i int, driver string) *Node {
	s := l.slot
	name := fmt.Sprintf("node-%d", i)
	run := filepath.Join(s.run(), strconv.Itoa(i))
	return &Node{
		Name:   name,
		Host:   "unix://" + filepath.Join(run, "docker.sock"),
		Addr:   s.addr(i + 1),
		Netns:  s.netns(i),
		run:    run,
		data:   filepath.Join(l.Dir, name),
		cgroup: filepath.Join(s.cgroup(), name),
		driver: driver,
	}
}

// Client returns a client of the node's API at the version that both speak. It
// works again after a Restart.
func (n *Node) Client(tb testing.TB) *client.Client {
	tb.Helper()
	c, err := n.dial()
	if err != nil {
		tb.Fatalf("swarmlab: %v", err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func (n *Node) dial() (*client.Client, error) {
	c, err := client.NewClientWithOpts(client.WithHost(n.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("%s: client: %w", n.Name, err)
	}
	return c, nil
}

// Docker runs the docker command against the node and returns its output. An
// error carries what the command wrote to its error output.
func (n *Node) Docker(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = n.environ()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return string(out), fmt.Errorf("%s: docker %s: %w", n.Name, strings.Join(args, " "), err)
	}
	return string(out), nil
}

// Command is a command as an operator on that machine runs it: in its network
// namespace, under its host name, with DOCKER_HOST set. The process keeps the
// id that the returned command has, also while the Engine is down; closing the
// lab kills it.
func (n *Node) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := n.enter(ctx, []string{"--uts"}, `hostname "$0" && exec "$@"`, append([]string{name}, args...))
	cmd.Env = n.environ()
	return cmd
}

// enter is a command in the node's network namespace and in new namespaces of
// the given kinds, where script, with the node's name as $0 and args as its
// arguments, ends by exec.
//
// nsenter instead of ip netns exec: that one mounts a fresh /sys, which hides
// the cgroups.
func (n *Node) enter(ctx context.Context, kinds []string, script string, args []string) *exec.Cmd {
	argv := []string{"--net=" + filepath.Join(netnsDir, n.Netns), "--", "unshare"}
	argv = append(argv, kinds...)
	argv = append(argv, "--", "/bin/sh", "-c", script, n.Name)
	return exec.CommandContext(ctx, "nsenter", append(argv, args...)...)
}

// environ is the environment with all that leads to another Docker replaced.
func (n *Node) environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "DOCKER_") {
			env = append(env, kv)
		}
	}
	return append(env, "DOCKER_HOST="+n.Host, "DOCKER_CONFIG="+filepath.Join(n.data, "cli"))
}
