package swarmlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
	"github.com/redis/go-redis/v9"
)

const (
	secretName = "redis_password"
	password   = "s3cret-of-the-lab"
)

// TestRedis runs the Redis of desired-state.yaml with its own health check, on
// a config that Swarm fills in.
func TestRedis(t *testing.T) {
	t.Parallel()
	lab := Start(t, Options{})
	if err := lab.LoadImages(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &redisLab{node: lab.Nodes[0], client: lab.Nodes[0].Client(t)}
	r.image, r.health = serviceOfSpec(t, "redis")
	r.secret(t)
	good := r.service(t, "good", `requirepass {{ secret "redis_password" }}`, 6379)
	bad := r.service(t, "bad", "requirepass another-password", 0)

	task := r.await(t, good, func(ctx context.Context, task swarm.Task) error {
		if task.Status.State != swarm.TaskStateRunning {
			return errors.New("it does not run")
		}
		return r.checkHealth(ctx, task, container.Healthy)
	})
	t.Run("reached at the node's address", func(t *testing.T) { r.checkPing(t, lab.Nodes[0].Addr) })
	t.Run("reached on the machine itself", func(t *testing.T) { r.checkCommand(t) })
	t.Run("runs as its user", func(t *testing.T) { r.checkUser(t, task) })
	t.Run("fails its health check on a wrong password", func(t *testing.T) {
		// Redis ends with 0 when it is stopped: Swarm says "complete finished"
		// of a task that it stopped as unhealthy, and keeps no error.
		r.await(t, bad, func(ctx context.Context, task swarm.Task) error {
			return r.checkHealth(ctx, task, container.Unhealthy)
		})
	})
	t.Run("is there after a power failure", func(t *testing.T) { r.checkPowerFailure(t) })
}

type redisLab struct {
	node     *Node
	client   *client.Client
	image    string
	health   []string
	secretID string
}

func (r *redisLab) secret(t *testing.T) {
	t.Helper()
	made, err := r.client.SecretCreate(t.Context(), swarm.SecretSpec{
		Annotations: swarm.Annotations{Name: secretName}, Data: []byte(password),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.secretID = made.ID
}

// service starts a Redis with one line of configuration, and returns its id.
func (r *redisLab) service(t *testing.T, name, line string, port uint32) string {
	t.Helper()
	config, err := r.client.ConfigCreate(t.Context(), swarm.ConfigSpec{
		Annotations: swarm.Annotations{Name: name},
		Data:        []byte("dir /data\n" + line + "\n"),
		Templating:  &swarm.Driver{Name: "golang"},
	})
	if err != nil {
		t.Fatal(err)
	}
	owner := func(file string) (string, string, string, os.FileMode) { return file, "999", "999", 0o400 }
	var secretFile swarm.SecretReferenceFileTarget
	var configFile swarm.ConfigReferenceFileTarget
	secretFile.Name, secretFile.UID, secretFile.GID, secretFile.Mode = owner(secretName)
	configFile.Name, configFile.UID, configFile.GID, configFile.Mode = owner("/usr/local/etc/redis/redis.conf")
	endpoint := &swarm.EndpointSpec{Mode: swarm.ResolutionModeDNSRR}
	if port != 0 {
		endpoint.Ports = []swarm.PortConfig{{
			Protocol: swarm.PortConfigProtocolTCP, PublishMode: swarm.PortConfigPublishModeHost,
			TargetPort: 6379, PublishedPort: port,
		}}
	}
	made, err := r.client.ServiceCreate(t.Context(), swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: name},
		TaskTemplate: swarm.TaskSpec{
			Placement: &swarm.Placement{},
			ContainerSpec: &swarm.ContainerSpec{
				Image:   r.image,
				Args:    []string{"redis-server", configFile.Name},
				Secrets: []*swarm.SecretReference{{File: &secretFile, SecretID: r.secretID, SecretName: secretName}},
				Configs: []*swarm.ConfigReference{{File: &configFile, ConfigID: config.ID, ConfigName: name}},
				Mounts:  []mount.Mount{{Type: mount.TypeVolume, Source: "data-" + name, Target: "/data"}},
				Healthcheck: &container.HealthConfig{
					Test: r.health, Interval: time.Second, Timeout: 5 * time.Second, Retries: 3,
				},
			},
		},
		EndpointSpec: endpoint,
	}, swarm.ServiceCreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func (r *redisLab) checkHealth(ctx context.Context, task swarm.Task, want string) error {
	if task.Status.ContainerStatus == nil || task.Status.ContainerStatus.ContainerID == "" {
		return errors.New("it has no container yet")
	}
	c, err := r.client.ContainerInspect(ctx, task.Status.ContainerStatus.ContainerID)
	if err != nil {
		return err
	}
	if c.State.Health == nil || c.State.Health.Status != want {
		return fmt.Errorf("its health is %+v, want %s", c.State.Health, want)
	}
	return nil
}

// await returns a task of the service of which ok returns nil.
func (r *redisLab) await(t *testing.T, service string, ok func(context.Context, swarm.Task) error) swarm.Task {
	t.Helper()
	var found swarm.Task
	err := poll(t.Context(), 90*time.Second, "task", func(ctx context.Context) error {
		tasks, err := r.client.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", service))})
		if err != nil {
			return err
		}
		errs := []error{fmt.Errorf("none of %d tasks will do", len(tasks))}
		for _, task := range tasks {
			if err := ok(ctx, task); err != nil {
				errs = append(errs, fmt.Errorf("%w: %s %s %s", err, task.Status.State, task.Status.Message, task.Status.Err))
				continue
			}
			found = task
			return nil
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (r *redisLab) checkPing(t *testing.T, addr string) {
	for _, tc := range []struct{ name, password, want string }{
		{"right password", password, ""},
		{"wrong password", "another-password", "WRONGPASS"},
	} {
		c := redis.NewClient(&redis.Options{
			Addr: net.JoinHostPort(addr, "6379"), Password: tc.password, MaxRetries: -1, DialerRetries: 1,
		})
		err := c.Ping(t.Context()).Err()
		if tc.want == "" && err != nil || tc.want != "" && !strings.Contains(fmt.Sprint(err), tc.want) {
			t.Errorf("%s: PING: %v, want %q", tc.name, err, tc.want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (r *redisLab) checkCommand(t *testing.T) {
	if out, err := r.cli(t.Context(), "ping"); err != nil || out != "PONG\n" {
		t.Errorf("PING: %q (%v)", out, err)
	}
	out, err := r.node.Command(t.Context(), "sh", "-c", "hostname; docker node ls --format '{{.Hostname}}'").CombinedOutput()
	if want := "node-1\nnode-1\n"; err != nil || string(out) != want {
		t.Errorf("its name and that of its node: %q (%v), want %q", out, err, want)
	}
}

func (r *redisLab) checkUser(t *testing.T, task swarm.Task) {
	out, err := r.node.Docker(t.Context(), "exec", task.Status.ContainerStatus.ContainerID,
		"sh", "-c", "id -u; stat -c '%u %a' /run/secrets/"+secretName+" /usr/local/etc/redis/redis.conf; cat /usr/local/etc/redis/redis.conf")
	want := "999\n999 400\n999 400\ndir /data\nrequirepass " + password + "\n"
	if err != nil || out != want {
		t.Errorf("got %q (%v), want %q", out, err, want)
	}
}

func (r *redisLab) checkPowerFailure(t *testing.T) {
	if out, err := r.cli(t.Context(), "set", "kept", "yes"); out != "OK\n" {
		t.Fatalf("SET: %q (%v)", out, err)
	}
	if out, err := r.cli(t.Context(), "save"); out != "OK\n" {
		t.Fatalf("SAVE: %q (%v)", out, err)
	}
	if err := r.node.Kill(); err != nil {
		t.Fatal(err)
	}
	if out, err := r.cli(t.Context(), "ping"); err == nil {
		t.Errorf("Redis runs on a machine without power: %q", out)
	}
	if err := r.node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := poll(t.Context(), 90*time.Second, "the key", func(ctx context.Context) error {
		if out, err := r.cli(ctx, "get", "kept"); out != "yes\n" {
			return fmt.Errorf("GET: %q (%w)", out, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// cli runs redis-cli on the machine itself.
func (r *redisLab) cli(ctx context.Context, args ...string) (string, error) {
	cmd := r.node.Command(ctx, "redis-cli", append([]string{"-h", "127.0.0.1"}, args...)...)
	cmd.Env = append(cmd.Env, "REDISCLI_AUTH="+password)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
