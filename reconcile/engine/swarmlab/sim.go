package swarmlab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/client"
)

// simSource is where swarmsim's module is in the repository.
const simSource = "cmd/swarmsim"

// Sim is a running swarmsim: a Swarm in one process, which needs neither root
// nor Docker.
type Sim struct {
	Host    string // a value for DOCKER_HOST: unix://…
	Program string // swarmsim itself, for its ctl; gone when the test process ends
}

// StartSim builds swarmsim, once for the test process, runs one with the flags
// given, and stops it when tb ends. It also stops when the process dies. A
// swarmsim that complains on its error output fails tb.
func StartSim(tb testing.TB, flags ...string) *Sim {
	tb.Helper()
	program, err := simProgram()
	if err != nil {
		tb.Fatalf("swarmlab: swarmsim: %v", err)
	}
	// It runs for as long as its command does, and cat for as long as our end
	// of the pipe is open, which the kernel closes for a process that dies.
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), program.Fd())
	cmd := exec.Command(path, append(flags, "--", "sh", "-c", `echo "$DOCKER_HOST"; exec cat`)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatalf("swarmlab: swarmsim: %v", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatalf("swarmlab: swarmsim: %v", err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("swarmlab: swarmsim: %v", err)
	}
	tb.Cleanup(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
			tb.Errorf("swarmlab: swarmsim: ended: %v: %s", err, strings.TrimSpace(stderr.String()))
		}
	})
	host, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		tb.Fatalf("swarmlab: swarmsim: it did not say where it is: %v", err)
	}
	return &Sim{Host: strings.TrimSpace(host), Program: path}
}

// Client returns a client of its API at the version that both speak.
func (s *Sim) Client(tb testing.TB) *client.Client {
	tb.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(s.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		tb.Fatalf("swarmlab: swarmsim: client: %v", err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// simProgram is swarmsim, open. It is the one thing that tests share without
// asking: linking takes seconds.
var simProgram = sync.OnceValues(func() (*os.File, error) {
	dir, err := os.MkdirTemp("", "swarmlab-sim-")
	if err != nil {
		return nil, err
	}
	// No test can tell that it is the last one. The program lives on, without a
	// name, for as long as this process has it open.
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "swarmsim")
	if err := buildSim(binary); err != nil {
		return nil, err
	}
	return os.Open(binary)
})

// buildSim links without symbols: nobody debugs this one, and it is faster.
func buildSim(binary string) error {
	source, err := findUp(filepath.Join(simSource, "go.mod"))
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, ".")
	cmd.Dir = filepath.Dir(source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("go build in %s: %w: %s", simSource, err, strings.TrimSpace(string(out)))
	}
	return err
}
