package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"text/template"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// scenario is something that swarmward does and that can be broken off.
type scenario struct {
	name   string
	before func(*ground) // makes what is there already; nil: nothing is
	after  func(*shape)  // how the spec differs from the one that before made
	// The verb, as a process and within this one; nil is apply.
	args []string
	act  func(context.Context, *reconcile.Reconciler, *spec.Stack) *reconcile.Outcome
	exit int // of the process, undisturbed
	// writes are broken in every lane, however seldom it breaks other calls.
	writes bool
}

// scenarios, each of them a table entry away from having every fault at every
// call of it.
func scenarios() []scenario {
	return []scenario{
		{name: "first deploy"},
		{name: "image", before: deployed, after: func(s *shape) { s.Redis = s.RedisNext }},
		{name: "label", before: deployed, after: func(s *shape) { s.Label = "new" }},
		{name: "scale", before: deployed, after: func(s *shape) { s.Replicas = 2 }},
		{name: "environment", before: deployed, after: func(s *shape) { s.Env = "new" }},
		{name: "network added", before: deployed, after: func(s *shape) { s.More = true }},
		{name: "config", before: deployed, after: func(s *shape) { s.Conf = "maxmemory 100mb" }},
		{name: "secret", before: deployed, after: func(s *shape) { s.Password = "another-password" }},
		{name: "all at once", before: deployed, after: func(s *shape) {
			s.App, s.Label, s.Env, s.More = s.AppNext, "new", "new", true
			s.Conf, s.Password, s.Key = "maxmemory 100mb", "another-password", "another-key"
		}},
		{name: "adopted from docker stack deploy", before: stackDeployed},
		{name: "adopted from the API", before: byHand},
		{name: "prune", before: deployed, after: func(s *shape) { s.Gone = true }},
		{name: "destroy", before: deployed, args: []string{"destroy", "--yes"}, act: destroy},
	}
}

func destroy(ctx context.Context, r *reconcile.Reconciler, s *spec.Stack) *reconcile.Outcome {
	seen, err := r.Observe(ctx, &spec.Stack{Name: s.Name})
	if err != nil {
		return &reconcile.Outcome{Err: err}
	}
	plan := reconcile.Destroy(s.Name, seen)
	plan.Forget(seen)
	return r.Destroy(ctx, s.Name, plan, seen)
}

// shape is what the scenarios change about the stack.
type shape struct {
	Stack            string
	Port             int
	Redis, RedisNext string
	App, AppNext     string
	Label, Env, Conf string
	Resolve          string
	Password, Key    string
	Replicas         int
	More, Gone       bool
	Grace            string // of the check; empty: enough for Redis to start
	GoesBack         bool
}

// text is the stack as a file: a Redis with its data on a volume, and an
// application that waits for it.
var text = template.Must(template.New("").Delims("<<", ">>").Parse(`
name: << .Stack >>
services:
  redis:
    image: "<< .Redis >>"
    command: [redis-server, /etc/redis.conf]
    stop_grace_period: 5s
    networks: [net]
    volumes: ["data:/data"]
    secrets: [{source: password, mode: 0444}]
    configs: [{source: conf, target: /etc/redis.conf, mode: 0444}]
    ports: [{target: 6379, published: << .Port >>, mode: host}]
    deploy:
      endpoint_mode: dnsrr
      update_config: &fast {order: stop-first, monitor: 10ms}
      restart_policy: &soon {condition: any, delay: 50ms}
<<- if not .Gone >>
  app:
    image: "<< .App >>"
    command: [sleep, "1000"]
    stop_grace_period: 10ms
    depends_on: {redis: {condition: service_healthy}}
    environment: {LEVEL: "<< .Env >>"}
    networks: [net<< if .More >>, more<< end >>]
    secrets: [{source: key, mode: 0444}]
    deploy:
      replicas: << .Replicas >>
      endpoint_mode: dnsrr
      labels: {level: "<< .Label >>"}
      update_config: *fast
      restart_policy: *soon
<<- end >>
networks:
  net: {driver: overlay}
<<- if .More >>
  more: {driver: overlay}
<<- end >>
volumes:
  data: {}
secrets:
  password: {environment: PASSWORD}
<<- if not .Gone >>
  key: {environment: KEY}
<<- end >>
configs:
  conf:
    template_driver: golang
    content: |
      dir /data
      appendonly yes
      appendfsync always
      requirepass {{ secret "password" }}
      << .Conf >>
x-swarmward:
  images: {resolve: << .Resolve >>}
<<- if .GoesBack >>
  on_check_failure: rollback
<<- end >>
  checks:
    redis:
      redis: {service: redis, port: 6379, password: {secret: password}}
      grace: << or .Grace "20s" >>
`))

// file writes the spec, and returns its path and the variables that it needs.
func (s shape) file(t *testing.T, dir string) (string, []string) {
	t.Helper()
	var b bytes.Buffer
	if err := text.Execute(&b, s); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "desired-state.yaml")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, []string{"PASSWORD=" + s.Password, "KEY=" + s.Key}
}

func (s shape) load(t *testing.T, dir string) *spec.Stack {
	t.Helper()
	path, env := s.file(t, dir)
	stack, err := spec.Load(t.Context(), spec.Options{Files: []string{path}, Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

// deployed makes the stack with swarmward.
func deployed(g *ground) {
	g.settled("the stack to begin with", g.pass(scenario{}, g.direct))
}

// stackDeployed makes the very objects that docker stack deploy makes.
func stackDeployed(g *ground) { g.made(func(l map[string]string) map[string]string { return l }) }

// byHand makes the objects as somebody does who knows no stacks: without labels,
// but for the network, which cannot be given any later.
func byHand(g *ground) { g.made(func(map[string]string) map[string]string { return nil }) }

// made makes the stack's objects through the Engine's API, none of them with a
// mark of swarmward.
func (g *ground) made(labels func(map[string]string) map[string]string) {
	g.t.Helper()
	ctx, stack, ids := g.t.Context(), g.shape.load(g.t, g.dir), map[string]string{}
	must := func(err error) {
		g.t.Helper()
		if err != nil {
			g.t.Fatal(err)
		}
	}
	for _, n := range stack.Networks {
		r, err := g.api.NetworkCreate(ctx, n.Name, n.Create)
		must(err)
		ids[n.Name] = r.ID
	}
	for _, s := range stack.Secrets {
		s.Spec.Labels, s.Spec.Data = labels(s.Spec.Labels), []byte(s.Data)
		r, err := g.api.SecretCreate(ctx, s.Spec)
		must(err)
		ids[s.Name] = r.ID
	}
	for _, c := range stack.Configs {
		c.Spec.Labels = labels(c.Spec.Labels)
		r, err := g.api.ConfigCreate(ctx, c.Spec)
		must(err)
		ids[c.Name] = r.ID
	}
	for _, s := range stack.Services {
		sp := s.Spec
		sp.Labels = labels(sp.Labels)
		for i, n := range sp.TaskTemplate.Networks {
			sp.TaskTemplate.Networks[i] = swarm.NetworkAttachmentConfig{Target: ids[n.Target], Aliases: n.Aliases}
		}
		for _, r := range sp.TaskTemplate.ContainerSpec.Secrets {
			r.SecretID = ids[r.SecretName]
		}
		for _, r := range sp.TaskTemplate.ContainerSpec.Configs {
			r.ConfigID = ids[r.ConfigName]
		}
		_, err := g.api.ServiceCreate(ctx, sp, swarm.ServiceCreateOptions{})
		must(err)
	}
}
