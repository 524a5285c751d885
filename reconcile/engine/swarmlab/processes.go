package swarmlab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endTime bounds the wait for killed processes to be gone.
const endTime = 20 * time.Second

// endProcesses kills what runs for the slot's lab: the Engines, their
// containers, and whatever else was started inside a node.
func (s *slot) endProcesses() error {
	return endAll(s.cgroup(), func() []int {
		pids := enginePIDs(s.run() + "/")
		pids = append(pids, cgroupPIDs(s.cgroup())...)
		for _, netns := range s.namespaces() {
			pids = append(pids, netnsPIDs(netns)...)
		}
		return pids
	})
}

// endAll kills what find returns, until it returns nothing.
func endAll(subject string, find func() []int) error {
	return poll(context.Background(), endTime, subject+": end of its processes", func(context.Context) error {
		pids := find()
		for _, pid := range pids {
			// ESRCH: it went by itself. What else can go wrong shows in the
			// next round.
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(pids) > 0 {
			return fmt.Errorf("still there: %v", pids)
		}
		return nil
	})
}

// enginePIDs are the dockerds, containerds and shims that name a path below
// run. Their children, the containers, are found by their cgroup.
func enginePIDs(run string) []int {
	return pidsWhere(func(proc string) bool {
		cmdline, err := os.ReadFile(filepath.Join(proc, "cmdline"))
		if err != nil || !strings.Contains(string(cmdline), run) {
			return false
		}
		argv0, _, _ := strings.Cut(string(cmdline), "\x00")
		program := filepath.Base(argv0)
		return program == "dockerd" || strings.HasPrefix(program, "containerd")
	})
}

// netnsPIDs are the processes in the network namespace of that name.
func netnsPIDs(name string) []int {
	want, err := os.Stat(filepath.Join(netnsDir, name))
	if err != nil {
		return nil
	}
	return pidsWhere(func(proc string) bool {
		got, err := os.Stat(filepath.Join(proc, "ns/net"))
		return err == nil && os.SameFile(want, got)
	})
}

func pidsWhere(match func(proc string) bool) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && match(filepath.Join("/proc", e.Name())) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// cgroupDirs are the folders of a cgroup and of those below it, deepest first,
// in the one hierarchy of version 2 or in all those of version 1.
func cgroupDirs(cgroup string) []string {
	var dirs []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		roots, _ := filepath.Glob(pattern + cgroup) // the pattern is well formed
		for _, root := range roots {
			_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil // cgroups come and go while they are walked
			})
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return len(b) - len(a) })
	return dirs
}

func cgroupPIDs(cgroup string) []int {
	var pids []int
	for _, dir := range cgroupDirs(cgroup) {
		data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for field := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil && !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// removeCgroups removes a cgroup whose processes are gone. The kernel may call
// it busy for a moment longer.
func removeCgroups(cgroup string) error {
	return poll(context.Background(), endTime, "cgroup "+cgroup, func(context.Context) error {
		var errs []error
		for _, dir := range cgroupDirs(cgroup) {
			if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("%s: %w", dir, err))
			}
		}
		return errors.Join(errs...)
	})
}

// poll tries until try succeeds. When d is over or ctx ends, it returns what
// try said last, before it was interrupted.
func poll(ctx context.Context, d time.Duration, subject string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %v: %w", subject, d, last)
		case <-tick.C:
		}
	}
}
