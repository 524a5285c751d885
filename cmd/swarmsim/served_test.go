package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/redis/go-redis/v9"
)

// address of a published port of a task, as swarmward finds it.
func (s *sim) address(task swarm.Task, target uint32) string {
	s.t.Helper()
	node, _, err := s.NodeInspectWithRaw(s.t.Context(), task.NodeID)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range task.Status.PortStatus.Ports {
		if p.TargetPort == target {
			return net.JoinHostPort(node.Status.Addr, strconv.Itoa(int(p.PublishedPort)))
		}
	}
	s.t.Fatalf("port %d of task %s is not published", target, task.ID)
	return ""
}

func (s *sim) redis(address, password string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: address, Password: password, MaxRetries: -1, DialerRetries: 1, DialTimeout: 5 * time.Second})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func hostPort(target, published uint32) *swarm.EndpointSpec {
	return &swarm.EndpointSpec{Mode: "dnsrr", Ports: []swarm.PortConfig{{
		TargetPort: target, PublishedPort: published, PublishMode: swarm.PortConfigPublishModeHost, Protocol: "tcp",
	}}}
}

func TestRedisPasswords(t *testing.T) {
	s := start(t)
	secret, err := s.SecretCreate(t.Context(), swarm.SecretSpec{Annotations: swarm.Annotations{Name: "pw"}, Data: []byte("from-secret")})
	if err != nil {
		t.Fatal(err)
	}
	secretRef := []*swarm.SecretReference{{SecretID: secret.ID, SecretName: "pw", File: &swarm.SecretReferenceFileTarget{Name: "pw", UID: "0", GID: "0", Mode: 0o400}}}
	config, err := s.ConfigCreate(t.Context(), swarm.ConfigSpec{
		Annotations: swarm.Annotations{Name: "conf"}, Templating: &swarm.Driver{Name: "golang"},
		Data: []byte("port 6380\nrequirepass {{ secret \"pw\" }}\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		name     string
		image    string
		edit     func(*swarm.ContainerSpec)
		port     uint32
		password string
	}{
		{"none", "redis:7.4", func(*swarm.ContainerSpec) {}, 6379, ""},
		{"argument", "redis:7.4", func(c *swarm.ContainerSpec) { c.Args = []string{"redis-server", "--requirepass", "abc"} }, 6379, "abc"},
		{"argument alone", "redis:7.4", func(c *swarm.ContainerSpec) { c.Args = []string{"--requirepass", "abc"} }, 6379, "abc"},
		{"shell and secret", "valkey/valkey:8", func(c *swarm.ContainerSpec) {
			c.Args = []string{"sh", "-c", `exec valkey-server --requirepass "$(cat /run/secrets/pw)"`}
			c.Secrets = secretRef
		}, 6379, "from-secret"},
		{"shell and variable", "redis:7.4", func(c *swarm.ContainerSpec) {
			c.Command, c.Env = []string{"sh", "-c", "redis-server --requirepass $PW"}, []string{"PW=env"}
		}, 6379, "env"},
		{"templated config", "redis:7.4", func(c *swarm.ContainerSpec) {
			c.Args, c.Secrets = []string{"redis-server", "/etc/redis.conf"}, secretRef
			c.Configs = []*swarm.ConfigReference{{ConfigID: config.ID, ConfigName: "conf", File: &swarm.ConfigReferenceFileTarget{Name: "/etc/redis.conf", UID: "0", GID: "0", Mode: 0o400}}}
		}, 6380, "from-secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &sim{Client: s.Client, t: t, host: s.host}
			spec := service("r"+strconv.Itoa(i), tt.image)
			spec.EndpointSpec = hostPort(tt.port, 16379+uint32(i))
			tt.edit(spec.TaskTemplate.ContainerSpec)
			s.create(spec)
			address := s.address(s.awaitRunning(spec.Name, 1)[0], tt.port)
			if pong, err := s.redis(address, tt.password).Ping(t.Context()).Result(); err != nil || pong != "PONG" {
				t.Errorf("ping: %q, %v", pong, err)
			}
			if tt.password == "" {
				return
			}
			if err := s.redis(address, "wrong").Ping(t.Context()).Err(); !redis.IsAuthError(err) {
				t.Errorf("ping with a wrong password: %v", err)
			}
			if err := s.redis(address, "").Ping(t.Context()).Err(); !redis.IsAuthError(err) {
				t.Errorf("ping without a password: %v", err)
			}
		})
	}
}

func TestRedisKeepsItsDataOnAVolume(t *testing.T) {
	s := start(t)
	spec := service("redis", "redis:7.4")
	spec.EndpointSpec = hostPort(6379, 6379)
	spec.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: "data", Target: "/data"}}
	s.create(spec)
	first := s.awaitRunning("redis", 1)[0]
	address := s.address(first, 6379)
	if err := s.redis(address, "").Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.redis(address, "").Set(t.Context(), "passing", "v", 20*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a key expires", func() bool { return s.redis(address, "").Get(t.Context(), "passing").Err() == redis.Nil })
	s.ctl("service", "kill", "redis")
	eventually(t, "another task runs", func() bool {
		tasks := s.running("redis")
		return len(tasks) == 1 && tasks[0].ID != first.ID
	})
	if v, err := s.redis(address, "").Get(t.Context(), "k").Result(); err != nil || v != "v" {
		t.Errorf("after a new start k is %q, %v", v, err)
	}
	s.ctl("service", "stop", "redis")
	if err := s.redis(address, "").Ping(t.Context()).Err(); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a stopped Redis: %v", err)
	}
	s.ctl("service", "start", "redis")
	s.ctl("service", "fault", "redis", "READONLY You can't write against a read only replica.")
	if err := s.redis(address, "").Set(t.Context(), "k", "w", 0).Err(); !redis.IsReadOnlyError(err) {
		t.Errorf("a faulty Redis: %v", err)
	}
	s.ctl("service", "fault", "redis")
	if v, err := s.redis(address, "").Get(t.Context(), "k").Result(); err != nil || v != "v" {
		t.Errorf("in the end k is %q, %v", v, err)
	}
	if err := s.redis(address, "").Do(t.Context(), "CLUSTER", "SHARDS").Err(); err == nil || !strings.Contains(err.Error(), "cluster support disabled") {
		t.Errorf("CLUSTER SHARDS: %v", err)
	}
}

