package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"github.com/swarmward/swarmward/reconcile"
)

func TestNotManager(t *testing.T) {
	active := func(change func(*swarm.Info)) system.Info {
		i := system.Info{Name: "node-2", Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true}}
		change(&i.Swarm)
		return i
	}
	for _, c := range []struct {
		name string
		info system.Info
		want string // "" for a manager
	}{
		{"a manager", active(func(*swarm.Info) {}), ""},
		{"no Swarm", system.Info{Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive}}, "docker swarm init"},
		{"locked", active(func(s *swarm.Info) { s.LocalNodeState = swarm.LocalNodeStateLocked }), "docker swarm unlock"},
		{"joining", active(func(s *swarm.Info) { s.LocalNodeState = swarm.LocalNodeStatePending }), "still joining"},
		{"a worker", active(func(s *swarm.Info) {
			s.ControlAvailable, s.RemoteManagers = false, []swarm.Peer{{Addr: "10.0.0.1:2377"}, {Addr: "10.0.0.2:2377"}}
		}), "node-2 is a worker, which cannot manage the Swarm; point DOCKER_HOST at a manager (10.0.0.1, 10.0.0.2)"},
		{"a worker on IPv6", active(func(s *swarm.Info) {
			s.ControlAvailable, s.RemoteManagers = false, []swarm.Peer{{Addr: "[fd00::1]:2377"}}
		}), "point DOCKER_HOST at a manager (fd00::1)"},
		{"no quorum", active(func(s *swarm.Info) {
			s.Error = "rpc error: code = Unknown desc = The swarm does not have a leader."
		}), "most managers must be up"},
	} {
		err := notManager(c.info)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// The docker CLI speaks SSH by itself; here it is told what to do instead.
func TestSSHIsNotSpoken(t *testing.T) {
	t.Setenv("DOCKER_HOST", "ssh://ann@node-1")
	if _, err := New(nil); err == nil || !strings.Contains(err.Error(), "/var/run/docker.sock ann@node-1") {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///no/such.sock")
	e, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	_, unreachable := e.api.Ping(t.Context())
	for _, c := range []struct {
		name  string
		err   error
		want  string
		class error
	}{
		{"nothing", nil, "", nil},
		{"no Engine", unreachable, "no Engine answers at unix:///no/such.sock", reconcile.ErrUnreachable},
		{"no answer", fmt.Errorf("get: %w", context.DeadlineExceeded), "did not answer within 30s", reconcile.ErrBrokenOff},
		{"half an answer", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), "without a whole answer", reconcile.ErrBrokenOff},
		{"half an answer to info", errors.New("Error reading remote info: unexpected EOF"), "without a whole answer", reconcile.ErrBrokenOff},
		{"a reset", fmt.Errorf("write: %w", syscall.EPIPE), "without a whole answer", reconcile.ErrBrokenOff},
		{"stale", errors.New("rpc error: code = Unknown desc = update out of sequence"), "service a", reconcile.ErrStale},
		{"made meanwhile", fmt.Errorf("name conflicts with an existing object: service a already exists: %w", errdefs.ErrConflict), "already exists", reconcile.ErrStale},
		{"another conflict", fmt.Errorf("volume is in use: %w", errdefs.ErrConflict), "volume is in use", nil},
		{"invalid", fmt.Errorf("no such driver: %w", errdefs.ErrInvalidArgument), "no such driver", nil},
		{"internal", fmt.Errorf("disk is full: %w", errdefs.ErrInternal), "disk is full", reconcile.ErrInternal},
		{"not negotiated", fmt.Errorf("client version 1.51 is too new. Maximum supported API version is 1.41: %w", errdefs.ErrInvalidArgument), "too new", reconcile.ErrInternal},
		{"a proxy without its Engine", fmt.Errorf("no server is available: %w", errdefs.ErrUnavailable), "no server", reconcile.ErrBrokenOff},
		{"a worker says", fmt.Errorf("This node is not a swarm manager: %w", errdefs.ErrUnavailable), "point DOCKER_HOST at a manager", nil},
		{"no leader", errors.New("rpc error: The swarm does not have a leader."), "most managers must be up", reconcile.ErrBrokenOff},
		{"leader lost", errors.New("raft: failed to process the request: node lost leader status"), "most managers must be up", reconcile.ErrBrokenOff},
		{"locked", errors.New("Swarm is encrypted and needs to be unlocked before it can be used."), "docker swarm unlock", nil},
		{"a worker", errors.New("This node is not a swarm manager."), "point DOCKER_HOST at a manager", nil},
	} {
		got := e.explain("service a", c.err)
		if c.err == nil {
			if got != nil {
				t.Errorf("%s: %v", c.name, got)
			}
			continue
		}
		if !strings.HasPrefix(got.Error(), "service a: ") && c.want != "service a" || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
		for _, class := range []error{reconcile.ErrStale, reconcile.ErrUnreachable, reconcile.ErrBrokenOff, reconcile.ErrInternal} {
			if errors.Is(got, class) != (class == c.class) {
				t.Errorf("%s: is it %q? It says %v", c.name, class, !errors.Is(got, class))
			}
		}
	}
}

// A newer Engine's fields are not erased by an older program.
func TestHoldsAll(t *testing.T) {
	if err := holdsAll([]byte(`{"ID":"x","NewOutside":1,"Spec":{"Name":"a","TaskTemplate":{"ContainerSpec":{"Image":"i"}}}}`)); err != nil {
		t.Error(err)
	}
	err := holdsAll([]byte(`{"Spec":{"TaskTemplate":{"Resources":{"SwapBytes":7}}}}`))
	if err == nil || !strings.Contains(err.Error(), "SwapBytes") || !strings.Contains(err.Error(), "newer swarmward") {
		t.Errorf("a field that the types lack: %v", err)
	}
}

func TestNames(t *testing.T) {
	live := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{
		Networks: []swarm.NetworkAttachmentConfig{{Target: "id-net"}, {Target: "id-gone"}},
		ContainerSpec: &swarm.ContainerSpec{
			Privileges: &swarm.Privileges{CredentialSpec: &swarm.CredentialSpec{Config: "id-cred"}},
			Secrets:    []*swarm.SecretReference{{SecretID: "id-s", SecretName: "s"}},
		},
	}}
	got := named(live, map[string]string{"id-net": "net"}, map[string]string{"id-cred": "cred"})
	if n := got.TaskTemplate.Networks; n[0].Target != "net" || n[1].Target != "id-gone" {
		t.Errorf("networks: %+v", n)
	}
	if c := got.TaskTemplate.ContainerSpec.Privileges.CredentialSpec.Config; c != "cred" {
		t.Errorf("credential spec: %s", c)
	}
	if live.TaskTemplate.Networks[0].Target != "id-net" || live.TaskTemplate.ContainerSpec.Privileges.CredentialSpec.Config != "id-cred" {
		t.Error("the live spec was written into")
	}
	e := &Engine{ids: map[reconcile.Kind]map[string]known{
		reconcile.KindNetwork: {"net": {id: "id-net"}, "id-gone": {id: "id-gone"}}, reconcile.KindSecret: {"s": {id: "id-s2"}}, reconcile.KindConfig: {"cred": {id: "id-cred"}},
	}}
	back, err := e.identified(t.Context(), got)
	if err != nil {
		t.Fatal(err)
	}
	c := back.TaskTemplate.ContainerSpec
	if back.TaskTemplate.Networks[0].Target != "id-net" || c.Secrets[0].SecretID != "id-s2" || c.Privileges.CredentialSpec.Config != "id-cred" {
		t.Errorf("%+v %+v", back.TaskTemplate.Networks, c.Secrets[0])
	}
	if got.TaskTemplate.ContainerSpec.Secrets[0].SecretID != "id-s" {
		t.Error("the plan's spec was written into")
	}
}
