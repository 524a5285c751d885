package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
	"github.com/redis/go-redis/v9"
)

// binary is where TestMain has built swarmsim; only tests read it.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "swarmsim-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "swarmsim")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stderr = os.Stderr
	redis.SetLogger(quiet{}) // the tests look at the errors
	code := 1
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "go build:", err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// sim is a running swarmsim and a client of its.
type sim struct {
	*client.Client
	t    *testing.T
	host string
	pid  int
}

// start runs swarmsim until the test ends.
func start(t *testing.T, args ...string) *sim {
	t.Helper()
	var stderr bytes.Buffer
	c := exec.Command(binary, args...)
	c.Stderr = &stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("swarmsim ended with %v: %s", err, stderr.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	host, ok := strings.CutPrefix(strings.TrimSpace(line), "DOCKER_HOST=")
	if err != nil || !ok {
		t.Fatalf("swarmsim printed %q: %v", line, err)
	}
	api, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	return &sim{Client: api, t: t, host: host, pid: c.Process.Pid}
}

// ctl gives an order and fails the test if it is refused.
func (s *sim) ctl(args ...string) string {
	s.t.Helper()
	out, err := s.tryCtl(args...)
	if err != nil {
		s.t.Fatalf("ctl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *sim) tryCtl(args ...string) (string, error) {
	c := exec.Command(binary, append([]string{"ctl"}, args...)...)
	c.Env = append(os.Environ(), "DOCKER_HOST="+s.host)
	out, err := c.CombinedOutput()
	return string(out), err
}

// service is a spec with one replica and no surprises.
func service(name, image string) swarm.ServiceSpec {
	one := uint64(1)
	return swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: name},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{Image: image},
			Placement:     &swarm.Placement{},
			RestartPolicy: &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionAny, Delay: pointer(time.Millisecond)},
		},
		Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &one}},
	}
}

func pointer[T any](v T) *T { return &v }

// create makes a service and gives its id.
func (s *sim) create(spec swarm.ServiceSpec) string {
	s.t.Helper()
	r, err := s.ServiceCreate(s.t.Context(), spec, swarm.ServiceCreateOptions{})
	if err != nil {
		s.t.Fatalf("create %s: %v", spec.Name, err)
	}
	return r.ID
}

// change updates a service as it is now.
func (s *sim) change(name string, edit func(*swarm.ServiceSpec)) {
	s.t.Helper()
	// The Swarm itself writes to services now and then.
	for {
		live := s.service(name)
		edit(&live.Spec)
		_, err := s.ServiceUpdate(s.t.Context(), live.ID, live.Version, live.Spec, swarm.ServiceUpdateOptions{})
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "update out of sequence") {
			s.t.Fatalf("update %s: %v", name, err)
		}
	}
}

func (s *sim) service(name string) swarm.Service {
	s.t.Helper()
	live, _, err := s.ServiceInspectWithRaw(s.t.Context(), name, swarm.ServiceInspectOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return live
}

// tasks of a service, by its name, in any state.
func (s *sim) tasks(name string) []swarm.Task {
	s.t.Helper()
	tasks, err := s.TaskList(s.t.Context(), swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
	if err != nil {
		s.t.Fatal(err)
	}
	return tasks
}

// running are the tasks that run and are to run.
func (s *sim) running(name string) []swarm.Task {
	s.t.Helper()
	var out []swarm.Task
	for _, t := range s.tasks(name) {
		if t.Status.State == swarm.TaskStateRunning && t.DesiredState == swarm.TaskStateRunning {
			out = append(out, t)
		}
	}
	return out
}

// awaitRunning waits until a service has so many running tasks, and gives them.
func (s *sim) awaitRunning(name string, n int) []swarm.Task {
	s.t.Helper()
	var tasks []swarm.Task
	eventually(s.t, fmt.Sprintf("%s has %d running tasks", name, n), func() bool {
		tasks = s.running(name)
		return len(tasks) == n
	})
	return tasks
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// wantError checks an error's text and class.
func wantError(t *testing.T, err error, is func(error) bool, text string) {
	t.Helper()
	if err == nil || !is(err) || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want one of the right class with %q", err, text)
	}
}
