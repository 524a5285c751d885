package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cost is what a command or a pass took.
type cost struct {
	Wall   time.Duration
	CPU    time.Duration // user and system
	Memory int64         // at its peak, in bytes; 0 when nobody measured it
	Exit   int
}

// measured is a process of its own that runs the command of its arguments and
// writes the cost to file descriptor 3. The peak that the kernel counts for a
// child begins with that of its parent, and a test binary has been large.
func measured() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	began := time.Now()
	err := cmd.Run()
	c := cost{Wall: time.Since(began)}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	c.Memory = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	c.Exit = cmd.ProcessState.ExitCode()
	if err := json.NewEncoder(os.NewFile(3, "cost")).Encode(c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// measure runs a command against the Engine at host, and fails b unless it
// exits with 0.
func measure(b *testing.B, dir, host string, args ...string) cost {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var said strings.Builder
	cmd := exec.CommandContext(b.Context(), self)
	cmd.Args = append([]string{"measured"}, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+host, "DOCKER_CONFIG="+dir)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.ExtraFiles = []*os.File{w}
	err = errors.Join(cmd.Run(), w.Close())
	data, readErr := io.ReadAll(r)
	var c cost
	if err = errors.Join(err, readErr); err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil || c.Exit != 0 {
		b.Fatalf("%v: %v, exit %d\n%s", args, err, c.Exit, said.String())
	}
	return c
}

// inProcess is the cost of a function of this process.
func inProcess(f func()) cost {
	before, began := ownCPU(), time.Now()
	f()
	return cost{Wall: time.Since(began), CPU: ownCPU() - before}
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// median goes field by field.
func median(costs []cost) cost {
	return cost{
		Wall:   middle(costs, func(c cost) time.Duration { return c.Wall }),
		CPU:    middle(costs, func(c cost) time.Duration { return c.CPU }),
		Memory: middle(costs, func(c cost) int64 { return c.Memory }),
	}
}

func middle[V cmp.Ordered](costs []cost, value func(cost) V) V {
	var all []V
	for _, c := range costs {
		all = append(all, value(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
