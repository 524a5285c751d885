package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

// demo shows swarmward's main job on the Swarm at DOCKER_HOST: what a person
// types, what is answered, and why. It fails as soon as anything is not as the
// text says.
type demo struct {
	out       io.Writer
	swarmward string // the program
	spec      string // desired-state.yaml
	dir       string // a throwaway repository
	api       *client.Client
}

// demoCommand is `swarmsim demo SWARMWARD SPEC [README]`; with the last one it
// also writes what it showed between the marks in that file.
func demoCommand(ctx context.Context, args []string, out io.Writer) (int, error) {
	if len(args) != 2 && len(args) != 3 {
		return 2, errors.New("demo: it takes the swarmward program and the spec; make demo gives both")
	}
	var shown bytes.Buffer
	if os.Getenv("DOCKER_HOST") == "" {
		return 2, errors.New("demo: DOCKER_HOST is not set; run it as swarmsim -- swarmsim demo ...")
	}
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return 1, err
	}
	defer func() { _ = api.Close() }()
	dir, err := os.MkdirTemp("", "swarmward-demo-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	d := &demo{out: io.MultiWriter(out, &shown), dir: dir, api: api}
	if d.swarmward, err = filepath.Abs(args[0]); err != nil {
		return 1, err
	}
	if d.spec, err = filepath.Abs(args[1]); err != nil {
		return 1, err
	}
	if err := d.play(ctx); err != nil {
		return 1, fmt.Errorf("the demo went wrong: %w", err)
	}
	if len(args) == 3 {
		if err := record(args[2], shown.String()); err != nil {
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
		env += name + "=" + rand.Text() + "\n"
	}
	for name, text := range map[string]string{"desired-state.yaml": string(spec), "faster.yaml": faster, ".env": env, ".gitignore": ".env\n"} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := d.git(ctx, "init", "-q", "-b", "main"); err != nil {
		return err
	}
	if err := d.commit(ctx, "The stack as it should be"); err != nil {
		return err
	}
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
	err := d.update(ctx, "whatrack_centrifugo", func(s *swarm.ServiceSpec) {
		s.Labels["traefik.enable"] = "false"
		s.Mode.Replicated.Replicas = new(uint64(3))
	})
	if err != nil {
		return err
	}
	if err := d.run(ctx, 2, []string{"changed by hand", `"traefik.enable"  false -> true`, "3 -> 1"}, "plan"); err != nil {
		return err
	}
	d.say(`It is seen, named, and known to restart no task. Repair it.`)
	return d.run(ctx, 0, []string{"converged and verified, 1 written"}, "apply", "--yes")
}

func (d *demo) outage(ctx context.Context) error {
	d.say(`Redis hangs up on everybody, although Swarm still counts 1/1 running.`)
	d.typed("swarmsim ctl service stop whatrack_redis")
	if _, err := ctl(ctx, []string{"service", "stop", "whatrack_redis"}, io.Discard); err != nil {
		return err
	}
	if err := d.run(ctx, 3, []string{"failed", "reason: "}, "check", "redis"); err != nil {
		return err
	}
	d.typed("swarmsim ctl service start whatrack_redis")
	if _, err := ctl(ctx, []string{"service", "start", "whatrack_redis"}, io.Discard); err != nil {
		return err
	}
	return d.run(ctx, 0, []string{"passed"}, "check", "redis")
}

func (d *demo) newImage(ctx context.Context) error {
	d.say(`A commit changes the image of Redis.`)
	if err := d.edit("image: redis:7.4.6", "image: redis:7.4.7"); err != nil {
		return err
	}
	if err := d.commit(ctx, "Redis 7.4.7"); err != nil {
		return err
	}
	if err := d.run(ctx, 2, []string{"rolling: 1 task restarts", "redis:7.4.7"}, "plan"); err != nil {
		return err
	}
	return d.run(ctx, 0, []string{"converged and verified"}, "apply", "--yes")
}

func (d *demo) badSecret(ctx context.Context) error {
	d.say(`The next commit mixes up two secrets: Redis is given Centrifugo's API key for
its password. Every container runs, and nothing works.`)
	if err := d.edit("- source: redis_password\n", "- source: centrifugo_api_key\n        target: redis_password\n"); err != nil {
		return err
	}
	if err := d.commit(ctx, "Tidy up the secrets"); err != nil {
		return err
	}
	if err := d.run(ctx, 3, []string{"auth_failed"}, "apply", "--yes"); err != nil {
		return err
	}
	d.say(`Exit code 3, and the reason: a pipeline stops here. Take the commit back.`)
	d.typed("git revert --no-edit HEAD")
	if err := d.git(ctx, "revert", "--no-edit", "HEAD"); err != nil {
		return err
	}
	return d.run(ctx, 0, []string{"converged and verified"}, "apply", "--yes")
}

func (d *demo) end(ctx context.Context) error {
	d.say(`Nothing differs any more. A plan says so with exit code 0, and an apply writes
nothing at all.`)
	if err := d.run(ctx, 0, []string{"nothing to do"}, "plan"); err != nil {
		return err
	}
	if err := d.run(ctx, 0, []string{"nothing was written"}, "apply", "--yes"); err != nil {
		return err
	}
	d.say(`That was all of it. README.md says how to do the same on a Swarm of yours.`)
	return nil
}

func (d *demo) say(text string) {
	fmt.Fprintf(d.out, "\n# %s\n", strings.ReplaceAll(text, "\n", "\n# "))
}

func (d *demo) typed(line string) { fmt.Fprintf(d.out, "\n$ %s\n", line) }

// run types a swarmward command, shows its result, and holds it to an exit code
// and some texts. Its progress, on stderr, is shown when it went wrong.
func (d *demo) run(ctx context.Context, code int, texts []string, args ...string) error {
	line := "swarmward " + strings.Join(args, " ")
	d.typed(line)
	cmd := exec.CommandContext(ctx, d.swarmward, args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "SWARMWARD_FILE=desired-state.yaml:faster.yaml")
	var progress, result bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(d.out, &result), &progress
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w", line, err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		return fmt.Errorf("%s: exit code %d instead of %d:\n%s", line, got, code, &progress)
	}
	for _, text := range texts {
		if !strings.Contains(result.String(), text) {
			return fmt.Errorf("%s: does not say %q:\n%s", line, text, &progress)
		}
	}
	if code != 0 {
		fmt.Fprintf(d.out, "[exit code %d]\n", code)
	}
	return nil
}

func (d *demo) git(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=demo", "GIT_AUTHOR_EMAIL=demo@localhost", "GIT_COMMITTER_NAME=demo", "GIT_COMMITTER_EMAIL=demo@localhost")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (d *demo) commit(ctx context.Context, message string) error {
	d.typed(fmt.Sprintf("git commit -a -m %q", message))
	if err := d.git(ctx, "add", "."); err != nil {
		return err
	}
	return d.git(ctx, "commit", "-q", "-m", message)
}

// edit replaces the first old in the spec, which has to be there.
func (d *demo) edit(old, new string) error {
	path := filepath.Join(d.dir, "desired-state.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(text, []byte(old)) {
		return fmt.Errorf("%s has no %q", path, old)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o600)
}

// update changes a service as somebody with the docker command does.
func (d *demo) update(ctx context.Context, name string, change func(*swarm.ServiceSpec)) error {
	s, _, err := d.api.ServiceInspectWithRaw(ctx, name, swarm.ServiceInspectOptions{})
	if err != nil {
		return err
	}
	change(&s.Spec)
	_, err = d.api.ServiceUpdate(ctx, s.ID, s.Version, s.Spec, swarm.ServiceUpdateOptions{})
	return err
}
