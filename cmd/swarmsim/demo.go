package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

// demo shows swarmward's main job on the Swarm at DOCKER_HOST: what a person
// types, what is answered, and why. It fails as soon as anything is not as the
// text says.
type demo struct {
	out       io.Writer
	colored   bool
	shown     bytes.Buffer // what went to out, without colours
	swarmward string       // the program
	spec      string       // desired-state.yaml
	dir       string       // a throwaway repository
	secrets   []string     // which nothing may print
	api       *client.Client
}

// demoCommand is `swarmsim demo SWARMWARD SPEC [README]`; with the last one it
// also writes what it showed between the marks in that file.
func demoCommand(ctx context.Context, args []string, out io.Writer) (int, error) {
	if len(args) != 2 && len(args) != 3 {
		return 2, errors.New("demo: it takes the swarmward program and the spec; make demo gives both")
	}
	if os.Getenv("DOCKER_HOST") == "" {
		return 2, errors.New("demo: DOCKER_HOST is not set; run it as swarmsim -- swarmsim demo ...")
	}
	d := &demo{out: out, colored: colored(out)}
	var err error
	if d.swarmward, err = filepath.Abs(args[0]); err != nil {
		return 1, err
	}
	if d.spec, err = filepath.Abs(args[1]); err != nil {
		return 1, err
	}
	if d.api, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation()); err != nil {
		return 1, err
	}
	defer func() { _ = d.api.Close() }()
	if d.dir, err = os.MkdirTemp("", "swarmward-demo-"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(d.dir) }()
	switch err := d.play(ctx); {
	case ctx.Err() != nil:
		return 130, errors.New("the demo was stopped before its end")
	case err != nil:
		return 1, fmt.Errorf("the demo went wrong: %w", err)
	}
	if len(args) == 3 {
		if err := record(args[2], d.shown.String()); err != nil {
			return 1, err
		}
	}
	return 0, nil
}

func (d *demo) play(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{
		d.begin, d.deploy, d.drift, d.outage, d.newImage, d.badSecret, d.end,
	} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return nil
}

// faster is merged over the spec: a demo cannot wait as an operator does.
const faster = `services:
  redis: {deploy: {update_config: {monitor: 1s}}}
  centrifugo: {deploy: {update_config: {monitor: 1s}}}
x-swarmward:
  checks:
    redis: {grace: 4s}
    centrifugo: {grace: 4s}
`

func (d *demo) begin(ctx context.Context) error {
	d.say(`A Swarm runs in this process: Swarm's own control plane, with containers
that are only pretended. Redis and Centrifugo are real enough to be asked.
A fresh git repository holds desired-state.yaml, the stack as it should be;
its passwords are random, in .env, which git ignores.`)
	spec, err := os.ReadFile(d.spec)
	if err != nil {
		return err
	}
	env := "REDIS_NODE=node-1\n"
	for _, name := range []string{"REDIS_PASSWORD", "CENTRIFUGO_API_KEY", "CENTRIFUGO_TOKEN_SECRET", "CENTRIFUGO_ADMIN_PASSWORD", "CENTRIFUGO_ADMIN_SECRET"} {
		secret := rand.Text()
		d.secrets = append(d.secrets, secret)
		env += name + "=" + secret + "\n"
	}
	for name, text := range map[string]string{"desired-state.yaml": string(spec), "faster.yaml": faster, ".env": env, ".gitignore": ".env\n"} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	d.typed(`git init -q && git add . && git commit -q -m "The stack as it should be"`)
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-q", "-m", "The stack as it should be"}} {
		if err := d.git(ctx, args...); err != nil {
			return err
		}
	}
	d.say(`For those who watch, faster.yaml is merged over it: Swarm looks after an
update for 1 second instead of 15, and a check may fail for 4 instead of 60.`)
	d.typed("export SWARMWARD_FILE=desired-state.yaml:faster.yaml")
	return d.run(ctx, 0, []string{"is valid"}, "validate")
}

func (d *demo) deploy(ctx context.Context) error {
	d.say(`What would it do? A plan only reads. Exit code 2: there is something to do.`)
	if err := d.run(ctx, 2, []string{"11 to create"}, "plan"); err != nil {
		return err
	}
	d.say(`Do it. Redis comes first; Centrifugo, which exits when it finds no Redis, is
made when Redis runs and has passed its check. Done means that both work.`)
	return d.run(ctx, 0, []string{"converged and verified", "Redis stored ok-", "Centrifugo answers"}, "apply", "--yes")
}

