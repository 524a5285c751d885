package main_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
)

// TestWhatASpecBecomes shows how a spec comes back after it was sent.
func TestWhatASpecBecomes(t *testing.T) {
	s := start(t)
	for i, tt := range []struct {
		name string
		edit func(*swarm.ServiceSpec)
		got  func(swarm.Service) any
		want string // as JSON
	}{
		{"service labels", func(*swarm.ServiceSpec) {}, func(s swarm.Service) any { return s.Spec.Labels }, `{}`},
		{"runtime", func(*swarm.ServiceSpec) {}, func(s swarm.Service) any { return s.Spec.TaskTemplate.Runtime }, `"container"`},
		{"isolation", func(*swarm.ServiceSpec) {}, func(s swarm.Service) any { return s.Spec.TaskTemplate.ContainerSpec.Isolation }, `"default"`},
		{"no mode", func(s *swarm.ServiceSpec) { s.Mode = swarm.ServiceMode{} }, func(s swarm.Service) any { return s.Spec.Mode }, `{"Replicated":{"Replicas":1}}`},
		{"job", func(s *swarm.ServiceSpec) {
			s.Mode, s.TaskTemplate.RestartPolicy = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{}}, nil
		}, func(s swarm.Service) any { return s.Spec.Mode }, `{"ReplicatedJob":{"MaxConcurrent":1,"TotalCompletions":1}}`},
		{"restart policy", func(s *swarm.ServiceSpec) { s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{} },
			func(s swarm.Service) any { return s.Spec.TaskTemplate.RestartPolicy }, `{"Condition":"any","MaxAttempts":0}`},
		{"no restart policy", func(s *swarm.ServiceSpec) { s.TaskTemplate.RestartPolicy = nil },
			func(s swarm.Service) any { return s.Spec.TaskTemplate.RestartPolicy }, `null`},
		{"update config", func(s *swarm.ServiceSpec) { s.UpdateConfig = &swarm.UpdateConfig{} },
			func(s swarm.Service) any { return s.Spec.UpdateConfig }, `{"Parallelism":0,"FailureAction":"pause","MaxFailureRatio":0,"Order":"stop-first"}`},
		{"endpoint", func(s *swarm.ServiceSpec) { s.EndpointSpec = &swarm.EndpointSpec{} }, func(s swarm.Service) any { return s.Spec.EndpointSpec }, `{"Mode":"vip"}`},
		{"ports", func(s *swarm.ServiceSpec) {
			s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, Protocol: "BOGUS", PublishMode: "bogus"}}}
		}, func(s swarm.Service) any { return s.Spec.EndpointSpec.Ports }, `[{"Protocol":"tcp","TargetPort":80,"PublishMode":"ingress"}]`},
		{"dropped mount options", func(s *swarm.ServiceSpec) {
			s.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Source: "/etc", Target: "/e", Consistency: "cached", BindOptions: &mount.BindOptions{CreateMountpoint: true}}}
		}, func(s swarm.Service) any { return s.Spec.TaskTemplate.ContainerSpec.Mounts }, `[{"Type":"bind","Source":"/etc","Target":"/e"}]`},
		{"propagation", func(s *swarm.ServiceSpec) {
			s.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Source: "/etc", Target: "/e", BindOptions: &mount.BindOptions{NonRecursive: true}}}
		}, func(s swarm.Service) any { return s.Spec.TaskTemplate.ContainerSpec.Mounts[0].BindOptions }, `{"Propagation":"rprivate","NonRecursive":true}`},
		{"new in 1.44", func(s *swarm.ServiceSpec) {
			s.TaskTemplate.ContainerSpec.Privileges = &swarm.Privileges{NoNewPrivileges: true}
			s.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}, StartInterval: time.Second}
		}, func(s swarm.Service) any {
			return []any{s.Spec.TaskTemplate.ContainerSpec.Privileges.NoNewPrivileges, s.Spec.TaskTemplate.ContainerSpec.Healthcheck.StartInterval}
		}, `[true,1000000000]`},
		{"order", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"b=1", "a=2", "b=1"} },
			func(s swarm.Service) any { return s.Spec.TaskTemplate.ContainerSpec.Env }, `["b=1","a=2","b=1"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &sim{Client: s.Client, t: t}
			spec := service("s"+strconv.Itoa(i), "nginx:1.27")
			tt.edit(&spec)
			s.create(spec)
			got, err := json.Marshal(tt.got(s.service(spec.Name)))
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, want %s, %v", got, tt.want, err)
			}
		})
	}
}

// TestWhatRestartsTasks shows which changes replace a task and which do not.
func TestWhatRestartsTasks(t *testing.T) {
	s := start(t)
	for i, tt := range []struct {
		name     string
		edit     func(*swarm.ServiceSpec)
		restarts bool
	}{
		{"nothing", func(*swarm.ServiceSpec) {}, false},
		{"service labels", func(s *swarm.ServiceSpec) { s.Labels = map[string]string{"a": "b"} }, false},
		{"update config", func(s *swarm.ServiceSpec) { s.UpdateConfig = &swarm.UpdateConfig{Parallelism: 7} }, false},
		{"satisfied constraint", func(s *swarm.ServiceSpec) { s.TaskTemplate.Placement.Constraints = []string{"node.role==manager"} }, false},
		{"max replicas", func(s *swarm.ServiceSpec) { s.TaskTemplate.Placement.MaxReplicas = 5 }, false},
		{"empty slice", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Args = []string{} }, false},
		{"container labels", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Labels = map[string]string{"a": "b"} }, true},
		{"environment", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"a=b"} }, true},
		{"force", func(s *swarm.ServiceSpec) { s.TaskTemplate.ForceUpdate++ }, true},
		{"empty resources", func(s *swarm.ServiceSpec) { s.TaskTemplate.Resources = &swarm.ResourceRequirements{} }, true},
		{"empty endpoint", func(s *swarm.ServiceSpec) { s.EndpointSpec = &swarm.EndpointSpec{} }, true},
		{"grace period", func(s *swarm.ServiceSpec) {
			s.TaskTemplate.ContainerSpec.StopGracePeriod = pointer(10 * time.Second)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &sim{Client: s.Client, t: t}
			name := fmt.Sprintf("s%02d", i)
			s.create(service(name, "nginx:1.27"))
			first := s.awaitRunning(name, 1)[0].ID
			s.change(name, tt.edit)
			if tt.restarts {
				eventually(t, "another task runs", func() bool {
					tasks := s.running(name)
					return len(tasks) == 1 && tasks[0].ID != first
				})
				return
			}
			// A replacement would come before that of a service which is made now.
			s.create(service("later-"+name, "nginx:1.27"))
			s.awaitRunning("later-"+name, 1)
			if tasks := s.tasks(name); len(tasks) != 1 || s.service(name).UpdateStatus != nil {
				t.Errorf("%d tasks, update status %+v", len(tasks), s.service(name).UpdateStatus)
			}
		})
	}
}
