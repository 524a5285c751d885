package main_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

func TestSecretsAndConfigs(t *testing.T) {
	s := start(t)
	ctx := t.Context()
	secret, err := s.SecretCreate(ctx, swarm.SecretSpec{Annotations: swarm.Annotations{Name: "s"}, Data: []byte("hidden")})
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.ConfigCreate(ctx, swarm.ConfigSpec{Annotations: swarm.Annotations{Name: "c"}, Data: []byte("shown")})
	if err != nil {
		t.Fatal(err)
	}
	gotSecret, _, err := s.SecretInspectWithRaw(ctx, "s")
	if err != nil || gotSecret.ID != secret.ID || gotSecret.Spec.Data != nil {
		t.Errorf("secret %+v, %v", gotSecret, err)
	}
	gotConfig, _, err := s.ConfigInspectWithRaw(ctx, "c")
	if err != nil || gotConfig.ID != config.ID || string(gotConfig.Spec.Data) != "shown" {
		t.Errorf("config %+v, %v", gotConfig, err)
	}
	spec := service("a", "nginx:1.27")
	spec.TaskTemplate.ContainerSpec.Secrets = []*swarm.SecretReference{{
		SecretID: secret.ID, SecretName: "s", File: &swarm.SecretReferenceFileTarget{Name: "s", UID: "0", GID: "0", Mode: 0o400},
	}}
	s.create(spec)
	_, duplicate := s.SecretCreate(ctx, swarm.SecretSpec{Annotations: swarm.Annotations{Name: "s"}, Data: []byte("x")})
	_, empty := s.SecretCreate(ctx, swarm.SecretSpec{Annotations: swarm.Annotations{Name: "e"}})
	_, huge := s.ConfigCreate(ctx, swarm.ConfigSpec{Annotations: swarm.Annotations{Name: "h"}, Data: make([]byte, 1024*1000)})
	_, badName := s.ConfigCreate(ctx, swarm.ConfigSpec{Annotations: swarm.Annotations{Name: "-"}, Data: []byte("x")})
	changed := gotConfig.Spec
	changed.Data = []byte("other")
	_, _, missing := s.ConfigInspectWithRaw(ctx, "nothing")
	for _, tt := range []struct {
		name string
		err  error
		is   func(error) bool
		text string
	}{
		{"secret in use", s.SecretRemove(ctx, "s"), cerrdefs.IsInvalidArgument, "secret 's' is in use by the following service: a"},
		{"secret twice", duplicate, cerrdefs.IsConflict, "secret s already exists"},
		{"empty secret", empty, cerrdefs.IsInvalidArgument, "secret data must be larger than 0"},
		{"huge config", huge, cerrdefs.IsInvalidArgument, "config data must be larger than 0"},
		{"bad name", badName, cerrdefs.IsInvalidArgument, "invalid name"},
		{"changed config", s.ConfigUpdate(ctx, config.ID, gotConfig.Version, changed), cerrdefs.IsInvalidArgument, "only updates to Labels are allowed"},
		{"missing config", missing, cerrdefs.IsNotFound, "config nothing not found"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantError(t, tt.err, tt.is, tt.text) })
	}
	gotConfig.Spec.Labels = map[string]string{"a": "b"}
	if err := s.ConfigUpdate(ctx, config.ID, gotConfig.Version, gotConfig.Spec); err != nil {
		t.Errorf("new labels: %v", err)
	}
	if err := s.ConfigRemove(ctx, "c"); err != nil {
		t.Error(err)
	}
}

func TestASecretWithoutOwnerFailsTheTask(t *testing.T) {
	s := start(t)
	secret, err := s.SecretCreate(t.Context(), swarm.SecretSpec{Annotations: swarm.Annotations{Name: "s"}, Data: []byte("hidden")})
	if err != nil {
		t.Fatal(err)
	}
	spec := service("a", "nginx:1.27")
	spec.TaskTemplate.ContainerSpec.Secrets = []*swarm.SecretReference{{
		SecretID: secret.ID, SecretName: "s", File: &swarm.SecretReferenceFileTarget{Name: "s"},
	}}
	s.create(spec)
	eventually(t, "a task has failed", func() bool {
		for _, task := range s.tasks("a") {
			if task.Status.State == swarm.TaskStateFailed && strings.Contains(task.Status.Err, `parsing "": invalid syntax`) {
				return true
			}
		}
		return false
	})
}

