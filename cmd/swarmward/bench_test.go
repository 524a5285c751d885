package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/spec"
)

// BenchmarkStackDeploy compares swarmward with docker stack deploy on one
// private Engine and prints a table in Markdown. It asserts nothing.
//
// Times and memory are those of a command that talks to the Engine directly;
// its calls are counted in another run, through a proxy. Nobody asks a registry.
// The environment sets the sizes: SWARMWARD_BENCH_SIZES (stacks without tasks),
// SWARMWARD_BENCH_RUNNING (a stack with a running task and a history each; 0:
// none) and SWARMWARD_BENCH_ATTACHED (the stack that docker stack deploy
// --detach=false waits for, which takes it some 5 s for every service).
func BenchmarkStackDeploy(b *testing.B) {
	lab := sharedLab(b)
	c := &comparison{b: b, node: lab.Nodes[0], dir: b.TempDir(), binary: builtBinary(b), proxy: newCalls(b, lab.Nodes[0].Host)}
	for range b.N {
		c.rows = nil
		for _, n := range sizes(b, "SWARMWARD_BENCH_SIZES", "100,1000") {
			c.idle(n)
		}
		for _, n := range sizes(b, "SWARMWARD_BENCH_ATTACHED", "10") {
			c.attached(n)
		}
		for _, n := range sizes(b, "SWARMWARD_BENCH_RUNNING", "50") {
			c.running(n)
		}
	}
	c.table()
}

func sizes(b *testing.B, variable, otherwise string) []int {
	var out []int
	for _, field := range strings.Split(cmp.Or(os.Getenv(variable), otherwise), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 0 {
			b.Fatalf("%s: %q is no number of services", variable, field)
		}
		if n > 0 {
			out = append(out, n)
		}
	}
	return out
}

// comparison is one run of the benchmark.
type comparison struct {
	b      *testing.B
	node   *swarmlab.Node
	dir    string
	binary string
	proxy  *calls
	rows   []measurement
}

type measurement struct {
	services      int
	what, command string
	cost          cost
	calls, writes int
}

func (c *comparison) add(n int, what, command string, costs []cost, seen []string) {
	r := measurement{services: n, what: what, command: command, cost: median(costs), calls: len(seen)}
	for _, s := range seen {
		if !strings.HasPrefix(s, "GET ") && !strings.HasPrefix(s, "HEAD ") {
			r.writes++
		}
	}
	c.rows = append(c.rows, r)
	fmt.Fprintln(os.Stderr, r)
}

// write makes the spec of n services with a config each, and says where it is.
func (c *comparison) write(n, replicas, round int) string {
	c.b.Helper()
	var services, configs strings.Builder
	for i := range n {
		fmt.Fprintf(&services, `  s%d:
    image: busybox:lab
    command: [sleep, "100000"]
    stop_grace_period: 1s
    environment: {LOG_LEVEL: info, ROUND: "%d"}
    configs: [c%d]
    deploy:
      replicas: %d
      resources: {limits: {memory: 64M}}
      labels: {team: a}
`, i, round, i, replicas)
		fmt.Fprintf(&configs, "  c%d: {file: ./c%d.conf}\n", i, i)
		c.save(fmt.Sprintf("c%d.conf", i), fmt.Sprintf("listen %d\n", i))
	}
	text := "x-swarmward: {images: {resolve: never}}\nservices:\n" + services.String() + "configs:\n" + configs.String()
	return c.save(fmt.Sprintf("stack%d.yaml", n), text)
}

func (c *comparison) save(name, text string) string {
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.b.Fatal(err)
	}
	return path
}

func (c *comparison) docker(file, stack string) []string {
	return []string{"docker", "stack", "deploy", "--resolve-image", "never", "-c", file, stack}
}

func (c *comparison) apply(file, stack string) []string {
	return []string{c.binary, "apply", "--yes", "-f", file, "--stack", stack}
}

func (c *comparison) plan(file, stack string) []string {
	return []string{c.binary, "plan", "-f", file, "--stack", stack}
}

// times is how often a thing is done: the median counts.
const times = 3

// idle measures first deploys and no-ops of services without a task. What is
// compared takes turns: the machine may have other things to do.
func (c *comparison) idle(n int) {
	file := c.write(n, 0, 0)
	deployers := []invocation{c.docker, c.apply}
	costs := make([][]cost, len(deployers))
	for i := range times {
		for k, deploy := range deployers {
			stack := fmt.Sprintf("first%d-%d-%d", n, k, i)
			costs[k] = append(costs[k], measure(c.b, c.dir, c.node.Host, deploy(file, stack)...))
			c.remove(stack)
		}
	}
	stacks := []string{fmt.Sprintf("docker%d", n), fmt.Sprintf("ward%d", n)}
	for k, deploy := range deployers {
		c.proxy.taken()
		measure(c.b, c.dir, c.proxy.host, deploy(file, stacks[k])...)
		c.add(n, "first deploy", title(deploy), costs[k], c.proxy.taken())
	}
	c.repeated(n, "nothing changed", file, []string{stacks[0], stacks[1], stacks[1]}, c.docker, c.apply, c.plan)
	c.remove(stacks[0])
	c.passes(n, file, stacks[1])
	c.remove(stacks[1])
}

// invocation is a command for a spec and a stack.
type invocation func(file, stack string) []string

// title is a command as the table shows it.
func title(args invocation) string {
	words := args("FILE", "NAME")
	return strings.Join(append([]string{filepath.Base(words[0])}, words[1:]...), " ")
}

