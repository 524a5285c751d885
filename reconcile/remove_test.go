package reconcile

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// A stack goes in the reverse order of its making; what is not swarmward's
// stays, and so does every volume.
func TestDestroy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		f.leave = 3 * time.Second
		mine := map[string]string{spec.LabelNamespace: "app"}
		f.seen.Networks["app_old"] = network.Summary{ID: "id-app_old", Name: "app_old", Labels: mine}
		f.seen.Networks["shared"] = network.Summary{ID: "id-shared", Name: "shared"}
		f.seen.Volumes["app_data"] = &volume.Volume{Name: "app_data", Labels: mine}
		other := swarm.Secret{ID: "id-other"}
		other.Spec.Name, other.Spec.Labels = "other_x", map[string]string{spec.LabelNamespace: "other", LabelManaged: "true"}
		f.seen.Secrets["other_x"] = other
		back := f.seen.Services["app_back"]
		back.Spec.TaskTemplate.ContainerSpec.Mounts = append(back.Spec.TaskTemplate.ContainerSpec.Mounts, mount.Mount{Type: mount.TypeVolume, Source: "app_logs", Target: "/logs"})
		seen, _ := f.Observe(t.Context(), pair())
		plan := Destroy("app", seen)
		want := `remove network app_net: the stack is destroyed
note network app_old
  # kept: not made or adopted by swarmward; ` + "`docker network rm app_old`" + ` would remove it
note volume app_data
  # kept: its data stays; ` + "`docker volume rm app_data`" + ` would remove it
note volume app_logs
  # kept: its data stays on node-1; ` + "`docker volume rm app_logs`" + ` would remove it
remove secret app_password: the stack is destroyed
remove config app_conf: the stack is destroyed
remove service app_back recreate(1): the stack is destroyed
remove service app_front recreate(1): the stack is destroyed
`
		if diff := cmp.Diff(want, plan.String()); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
		o := (&Reconciler{Engine: f}).Destroy(t.Context(), "app", plan, seen)
		if o.ExitCode() != ExitOK || len(o.Applied) != 5 {
			t.Errorf("exit %d: %v, %d removed", o.ExitCode(), o.Err, len(o.Applied))
		}
		last := f.writes[len(f.writes)-1]
		if last != "remove network app_net" || !strings.HasPrefix(f.writes[0], "remove service") {
			t.Errorf("order: %v", f.writes)
		}
		if _, kept := f.seen.Secrets["other_x"]; !kept || len(f.seen.Secrets) != 1 || len(f.seen.Networks) != 2 || len(f.seen.Volumes) != 1 {
			t.Errorf("left: %v %v %v", sortedKeys(f.seen.Secrets), sortedKeys(f.seen.Networks), sortedKeys(f.seen.Volumes))
		}
		if seen, _ = f.Observe(t.Context(), pair()); Destroy("app", seen).Writes() {
			t.Error("a second destroy would remove something")
		}
	})
}

// Tasks that never stop keep their network, and the outcome says why.
func TestDestroyIsNotForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		f.leave = time.Hour
		seen, _ := f.Observe(t.Context(), pair())
		o := (&Reconciler{Engine: f}).Destroy(t.Context(), "app", Destroy("app", seen), seen)
		if o.ExitCode() != ExitError || !strings.Contains(o.Err.Error(), "network app_net: tasks of removed services that still stop after 30s: 2") {
			t.Errorf("exit %d: %v", o.ExitCode(), o.Err)
		}
		if _, kept := f.seen.Networks["app_net"]; !kept {
			t.Error("the network is gone")
		}
	})
}

// One object that cannot be removed does not keep the others.
func TestDestroyGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		f.fail = func(w Write) error {
			if r, ok := w.(Remove); ok && r.Kind == KindSecret {
				return errors.New("secret 'app_password' is in use by the following service: other")
			}
			return nil
		}
		seen, _ := f.Observe(t.Context(), pair())
		o := (&Reconciler{Engine: f}).Destroy(t.Context(), "app", Destroy("app", seen), seen)
		if o.ExitCode() != ExitError || !strings.Contains(o.Err.Error(), "secret app_password: secret 'app_password' is in use") || len(f.seen.Networks) != 0 {
			t.Errorf("exit %d: %v, networks %v", o.ExitCode(), o.Err, sortedKeys(f.seen.Networks))
		}
	})
}

// What the spec no longer names goes last, its tasks before their network.
func TestPruneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		f.leave = 5 * time.Second
		s := pair()
		s.Services = s.Services[:1]
		old := network.Summary{ID: "id-app_gone", Name: "app_gone", Driver: "overlay", Labels: map[string]string{spec.LabelNamespace: "app", LabelManaged: "true"}}
		f.seen.Networks["app_gone"] = old
		s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:2"
		o := (&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(t.Context(), s)
		want := []string{"update service app_back", "remove service app_front", "remove network app_gone"}
		if diff := cmp.Diff(want, f.writes); diff != "" || o.ExitCode() != ExitOK {
			t.Errorf("exit %d, %v (-want +got):\n%s", o.ExitCode(), o.Err, diff)
		}
	})
}