func TestCentrifugoFindsItsRedis(t *testing.T) {
	s := start(t, "--nodes", "2")
	ctx := t.Context()
	if _, err := s.NetworkCreate(ctx, "net", network.CreateOptions{Driver: "overlay"}); err != nil {
		t.Fatal(err)
	}
	on := []swarm.NetworkAttachmentConfig{{Target: "net", Aliases: []string{"redis"}}}
	cache := service("stack_redis", "redis:7.4")
	cache.TaskTemplate.Networks = on
	cache.TaskTemplate.ContainerSpec.Args = []string{"--requirepass", "abc"}

	front := service("stack_centrifugo", "centrifugo/centrifugo:v6.9.1")
	front.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: "net"}}
	front.Mode.Replicated.Replicas = pointer(uint64(2))
	front.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 8000, PublishedPort: 18000}}}
	front.TaskTemplate.ContainerSpec.Env = []string{
		"CENTRIFUGO_HTTP_API_KEY=key", "CENTRIFUGO_HEALTH_ENABLED=true", "CENTRIFUGO_ENGINE_TYPE=redis",
		"CENTRIFUGO_ENGINE_REDIS_ADDRESS=redis:6379", "CENTRIFUGO_ENGINE_REDIS_PASSWORD=abc",
	}
	s.create(front)
	eventually(t, "Centrifugo fails without its Redis", func() bool {
		for _, task := range s.tasks("stack_centrifugo") {
			if task.Status.Err == "task: non-zero exit (1)" {
				return true
			}
		}
		return false
	})
	s.create(cache)
	s.awaitRunning("stack_centrifugo", 2)
	// The mesh: on the node of neither, or of both.
	for _, node := range []string{"node-1", "node-2"} {
		address := net.JoinHostPort(s.node(node).Status.Addr, "18000")
		if body := ask(t, "GET", "http://"+address+"/health", ""); body != "{}" {
			t.Errorf("health on %s: %s", node, body)
		}
		eventually(t, "both Centrifugos know each other", func() bool {
			var info struct{ Result struct{ Nodes []any } }
			return json.Unmarshal([]byte(ask(t, "POST", "http://"+address+"/api/info", "key")), &info) == nil && len(info.Result.Nodes) == 2
		})
	}
	wrong := service("wrong", "centrifugo/centrifugo:v6.9.1")
	wrong.TaskTemplate.ContainerSpec.Args = []string{"-c", "config.json"}
	s.create(wrong)
	eventually(t, "a command without the program fails", func() bool {
		for _, task := range s.tasks("wrong") {
			if strings.Contains(task.Status.Err, `exec: "-c": executable file not found in $PATH`) {
				return true
			}
		}
		return false
	})
}

// ask sends one request and gives the answer's body.
func ask(t *testing.T, method, url, key string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-API-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func TestServicesAreToldHowToBehave(t *testing.T) {
	s := start(t)
	s.create(service("web", "nginx:1.27"))
	s.awaitRunning("web", 1)
	s.ctl("service", "set", "web", "exit-code=5")
	s.ctl("service", "oom", "web")
	eventually(t, "the next containers exit with 5", func() bool {
		for _, task := range s.tasks("web") {
			if task.Status.Err == "task: non-zero exit (5)" {
				return true
			}
		}
		return false
	})
	s.ctl("service", "set", "web")
	eventually(t, "a task was unhealthy", func() bool {
		// The order is refused while no container runs.
		_, _ = s.tryCtl("service", "unhealthy", "web")
		for _, task := range s.tasks("web") {
			if strings.HasSuffix(task.Status.Err, "dockerexec: unhealthy container") {
				return true
			}
		}
		return false
	})
	for _, tt := range []struct{ order, want string }{
		{"service set web nonsense=1", "unknown; known are start-delay"},
		{"service set web exit-code=x", "behaviour exit-code"},
		{"service set web exit-code", "it is not key=value"},
		{"service kill nobody", "service nobody: no container of it runs"},
		{"service stop web", "only Redis and Centrifugo are served"},
		{"registry add nothing@", "it has no name and tag"},
		{"dance", "no such order"},
	} {
		if out, err := s.tryCtl(strings.Fields(tt.order)...); err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("ctl %s: %v: %s, want %s", tt.order, err, out, tt.want)
		}
	}
	var state struct {
		Nodes    map[string]string
		Registry string
	}
	if err := json.Unmarshal([]byte(s.ctl("state")), &state); err != nil || state.Nodes["node-1"] != "up" || state.Registry != "here" {
		t.Errorf("state %+v, %v", state, err)
	}
}
