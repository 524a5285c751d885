package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/reconcile"
)

// writing is who writes to the stack web, as the sockets of all swarmwards see
// it together.
type writing struct {
	mu    sync.Mutex
	owner string // whose claim the Swarm took last
	count map[string]int
	wrong []string
}

func (w *writing) of(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count[name]
}

// sends notes that a write to the stack is on its way.
func (w *writing) sends(name, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count[name]++
	if w.owner != name {
		w.wrong = append(w.wrong, fmt.Sprintf("%s sends %s, when the last claim is of %q", name, what, w.owner))
	}
}

// said notes what the Swarm has taken for the stack's memory.
func (w *writing) said(name string, labels map[string]string) (claims bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch claims = labels[reconcile.LabelWriter] != ""; {
	case claims:
		w.owner = name
	case w.owner == name:
		w.owner = ""
	}
	return claims
}

// tap is the socket of one swarmward before an Engine's own.
type tap struct {
	host string
	*writing
	name string

	deaf atomic.Bool // nothing can be learned of leases

	mu      sync.Mutex
	claimed func() // called once when a claim is taken, before its holder hears of it
	made    func() // called once when a config is made, before its maker hears of it
	update  func() // called once when an update of a service comes in
}

func (p *tap) once(f *func()) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := *f
	if *f = nil; g == nil {
		return func() {}
	}
	return g
}

func (p *tap) set(f *func(), g func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*f = g
}

func newTap(t *testing.T, engine, name string, w *writing) *tap {
	t.Helper()
	dir, err := os.MkdirTemp("", "tap") // short: a socket's path has at most 108 characters
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{host: "unix://" + l.Addr().String(), writing: w, name: name}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker" },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(engine, "unix://"))
		}},
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	proxy.ModifyResponse = p.answered
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(w, p.asked(r))
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); _ = os.RemoveAll(dir) })
	return p
}

// keptLabels is the context key of the labels of something that swarmward keeps,
// ofStack of whether it is a write to the stack itself.
type (
	keptLabels struct{}
	ofStack    struct{}
)

// asked notes what is written to the stack, and to what is kept of it.
func (p *tap) asked(r *http.Request) *http.Request {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		p.reads(r)
		return r
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var spec struct{ Labels map[string]string }
	_ = json.Unmarshal(body, &spec)
	switch kind := spec.Labels[reconcile.LabelKept]; {
	case kind == "memory":
		return r.WithContext(context.WithValue(r.Context(), keptLabels{}, spec.Labels))
	case kind == "session" || r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/configs/"):
		return r
	case strings.HasSuffix(r.URL.Path, "/update") && strings.Contains(r.URL.Path, "/services/"):
		p.once(&p.update)()
	}
	p.sends(p.name, r.Method+" "+r.URL.Path)
	return r.WithContext(context.WithValue(r.Context(), ofStack{}, true))
}

// reads is for what changes nothing.
func (p *tap) reads(r *http.Request) {
	if p.deaf.Load() && strings.HasSuffix(r.URL.Path, "/configs") && strings.Contains(r.URL.Query().Get("filters"), `"swarmward.`) {
		panic(http.ErrAbortHandler)
	}
}

func (p *tap) answered(r *http.Response) error {
	if strings.HasSuffix(r.Request.URL.Path, "/configs/create") && r.Request.Context().Value(ofStack{}) != nil && r.StatusCode < 300 {
		p.once(&p.made)()
	}
	labels, ok := r.Request.Context().Value(keptLabels{}).(map[string]string)
	if ok && r.StatusCode < 300 && p.said(p.name, labels) {
		p.once(&p.claimed)()
	}
	return nil
}

// replicas are swarmwards that share the stack web, whose services run no task.
// Its config becomes a new one each time and a service comes to it: what somebody
// makes who should not is seen, whatever the Swarm says to it.
type replicas struct {
	t       *testing.T
	api     *client.Client
	dir     string
	binary  string
	ttl     time.Duration
	made    string // services, in YAML
	writing writing
}

