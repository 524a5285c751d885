package reconcile

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

func ignoring(rules ...string) func(*spec.Stack) {
	return func(s *spec.Stack) { s.Settings.Ignore = rules }
}

// messy makes a live change in every kind of place.
func messy(f *fakeSwarm) {
	edit(f, "app_front", func(s *swarm.ServiceSpec) {
		s.Mode.Replicated = &swarm.ReplicatedService{Replicas: new(uint64(7))}
		s.Labels = withLabels(s.Labels, map[string]string{"traefik.enable": "true", "traefik.port": "80"})
		s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=debug", "EXTRA=1"}
	})
	edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.User = "root" })
	n := f.seen.Networks["app_net"]
	n.Attachable = true
	f.seen.Networks["app_net"] = n
}

// What each rule leaves of a plan for the mess, by the paths that are left.
func TestIgnoreRules(t *testing.T) {
	all := []string{
		"networks.net.attachable", "services.back.user",
		"services.front.environment.LOG_LEVEL", "services.front.environment.EXTRA",
		`services.front.deploy.labels."traefik.enable"`, `services.front.deploy.labels."traefik.port"`, "services.front.deploy.replicas",
	}
	plan := planner(t, messy)
	for rule, gone := range map[string][]string{
		"services.front.deploy.replicas":                {"services.front.deploy.replicas"},
		"services.*.deploy.replicas":                    {"services.front.deploy.replicas"},
		"services.fr*.environment.EXTRA":                {"services.front.environment.EXTRA"},
		"services.front.environment":                    {"services.front.environment.LOG_LEVEL", "services.front.environment.EXTRA"},
		"services.front.environment.*":                  {"services.front.environment.LOG_LEVEL", "services.front.environment.EXTRA"},
		`services.front.deploy.labels."traefik.enable"`: {`services.front.deploy.labels."traefik.enable"`},
		`services.front.deploy.labels."traefik.*"`:      {`services.front.deploy.labels."traefik.enable"`, `services.front.deploy.labels."traefik.port"`},
		"services.front.deploy.labels.traefik*":         {`services.front.deploy.labels."traefik.enable"`, `services.front.deploy.labels."traefik.port"`},
		"services.front.deploy":                         {`services.front.deploy.labels."traefik.enable"`, `services.front.deploy.labels."traefik.port"`, "services.front.deploy.replicas"},
		"services.front":                                all[2:],
		"services.*":                                    all[1:],
		"networks.net.attachable":                       all[:1],
		"networks.net":                                  all[:1],
		"services.*.replicas":                           nil, // * is one name
		"services.front.deploy.labels.traefik.enable":   nil, // so is a key with a dot
		"services.fron":                                 nil,
		`services.front.deploy.labels."traefik`:         nil,
	} {
		var want []string
		for _, path := range all {
			if !slices.Contains(gone, path) {
				want = append(want, path)
			}
		}
		p := plan(ignoring(rule))
		var got []string
		for _, c := range p.Changes {
			for _, f := range c.Fields {
				got = append(got, f.Path)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s leaves (-want +got):\n%s", rule, d)
		}
		if warned := len(p.Warnings) > 0; warned != (len(gone) == 0) {
			t.Errorf("%s: warnings %q", rule, p.Warnings)
		}
	}
}

func TestUnusedRuleNamesWhatItMayMean(t *testing.T) {
	plan := planner(t, messy)
	for rule, want := range map[string]string{
		"services.front.deploy.replica":               "services.front.deploy has no replica; did you mean services.front.deploy.replicas?",
		"services.*.deploy.replica":                   "services.*.deploy has no replica; did you mean services.*.deploy.replicas?",
		"services.frnt.deploy.replicas":               "services has no frnt; did you mean services.front.deploy.replicas?",
		"services.front.environment.LOGLEVEL":         "services.front.environment has no LOGLEVEL; did you mean services.front.environment.LOG_LEVEL?",
		"services.front.environment.NOTHING_LIKE_IT":  "services.front.environment has no NOTHING_LIKE_IT",
		"services.front.deploy.labels.traefik.enable": `services.front.deploy.labels has no traefik; write services.front.deploy.labels."traefik.enable"`,
		"configs.cnf":     "configs has no cnf; did you mean configs.conf?",
		"volumes.data":    "volumes has no data",
		`services."front`: "a quote is not closed",
		// What could be set is no mistake, set or not.
		"services.front.deploy.resources.limits.memory": "",
		"services.front.healthcheck.start_period":       "",
		"secrets.password.labels":                       "",
		"configs.conf":                                  "",
	} {
		p := plan(ignoring(rule))
		got := ""
		if len(p.Warnings) > 0 {
			got = p.Warnings[0]
		}
		if want == "" && got != "" || !strings.HasSuffix(got, want) {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
}

// An object that is ignored is made when it is missing, and then left alone.
func TestIgnoredObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(), pair()
		s.Settings.Ignore = []string{"services.front", "networks.net", "secrets.password", "configs.conf", "volumes.data"}
		s.Volumes = []spec.Volume{{Key: "data", Name: "app_data", Create: volume.CreateOptions{Name: "app_data"}}}
		r := &Reconciler{Engine: f, Prober: fakeProber(passing)}
		if o := r.Pass(t.Context(), s); o.ExitCode() != ExitOK || len(f.writes) != 6 {
			t.Fatalf("first pass: exit %d, %v, wrote %q", o.ExitCode(), o.Err, f.writes)
		}
		f.writes = nil
		messy(f)
		delete(f.seen.Services["app_front"].Spec.Labels, LabelApplied)
		f.seen.Volumes["app_data"].Driver = "other"
		s.Secrets[0].Data = spec.Sensitive("another password")
		s.Configs[0].Spec.Data = []byte("three\n")
		seen, _ := f.Observe(t.Context(), s)
		p := Differ{}.Diff(s, seen)
		want := `
update service back rolling(1): changed by hand
  services.back.user root -> (unset)
`
		if d := cmp.Diff(strings.TrimPrefix(want, "\n"), p.String()); d != "" {
			t.Errorf("plan (-want +got):\n%s", d)
		}
		s.Services, s.Secrets, s.Configs = s.Services[:1], nil, nil
		s.Services[0].Spec.TaskTemplate.ContainerSpec.Secrets, s.Services[0].Spec.TaskTemplate.ContainerSpec.Configs = nil, nil
		for _, c := range (Differ{}).Diff(s, seen).Changes {
			if c.Action == ActionRemove {
				t.Errorf("removes %s %s, which is ignored", c.Kind, c.Object)
			}
		}
	})
}