func (d *demo) drift(ctx context.Context) error {
	d.say(`Somebody changes a service by hand, at night, and tells nobody.`)
	d.typed("docker service update --label-add traefik.enable=false --replicas 3 whatrack_centrifugo")
	was, err := d.service(ctx, "whatrack_centrifugo")
	if err != nil {
		return err
	}
	s, err := d.service(ctx, "whatrack_centrifugo")
	if err != nil {
		return err
	}
	s.Spec.Labels["traefik.enable"] = "false"
	s.Spec.Mode.Replicated.Replicas = new(uint64(3))
	if _, err := d.api.ServiceUpdate(ctx, s.ID, s.Version, s.Spec, swarm.ServiceUpdateOptions{}); err != nil {
		return err
	}
	if err := d.run(ctx, 2, []string{"changed by hand", `"traefik.enable"  false -> true`, "3 -> 1"}, "plan"); err != nil {
		return err
	}
	d.say(`It is seen, named, and known to restart no task. Repair it.`)
	if err := d.run(ctx, 0, []string{"converged and verified, 1 written"}, "apply", "--yes"); err != nil {
		return err
	}
	now, err := d.service(ctx, "whatrack_centrifugo")
	if err == nil && !reflect.DeepEqual(was.Spec, now.Spec) {
		err = errors.New("service whatrack_centrifugo: it is not what it was before it was changed by hand")
	}
	return err
}

func (d *demo) outage(ctx context.Context) error {
	d.say(`Redis hangs up on everybody, although Swarm still counts 1/1 running.`)
	if err := d.steer(ctx, "service", "stop", "whatrack_redis"); err != nil {
		return err
	}
	if err := d.run(ctx, 3, []string{"failed", "reason: refused"}, "check", "redis"); err != nil {
		return err
	}
	if err := d.runs(ctx, "whatrack_redis", "redis:7.4.6"); err != nil {
		return err
	}
	d.say(`It comes back, and the check takes its word for nothing: it writes and reads.`)
	if err := d.steer(ctx, "service", "start", "whatrack_redis"); err != nil {
		return err
	}
	return d.run(ctx, 0, []string{"passed", "Redis stored ok-"}, "check", "redis")
}

func (d *demo) newImage(ctx context.Context) error {
	d.say(`A commit changes the image of Redis. The plan tells what that will cost.`)
	if err := d.commit(ctx, "Redis 7.4.7", "image: redis:7.4.6", "image: redis:7.4.7"); err != nil {
		return err
	}
	if err := d.run(ctx, 2, []string{"rolling: 1 task restarts", "redis:7.4.6 -> redis:7.4.7"}, "plan"); err != nil {
		return err
	}
	if err := d.run(ctx, 0, []string{"converged and verified, 1 written", "Redis stored ok-"}, "apply", "--yes"); err != nil {
		return err
	}
	return d.runs(ctx, "whatrack_redis", "redis:7.4.7")
}

func (d *demo) badSecret(ctx context.Context) error {
	d.say(`The next commit mixes up two secrets: Redis is given Centrifugo's API key for
its password. Every container runs, and nothing works.`)
	err := d.commit(ctx, "Tidy up the secrets", "- source: redis_password\n", "- source: centrifugo_api_key\n        target: redis_password\n")
	if err != nil {
		return err
	}
	if err := d.run(ctx, 3, []string{"converged, but a check failed", "reason: auth_failed"}, "apply", "--yes"); err != nil {
		return err
	}
	d.say(`Exit code 3, and the reason: a pipeline stops here. Take the commit back.`)
	d.typed("git revert --no-edit HEAD")
	if err := d.git(ctx, "revert", "--no-edit", "HEAD"); err != nil {
		return err
	}
	return d.run(ctx, 0, []string{"converged and verified, 1 written", "Redis stored ok-"}, "apply", "--yes")
}

func (d *demo) end(ctx context.Context) error {
	d.say(`Nothing differs any more. A plan says so with exit code 0, and an apply writes
nothing at all.`)
	err := d.unwritten(ctx, func() error {
		if err := d.run(ctx, 0, []string{"nothing to do"}, "plan"); err != nil {
			return err
		}
		return d.run(ctx, 0, []string{"nothing was written"}, "apply", "--yes")
	})
	if err != nil {
		return err
	}
	d.say(`That was all of it. README.md says how to do the same on a Swarm of yours.`)
	return nil
}
