package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// watched is a controller as its users see it: over HTTP.
type watched struct {
	t     *testing.T
	addr  string
	token string
	cmd   *exec.Cmd
	said  syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// watch starts swarmward run in dir until the test ends, or stop is called.
func watch(t *testing.T, host, dir, token string, args ...string) *watched {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, addr: l.Addr().String(), token: token}
	_ = l.Close()
	w.cmd = exec.Command(builtBinary(t), append([]string{"run", "--listen", w.addr, "--log-format", "json"}, args...)...)
	w.cmd.Dir, w.cmd.Env = dir, append(os.Environ(), "DOCKER_HOST="+host)
	w.cmd.Stderr = &w.said
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			t.Logf("swarmward run %v:\n%s", args, w.said.String())
		}
	})
	return w
}

// stop it as Swarm does, and wait for its end.
func (w *watched) stop() {
	if w.cmd.ProcessState == nil {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
		_ = w.cmd.Wait()
	}
}

// ask it; 0 when nobody answers.
func (w *watched) ask(method, path, token string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://"+w.addr+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// value of a series, as it is told; empty where there is none.
func (w *watched) value(series string) string {
	w.t.Helper()
	_, body := w.ask("GET", "/metrics", w.token)
	for line := range strings.Lines(body) {
		if v, ok := strings.CutPrefix(line, "swarmward_"+series+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (w *watched) becomes(series, want string) {
	w.t.Helper()
	eventually(w.t, series+" is "+want, func() bool { return w.value(series) == want })
}

// One controller looks on while another one repairs, and both tell what they
// see; what nobody reconciles any more, nobody tells of.
func TestServed(t *testing.T) {
	t.Parallel()
	sim := swarmlab.StartSim(t)
	dir := t.TempDir()
	const token = "0123456789abcdef-test"
	for name, text := range map[string]string{
		"specs/shop.yaml": `name: shop
services:
  redis:
    image: redis:7.4
    networks: [net]
    ports: [{target: 6379, published: 6379, mode: host}]
    deploy: {replicas: 1, update_config: {parallelism: 0, monitor: 50ms}}
networks: {net: {}}
x-swarmward: {checks: {redis: {redis: {service: redis}, interval: 24h}, gone: {tcp: {service: redis, port: 1}, grace: 1ms, interval: 24h}}}
`,
		"specs/other.yaml": "name: other\nservices: {web: {image: \"nginx:1.29\", deploy: {update_config: {parallelism: 0, monitor: 50ms}}}}\n",
		"token":            token,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	onlooker := watch(t, sim.Host, dir, "", "-f", "specs", "--dry-run")
	onlooker.becomes(`drift{stack="shop"}`, "2") // the service and its network
	worker := watch(t, sim.Host, dir, token, "-f", "specs", "--token-file", "token", "--protect-reads")
	worker.becomes(`drift{stack="shop"}`, "0")
	for series, want := range map[string]string{
		`changes_total{action="create",impact="none",kind="service",stack="shop"}`:            "1",
		`changes_total{action="create",impact="none",kind="network",stack="shop"}`:            "1",
		`check_result{check="redis",kind="redis",result="passed",stack="shop"}`:               "1",
		`check_result{check="redis",kind="redis",result="failed",stack="shop"}`:               "0",
		`check_result{check="gone",kind="tcp",result="failed",stack="shop"}`:                  "1",
		`last_pass_exit_code{stack="shop"}`:                                                   "3",
		`services_not_converged{stack="shop"}`:                                                "0",
		`engine_request_duration_seconds_count{code="201",operation="POST /services/create"}`: "2",
		`engine_request_errors_total{operation="POST /services/create"}`:                      "0",
		`stacks`: "2",
	} {
		worker.becomes(series, want)
	}
	// There may have been more than one pass by now: its own writes are events too.
	for _, series := range []string{`passes_total{result="check_failed",stack="shop"}`, `passes_total{result="ok",stack="other"}`, `consecutive_failures{stack="shop"}`} {
		eventually(t, series+" counts", func() bool { v := worker.value(series); return v != "" && v != "0" })
	}
	onlooker.becomes(`drift{stack="other"}`, "0")

	// Somebody changes a service by hand: who only looks tells it, who works
	// repairs it.
	worker.stop()
	docker := sim.Client(t)
	s, _, err := docker.ServiceInspectWithRaw(t.Context(), "other_web", swarm.ServiceInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	three := uint64(3)
	s.Spec.Mode.Replicated.Replicas = &three
	if _, err := docker.ServiceUpdate(t.Context(), s.ID, s.Version, s.Spec, swarm.ServiceUpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	onlooker.becomes(`drift{stack="other"}`, "1")
	worker = watch(t, sim.Host, dir, token, "-f", "specs", "--token-file", "token", "--protect-reads")
	worker.becomes(`changes_total{action="update",impact="none",kind="service",stack="other"}`, "1")
	onlooker.becomes(`drift{stack="other"}`, "0")

	// A pass for whoever has the token, and nothing without.
	for _, c := range []struct {
		method, path, token string
		want                int
	}{
		{"POST", "/api/v1/reconcile", "", 401}, {"POST", "/api/v1/reconcile", token + "x", 401},
		{"GET", "/metrics", "", 401}, {"GET", "/", "", 401}, {"GET", "/", token, 200}, {"GET", "/healthz", "", 200},
		{"GET", "/api/v1/health/redis", token, 200}, {"GET", "/api/v1/health/gone", token, 503}, {"GET", "/api/v1/history", token, 200},
		{"POST", "/webhook/git", "", 403},
	} {
		if code, body := worker.ask(c.method, c.path, c.token); code != c.want {
			t.Errorf("%s %s with %q: %d, want %d: %s", c.method, c.path, c.token, code, c.want, body)
		}
	}
	before := worker.value(`passes_total{result="ok",stack="other"}`)
	if code, body := worker.ask("POST", "/api/v1/reconcile?stack=other", token); code != 202 {
		t.Errorf("asked for a pass: %d %s", code, body)
	}
	eventually(t, "another pass", func() bool { return worker.value(`passes_total{result="ok",stack="other"}`) != before })

	if err := os.Remove(filepath.Join(dir, "specs/other.yaml")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is told of the stack whose spec is gone", func() bool {
		_, body := worker.ask("GET", "/metrics", token)
		return body != "" && !strings.Contains(body, `stack="other"`)
	})
	if strings.Contains(worker.said.String(), token) {
		t.Error("the log has the token")
	}
	if worker.value(`drift{stack="shop"}`) != "0" {
		t.Error("the other stack is gone too")
	}
}

// health asks as run serves: in a container both have the same environment.
func TestHealth(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	t.Setenv("SWARMWARD_LISTEN", server.Listener.Addr().String())
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if code := run([]string{"health"}, null, null, null); code != 1 {
		t.Errorf("plain HTTP to a server with TLS: exit code %d", code)
	}
	t.Setenv("SWARMWARD_TLS_CERT", "/run/secrets/tls_cert")
	if code := run([]string{"health"}, null, null, null); code != 0 {
		t.Errorf("exit code %d", code)
	}
	server.Close()
	if code := run([]string{"health"}, null, null, null); code != 1 {
		t.Errorf("nobody there: exit code %d", code)
	}
}
