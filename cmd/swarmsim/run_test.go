package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/swarm"
)

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"exit code", []string{"--", "sh", "-c", "exit 7"}, 7, ""},
		{"host", []string{"--", "sh", "-c", "echo $DOCKER_HOST; test -S ${DOCKER_HOST#unix://}; echo $DOCKER_CONTEXT."}, 0, "docker.sock\n.\n"},
		{"signal", []string{"--", "sh", "-c", "kill -9 $$"}, 137, ""},
		{"told to stop", []string{"--", "sh", "-c", `trap 'test -S ${DOCKER_HOST#unix://} && exit 9' TERM; kill -TERM $PPID; while :; do sleep 0.01; done`}, 9, ""},
		{"no such command", []string{"--", "/no/such/command"}, 127, "command /no/such/command"},
		{"help", []string{"--help"}, 0, "swarmsim.start-delay=2s"},
		{"flag", []string{"--nosuch"}, 2, "see swarmsim --help"},
		{"nodes", []string{"--nodes", "-3"}, 1, "nodes: -3 is not between 1 and 250"},
		{"level", []string{"--log-level", "loud"}, 2, "log level loud"},
		{"address", []string{"--listen", "ftp://x"}, 1, "address ftp://x"},
		{"image", []string{"--image", "UPPER"}, 1, `image "UPPER"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := exec.Command(binary, tt.args...)
			c.Env = append(os.Environ(), "DOCKER_CONTEXT=nonsense", "DOCKER_HOST=tcp://nonsense:1")
			out, err := c.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := c.ProcessState.ExitCode(); code != tt.code || !strings.Contains(string(out), tt.want) {
				t.Errorf("exit code %d with %q, want %d with %q", code, out, tt.code, tt.want)
			}
		})
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	c := exec.Command(binary, "--", "true")
	c.Env = append(os.Environ(), "TMPDIR="+dir)
	if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v: %s", err, out)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSeveralAtOnce(t *testing.T) {
	sims := []*sim{start(t), start(t), start(t)}
	for _, s := range sims {
		spec := service("redis", "redis:7.4")
		spec.EndpointSpec = hostPort(6379, 6379)
		s.create(spec)
	}
	for i, s := range sims {
		address := s.address(s.awaitRunning("redis", 1)[0], 6379)
		if err := s.redis(address, "").Incr(t.Context(), "n").Err(); err != nil {
			t.Errorf("swarmsim %d: %v", i, err)
		}
		if n, err := s.redis(address, "").Get(t.Context(), "n").Result(); err != nil || n != "1" {
			t.Errorf("swarmsim %d shares its Redis with another one: %s, %v", i, n, err)
		}
	}
}

func TestAThousandServicesFit(t *testing.T) {
	const services, limit = 1000, 200 << 10 // kB
	s := start(t)
	var workers sync.WaitGroup
	numbers := make(chan int)
	for range 4 {
		workers.Go(func() {
			for i := range numbers {
				if _, err := s.ServiceCreate(t.Context(), service(fmt.Sprintf("s%d", i), "nginx:1.27"), swarm.ServiceCreateOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range services {
		numbers <- i
	}
	close(numbers)
	workers.Wait()
	eventually(t, "all run", func() bool {
		list, err := s.ServiceList(t.Context(), swarm.ServiceListOptions{Status: true})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, service := range list {
			n += int(service.ServiceStatus.RunningTasks)
		}
		return n == services
	})
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		t.Fatal("swarmsim needs Linux: ", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	peak, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d services took %d MB at most", services, peak>>10)
	if peak > limit {
		t.Errorf("%d services took %d MB, want at most %d", services, peak>>10, limit>>10)
	}
}
