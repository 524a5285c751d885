package main_test

import (
	"strings"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
)

func TestServiceLife(t *testing.T) {
	s := start(t)
	id := s.create(service("web", "nginx:1.27"))
	first := s.awaitRunning("web", 1)[0]
	if first.Status.ContainerStatus == nil || first.Status.Message != "started" || first.Slot != 1 {
		t.Errorf("task %+v", first)
	}
	s.change("web", func(spec *swarm.ServiceSpec) { spec.Mode.Replicated.Replicas = pointer(uint64(3)) })
	s.awaitRunning("web", 3)
	if s.service("web").UpdateStatus != nil {
		t.Error("scaling is no update, yet there is an update status")
	}
	s.change("web", func(spec *swarm.ServiceSpec) {
		spec.TaskTemplate.ContainerSpec.Image = "nginx:1.28"
		spec.UpdateConfig = &swarm.UpdateConfig{Parallelism: 3, Monitor: time.Millisecond, FailureAction: "pause", Order: "start-first"}
	})
	eventually(t, "the update is completed", func() bool {
		status := s.service("web").UpdateStatus
		return status != nil && status.State == swarm.UpdateStateCompleted
	})
	for _, task := range s.awaitRunning("web", 3) {
		if task.Spec.ContainerSpec.Image != "nginx:1.28" {
			t.Errorf("image %s after the update", task.Spec.ContainerSpec.Image)
		}
	}
	if previous := s.service("web").PreviousSpec; previous == nil || previous.TaskTemplate.ContainerSpec.Image != "nginx:1.27" {
		t.Errorf("previous spec %+v", previous)
	}
	live := s.service("web")
	if _, err := s.ServiceUpdate(t.Context(), "web", live.Version, live.Spec, swarm.ServiceUpdateOptions{Rollback: "previous"}); err != nil {
		t.Fatal(err)
	}
	if image := s.service("web").Spec.TaskTemplate.ContainerSpec.Image; image != "nginx:1.27" {
		t.Errorf("image %s after the rollback", image)
	}
	if err := s.ServiceRemove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TaskList(t.Context(), swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", id))}); !cerrdefs.IsNotFound(err) {
		t.Errorf("tasks of a removed service by its id: %v", err)
	}
	eventually(t, "its tasks are gone", func() bool { return len(s.tasks("web")) == 0 })
}

