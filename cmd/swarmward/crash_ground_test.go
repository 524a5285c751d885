package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/redis/go-redis/v9"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/spec"
)

// ground is a corner of a Swarm where one stack at a time is made and broken,
// behind a socket of its own.
type ground struct {
	t      *testing.T
	base   shape // the stack as every scenario begins
	shape  shape // as it is now
	dir    string
	poll   time.Duration
	faults *swarmlab.Faults
	api    *client.Client // to the Engine itself
	engine *engine.Engine // through the faults
	direct direct         // around them
	way    string         // to Redis, once it is known
	loaded map[shape]*spec.Stack
	prints reconcile.Fingerprints
	// memories are the ids that the stack's memory has had.
	memories []string
	binary   func(ctx context.Context, args ...string) *exec.Cmd
}

// ahead is how far the Engine's clock is ahead of its tasks': one has to have run
// for a while to count.
const ahead = 5 * time.Second

// direct is the Engine itself, with the clock that it has behind the faults.
type direct struct{ *engine.Engine }

func (d direct) Progress(ctx context.Context, s *spec.Stack) (*reconcile.Observed, error) {
	o, err := d.Engine.Progress(ctx, s)
	if err == nil {
		o.At = o.At.Add(ahead)
	}
	return o, err
}

// asked is an Engine with the ways to a service.
type asked interface {
	reconcile.Engine
	check.Locator
}

// briefly is how long the lease of what is killed here lasts.
const briefly = time.Second

func (g *ground) reconciler(e asked) *reconcile.Reconciler {
	return &reconcile.Reconciler{
		Lease:  &reconcile.Lease{Engine: e, Holder: "the test", What: "apply", Wait: time.Minute},
		Engine: e, Prober: check.Prober{Locator: e}, Poll: g.poll,
		Differ: reconcile.Differ{Fingerprints: &g.prints},
	}
}

// process is swarmward itself.
func (g *ground) process(ctx context.Context, s scenario) (*exec.Cmd, *bytes.Buffer) {
	args := s.args
	if args == nil {
		args = []string{"apply", "--yes"}
	}
	path, env := g.shape.file(g.t, g.dir)
	cmd := g.binary(ctx, append(args, "-f", path, "--lease-ttl", briefly.String())...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Env = append(cmd.Env, "DOCKER_HOST="+g.faults.Host)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// settled fails the test unless the pass ended well.
func (g *ground) settled(what string, o *reconcile.Outcome) {
	g.t.Helper()
	if o.ExitCode() != reconcile.ExitOK {
		g.t.Fatalf("%s: exit %d: %v\n%sverdicts %+v\nchecks %+v", what, o.ExitCode(), o.Err, o.Plan, o.Verdicts, o.Checks)
	}
}

// redis is a client of the stack's Redis.
func (g *ground) redis(do func(context.Context, *redis.Client) error) error {
	ctx := g.t.Context()
	if g.way == "" {
		at, err := g.direct.Locate(ctx, g.base.Stack+"_redis", 6379)
		if err != nil {
			return err
		}
		if len(at.Ways) == 0 {
			return errors.New("no way to Redis")
		}
		g.way = at.Ways[0].Address
	}
	c := redis.NewClient(&redis.Options{Addr: g.way, Password: g.shape.Password, MaxRetries: 10})
	defer c.Close()
	return do(ctx, c)
}

// write puts data on the volume, and found says whether it is there.
func (g *ground) write() error {
	return g.redis(func(ctx context.Context, c *redis.Client) error { return c.Set(ctx, "kept", "data", 0).Err() })
}

func (g *ground) found() error {
	return g.redis(func(ctx context.Context, c *redis.Client) error {
		if v, err := c.Get(ctx, "kept").Result(); v != "data" {
			return fmt.Errorf("the data on the volume is lost: %q, %w", v, err)
		}
		return nil
	})
}

// objects are all that the Swarm has of the stack, a line each, without what
// differs from one time to the next: ids, versions, times, digests.
func (g *ground) objects() []string {
	g.t.Helper()
	h := g.holdings()
	ids := map[string]string{}
	for _, n := range h.networks {
		ids[n.ID] = n.Name
	}
	for _, s := range h.secrets {
		ids[s.ID] = s.Spec.Name
	}
	for _, c := range h.configs {
		ids[c.ID] = c.Spec.Name
	}
	var out []string
	add := func(kind, name string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			g.t.Fatal(err)
		}
		line := since.ReplaceAllString(digest.ReplaceAllString(string(text), ""), "")
		for id, name := range ids {
			line = strings.ReplaceAll(line, id, "id of "+name)
		}
		out = append(out, kind+" "+name+" "+line)
	}
	for _, n := range h.networks {
		add("network", n.Name, []any{n.Labels, n.Attachable, n.Internal, n.Driver})
	}
	for _, v := range h.volumes {
		add("volume", v.Name, []any{v.Driver, v.Labels, v.Options})
	}
	for _, s := range h.secrets {
		add("secret", s.Spec.Name, s.Spec)
	}
	for _, line := range g.records(h) {
		add("record", "", line)
	}
	for _, c := range h.configs {
		if c.Spec.Labels[reconcile.LabelKept] != "" {
			delete(c.Spec.Labels, reconcile.LabelChecksum) // of a time, among others
			delete(c.Spec.Labels, reconcile.LabelWriter)   // of who was killed last
			c.Spec.Data = nil
		}
		add("config", c.Spec.Name, c.Spec)
	}
	for _, s := range h.services {
		if s.Spec.TaskTemplate.Placement != nil {
			s.Spec.TaskTemplate.Placement.Platforms = nil // a registry's word, like a digest
		}
		add("service", s.Spec.Name, s.Spec)
		running := 0
		for _, t := range h.tasks {
			if t.ServiceID == s.ID && t.DesiredState == swarm.TaskStateRunning {
				running++
			}
		}
		out = append(out, fmt.Sprintf("service %s has %d tasks", s.Spec.Name, running))
	}
	slices.Sort(out)
	return out
}

// learnMemory notes the id of the stack's memory, as long as there is one.
func (g *ground) learnMemory() {
	for _, c := range g.holdings().configs {
		if strings.HasSuffix(c.Spec.Name, ".memory") && !slices.Contains(g.memories, c.ID) {
			g.memories = append(g.memories, c.ID)
		}
	}
}

// records are what the stack's history says, without its times.
func (g *ground) records(h holdings) (out []any) {
	seen := &reconcile.Observed{Configs: map[string]swarm.Config{}}
	for _, c := range h.configs {
		seen.Configs[c.Spec.Name] = c
	}
	records, unreadable := reconcile.Records(seen, g.base.Stack)
	for _, u := range unreadable {
		out = append(out, u)
	}
	for _, r := range records {
		r.At = time.Time{}
		for i := range r.Checks {
			r.Checks[i].Latency = 0
		}
		r.Digest = "" // of image digests, among others
		out = append(out, []any{r, r.RecordedSpec})
	}
	return out
}

var (
	digest = regexp.MustCompile(`@sha256:[0-9a-f]{64}`)
	since  = regexp.MustCompile(`since\\":\\"[^"\\]*`)
)

// holdings are the stack's objects.
type holdings struct {
	networks []network.Summary
	volumes  []*volume.Volume
	secrets  []swarm.Secret
	configs  []swarm.Config
	services []swarm.Service
	tasks    []swarm.Task
}

func (g *ground) holdings() (h holdings) {
	g.t.Helper()
	ctx := context.WithoutCancel(g.t.Context())
	var errs [6]error
	var volumes volume.ListResponse
	h.networks, errs[0] = g.api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("scope", "swarm"))})
	volumes, errs[1] = g.api.VolumeList(ctx, volume.ListOptions{})
	h.secrets, errs[2] = g.api.SecretList(ctx, swarm.SecretListOptions{})
	h.configs, errs[3] = g.api.ConfigList(ctx, swarm.ConfigListOptions{})
	h.services, errs[4] = g.api.ServiceList(ctx, swarm.ServiceListOptions{})
	h.tasks, errs[5] = g.api.TaskList(ctx, swarm.TaskListOptions{})
	if err := errors.Join(errs[:]...); err != nil {
		g.t.Fatal(err)
	}
	others := func(name string) bool { return !strings.HasPrefix(name, g.base.Stack+"_") }
	h.networks = slices.DeleteFunc(h.networks, func(n network.Summary) bool { return others(n.Name) })
	h.volumes = slices.DeleteFunc(volumes.Volumes, func(v *volume.Volume) bool { return others(v.Name) })
	h.secrets = slices.DeleteFunc(h.secrets, func(s swarm.Secret) bool { return others(s.Spec.Name) })
	h.configs = slices.DeleteFunc(h.configs, func(c swarm.Config) bool {
		return others(c.Spec.Name) && c.Spec.Labels[reconcile.LabelStack] != g.base.Stack
	})
	h.services = slices.DeleteFunc(h.services, func(s swarm.Service) bool { return others(s.Spec.Name) })
	return h
}

