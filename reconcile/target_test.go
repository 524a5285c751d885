package reconcile

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// A limited pass touches what its targets name and use, and removes nothing,
// although others still change, are gone or still use an old secret.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := applied(t), pair()
		s.Secrets[0].Data = spec.Sensitive("a new password")
		s.Configs[0].Spec.Data = []byte("three\n")
		s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:2"
		s.Services[1].Spec.TaskTemplate.ContainerSpec.Image = "front:2"
		part, err := Limit(s, []string{"services.front"})
		if err != nil {
			t.Fatal(err)
		}
		o := (&Reconciler{Engine: f, Prober: fakeProber(failing)}).Pass(t.Context(), part)
		want := []string{"create secret app_password.r2", "update service app_front"}
		if diff := cmp.Diff(want, f.writes); diff != "" || o.ExitCode() != ExitOK || len(o.Checks) != 0 {
			t.Errorf("exit %d, %v, %d checks (-want +got):\n%s", o.ExitCode(), o.Err, len(o.Checks), diff)
		}
		f.writes = nil
		o = (&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(t.Context(), s)
		want = []string{"create config app_conf.r2", "update service app_back"} // the record needs the old ones
		if diff := cmp.Diff(want, f.writes); diff != "" || o.ExitCode() != ExitOK {
			t.Errorf("the rest: exit %d, %v (-want +got):\n%s", o.ExitCode(), o.Err, diff)
		}
	})
	for target, want := range map[string]string{
		"services.bak": `"services.bak" is not in stack app, which has services.back, services.front`,
		"back":         `"back" is not in stack app, which has services.back, services.front, networks.net, secrets.password, configs.conf`,
	} {
		if _, err := Limit(pair(), []string{target}); err == nil || err.Error() != want {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// Two plans have one digest when they would do the same to the same state.
func TestDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		digest := func(change func(*spec.Stack)) string {
			t.Helper()
			s := pair()
			s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:2"
			change(s)
			seen, _ := f.Observe(t.Context(), s)
			return (Differ{}).Diff(s, seen).Digest()
		}
		same := func(*spec.Stack) {}
		first := digest(same)
		service := f.seen.Services["app_back"]
		service.Version.Index += 7 // as the Swarm itself does
		f.seen.Services["app_back"] = service
		if digest(same) != first {
			t.Error("a version that moved makes another digest")
		}
		seen := map[string]string{first: "the first plan"}
		for name, change := range map[string]func(*spec.Stack){
			"another image":           func(s *spec.Stack) { s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:3" },
			"another revision":        func(s *spec.Stack) { s.Revision = "r2" },
			"the content of a secret": func(s *spec.Stack) { s.Secrets[0].Data = spec.Sensitive("another password") },
			"and yet another":         func(s *spec.Stack) { s.Secrets[0].Data = spec.Sensitive("one more password") },
			"the content of a config": func(s *spec.Stack) { s.Configs[0].Spec.Data = []byte("four\n") },
			"the registry is asked":   func(s *spec.Stack) { s.Settings.Images.Resolve = "never" },
			"a variable that is hidden": func(s *spec.Stack) {
				s.Services[0].Spec.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=info", "API_TOKEN=a"}
			},
			"another value of it": func(s *spec.Stack) {
				s.Services[0].Spec.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=info", "API_TOKEN=b"}
			},
			"a label of a secret": func(s *spec.Stack) { s.Secrets[0].Spec.Labels["a"] = "b" },
		} {
			d := digest(change)
			if other, ok := seen[d]; ok {
				t.Errorf("%s has the digest of %s", name, other)
			}
			seen[d] = name
			if !strings.HasPrefix(d, "v1:") || digest(change) != d {
				t.Errorf("%s: %q is not stable", name, d)
			}
		}
		edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=trace"} })
		if other, ok := seen[digest(same)]; ok {
			t.Errorf("a change by hand has the digest of %s", other)
		}
	})
}