// What an ignored reference goes on using is not removed under it.
func TestIgnoredReferenceKeepsItsSecret(t *testing.T) {
	p := planned(t, nil, func(s *spec.Stack) {
		s.Secrets[0].Data = spec.Sensitive("another password")
		s.Settings.Ignore = []string{"services.front.secrets"}
	})
	want := `
create secret password: its content changed
  secrets.password.content (sensitive, changed)
update service back rolling(1): the spec changed
  services.back.secrets.password.source app_password -> app_password.r2
`
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), p.String()); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
}

func TestIgnoredMode(t *testing.T) {
	p := planned(t, nil, func(s *spec.Stack) {
		s.Services[1].Spec.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
		s.Settings.Ignore = []string{"services.front.deploy.mode"}
	})
	if len(p.Changes) > 0 || len(p.Warnings) > 0 {
		t.Errorf("got\n%s%q", p, p.Warnings)
	}
}

// The label that repeats the image goes with it.
func TestIgnoredImage(t *testing.T) {
	p := planned(t, nil, func(s *spec.Stack) {
		s.Services[1].Spec.TaskTemplate.ContainerSpec.Image = "front:2"
		s.Services[1].Spec.Labels = map[string]string{spec.LabelNamespace: "app", spec.LabelImage: "front:2"}
		s.Settings.Ignore = []string{"services.front.image"}
	})
	if len(p.Changes) > 0 {
		t.Errorf("got\n%s", p)
	}
}

