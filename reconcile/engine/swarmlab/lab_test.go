package swarmlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

// dieVariable names the folder for the lab of a test process that kills itself.
const dieVariable = "SWARMLAB_TEST_DIE_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(dieVariable); dir != "" {
		dieWithLab(dir)
	}
	os.Exit(m.Run())
}

// dieWithLab opens a lab with a running container, prints the container's
// process id and goes without closing anything.
func dieWithLab(dir string) {
	ctx := context.Background()
	lab, err := Open(ctx, dir, Options{NoSwarm: true})
	if err == nil {
		err = lab.LoadImage(ctx, "busybox:lab", nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	n := lab.Nodes[0]
	if _, err = n.Docker(ctx, "run", "-d", "--name", "sleeper", "busybox:lab", "sleep", "3600"); err == nil {
		var pid string
		pid, err = n.Docker(ctx, "inspect", "--format", "{{.State.Pid}}", "sleeper")
		fmt.Print(pid)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func TestNextLabRemovesWhatADeadOneLeft(t *testing.T) {
	Require(t)
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dieVariable+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process that should kill itself: %v\n%s", err, stderr.String())
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "node-1", "root"))
	if err != nil || len(left) != 1 {
		t.Fatalf("the dead lab should have left one data root, found %v (%v)", left, err)
	}

	Start(t, Options{NoSwarm: true})

	if rest, _ := filepath.Glob(filepath.Join(dir, "*")); len(rest) > 0 {
		t.Errorf("still there: %v", rest)
	}
	container := filepath.Join("/proc", strings.TrimSpace(string(out)), "cmdline")
	if cmdline, err := os.ReadFile(container); err == nil && strings.Contains(string(cmdline), "sleep\x003600") {
		t.Errorf("the dead lab's container still runs as %s", container)
	}
}

func TestCloseRemovesEverything(t *testing.T) {
	Require(t)
	t.Parallel()
	lab, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, outsider := lab.slot, lab.Nodes[0].Command(t.Context(), "sleep", "3600")
	if err := outsider.Start(); err != nil {
		t.Fatal(err)
	}
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	if err := outsider.Wait(); err == nil {
		t.Error("a command in the lab outlived it")
	}
	if err := lab.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	// Another lab may have taken the slot since; then what stands there is its own.
	free, err := s.tryLock()
	if err != nil {
		t.Fatal(err)
	}
	if free {
		defer s.unlock()
		for _, path := range append(cgroupDirs(s.cgroup()), s.run(), filepath.Join("/sys/class/net", s.name())) {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is left behind (%v)", path, err)
			}
		}
		if names := s.namespaces(); len(names) > 0 {
			t.Errorf("network namespaces are left behind: %v", names)
		}
	}
	if _, err := os.Lstat(lab.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left behind (%v)", lab.Dir, err)
	}
}

func TestAutolock(t *testing.T) {
	t.Parallel()
	n := Start(t, Options{Autolock: true}).Nodes[0]
	c := n.Client(t)
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Swarm.LocalNodeState != swarm.LocalNodeStateLocked {
		t.Errorf("after a restart the node is %q, want locked", info.Swarm.LocalNodeState)
	}
}

func TestManagersAndWorker(t *testing.T) {
	t.Parallel()
	lab := Start(t, Options{Managers: 3, Workers: 1})
	if err := lab.LoadImage(t.Context(), "busybox:lab", nil); err != nil {
		t.Fatal(err)
	}
	nodes, err := lab.Nodes[0].Client(t).NodeList(t.Context(), swarm.NodeListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]swarm.NodeRole{}
	for _, n := range nodes {
		roles[n.Description.Hostname+" "+n.Status.Addr] = n.Spec.Role
	}
	for i, n := range lab.Nodes {
		want := swarm.NodeRoleManager
		if i == 3 {
			want = swarm.NodeRoleWorker
		}
		if got := roles[n.Name+" "+n.Addr]; got != want {
			t.Errorf("%s at %s has role %q, want %q; all: %v", n.Name, n.Addr, got, want, roles)
		}
	}
	if _, err := lab.Nodes[3].Client(t).ServiceList(t.Context(), swarm.ServiceListOptions{}); err == nil {
		t.Error("the worker answers as a manager")
	}
	t.Run("overlay between machines", func(t *testing.T) { checkOverlay(t, lab) })
	t.Run("leader and quorum lost", func(t *testing.T) { checkElection(t, lab) })
}

// checkOverlay asks a service on one node from a container on another, by name.
func checkOverlay(t *testing.T, lab *Lab) {
	ctx, manager := t.Context(), lab.Nodes[0]
	for _, args := range [][]string{
		{"network", "create", "-d", "overlay", "--attachable", "between"},
		{
			"service", "create", "--detach", "--name", "web", "--network", "between", "--endpoint-mode", "dnsrr",
			"--constraint", "node.hostname==node-4", "busybox:lab", "httpd", "-f", "-p", "8000", "-h", "/etc",
		},
	} {
		if _, err := manager.Docker(ctx, args...); err != nil {
			t.Fatal(err)
		}
	}
	err := poll(ctx, time.Minute, "web from node-1", func(ctx context.Context) error {
		_, err := manager.Docker(ctx, "run", "--rm", "--network", "between", "busybox:lab",
			"sh", "-c", `nslookup tasks.web && wget -q -O - http://tasks.web:8000/passwd`)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func checkElection(t *testing.T, lab *Lab) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	first, err := lab.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Client(t).Ping(ctx); !client.IsErrConnectionFailed(err) {
		t.Errorf("a killed node answers: %v", err)
	}
	second, err := lab.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if second == first {
		t.Fatalf("%s still leads after it was killed", first.Name)
	}
	if err := second.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, n := range lab.Nodes[:3] {
		if n != first && n != second {
			if _, err := n.Client(t).ServiceList(ctx, swarm.ServiceListOptions{}); err == nil {
				t.Errorf("%s lists services without a quorum", n.Name)
			}
		}
	}
	for _, n := range []*Node{first, second} {
		if err := n.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := lab.Leader(ctx); err != nil {
		t.Errorf("with the quorum back: %v", err)
	}
}
