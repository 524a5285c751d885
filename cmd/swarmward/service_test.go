package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/swarmward/swarmward/reconcile"
)

// swarmward runs as a service in the Swarm, as a user who is not root, makes
// the whatrack stack from inside, and checks it over the network that its tasks
// are on: Redis and Centrifugo publish nothing here.
func TestAsService(t *testing.T) {
	t.Parallel()
	newImage(t)
	// Declared on a network that a person made before, with the socket's group.
	t.Run("declared", func(t *testing.T) {
		t.Parallel()
		s := newInside(t, "declared")
		s.docker("network", "create", "--driver", "overlay", "declared-net")
		t.Cleanup(func() { s.docker("network", "rm", "declared-net") })
		s.start("--network", "declared-net", "--socket", strings.TrimPrefix(s.node.Host, "unix://"))
		s.verified()
		s.checkedOverlay()
		if got := s.members(); !slices.Equal(got, []string{"declared-net"}) {
			t.Errorf("its networks: %v", got)
		}
	})
	// On no network, behind a proxy that lets only the calls pass that the README
	// lists: it makes the network, joins its own container to it, and leaves.
	t.Run("joining", func(t *testing.T) {
		t.Parallel()
		s := newInside(t, "joining")
		proxy := newListedProxy(t, s.node.Host, s.node.Addr)
		s.start("--socket-proxy", proxy.addr)
		s.verified()
		s.checkedOverlay()
		if got := s.members(); slices.Contains(got, "joining-net") {
			t.Errorf("it has not left: %v", got)
		}
		s.everyCall(proxy.addr)
	})
}

var image sync.Once

// newImage is the image of swarmward, made once for all tests that run it.
func newImage(t *testing.T) {
	t.Helper()
	image.Do(func() { buildImage(t, "swarmward:lab") })
}