// Who changes an ignored field is not somebody who changed the service by hand.
func TestCauseKnowsIgnoredFields(t *testing.T) {
	scale := func(f *fakeSwarm, n uint64) {
		edit(f, "app_front", func(s *swarm.ServiceSpec) { s.Mode.Replicated = &swarm.ReplicatedService{Replicas: &n} })
	}
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(), pair()
		s.Settings.Ignore = []string{"services.front.deploy.replicas"}
		r := &Reconciler{Engine: f, Prober: fakeProber(passing)}
		r.Pass(t.Context(), s)
		diff := func() (string, uint64) {
			seen, _ := f.Observe(t.Context(), s)
			p := Differ{}.Diff(s, seen)
			if len(p.Changes) != 1 {
				t.Fatalf("plan:\n%s", p)
			}
			return p.Changes[0].Cause, *p.Changes[0].Write.(UpdateService).Spec.Mode.Replicated.Replicas
		}
		scale(f, 5)
		s.Services[1].Spec.TaskTemplate.ContainerSpec.Image = "front:2"
		if cause, n := diff(); cause != "the spec changed" || n != 5 {
			t.Errorf("an image after a scaler: %s, %d replicas", cause, n)
		}
		r.Pass(t.Context(), s)
		scale(f, 6)
		edit(f, "app_front", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.User = "root" })
		if cause, n := diff(); cause != "changed by hand" || n != 6 {
			t.Errorf("a hand beside a scaler: %s, %d replicas", cause, n)
		}
		r.Pass(t.Context(), s)
		s.Settings.Ignore = nil
		if cause, n := diff(); cause != "the spec changed" || n != 1 {
			t.Errorf("without the rule: %s, %d replicas", cause, n)
		}
	})
}

// An ignored field keeps its value when what it is part of comes or goes.
func TestIgnoredFieldOutlivesItsParent(t *testing.T) {
	policy := func(p *swarm.RestartPolicy) swarm.ServiceSpec {
		s := swarm.ServiceSpec{}
		s.TaskTemplate.RestartPolicy = p
		return s
	}
	attempts, delay := new(uint64(5)), new(time.Minute)
	for name, c := range map[string]struct{ live, want, merged *swarm.RestartPolicy }{
		"it goes": {
			live:   &swarm.RestartPolicy{MaxAttempts: attempts, Delay: delay},
			merged: &swarm.RestartPolicy{MaxAttempts: attempts, Delay: nil},
		},
		"it comes": {
			want:   &swarm.RestartPolicy{MaxAttempts: attempts, Delay: delay},
			merged: &swarm.RestartPolicy{Delay: delay},
		},
		"both are there": {
			live:   &swarm.RestartPolicy{MaxAttempts: attempts},
			want:   &swarm.RestartPolicy{MaxAttempts: new(uint64(1)), Delay: delay},
			merged: &swarm.RestartPolicy{MaxAttempts: attempts, Delay: delay},
		},
		"nothing else differs": {live: &swarm.RestartPolicy{MaxAttempts: attempts}, merged: &swarm.RestartPolicy{MaxAttempts: attempts}},
	} {
		w := walker{ignored: func(path string) bool { return path == "deploy.restart_policy.max_attempts" }}
		live, want := policy(c.live), policy(c.want)
		got := w.service(&live, &want)
		if d := cmp.Diff(c.merged, got.TaskTemplate.RestartPolicy); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A rule is for every element of its key: which of two is the second depends on
// what else is there.
func TestIgnoredDuplicates(t *testing.T) {
	env := func(list ...string) swarm.ServiceSpec {
		return swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Env: list}}}
	}
	live, want := env(), env("a", "a", "b")
	w := walker{ignored: func(path string) bool { return path == "environment.a" }}
	merged := w.service(&live, &want)
	if got := merged.TaskTemplate.ContainerSpec; got == nil || !slices.Equal(got.Env, []string{"b"}) || len(w.changes) != 1 {
		t.Errorf("%+v, %v", got, w.changes)
	}
	live, w.ignored = env("a", "a=1"), nil
	w.changes = nil
	if w.service(&live, &want); len(w.changes) != 2 || w.changes[0].Path != `environment."a#2"` {
		t.Errorf("%v", w.changes)
	}
}
