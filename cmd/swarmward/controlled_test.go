package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// controlled is a Swarm of swarmsim's with a controller, a process of its own
// that keeps the stacks of a folder, and a gate between the two.
type controlled struct {
	testing.TB
	sim    *swarmlab.Sim
	api    *client.Client
	dir    string // of the specs
	gate   *gate
	binary string
	debug  string // where it serves its profiles

	replicas int // of each service
	cmd      *exec.Cmd
	log      *logged
}

// control so many stacks of so many services each.
func control(tb testing.TB, stacks, services, replicas int) *controlled {
	tb.Helper()
	c := &controlled{TB: tb, replicas: replicas, sim: swarmlab.StartSim(tb), dir: tb.TempDir(), binary: builtBinary(tb), log: &logged{}}
	c.api = c.sim.Client(tb)
	c.gate = openGate(tb, strings.TrimPrefix(c.sim.Host, "unix://"))
	for i := range stacks {
		c.write(i, services, 0)
	}
	return c
}

func stackName(i int) string { return fmt.Sprintf("s%03d", i) }

// write the spec of a stack, as editors do it.
func (c *controlled) write(stack, services, round int) {
	c.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "name: %s\nx-swarmward: {images: {resolve: never}}\nnetworks: {front: {}}\nconfigs: {conf: {content: \"round %d\"}}\nservices:\n", stackName(stack), round)
	for i := range services {
		fmt.Fprintf(&text, `  web%d:
    image: nginx:1.29
    environment: {ROUND: "%d"}
    networks: [front]
    configs: [conf]
    deploy: {replicas: %d, update_config: {parallelism: 0, monitor: 50ms}}
`, i, round, c.replicas)
	}
	path := filepath.Join(c.dir, stackName(stack)+".yaml")
	if err := os.WriteFile(path+"~", []byte(text.String()), 0o600); err != nil {
		c.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		c.Fatal(err)
	}
}

// start the controller, and end it with the test.
func (c *controlled) start() {
	c.Helper()
	c.debug = fmt.Sprintf("127.%d.%d.%d:6060", 100+rand.N(100), rand.N(256), 1+rand.N(254))
	c.cmd = exec.Command(c.binary, "run", "-f", c.dir, "--debug-listen", c.debug, "--log-format", "json")
	c.cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+c.gate.path, "DOCKER_CONFIG="+c.dir)
	c.cmd.Stderr = c.log
	if err := c.cmd.Start(); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		if err := c.cmd.Wait(); err != nil {
			c.Errorf("the controller ended: %v\n%s", err, c.log.tail())
		}
	})
}

// plan is the exit code of swarmward plan, which goes around the gate.
func (c *controlled) plan() (int, string) {
	cmd := exec.CommandContext(c.Context(), c.binary, "plan", "-f", c.dir)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+c.sim.Host, "DOCKER_CONFIG="+c.dir)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

// settled waits until nothing is left to be done.
func (c *controlled) settled() {
	c.Helper()
	for {
		code, said := c.plan()
		if code == 0 {
			return
		}
		select {
		case <-c.Context().Done():
			c.Fatalf("something is left to be done:\n%s\n%s", said, c.log.tail())
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// cpu that the controller has used, and the memory that it has.
func (c *controlled) usage() (cpu time.Duration, memory int64) {
	c.Helper()
	proc := fmt.Sprintf("/proc/%d/", c.cmd.Process.Pid)
	stat, err := os.ReadFile(proc + "stat")
	if err != nil {
		c.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, f := range fields[11:13] { // user and system, in hundredths
		n, _ := strconv.ParseInt(f, 10, 64)
		cpu += time.Duration(n) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		c.Fatal(err)
	}
	return cpu, number(c, status, `VmRSS:\s+(\d+) kB`) << 10
}

// inside are the controller's goroutines, and what is on its heap after a
// collection.
func (c *controlled) inside() (goroutines int, heap int64) {
	c.Helper()
	goroutines = int(number(c, c.profile("goroutine?debug=1"), `goroutine profile: total (\d+)`))
	return goroutines, number(c, c.profile("heap?debug=1&gc=1"), `# HeapAlloc = (\d+)`)
}

func (c *controlled) profile(what string) []byte {
	c.Helper()
	answer, err := http.Get("http://" + c.debug + "/debug/pprof/" + what)
	if err != nil {
		c.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		c.Fatal(err)
	}
	return data
}

func number(tb testing.TB, text []byte, pattern string) int64 {
	tb.Helper()
	m := regexp.MustCompile(pattern).FindSubmatch(text)
	if m == nil {
		tb.Fatalf("no %s in %.200s", pattern, text)
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n
}

// logged are the last lines of a log, and how many there were of some.
type logged struct {
	mu    sync.Mutex
	lines []string
	rest  []byte
	count map[string]int // by msg
}

var message = regexp.MustCompile(`"msg":"([^"]*)"`)

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = map[string]int{}
	}
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		if m := message.FindSubmatch(line); m != nil {
			l.count[string(m[1])]++
		}
		l.rest = bytes.Clone(rest)
		if l.lines = append(l.lines, string(line)); len(l.lines) > 40 {
			l.lines = l.lines[1:]
		}
	}
}

func (l *logged) of(msg string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count[msg]
}

func (l *logged) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// gate is a socket before the Engine's own that can be shut, as when an Engine
// is started anew, or cut what passes.
type gate struct {
	path string
	mu   sync.Mutex
	shut bool
	open map[net.Conn]bool
}

func openGate(tb testing.TB, to string) *gate {
	tb.Helper()
	dir, err := os.MkdirTemp("", "gate-") // short, as a socket's path has to be
	if err != nil {
		tb.Fatal(err)
	}
	g := &gate{path: filepath.Join(dir, "docker.sock"), open: map[net.Conn]bool{}}
	l, err := net.Listen("unix", g.path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close(); g.cut(); _ = os.RemoveAll(dir) })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(in, to)
		}
	}()
	return g
}

func (g *gate) pass(in net.Conn, to string) {
	defer in.Close()
	out, err := net.Dial("unix", to)
	if err != nil {
		return
	}
	defer out.Close()
	g.mu.Lock()
	shut := g.shut
	g.open[in] = true
	g.mu.Unlock()
	defer func() { g.mu.Lock(); delete(g.open, in); g.mu.Unlock() }()
	if shut {
		return
	}
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	_, _ = io.Copy(in, out)
}

// cut every connection.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.open {
		_ = c.Close()
	}
}

// set shut, which cuts, or open again.
func (g *gate) set(shut bool) {
	g.mu.Lock()
	g.shut = shut
	g.mu.Unlock()
	if shut {
		g.cut()
	}
}
