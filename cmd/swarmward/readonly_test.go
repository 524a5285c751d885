package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// calls is an Engine's socket that writes down what is asked of it.
type calls struct {
	http.Handler
	host string
	mu   sync.Mutex
	seen []string
}

func newCalls(t testing.TB, engine string) *calls {
	t.Helper()
	dir, err := os.MkdirTemp("", "calls") // short: a socket's path has at most 108 characters
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	c := &calls{host: "unix://" + l.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker" },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(engine, "unix://"))
		}},
	}
	c.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.seen = append(c.seen, r.Method+" "+r.URL.Path)
		c.mu.Unlock()
		proxy.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: c.Handler}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); _ = os.RemoveAll(dir) })
	return c
}

// taken returns what was asked since the last time.
func (c *calls) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}

// Plan only reads, whatever there is to do; so does an apply that finds
// nothing to do. And the number of calls does not grow with the stack.
func TestPlanOnlyReads(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	o := newOperator(t, lab.Nodes[0])
	service := "  %: {image: \"busybox:lab\", command: [sleep, \"1000\"], stop_grace_period: 1s, deploy: {replicas: 0}}\n"
	small := "name: reads\nservices:\n" + strings.ReplaceAll(service, "%", "a")
	large := small
	for _, name := range []string{"b", "c", "d", "e", "f"} {
		large += strings.ReplaceAll(service, "%", name)
	}
	t.Cleanup(func() { o.clear("reads") })
	c := newCalls(t, o.node.Host)
	swarmward := func(code int, args ...string) []string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), builtBinary(t), args...)
		cmd.Dir = o.dir
		cmd.Env = append(os.Environ(), "DOCKER_HOST="+c.host)
		if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != code {
			t.Fatalf("swarmward %v: %v\n%s", args, err, out)
		}
		return c.taken()
	}
	reads := func(seen []string) {
		t.Helper()
		for _, s := range seen {
			if !strings.HasPrefix(s, "GET ") && !strings.HasPrefix(s, "HEAD ") {
				t.Errorf("it only reads, and yet: %s", s)
			}
		}
	}
	o.write("desired-state.yaml", small)
	few := swarmward(2, "plan")
	reads(few)
	o.write("desired-state.yaml", large)
	many := swarmward(2, "apply", "--dry-run")
	reads(many)
	if len(few) != len(many) || len(few) < 5 {
		t.Errorf("%d calls for one service, %d for six", len(few), len(many))
	}
	if writes := swarmward(0, "apply"); !strings.Contains(strings.Join(writes, "\n"), "POST ") {
		t.Errorf("an apply that creates six services writes nothing: %v", writes)
	}
	reads(swarmward(0, "apply"))
	reads(swarmward(0, "plan"))
}
