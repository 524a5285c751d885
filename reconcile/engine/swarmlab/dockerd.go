package swarmlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	answerTime = 90 * time.Second // from the start of a dockerd to its first answer
	stopTime   = 45 * time.Second // dockerd gives containers 15 s, Swarm tasks their grace period
	tailLines  = 20
)

// daemon is a started dockerd.
type daemon struct {
	process *os.Process
	gone    chan struct{} // closed when it has ended
	err     error         // why; read after gone
}

// start starts the Engine on the node's data and returns when it answers.
func (n *Node) start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.daemon != nil {
		return fmt.Errorf("%s: already started", n.Name)
	}
	// As after a boot: what is in /run does not outlive the machine.
	if err := os.RemoveAll(n.run); err != nil {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	for _, dir := range []string{n.run, filepath.Join(n.data, "etc"), filepath.Join(n.data, "cli")} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	d, err := n.launch()
	if err != nil {
		return fmt.Errorf("%s: dockerd: %w", n.Name, err)
	}
	if err := n.awaitAnswer(ctx, d); err != nil {
		return errors.Join(n.withLog(err), n.powerOff(d))
	}
	n.daemon = d
	return nil
}

// dockerdScript hides from this dockerd what belongs to a Docker of the
// machine: a containerd that it would use instead of its own, and daemon.json.
const dockerdScript = `hostname "$0" &&
mkdir -p /run/containerd /etc/docker &&
mount -t tmpfs -o mode=0711 swarmlab /run/containerd &&
mount --bind "$1" /etc/docker &&
shift && exec "$@"`

func (n *Node) launch() (*daemon, error) {
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := n.enter(context.Background(), []string{"--uts", "--mount"}, dockerdScript, []string{
		filepath.Join(n.data, "etc"), "dockerd",
		"--host", n.Host,
		"--data-root", filepath.Join(n.data, "root"),
		"--exec-root", filepath.Join(n.run, "exec"),
		"--pidfile", filepath.Join(n.run, "docker.pid"),
		"--storage-driver", n.driver,
		"--exec-opt", "native.cgroupdriver=cgroupfs",
		"--cgroup-parent", "/" + n.cgroup,
	})
	cmd.Env = n.environ()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true, // an interrupt from the terminal is for the test
		// dockerd then stops its containers, as nobody else can.
		Pdeathsig: syscall.SIGTERM,
	}
	d := &daemon{gone: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The signal comes when the thread that started the child ends, not
		// when the process does: this one must last.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(d.gone)
		err := cmd.Start()
		d.process = cmd.Process
		started <- err
		if err == nil {
			d.err = cmd.Wait()
		}
	}()
	return d, <-started
}

// awaitAnswer waits until the Engine answers and its Swarm, if it is in one,
// has made up its mind.
func (n *Node) awaitAnswer(ctx context.Context, d *daemon) error {
	c, err := n.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	err = poll(ctx, answerTime, n.Name+": first answer", func(ctx context.Context) error {
		info, err := c.Info(ctx)
		if err != nil {
			return err
		}
		if info.Swarm.LocalNodeState == "pending" {
			return errors.New("its Swarm state is pending")
		}
		return nil
	})
	select {
	case <-d.gone:
		return fmt.Errorf("%s: dockerd ended at its start: %w", n.Name, d.err)
	default:
		return err
	}
}

// Kill ends the Engine and its containers without notice, as a power failure
// does. What Command started stays. Killing a node that is down does nothing.
func (n *Node) Kill() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.down(func(*daemon) {})
}

// Stop ends the Engine as a shutdown of the machine does: its containers stop
// within their grace periods first. Stopping a node that is down does nothing.
func (n *Node) Stop() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.down(func(d *daemon) {
		_ = d.process.Signal(syscall.SIGTERM) // fails only when it is gone
		select {
		case <-d.gone:
		case <-time.After(stopTime):
		}
	})
}

// Restart stops the Engine if it runs and starts it on the same data. It
// returns when the Engine answers; a manager may still have to find its leader.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Stop(); err != nil {
		return err
	}
	return n.start(ctx)
}

func (n *Node) down(gently func(*daemon)) error {
	d := n.daemon
	if d == nil {
		return nil
	}
	gently(d)
	n.daemon = nil
	return n.powerOff(d)
}

// powerOff kills dockerd first, lest it restarts what is killed after it.
func (n *Node) powerOff(d *daemon) error {
	_ = d.process.Kill() // fails only when it is gone
	<-d.gone
	return endAll(n.Name, func() []int {
		return append(enginePIDs(n.run+"/"), cgroupPIDs(n.cgroup)...)
	})
}

// forget drops the Engine of a lab that is closed.
func (n *Node) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.daemon = nil
}

func (n *Node) logFile() string { return filepath.Join(n.data, "dockerd.log") }

// withLog adds the end of the Engine's log to an error.
func (n *Node) withLog(err error) error {
	data, readErr := os.ReadFile(n.logFile())
	if readErr != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return fmt.Errorf("%w\nend of the log of %s:\n\t%s", err, n.Name, strings.Join(lines, "\n\t"))
}

// storageDriver is overlay2 where the file system of dir can carry it.
func storageDriver(dir string) string {
	base, err := os.MkdirTemp(dir, "overlay-")
	if err != nil {
		return "vfs"
	}
	defer os.RemoveAll(base)
	for _, d := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(base, d), 0o700); err != nil {
			return "vfs"
		}
	}
	merged := filepath.Join(base, "merged")
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", base)
	if err := syscall.Mount("overlay", merged, "overlay", 0, options); err != nil {
		return "vfs"
	}
	_ = syscall.Unmount(merged, syscall.MNT_DETACH)
	return "overlay2"
}