// clear removes the stack with its data.
func (g *ground) clear() {
	g.t.Helper()
	ctx, h := context.WithoutCancel(g.t.Context()), g.holdings()
	for _, s := range h.services {
		if err := g.api.ServiceRemove(ctx, s.ID); err != nil {
			g.t.Fatal(err)
		}
	}
	for _, s := range h.secrets {
		_ = g.api.SecretRemove(ctx, s.ID)
	}
	for _, c := range h.configs {
		_ = g.api.ConfigRemove(ctx, c.ID)
	}
	for _, v := range h.volumes {
		g.until("volume "+v.Name+" is gone", func() error { return g.api.VolumeRemove(ctx, v.Name, false) })
	}
	g.until("the stack is gone", func() error {
		for _, n := range h.networks {
			_ = g.api.NetworkRemove(ctx, n.ID)
		}
		if h = g.holdings(); len(h.networks)+len(h.volumes)+len(h.secrets)+len(h.configs)+len(h.services) > 0 {
			return fmt.Errorf("left: %+v", h)
		}
		return nil
	})
	g.shape = g.base
}

// until tries until try succeeds, as often as it takes for a minute.
func (g *ground) until(what string, try func() error) {
	g.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("not within a minute: %s: %v", what, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// prepare makes what is there before the scenario, with data where there is a
// volume, and turns the spec into the one to apply.
func (g *ground) prepare(s scenario) {
	g.t.Helper()
	g.faults.Arm(0, swarmlab.Pass, nil)
	g.clear()
	if s.before != nil {
		s.before(g)
		g.until("Redis takes data", g.write)
		g.learnMemory()
	}
	if s.after != nil {
		s.after(&g.shape)
	}
}

// stack is the spec, as it is now.
func (g *ground) stack() *spec.Stack {
	if g.loaded[g.shape] == nil {
		g.loaded[g.shape] = g.shape.load(g.t, g.dir)
	}
	return g.loaded[g.shape]
}

// pass makes the scenario within this process.
func (g *ground) pass(s scenario, e asked) *reconcile.Outcome {
	act := s.act
	if act == nil {
		act = func(ctx context.Context, r *reconcile.Reconciler, s *spec.Stack) *reconcile.Outcome {
			return r.Pass(ctx, s)
		}
	}
	return act(g.t.Context(), g.reconciler(e), g.stack())
}
