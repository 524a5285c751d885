package main_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"
)

// until follows the stream until an event is wanted, and gives it.
func until(t *testing.T, stream <-chan events.Message, failed <-chan error, wanted func(events.Message) bool) events.Message {
	t.Helper()
	deadline, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		select {
		case m := <-stream:
			if wanted(m) {
				return m
			}
		case err := <-failed:
			t.Fatal(err)
		case <-deadline.Done():
			t.Fatal("the event did not come")
		}
	}
}

func TestEvents(t *testing.T) {
	s := start(t, "--nodes", "2")
	began := time.Now()
	stream, failed := s.Events(t.Context(), events.ListOptions{})
	is := func(kind events.Type, action events.Action, name string) func(events.Message) bool {
		return func(m events.Message) bool {
			return m.Type == kind && m.Action == action && m.Actor.Attributes["name"] == name && m.Scope == "swarm"
		}
	}
	with := func(wanted func(events.Message) bool, attributes ...string) func(events.Message) bool {
		return func(m events.Message) bool {
			for i := 0; i < len(attributes); i += 2 {
				if m.Actor.Attributes[attributes[i]] != attributes[i+1] {
					return false
				}
			}
			return wanted(m)
		}
	}
	// The stream may begin after the first event: it is made until it is seen.
	id := s.create(service("web", "nginx:1.27"))
	replayed, again := s.Events(t.Context(), events.ListOptions{Since: began.Format(time.RFC3339Nano)})
	if m := until(t, replayed, again, is("service", "create", "web")); m.Actor.ID != id {
		t.Errorf("service %s was created, the event says %s", id, m.Actor.ID)
	}
	s.awaitRunning("web", 1)
	s.change("web", func(spec *swarm.ServiceSpec) { spec.Mode.Replicated.Replicas = pointer(uint64(2)) })
	until(t, stream, failed, with(is("service", "update", "web"), "replicas.old", "1", "replicas.new", "2"))
	s.change("web", func(spec *swarm.ServiceSpec) { spec.TaskTemplate.ContainerSpec.Image = "nginx:1.28" })
	until(t, stream, failed, with(is("service", "update", "web"), "image.old", "nginx:1.27", "image.new", "nginx:1.28"))
	until(t, stream, failed, with(is("service", "update", "web"), "updatestate.new", "updating"))
	s.ctl("node", "down", "node-2")
	until(t, stream, failed, with(is("node", "update", "node-2"), "state.old", "ready", "state.new", "down"))
	s.changeNode("node-1", func(n *swarm.NodeSpec) { n.Availability = swarm.NodeAvailabilityPause })
	until(t, stream, failed, with(is("node", "update", "node-1"), "availability.old", "active", "availability.new", "pause"))
	if _, err := s.SecretCreate(t.Context(), swarm.SecretSpec{Annotations: swarm.Annotations{Name: "s"}, Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	until(t, stream, failed, is("secret", "create", "s"))
	if err := s.SecretRemove(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	until(t, stream, failed, is("secret", "remove", "s"))
	if err := s.ServiceRemove(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	until(t, stream, failed, is("service", "remove", "web"))

	filtered, ended := s.Events(t.Context(), events.ListOptions{
		Since: began.Format(time.RFC3339Nano), Until: time.Now().Format(time.RFC3339Nano),
		Filters: filters.NewArgs(filters.Arg("type", "secret"), filters.Arg("event", "remove")),
	})
	until(t, filtered, nil, is("secret", "remove", "s"))
	select {
	case m := <-filtered:
		t.Errorf("more than one event passed the filter: %+v", m)
	case err := <-ended:
		if err != io.EOF {
			t.Errorf("the stream ended with %v", err)
		}
	}
}

func TestLogs(t *testing.T) {
	s := start(t)
	spec := service("talk", "busybox:1.37")
	spec.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}
	spec.TaskTemplate.ContainerSpec.Args = []string{"sh", "-c", "echo one; echo two; sleep 1000"}
	s.create(spec)
	task := s.awaitRunning("talk", 1)[0]
	read := func(open func() (io.ReadCloser, error)) string {
		t.Helper()
		stream, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = stream.Close() }()
		var out bytes.Buffer
		if _, err := stdcopy.StdCopy(&out, &out, stream); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true}
	tail := options
	tail.Tail = "1"
	details := options
	details.Details = true
	eventually(t, "both lines are there", func() bool {
		return read(func() (io.ReadCloser, error) { return s.ServiceLogs(t.Context(), "talk", options) }) == "one\ntwo\n"
	})
	for _, tt := range []struct {
		name string
		open func() (io.ReadCloser, error)
		want string
	}{
		{"task", func() (io.ReadCloser, error) { return s.TaskLogs(t.Context(), task.ID, options) }, "one\ntwo\n"},
		{"container", func() (io.ReadCloser, error) {
			return s.ContainerLogs(t.Context(), task.Status.ContainerStatus.ContainerID, options)
		}, "one\ntwo\n"},
		{"tail", func() (io.ReadCloser, error) { return s.ServiceLogs(t.Context(), "talk", tail) }, "two\n"},
		{"details", func() (io.ReadCloser, error) { return s.TaskLogs(t.Context(), task.ID, details) }, "com.docker.swarm.task.id=" + task.ID},
	} {
		if got := read(tt.open); !strings.Contains(got, tt.want) || tt.name == "tail" && got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	failing := service("failing", "nginx:1.27")
	failing.TaskTemplate.ContainerSpec.Labels = map[string]string{"swarmsim.exit-code": "3"}
	s.create(failing)
	eventually(t, "the log of a failed task has its error", func() bool {
		return strings.Contains(read(func() (io.ReadCloser, error) { return s.ServiceLogs(t.Context(), "failing", options) }), "exit with code 3")
	})
}

func TestContainers(t *testing.T) {
	s := start(t)
	spec := service("web", "nginx:1.27")
	spec.TaskTemplate.ContainerSpec.Env = []string{"WHO={{.Node.Hostname}}/{{.Task.Slot}}"}
	s.create(spec)
	task := s.awaitRunning("web", 1)[0]
	id := task.Status.ContainerStatus.ContainerID
	c, err := s.ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "/web.1."+task.ID || !c.State.Running || c.Config.Image != "nginx:1.27" || c.Config.Env[0] != "WHO=node-1/1" ||
		c.Config.Labels["com.docker.swarm.task.id"] != task.ID || c.NetworkSettings == nil {
		t.Errorf("container %+v", c)
	}
	list, err := s.ContainerList(t.Context(), container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "com.docker.swarm.service.name=web"))})
	if err != nil || len(list) != 1 || list[0].ID != id {
		t.Errorf("containers %+v, %v", list, err)
	}
	if err := s.ContainerKill(t.Context(), id, "KILL"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another task runs in its place", func() bool {
		tasks := s.running("web")
		return len(tasks) == 1 && tasks[0].ID != task.ID
	})
}