// buildImage builds the image as the Dockerfile says, but for its first stage's
// own base image, which only a registry has: the same go build makes the
// program here.
func buildImage(t *testing.T, tag string) {
	t.Helper()
	o := newOperator(t, sharedLab(t).Nodes[0])
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	build := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*) -o /swarmward (\S+)$`).FindSubmatch(text)
	_, stage, ok := strings.Cut(string(text), "\nFROM scratch\n")
	if build == nil || !ok {
		t.Fatal("the Dockerfile has no line that builds the program, or no last stage")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", fmt.Sprintf("VERSION=lab; %s -o %s/swarmward %s", build[1], o.dir, build[2]))
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	for _, dir := range []string{"etc/ssl/certs", "cache"} {
		if err := os.MkdirAll(filepath.Join(o.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	bundle, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		bundle = make([]byte, 250_000) // their size, on a machine without any
	}
	o.write("etc/ssl/certs/ca-certificates.crt", string(bundle))
	o.write("Dockerfile", "FROM scratch\n"+strings.ReplaceAll(stage, "--from=build /", "/"))
	dockerBuild := o.node.Command(t.Context(), "docker", "build", "-q", "-t", tag, o.dir)
	dockerBuild.Env = append(dockerBuild.Env, "DOCKER_BUILDKIT=0") // BuildKit is a plugin that not every machine has
	if out, err := dockerBuild.CombinedOutput(); err != nil {
		t.Fatalf("docker build: %v\n%s", err, out)
	}
	size, err := strconv.Atoi(o.docker("image", "inspect", "--format", "{{.Size}}", tag))
	if err != nil || size > 25_000_000 {
		t.Errorf("the image has %d bytes (%v), more than 25 MB", size, err)
	}
	t.Logf("the image has %.1f MB", float64(size)/1e6)
}

// inside is a swarmward that runs as a service, and its stack.
type inside struct {
	*operator
	stack string
}

func newInside(t *testing.T, stack string) *inside {
	s := &inside{newOperator(t, sharedLab(t).Nodes[0]), stack}
	text, err := os.ReadFile("../../desired-state.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.write("desired-state.yaml", s.renamed(string(text)))
	s.write(".env", dotenv())
	return s
}

// renamed is the spec with names of its own and without published ports, since
// it shares the Swarm with others.
func (s *inside) renamed(spec string) string {
	s.t.Helper()
	for old, new := range map[string]string{
		"name: whatrack\n":       "name: " + s.stack + "\n",
		"name: redeinterna\n":    "name: " + s.stack + "-net\n",
		"name: redis_data\n":     "name: " + s.stack + "-data\n",
		"    stop_grace_period:": "    stop_signal: SIGKILL\n    stop_grace_period:",
	} {
		if !strings.Contains(spec, old) {
			s.t.Fatalf("the spec has no %q", old)
		}
		spec = strings.Replace(spec, old, new, 1)
	}
	ports := regexp.MustCompile(`(?s)    ports:\n.*?    healthcheck:`)
	if !ports.MatchString(spec) {
		s.t.Fatal("the spec publishes no port")
	}
	return ports.ReplaceAllString(spec, "    healthcheck:")
}

// installed is the stack of swarmward's own service, and service its name.
func (s *inside) installed() string { return "swarmward-" + s.stack }
func (s *inside) service() string   { return s.installed() + "_controller" }

// start installs the service, and sees to it that all it makes goes.
func (s *inside) start(args ...string) {
	s.t.Helper()
	s.t.Cleanup(func() {
		s.clear(s.installed()) // while it lives it makes again what is removed
		s.clear(s.stack)
	})
	args = append([]string{"install", "--apply", "--yes", "--name", s.installed(), "--image", "swarmward:lab", "--schedule", "@every 20s", "--replicas", "1"}, args...)
	s.want(0, args, " converged; ")
}

func (s *inside) container() string {
	return s.docker("ps", "-q", "--filter", "name="+s.service(), "--filter", "health=healthy")
}

func (s *inside) logs() string { return s.containerLogs("name=" + s.service()) }

func (s *inside) verified() {
	s.t.Helper()
	eventually(s.t, "swarmward is healthy", func() bool { return s.container() != "" })
	eventually(s.t, "it has made the stack and verified it", func() bool {
		return strings.Contains(s.logs(), `"msg":"pass done","stack":"`+s.stack+`"`) && strings.Contains(s.logs(), `"exit":0`)
	})
	s.t.Logf("it takes %s", s.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", s.container()))
	if user := s.docker("inspect", "--format", "{{.Config.User}}", s.container()); !strings.HasPrefix(user, "65534") {
		s.t.Errorf("it runs as %q", user)
	}
}

// exec runs a verb in swarmward's own container, with its spec.
func (s *inside) exec(args ...string) string {
	s.t.Helper()
	args = append([]string{"exec", s.container(), "/swarmward"}, args...)
	return s.docker(append(args, "-f", "/etc/swarmward/desired-state.yaml", "--env-file", "/run/secrets/env")...)
}

// checkedOverlay runs the checks from inside, and then from the node, for which
// there is another way to the same tasks.
func (s *inside) checkedOverlay() {
	s.t.Helper()
	var report struct{ Checks []reconcile.CheckResult }
	out := s.exec("check", "-o", "json")
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Checks) != 2 {
		s.t.Fatalf("%v: %s", err, out)
	}
	for _, c := range report.Checks {
		if c.Status != reconcile.CheckPassed || !strings.HasPrefix(c.Via, "overlay ") {
			s.t.Errorf("%s: %s via %q: %s", c.Name, c.Status, c.Via, c.Message)
		}
	}
	for name, secret := range secrets {
		if strings.Contains(out+s.logs(), secret) {
			s.t.Errorf("the value of %s is in what it printed", name)
		}
	}
	s.want(0, []string{"check"}, "bridge 1")
}

// members are the overlay networks that swarmward's container is on. It stays a
// few seconds longer than it has to.
func (s *inside) members() []string {
	s.t.Helper()
	read := func() []string {
		var names []string
		for _, n := range strings.Fields(s.docker("inspect", "--format", "{{range $n, $x := .NetworkSettings.Networks}}{{$n}} {{end}}", s.container())) {
			if n != "bridge" {
				names = append(names, n)
			}
		}
		return names
	}
	eventually(s.t, "the container is on one network at most", func() bool {
		return len(read()) <= 1 && !slices.Contains(read(), "joining-net")
	})
	return read()
}

// everyCall makes a stack through the proxy that needs what the one before did
// not: objects to adopt, update and remove, and a task whose failure is told.
func (s *inside) everyCall(proxy string) {
	s.t.Helper()
	s.t.Cleanup(func() { s.clear("more") })
	through := func(code int, args ...string) string {
		s.t.Helper()
		cmd := s.command(s.t.Context(), args...)
		cmd.Env = append(cmd.Env, "DOCKER_HOST=tcp://"+proxy)
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			s.t.Errorf("exit %d, want %d: %v\n%s", got, code, err, out)
		}
		return string(out)
	}
	apply := func(code int, text string, says ...string) {
		s.t.Helper()
		s.write("more.yaml", "name: more\nservices:\n"+text)
		out := through(code, "apply", "--yes", "-f", "more.yaml")
		for _, text := range says {
			if !strings.Contains(out, text) {
				s.t.Errorf("does not say %q:\n%s", text, out)
			}
		}
	}
	s.write("x", "x")
	for _, kind := range []string{"secret", "config"} { // somebody else's, to be adopted
		s.docker(kind, "create", "--label", "com.docker.stack.namespace=more", "more_"+kind, s.dir+"/x")
	}
	const objects = "configs: {config: {file: x, labels: {a: b}}, own: {file: x}}\nsecrets: {secret: {file: x}, own: {file: x}}\nvolumes: {idle: {}}\n"
	apply(0, "  a: {image: \"busybox:lab\", command: [sleep, \"1000\"], stop_grace_period: 1s, networks: [one]}\nnetworks: {one: {}}\n"+objects)
	apply(4, "  b: {image: \"busybox:lab\", command: [sh, -c, \"echo for this reason; exit 3\"], stop_grace_period: 1s, deploy: {restart_policy: {condition: none}}}\nx-swarmward: {timeout: 5s}\n",
		"for this reason")
	apply(0, "  b: {image: \"busybox:lab\", command: [sleep, \"1000\"], stop_grace_period: 1s}\n")
	// What a record needs goes with the records.
	through(0, "destroy", "--yes", "more")
	s.docker("volume", "rm", "more_idle")
}

// listedProxy is a socket proxy that lets only the calls pass that the README
// lists for it.
type listedProxy struct {
	*calls
	addr   string
	listed []string

	mu     sync.Mutex
	denied []string
}

var endpoints = regexp.MustCompile("(?s)```endpoints\n(.*?)```")

func newListedProxy(t *testing.T, engine, near string) *listedProxy {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := endpoints.FindSubmatch(text)
	if block == nil {
		t.Fatal("README.md lists no endpoints")
	}
	p := &listedProxy{calls: newCalls(t, engine)}
	for s := bufio.NewScanner(strings.NewReader(string(block[1]))); s.Scan(); {
		method, paths, _ := strings.Cut(s.Text(), " ")
		for _, path := range strings.Fields(paths) {
			p.listed = append(p.listed, method+" "+path)
		}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(localAddr(t, near), "0"))
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if call := generic(r.Method + " " + r.URL.Path); !slices.Contains(p.listed, call) {
			p.mu.Lock()
			p.denied = append(p.denied, call)
			p.mu.Unlock()
			http.Error(w, `{"message": "not on the list"}`, http.StatusForbidden)
			return
		}
		p.calls.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); p.compare(t) })
	return p
}

// localAddr is this machine's address towards another.
func localAddr(t *testing.T, to string) string {
	t.Helper()
	c, err := net.Dial("udp", net.JoinHostPort(to, "9"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return netip.MustParseAddrPort(c.LocalAddr().String()).Addr().String()
}

var (
	apiVersion = regexp.MustCompile(`^(\w+) /v1\.\d+/`)
	oneObject  = regexp.MustCompile(`^(\w+ /(?:services|networks|secrets|configs|volumes|tasks|nodes|containers)/)([^/]+)`)
	oneImage   = regexp.MustCompile(`^(GET /distribution/).*(/json)$`)
)

// generic is a call with {id} for the object that it is about.
func generic(call string) string {
	call = apiVersion.ReplaceAllString(call, "$1 /")
	call = oneImage.ReplaceAllString(call, "${1}{image}$2")
	if m := oneObject.FindStringSubmatch(call); m != nil && m[2] != "create" {
		call = oneObject.ReplaceAllString(call, "${1}{id}")
	}
	return call
}

// compare holds the list in the README to what was asked for: it is enough, and
// nothing on it is idle.
func (p *listedProxy) compare(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.denied)
	if d := slices.Compact(p.denied); len(d) > 0 {
		t.Errorf("asked for and not on the README's list:\n%s", strings.Join(d, "\n"))
	}
	var used []string
	for _, call := range p.calls.taken() {
		used = append(used, generic(call))
	}
	for _, call := range p.listed {
		if !slices.Contains(used, call) {
			t.Errorf("on the README's list and never asked for: %s", call)
		}
	}
}