func TestRefusals(t *testing.T) {
	s := start(t)
	s.create(service("web", "nginx:1.27"))
	ported := service("ported", "nginx:1.27")
	ported.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 18080}}}
	s.create(ported)
	live := s.service("web")

	refuse := func(spec func(*swarm.ServiceSpec)) error {
		next := service("other", "nginx:1.27")
		spec(&next)
		_, err := s.ServiceCreate(t.Context(), next, swarm.ServiceCreateOptions{})
		return err
	}
	update := func(version uint64, edit func(*swarm.ServiceSpec)) error {
		spec := service("web", "nginx:1.27")
		edit(&spec)
		_, err := s.ServiceUpdate(t.Context(), live.ID, swarm.Version{Index: version}, spec, swarm.ServiceUpdateOptions{})
		return err
	}
	same := func(*swarm.ServiceSpec) {}
	for _, tt := range []struct {
		name string
		err  error
		is   func(error) bool
		text string
	}{
		{"name taken", refuse(func(s *swarm.ServiceSpec) { s.Name = "web" }), cerrdefs.IsConflict, "name conflicts with an existing object: service web already exists"},
		{"name taken in another case", refuse(func(s *swarm.ServiceSpec) { s.Name = "WEB" }), cerrdefs.IsConflict, "name conflicts"},
		{"stale version", update(live.Version.Index-1, same), cerrdefs.IsInternal, "update out of sequence"},
		{"future version", update(live.Version.Index+100, same), cerrdefs.IsInternal, "update out of sequence"},
		{"rename", update(live.Version.Index, func(s *swarm.ServiceSpec) { s.Name = "new" }), cerrdefs.IsNotImplemented, "renaming services is not supported"},
		{"mode", update(live.Version.Index, func(s *swarm.ServiceSpec) { s.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}} }), cerrdefs.IsNotImplemented, "service mode change is not allowed"},
		{"port taken", refuse(func(s *swarm.ServiceSpec) {
			s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 18080}}}
		}), cerrdefs.IsInvalidArgument, "port '18080' is already in use by service 'ported'"},
		{"ingress with dnsrr", refuse(func(s *swarm.ServiceSpec) {
			s.EndpointSpec = &swarm.EndpointSpec{Mode: "dnsrr", Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 18081}}}
		}), cerrdefs.IsInvalidArgument, "EndpointSpec: port published with ingress mode can't be used with dnsrr mode"},
		{"no image", refuse(func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "" }), cerrdefs.IsInvalidArgument, "ContainerSpec: image reference must be provided"},
		{"missing network", refuse(func(s *swarm.ServiceSpec) {
			s.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: "nowhere"}}
		}), cerrdefs.IsInternal, "network nowhere not found"},
		{"local network", refuse(func(s *swarm.ServiceSpec) {
			s.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: "docker_gwbridge"}}
		}), cerrdefs.IsPermissionDenied, "cannot be used with services"},
		{"malformed constraint", refuse(func(s *swarm.ServiceSpec) { s.TaskTemplate.Placement.Constraints = []string{"node.role"} }), cerrdefs.IsInternal, "constraint expected one operator from ==, !="},
		{"missing secret", refuse(func(s *swarm.ServiceSpec) {
			s.TaskTemplate.ContainerSpec.Secrets = []*swarm.SecretReference{{SecretID: "x", SecretName: "n1", File: &swarm.SecretReferenceFileTarget{Name: "n1", UID: "0", GID: "0"}}}
		}), cerrdefs.IsInvalidArgument, "secret not found: n1"},
		{"little memory", refuse(func(s *swarm.ServiceSpec) {
			s.TaskTemplate.Resources = &swarm.ResourceRequirements{Limits: &swarm.Limit{MemoryBytes: 1}}
		}), cerrdefs.IsInvalidArgument, "Must be at least 4MiB"},
		{"duplicate mount", refuse(func(s *swarm.ServiceSpec) {
			s.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Type: mount.TypeVolume, Target: "/a"}, {Type: mount.TypeVolume, Target: "/a"}}
		}), cerrdefs.IsInvalidArgument, "duplicate mount point"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantError(t, tt.err, tt.is, tt.text) })
	}
	withoutPlacement := live.Spec
	withoutPlacement.TaskTemplate.Placement = nil
	_, err := s.ServiceUpdate(t.Context(), live.ID, live.Version, withoutPlacement, swarm.ServiceUpdateOptions{})
	wantError(t, err, cerrdefs.IsInternal, "send an empty Placement")
	_, _, err = s.ServiceInspectWithRaw(t.Context(), "nobody", swarm.ServiceInspectOptions{})
	wantError(t, err, cerrdefs.IsNotFound, "service nobody not found")
	_, err = s.ServiceUpdate(t.Context(), live.ID, live.Version, live.Spec, swarm.ServiceUpdateOptions{Rollback: "previous"})
	wantError(t, err, func(error) bool { return true }, "does not have a previous spec")
}

func TestHowContainersEnd(t *testing.T) {
	s := start(t)
	health := &container.HealthConfig{Test: []string{"CMD", "true"}}
	for _, tt := range []struct {
		name   string
		edit   func(*swarm.ContainerSpec)
		state  swarm.TaskState
		err    string
		exited int
	}{
		{"unknown image", func(c *swarm.ContainerSpec) { c.Image = "nobody/knows:1" }, swarm.TaskStateRejected, "No such image: nobody/knows:1", 0},
		{"exit code", label("swarmsim.exit-code", "3"), swarm.TaskStateFailed, "task: non-zero exit (3)", 3},
		{"environment", func(c *swarm.ContainerSpec) { c.Env = []string{"SWARMSIM_EXIT_CODE=4"} }, swarm.TaskStateFailed, "task: non-zero exit (4)", 4},
		{"exit code while starting", func(c *swarm.ContainerSpec) {
			label("swarmsim.exit-code", "3")(c)
			c.Healthcheck = health
		}, swarm.TaskStateFailed, "task: non-zero exit (3)", 3},
		{"unhealthy", label("swarmsim.unhealthy", "true"), swarm.TaskStateFailed, "task: non-zero exit (137): dockerexec: unhealthy container", 137},
		{"out of memory", label("swarmsim.oom", "true"), swarm.TaskStateFailed, "task: non-zero exit (137)", 137},
		{"done", label("swarmsim.run-for", "1ms"), swarm.TaskStateComplete, "", 0},
		{"shell", func(c *swarm.ContainerSpec) {
			c.Image, c.Args = "busybox:1.37", []string{"sh", "-c", "echo hello; sleep 0.01; exit 7"}
		}, swarm.TaskStateFailed, "task: non-zero exit (7)", 7},
		{"no program", func(c *swarm.ContainerSpec) { c.Image, c.Command = "busybox:1.37", []string{"nosuchprogram"} }, swarm.TaskStateFailed, `exec: "nosuchprogram": executable file not found in $PATH`, 127},
		{"missing bind source", func(c *swarm.ContainerSpec) {
			c.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: "/nowhere/at/all", Target: "/x"}}
		}, swarm.TaskStateRejected, `invalid mount config for type "bind": bind source path does not exist: /nowhere/at/all`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := strings.ReplaceAll(tt.name, " ", "-")
			spec := service(name, "nginx:1.27")
			spec.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}
			tt.edit(spec.TaskTemplate.ContainerSpec)
			s.create(spec)
			var task swarm.Task
			eventually(t, "the task ends", func() bool {
				tasks := s.tasks(name)
				if len(tasks) != 1 {
					return false
				}
				task = tasks[0]
				return task.Status.State == tt.state
			})
			if !strings.HasSuffix(task.Status.Err, tt.err) || tt.err == "" && task.Status.Err != "" {
				t.Errorf("error %q, want %q", task.Status.Err, tt.err)
			}
			if c := task.Status.ContainerStatus; tt.exited != 0 && (c == nil || c.ExitCode != tt.exited) {
				t.Errorf("container status %+v, want exit code %d", c, tt.exited)
			}
		})
	}
}

