package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

// say tells the reader what comes, and why.
func (d *demo) say(text string) {
	d.show("\x1b[36m", "\n# "+strings.ReplaceAll(text, "\n", "\n# "))
}

// typed shows what a person would type.
func (d *demo) typed(line string) { d.show("\x1b[1m", "\n$ "+line) }

// show prints lines, in a style where the reader is a terminal.
func (d *demo) show(style, text string) {
	d.shown.WriteString(text + "\n")
	if d.colored {
		text = style + text + "\x1b[0m"
	}
	fmt.Fprintln(d.out, text)
}

// colored follows https://no-color.org.
func colored(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// environ is all that the commands of a demo get from outside: a variable such
// as REDIS_PASSWORD or GIT_DIR would make it another story.
func environ() []string {
	env := []string{
		"SWARMWARD_FILE=desired-state.yaml:faster.yaml",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=demo", "GIT_AUTHOR_EMAIL=demo@localhost",
		"GIT_COMMITTER_NAME=demo", "GIT_COMMITTER_EMAIL=demo@localhost",
	}
	for _, name := range []string{"DOCKER_HOST", "HOME", "PATH", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// command is a program in the demo's folder; when the demo is stopped it is
// asked to stop before it is killed.
func (d *demo) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = d.dir, environ()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// run types a swarmward command, shows its result, and holds it to an exit code
// and some texts. Its progress, on stderr, is shown when it went wrong.
func (d *demo) run(ctx context.Context, code int, texts []string, args ...string) error {
	line := "swarmward " + strings.Join(args, " ")
	d.typed(line)
	cmd := d.command(ctx, d.swarmward, args...)
	var progress, result bytes.Buffer
	cmd.Stdout, cmd.Stderr = &result, &progress
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w", line, err)
	}
	for _, secret := range d.secrets {
		if bytes.Contains(result.Bytes(), []byte(secret)) || bytes.Contains(progress.Bytes(), []byte(secret)) {
			return fmt.Errorf("%s: it printed a password, so what it said is not shown", line)
		}
	}
	d.shown.Write(result.Bytes())
	if _, err := d.out.Write(result.Bytes()); err != nil {
		return err
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
		d.show("", fmt.Sprintf("[exit code %d]", code))
	}
	return nil
}

// steer types an order to the simulated Swarm, and gives it.
func (d *demo) steer(ctx context.Context, args ...string) error {
	d.typed("swarmsim ctl " + strings.Join(args, " "))
	_, err := ctl(ctx, args, io.Discard)
	return err
}

func (d *demo) git(ctx context.Context, args ...string) error {
	if out, err := d.command(ctx, "git", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// commit edits the spec, and types the commit of it.
func (d *demo) commit(ctx context.Context, message, old, new string) error {
	path := filepath.Join(d.dir, "desired-state.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(text, []byte(old)) {
		return fmt.Errorf("%s has no %q", d.spec, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o600); err != nil {
		return err
	}
	d.typed(fmt.Sprintf("git commit -q -a -m %q", message))
	return d.git(ctx, "commit", "-q", "-a", "-m", message)
}

// service is a service as the Swarm has it now.
func (d *demo) service(ctx context.Context, name string) (swarm.Service, error) {
	s, _, err := d.api.ServiceInspectWithRaw(ctx, name, swarm.ServiceInspectOptions{})
	return s, err
}

// runs asks the Swarm itself whether one task of a service runs, from an image.
func (d *demo) runs(ctx context.Context, service, image string) error {
	tasks, err := d.api.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(
		filters.Arg("service", service), filters.Arg("desired-state", "running"))})
	if err != nil {
		return err
	}
	if len(tasks) != 1 || tasks[0].Status.State != swarm.TaskStateRunning || !strings.HasPrefix(tasks[0].Spec.ContainerSpec.Image, image) {
		return fmt.Errorf("service %s: the Swarm does not run one task of %s", service, image)
	}
	return nil
}

// unwritten is an error when something of the Swarm is written while act acts.
func (d *demo) unwritten(ctx context.Context, act func() error) error {
	before, err := d.versions(ctx)
	if err != nil {
		return err
	}
	if err := act(); err != nil {
		return err
	}
	after, err := d.versions(ctx)
	if err == nil && !reflect.DeepEqual(before, after) {
		err = errors.New("the Swarm was written to although nothing differed")
	}
	return err
}

// versions tells of every object in the Swarm when it was last written. A
// network has no version and cannot be changed: it is there or not.
func (d *demo) versions(ctx context.Context) (map[string]uint64, error) {
	found := map[string]uint64{}
	services, err := d.api.ServiceList(ctx, swarm.ServiceListOptions{})
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		found["service "+s.ID] = s.Version.Index
	}
	secrets, err := d.api.SecretList(ctx, swarm.SecretListOptions{})
	if err != nil {
		return nil, err
	}
	for _, s := range secrets {
		found["secret "+s.ID] = s.Version.Index
	}
	configs, err := d.api.ConfigList(ctx, swarm.ConfigListOptions{})
	if err != nil {
		return nil, err
	}
	for _, c := range configs {
		found["config "+c.ID] = c.Version.Index
	}
	networks, err := d.api.NetworkList(ctx, network.ListOptions{})
	for _, n := range networks {
		found["network "+n.ID] = 0
	}
	return found, err
}