func newReplicas(t *testing.T, api *client.Client, ttl time.Duration) *replicas {
	r := &replicas{t: t, ttl: ttl, api: api, dir: t.TempDir(), binary: builtBinary(t), writing: writing{count: map[string]int{}}}
	r.want("first")
	t.Cleanup(func() {
		for _, wrong := range r.writing.wrong {
			t.Error(wrong)
		}
	})
	return r
}

// want makes the spec another one.
func (r *replicas) want(value string) {
	r.t.Helper()
	r.made += fmt.Sprintf("  the-%s: {image: \"busybox:lab\", configs: [c], deploy: {replicas: 0}}\n", value)
	text := fmt.Sprintf("name: web\nservices:\n  a: {image: \"busybox:lab\", environment: {V: %s}, configs: [c], deploy: {replicas: 0}}\n%sconfigs:\n  c: {content: %[1]s}\n", value, r.made)
	next := filepath.Join(r.dir, "next")
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Rename(next, r.spec())); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replicas) spec() string { return filepath.Join(r.dir, "desired-state.yaml") }

// has waits until the Swarm has what was wanted.
func (r *replicas) has(value string) {
	r.t.Helper()
	eventually(r.t, "the Swarm has "+value, func() bool {
		s, _, err := r.api.ServiceInspectWithRaw(r.t.Context(), "web_a", swarm.ServiceInspectOptions{})
		return err == nil && strings.Join(s.Spec.TaskTemplate.ContainerSpec.Env, " ") == "V="+value
	})
}

// replica is one swarmward, and all that it said.
type replica struct {
	*background
	*tap
	cmd   *exec.Cmd
	ended chan struct{}
}

// start one, at an Engine.
func (r *replicas) start(name, engine string, args ...string) *replica {
	return r.startTapped(name, engine, func(*replica) {}, args...)
}

// startTapped is for who wants to listen from the first call on.
func (r *replicas) startTapped(name, engine string, listen func(*replica), args ...string) *replica {
	r.t.Helper()
	x := &replica{background: &background{t: r.t}, tap: newTap(r.t, engine, name, &r.writing), ended: make(chan struct{})}
	x.cmd = exec.Command(r.binary, append(args, "-f", r.spec(), "--log-format", "json", "--lease-ttl", r.ttl.String())...)
	x.cmd.Env = append(os.Environ(), "DOCKER_HOST="+x.host)
	x.cmd.Stdout, x.cmd.Stderr = x.background, x.background
	listen(x)
	if err := x.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() { _ = x.cmd.Wait(); close(x.ended) }()
	r.t.Cleanup(func() {
		x.signal(syscall.SIGCONT)
		x.signal(syscall.SIGKILL)
		<-x.ended
		if r.t.Failed() {
			text := x.text()
			r.t.Logf("%s said last:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
	return x
}

func (x *replica) signal(s syscall.Signal) { _ = x.cmd.Process.Signal(s) }

// freeze pauses it, and returns when it is.
func (x *replica) freeze() {
	x.signal(syscall.SIGSTOP)
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", x.cmd.Process.Pid))
		if err != nil || bytes.Contains(status, []byte("\nState:\tT")) {
			return
		}
		<-time.After(time.Millisecond)
	}
}

// finish waits for a command to end.
func (x *replica) finish() int {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(2 * time.Minute):
		x.t.Fatalf("%s does not end:\n%s", x.name, x.text())
	}
	return x.cmd.ProcessState.ExitCode()
}

func (r *replicas) controller(name, engine string) *replica {
	return r.start(name, engine, "run", "--schedule", "@every 2s")
}

// leads is the one of the controllers that said last that it leads, once there is
// one.
func (r *replicas) leads(of ...*replica) (leader *replica, others []*replica) {
	r.t.Helper()
	eventually(r.t, "one of them leads and the others stand by", func() bool {
		leader, others = nil, nil
		for _, x := range of {
			text := x.text()
			at, by := strings.LastIndex(text, "this controller leads the stack"), strings.LastIndex(text, "standing by")
			switch {
			case at > by && leader == nil:
				leader = x
			case by > at:
				others = append(others, x)
			}
		}
		return leader != nil && len(others) == len(of)-1
	})
	return leader, others
}