func TestNetworks(t *testing.T) {
	s := start(t)
	ctx := t.Context()
	for _, name := range []string{"bridge", "host", "none", "ingress", "docker_gwbridge"} {
		if _, err := s.NetworkInspect(ctx, name, network.InspectOptions{}); err != nil {
			t.Errorf("network %s: %v", name, err)
		}
	}
	made, err := s.NetworkCreate(ctx, "net", network.CreateOptions{Driver: "overlay", Attachable: true, Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the network is allocated", func() bool {
		n, err := s.NetworkInspect(ctx, "net", network.InspectOptions{})
		return err == nil && n.ID == made.ID && n.Scope == "swarm" && n.Attachable && n.Labels["a"] == "b" && len(n.IPAM.Config) == 1 &&
			n.Options["com.docker.network.driver.overlay.vxlanid_list"] != ""
	})
	spec := service("a", "nginx:1.27")
	spec.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: "net", Aliases: []string{"alias"}}}
	s.create(spec)
	if target := s.service("a").Spec.TaskTemplate.Networks[0].Target; target != made.ID {
		t.Errorf("network %s in the spec, want the id %s", target, made.ID)
	}
	task := s.awaitRunning("a", 1)[0]
	if len(task.NetworksAttachments) != 1 || len(task.NetworksAttachments[0].Addresses) != 1 {
		t.Errorf("attachments %+v", task.NetworksAttachments)
	}
	bridge, err := s.NetworkInspect(ctx, "docker_gwbridge", network.InspectOptions{})
	if err != nil || bridge.Containers[task.Status.ContainerStatus.ContainerID].IPv4Address == "" {
		t.Errorf("docker_gwbridge %+v, %v", bridge, err)
	}
	_, twice := s.NetworkCreate(ctx, "net", network.CreateOptions{Driver: "overlay"})
	_, predefined := s.NetworkCreate(ctx, "none", network.CreateOptions{Driver: "overlay"})
	_, nameless := s.NetworkCreate(ctx, "x", network.CreateOptions{Scope: "swarm"})
	_, driver := s.NetworkCreate(ctx, "x", network.CreateOptions{Driver: "nosuch"})
	for _, tt := range []struct {
		name string
		err  error
		is   func(error) bool
		text string
	}{
		{"in use", s.NetworkRemove(ctx, "net"), cerrdefs.IsInvalidArgument, "is in use by service"},
		{"twice", twice, cerrdefs.IsConflict, "network with name net already exists"},
		{"predefined", predefined, cerrdefs.IsPermissionDenied, "operation is not permitted on predefined none network"},
		{"no driver", nameless, cerrdefs.IsInvalidArgument, "driver name: if driver is specified name is required"},
		{"unknown driver", driver, cerrdefs.IsNotFound, "nosuch"},
		{"missing", s.NetworkRemove(ctx, "nothing"), cerrdefs.IsNotFound, "network nothing not found"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantError(t, tt.err, tt.is, tt.text) })
	}
	if err := s.ServiceRemove(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	// Its tasks are told to go some milliseconds after the service.
	eventually(t, "the network can be removed", func() bool { return s.NetworkRemove(ctx, "net") == nil })
	eventually(t, "the node's copy is gone", func() bool {
		_, err := s.NetworkInspect(ctx, "net", network.InspectOptions{})
		return cerrdefs.IsNotFound(err)
	})
}

func TestRegistry(t *testing.T) {
	s := start(t, "--image", "registry.example/team/app:1.0")
	known, err := s.DistributionInspect(t.Context(), "redis:7.4.6", "")
	if err != nil || !strings.HasPrefix(string(known.Descriptor.Digest), "sha256:") || len(known.Platforms) != 2 {
		t.Errorf("redis:7.4.6: %+v, %v", known, err)
	}
	if again, err := s.DistributionInspect(t.Context(), "redis@"+string(known.Descriptor.Digest), ""); err != nil || again.Descriptor.Digest != known.Descriptor.Digest {
		t.Errorf("by digest: %+v, %v", again, err)
	}
	_, err = s.DistributionInspect(t.Context(), "redis:nosuch", "")
	wantError(t, err, cerrdefs.IsNotFound, "manifest unknown")
	if _, err := s.DistributionInspect(t.Context(), "registry.example/team/app:1.0", ""); err != nil {
		t.Errorf("an image of --image: %v", err)
	}
	s.ctl("registry", "add", "team/other:2")
	if _, err := s.DistributionInspect(t.Context(), "team/other:2", ""); err != nil {
		t.Errorf("an image that was added: %v", err)
	}

	pinned := service("pinned", "redis:7.4.6")
	r, err := s.ServiceCreate(t.Context(), pinned, swarm.ServiceCreateOptions{QueryRegistry: true})
	if err != nil || len(r.Warnings) > 0 {
		t.Fatal(r, err)
	}
	if image := s.service("pinned").Spec.TaskTemplate.ContainerSpec.Image; image != "redis:7.4.6@"+string(known.Descriptor.Digest) {
		t.Errorf("image %s", image)
	}
	s.awaitRunning("pinned", 1)

	s.ctl("registry", "away")
	_, err = s.DistributionInspect(t.Context(), "redis:7.4.6", "")
	wantError(t, err, cerrdefs.IsInternal, "no such host")
	s.create(service("new", "nginx:1.27"))
	eventually(t, "a new image is rejected", func() bool {
		tasks := s.tasks("new")
		return len(tasks) > 0 && strings.Contains(tasks[0].Status.Err, "No such image: nginx:1.27")
	})
	s.ctl("service", "kill", "pinned")
	s.awaitRunning("pinned", 1) // the node has its image
	s.ctl("registry", "back")
	s.awaitRunning("new", 1)
}

func TestWhatIsNotSimulated(t *testing.T) {
	s := start(t, "--listen", "tcp://127.0.0.1:0")
	address := strings.TrimPrefix(s.host, "tcp://")
	if _, port, err := net.SplitHostPort(address); err != nil || port == "0" {
		t.Fatalf("address %s", address)
	}
	for _, tt := range []struct {
		method, path, want string
		status             int
	}{
		{"GET", "/v1.51/images/json", "not simulated: GET /v1.51/images/json", 501},
		{"POST", "/containers/create", "not simulated: POST /containers/create", 501},
		{"PUT", "/v1.51/services/create", "not simulated: PUT /v1.51/services/create", 501},
		{"GET", "/nothing", "not simulated: GET /nothing", 501},
		{"GET", "/v1.99/services", "client version 1.99 is too new. Maximum supported API version is 1.51", 400},
		{"GET", "/v1.12/services", "client version 1.12 is too old. Minimum supported API version is 1.24", 400},
		{"POST", "/v1.51/swarm/leave", "not simulated: POST /swarm/leave", 501},
		{"POST", "/swarmsim/nothing", "not simulated: POST /swarmsim/nothing", 501},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+address+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s %s: %s %s, %v", tt.method, tt.path, response.Status, body, err)
		}
	}
}