// repeated measures commands that find nothing to do, each on its stack.
func (c *comparison) repeated(n int, what, file string, stacks []string, commands ...invocation) {
	costs := make([][]cost, len(commands))
	for range times {
		for k, command := range commands {
			costs[k] = append(costs[k], measure(c.b, c.dir, c.node.Host, command(file, stacks[k])...))
		}
	}
	for k, command := range commands {
		c.proxy.taken()
		measure(c.b, c.dir, c.proxy.host, command(file, stacks[k])...)
		c.add(n, what, title(command), costs[k], c.proxy.taken())
	}
}

// attached measures the no-op that waits.
func (c *comparison) attached(n int) {
	file, stack := c.write(n, 0, 0), fmt.Sprintf("attached%d", n)
	waiting := func(file, stack string) []string {
		return append(c.docker(file, stack), "--detach=false")
	}
	measure(c.b, c.dir, c.node.Host, c.docker(file, stack)...)
	c.proxy.taken()
	costs := []cost{measure(c.b, c.dir, c.proxy.host, waiting(file, stack)...)}
	c.add(n, "nothing changed, waits", title(waiting), costs, c.proxy.taken())
	measure(c.b, c.dir, c.node.Host, c.apply(file, stack)...)
	c.repeated(n, "nothing changed, waits", file, []string{stack}, c.apply)
	c.remove(stack)
}

// running measures no-ops of services that each have a running task and two
// that ended.
func (c *comparison) running(n int) {
	stack := fmt.Sprintf("running%d", n)
	var file string
	for round := range 3 {
		file = c.write(n, 1, round)
		measure(c.b, c.dir, c.node.Host, c.docker(file, stack)...)
		c.converged(stack)
	}
	c.repeated(n, "nothing changed, running", file, []string{stack}, c.docker)
	measure(c.b, c.dir, c.node.Host, c.apply(file, stack)...)
	c.repeated(n, "nothing changed, running", file, []string{stack, stack}, c.apply, c.plan)
	c.remove(stack)
}

// passes measures what the controller does about a stack that is as it should
// be, beside one list of its services.
func (c *comparison) passes(n int, file, stack string) {
	loaded, err := spec.Load(c.b.Context(), spec.Options{Files: []string{file}, Name: stack})
	if err != nil {
		c.b.Fatal(err)
	}
	c.b.Setenv("DOCKER_HOST", c.node.Host)
	differ := reconcile.Differ{Fingerprints: &reconcile.Fingerprints{}, Unchanged: &reconcile.Unchanged{}}
	look := func(e *engine.Engine) {
		seen, err := e.Observe(c.b.Context(), loaded)
		if err != nil {
			c.b.Fatal(err)
		}
		if p := differ.Diff(loaded, seen); !p.Empty() {
			c.b.Fatalf("the stack is not as the spec says: %v", p)
		}
		for _, s := range loaded.Services {
			if v := reconcile.Judge(seen, s.Spec.Name, time.Time{}, seen.At); v.State != reconcile.Converged {
				c.b.Fatalf("%s: %s", s.Key, v.Message)
			}
		}
	}
	api := c.node.Client(c.b)
	list := func() {
		if found, err := api.ServiceList(c.b.Context(), swarm.ServiceListOptions{}); err != nil || len(found) != n {
			c.b.Fatal(len(found), err)
		}
	}
	e := c.engine()
	defer e.Close()
	var raw, pass []cost
	for range 3 * times {
		raw = append(raw, inProcess(list))
		pass = append(pass, inProcess(func() { look(e) }))
	}
	c.b.Setenv("DOCKER_HOST", c.proxy.host)
	counted := c.engine()
	defer counted.Close()
	c.proxy.taken()
	look(counted)
	c.add(n, "nothing changed", "a pass of the controller", pass, c.proxy.taken())
	c.add(n, "", "one list of the services, decoded", raw, []string{"GET /services"})
}

// engine is set up as that of the controller.
func (c *comparison) engine() *engine.Engine {
	e, err := engine.New(nil)
	if err != nil {
		c.b.Fatal(err)
	}
	e.Repeats = true
	return e
}

// converged waits until every service runs what its spec says.
func (c *comparison) converged(stack string) {
	api := c.node.Client(c.b)
	ctx, cancel := context.WithTimeout(c.b.Context(), 10*time.Minute)
	defer cancel()
	for {
		services, err := api.ServiceList(ctx, swarm.ServiceListOptions{Status: true})
		if err != nil {
			c.b.Fatal(err)
		}
		waiting := 0
		for _, s := range services {
			updating := s.UpdateStatus != nil && s.UpdateStatus.State != swarm.UpdateStateCompleted
			if strings.HasPrefix(s.Spec.Name, stack+"_") && (updating || s.ServiceStatus.RunningTasks != s.ServiceStatus.DesiredTasks) {
				waiting++
			}
		}
		if waiting == 0 {
			return
		}
		<-time.After(time.Second)
	}
}

func (c *comparison) remove(stack string) {
	if _, err := c.node.Docker(c.b.Context(), "stack", "rm", stack); err != nil {
		c.b.Fatal(err)
	}
}

// table is what the README shows.
func (c *comparison) table() {
	fmt.Println("\n| services | | command | wall | CPU | peak memory | Engine calls | writes |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, r := range c.rows {
		fmt.Println(r)
	}
	fmt.Println()
}

func (r measurement) String() string {
	memory := "–"
	if r.cost.Memory > 0 {
		memory = fmt.Sprintf("%d MB", r.cost.Memory>>20)
	}
	return fmt.Sprintf("| %d | %s | `%s` | %s | %s | %s | %d | %d |", r.services, r.what, r.command,
		shown(r.cost.Wall), shown(r.cost.CPU), memory, r.calls, r.writes)
}

// shown is a duration with two or three digits that mean something.
func shown(d time.Duration) string {
	if d >= 10*time.Second {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}