func label(key, value string) func(*swarm.ContainerSpec) {
	return func(c *swarm.ContainerSpec) { c.Labels = map[string]string{key: value} }
}

func TestFailTwiceThenRun(t *testing.T) {
	s := start(t)
	spec := service("shaky", "nginx:1.27")
	spec.TaskTemplate.ContainerSpec.Labels = map[string]string{"swarmsim.fail": "2", "swarmsim.exit-code": "9"}
	s.create(spec)
	eventually(t, "two tasks have failed and a third one runs", func() bool {
		failed := 0
		for _, task := range s.tasks("shaky") {
			if task.Status.State == swarm.TaskStateFailed && task.Status.Err == "task: non-zero exit (9)" {
				failed++
			}
		}
		return failed == 2 && len(s.running("shaky")) == 1
	})
}

func TestUpdateOfAFailingImageIsRolledBack(t *testing.T) {
	s := start(t)
	spec := service("web", "nginx:1.27")
	spec.UpdateConfig = &swarm.UpdateConfig{Parallelism: 1, FailureAction: "rollback", Monitor: time.Second}
	s.create(spec)
	s.awaitRunning("web", 1)
	s.change("web", func(spec *swarm.ServiceSpec) { spec.TaskTemplate.ContainerSpec.Image = "nobody/knows:1" })
	eventually(t, "the rollback is completed", func() bool {
		status := s.service("web").UpdateStatus
		return status != nil && status.State == swarm.UpdateStateRollbackCompleted
	})
	if image := s.awaitRunning("web", 1)[0].Spec.ContainerSpec.Image; image != "nginx:1.27" {
		t.Errorf("image %s runs after the rollback", image)
	}
	if s.service("web").PreviousSpec != nil {
		t.Error("an automatic rollback leaves a previous spec")
	}
}

func TestJobs(t *testing.T) {
	s := start(t, "--nodes", "2")
	spec := service("job", "busybox:1.37")
	spec.TaskTemplate.ContainerSpec.Args = []string{"true"}
	spec.TaskTemplate.RestartPolicy = nil
	spec.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{TotalCompletions: pointer(uint64(3))}}
	s.create(spec)
	everywhere := service("everywhere", "busybox:1.37")
	everywhere.TaskTemplate.ContainerSpec.Args = []string{"true"}
	everywhere.TaskTemplate.RestartPolicy = nil
	everywhere.Mode = swarm.ServiceMode{GlobalJob: &swarm.GlobalJob{}}
	s.create(everywhere)
	for name, want := range map[string]uint64{"job": 3, "everywhere": 2} {
		eventually(t, name+" is complete", func() bool {
			list, err := s.ServiceList(t.Context(), swarm.ServiceListOptions{Status: true, Filters: filters.NewArgs(filters.Arg("name", name))})
			return err == nil && len(list) == 1 && list[0].ServiceStatus.CompletedTasks == want
		})
	}
}
