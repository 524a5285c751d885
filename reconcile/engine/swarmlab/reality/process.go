// Package reality runs, for tests, the real Traefik and Centrifugo that `make
// reality` has built, configured as the stand-ins are.
package reality

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTimeout bounds how long a program may take until it serves.
const startTimeout = time.Minute

// process is a program that runs until its test ends.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu     sync.Mutex
	output bytes.Buffer
}

// Write keeps what the program prints.
func (p *process) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(data)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

func start(tb testing.TB, program string, env []string, args ...string) *process {
	tb.Helper()
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Dir = tb.TempDir()
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.cmd.Dir}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		tb.Fatalf("reality: %v", err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	tb.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

var errEnded = errors.New("it ended")

// until polls until ready, and fails when the program ends or takes too long.
func (p *process) until(ready func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(startTimeout); !ready(); {
		select {
		case <-p.ended:
			return errEnded
		case <-deadline:
			return errors.New("not ready within " + startTimeout.String())
		case <-tick.C:
		}
	}
	return nil
}

// portTaken tells that it ended because somebody else took a port that was free
// when it was chosen.
func (p *process) portTaken() bool { return strings.Contains(p.said(), "address already in use") }

// listens tells whether somebody takes connections there.
func listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// unused is a loopback address at which nobody listens.
func unused(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}
