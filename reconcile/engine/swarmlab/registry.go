package swarmlab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Registry is a registry of images, Debian's docker-registry, on a node's own
// loopback address: the Engine there needs no TLS for it.
type Registry struct {
	Addr string // host:port, as an image's name begins with it
	User string
	// Password is not for others' eyes: a test looks for it in what is printed.
	Password string

	node    *Node
	dir     string
	process *os.Process
	done    chan struct{}
}

const registryConfig = `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: %[1]s/data}}
http: {addr: %[2]s}
auth: {htpasswd: {realm: lab, path: %[1]s/htpasswd}}
`

// StartRegistry starts one that asks for a name and a password, and stops it
// when tb ends. A node has room for one.
func (n *Node) StartRegistry(tb testing.TB) *Registry {
	tb.Helper()
	r := &Registry{Addr: "127.0.0.1:5000", User: "swarmward", Password: "labRegistryPassword83d1", node: n, dir: tb.TempDir()}
	hash, err := bcrypt.GenerateFromPassword([]byte(r.Password), bcrypt.MinCost)
	if err != nil {
		tb.Fatalf("swarmlab: registry: %v", err)
	}
	for name, content := range map[string]string{
		"htpasswd":   r.User + ":" + string(hash) + "\n",
		"config.yml": fmt.Sprintf(registryConfig, r.dir, r.Addr),
	} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
			tb.Fatalf("swarmlab: registry: %v", err)
		}
	}
	r.Start(tb)
	tb.Cleanup(r.Stop)
	return r
}

// Start starts a registry that was stopped, with all that it had.
func (r *Registry) Start(tb testing.TB) {
	tb.Helper()
	log, err := os.OpenFile(filepath.Join(r.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatalf("swarmlab: registry: %v", err)
	}
	defer log.Close()
	cmd := r.node.Command(context.Background(), "docker-registry", "serve", filepath.Join(r.dir, "config.yml"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		tb.Fatalf("swarmlab: registry: %v", err)
	}
	r.process, r.done = cmd.Process, make(chan struct{})
	go func() { _ = cmd.Wait(); close(r.done) }()
	err = poll(context.Background(), answerTime, "registry: first answer", func(ctx context.Context) error {
		select {
		case <-r.done:
			text, _ := os.ReadFile(filepath.Join(r.dir, "log"))
			return fmt.Errorf("it ended: %s", text)
		default:
		}
		host, port, _ := net.SplitHostPort(r.Addr)
		return r.node.Command(ctx, "bash", "-c", "exec 3<>/dev/tcp/"+host+"/"+port).Run()
	})
	if err != nil {
		tb.Fatalf("swarmlab: %v", err)
	}
}

// Stop ends the registry; it may be started again.
func (r *Registry) Stop() {
	_ = r.process.Signal(syscall.SIGKILL) // fails only when it is gone
	<-r.done
}
