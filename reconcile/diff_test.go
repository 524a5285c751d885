package reconcile

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// applied is the fake Swarm after one good pass of the pair.
func applied(t *testing.T) *fakeSwarm {
	t.Helper()
	f := newFake()
	r := &Reconciler{Engine: f, Prober: fakeProber(passing)}
	if o := r.Pass(t.Context(), pair()); o.ExitCode() != ExitOK {
		t.Fatalf("first pass: exit %d, %v, %v", o.ExitCode(), o.Err, o.Verdicts)
	}
	f.writes, f.kept = nil, nil
	return f
}

func edit(f *fakeSwarm, name string, change func(*swarm.ServiceSpec)) {
	s := f.seen.Services[name]
	c := *s.Spec.TaskTemplate.ContainerSpec
	s.Spec.TaskTemplate.ContainerSpec = &c
	change(&s.Spec)
	f.index++
	s.Version.Index = f.index
	f.seen.Services[name] = s
}

func TestPlanPictures(t *testing.T) {
	for _, c := range []struct {
		name string
		live func(*fakeSwarm)
		spec func(*spec.Stack)
		want string
	}{
		{name: "nothing", want: ""},
		{
			name: "a variable by hand",
			live: func(f *fakeSwarm) {
				edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"EXTRA=1", "LOG_LEVEL=debug"} })
			},
			want: `
update service back rolling(1): changed by hand
  services.back.environment.EXTRA 1 -> (unset)
  services.back.environment.LOG_LEVEL debug -> info
`,
		},
		{
			name: "a label by hand",
			live: func(f *fakeSwarm) {
				edit(f, "app_back", func(s *swarm.ServiceSpec) { s.Labels = withLabels(s.Labels, map[string]string{"a.b": "c"}) })
			},
			want: `
update service back: changed by hand
  services.back.deploy.labels."a.b" c -> (unset)
`,
		},
		{
			name: "replicas, limit, constraint and grace by hand",
			live: func(f *fakeSwarm) {
				edit(f, "app_front", func(s *swarm.ServiceSpec) {
					s.Mode.Replicated = &swarm.ReplicatedService{Replicas: new(uint64(3))}
					s.TaskTemplate.Resources = &swarm.ResourceRequirements{Limits: &swarm.Limit{MemoryBytes: 256 << 20, NanoCPUs: 5e8}}
					s.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"node.role==manager"}}
					s.TaskTemplate.ContainerSpec.StopGracePeriod = new(30 * time.Second)
				})
			},
			want: `
update service front rolling(1): changed by hand
  services.front.stop_grace_period 30s -> 10s
  services.front.deploy.resources.limits.cpus 0.5 -> 0
  services.front.deploy.resources.limits.memory 256M -> 0
  services.front.deploy.placement.constraints ["node.role==manager"] -> (unset)
  services.front.deploy.replicas 3 -> 1
  # scales from 3 to 1
`,
		},
		{
			name: "an image in the spec",
			spec: func(s *spec.Stack) { s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:2" },
			want: `
update service back rolling(1): the spec changed
  services.back.image back:1 -> back:2
`,
		},
		{
			name: "both",
			spec: func(s *spec.Stack) { s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:2" },
			live: func(f *fakeSwarm) {
				edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.User = "root" })
			},
			want: `
update service back rolling(1): the spec changed, and so did somebody by hand
  services.back.image back:1 -> back:2
  services.back.user root -> (unset)
`,
		},
		{
			name: "a secret's content",
			spec: func(s *spec.Stack) { s.Secrets[0].Data = spec.Sensitive("correct horse") },
			want: `
create secret password: its content changed
  secrets.password.content (sensitive, changed)
update service back rolling(1): the spec changed
  services.back.secrets.password.source app_password -> app_password.r2
update service front rolling(1): the spec changed
  services.front.secrets.password.source app_password -> app_password.r2
`,
		},
		{
			name: "a secret's content, and no record needs the old one",
			live: func(f *fakeSwarm) { delete(f.seen.Configs, "swarmward.app.1") },
			spec: func(s *spec.Stack) { s.Secrets[0].Data = spec.Sensitive("correct horse") },
			want: `
create secret password: its content changed
  secrets.password.content (sensitive, changed)
remove secret password: replaced by app_password.r2; removed once the checks have passed
update service back rolling(1): the spec changed
  services.back.secrets.password.source app_password -> app_password.r2
update service front rolling(1): the spec changed
  services.front.secrets.password.source app_password -> app_password.r2
`,
		},
		{
			name: "a variable that holds the secret is never shown",
			live: func(f *fakeSwarm) {
				edit(f, "app_back", func(s *swarm.ServiceSpec) {
					s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=info", "URL=redis://:hunter2hunter2@redis", "DB_PASSWORD=old one"}
				})
			},
			want: `
update service back rolling(1): changed by hand
  services.back.environment.URL redis://:(sensitive)@redis -> (unset)
  services.back.environment.DB_PASSWORD (sensitive, changed)
`,
		},
		{
			name: "nor is a password in an address",
			live: func(f *fakeSwarm) {
				edit(f, "app_back", func(s *swarm.ServiceSpec) {
					s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=info", "DATABASE_URL=postgres://app:by.hand@db:5432/app,postgres://app:too@db2/app"}
				})
			},
			want: `
update service back rolling(1): changed by hand
  services.back.environment.DATABASE_URL postgres://app:(sensitive)@db:5432/app,postgres://app:(sensitive)@db2/app -> (unset)
`,
		},
		{
			name: "an owned network cannot be changed",
			spec: func(s *spec.Stack) { s.Networks[0].Create.Attachable = true },
			want: `
blocked network net recreate(2): Swarm cannot change a network in place
  networks.net.attachable false -> true
`,
		},
		{
			name: "a network that somebody else made is used",
			live: func(f *fakeSwarm) {
				f.seen.Networks["shared"] = network.Summary{ID: "x", Name: "shared", Driver: "overlay"}
			},
			spec: func(s *spec.Stack) {
				s.Networks = append(s.Networks, spec.Network{Key: "shared", Name: "shared", Explicit: true, Create: network.CreateOptions{Driver: "overlay", Attachable: true}})
			},
			want: `
note network shared
  networks.shared.attachable false -> true
  # made by somebody else and used as it is
`,
		},
		{
			name: "what swarmward made and the spec no longer names",
			spec: func(s *spec.Stack) { s.Services = s.Services[:1] },
			want: "remove service app_front recreate(1): no longer in the spec\n",
		},
		{
			name: "a mode cannot change",
			spec: func(s *spec.Stack) { s.Services[1].Spec.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}} },
			want: `
blocked service front recreate(1): Swarm cannot change a service's mode
  services.front.deploy.mode replicated -> global
`,
		},
		{
			name: "docker stack deploy took our mark away",
			live: func(f *fakeSwarm) {
				edit(f, "app_back", func(s *swarm.ServiceSpec) { s.Labels = map[string]string{spec.LabelNamespace: "app"} })
			},
			want: "adopt service back: as the spec says, but not under swarmward yet\n",
		},
		{
			name: "a paused update is not adopted, for the write would resume it",
			live: func(f *fakeSwarm) {
				edit(f, "app_back", func(s *swarm.ServiceSpec) { s.Labels = map[string]string{spec.LabelNamespace: "app"} })
				s := f.seen.Services["app_back"]
				s.UpdateStatus = &swarm.UpdateStatus{State: swarm.UpdateStatePaused}
				f.seen.Services["app_back"] = s
			},
			want: "note service back\n  # adopted once its update is no longer paused\n",
		},
		{
			name: "the host's network is in no list, and there",
			spec: func(s *spec.Stack) {
				s.Networks = append(s.Networks, spec.Network{Key: "hostnet", Name: "host", External: true})
			},
			want: "",
		},
		{
			name: "an ignored field keeps its live value",
			live: func(f *fakeSwarm) {
				edit(f, "app_front", func(s *swarm.ServiceSpec) { s.Mode.Replicated = &swarm.ReplicatedService{Replicas: new(uint64(7))} })
			},
			spec: func(s *spec.Stack) { s.Settings.Ignore = []string{"services.front.deploy.replicas"} },
			want: "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := applied(t), pair()
				if c.live != nil {
					c.live(f)
				}
				if c.spec != nil {
					c.spec(s)
				}
				seen, _ := f.Observe(t.Context(), s)
				got := Differ{}.Diff(s, seen).String()
				if d := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); d != "" {
					t.Errorf("plan (-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestAllowPruneAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := pair()
		for _, k := range []string{"c", "d"} {
			x := s.Services[0]
			x.Key, x.Spec.Name = k, "app_"+k
			s.Services = append(s.Services, x)
		}
		r := &Reconciler{Engine: f, Prober: fakeProber(passing)}
		r.Pass(t.Context(), s)
		s.Services = s.Services[:1]
		seen, _ := f.Observe(t.Context(), s)
		if got := (Differ{}).Diff(s, seen).Summary(); got.Blocked != 3 || got.Remove != 0 {
			t.Errorf("three of four services removed without being asked: %+v", got)
		}
		if got := (Differ{AllowPruneAll: true}).Diff(s, seen).Summary(); got.Remove != 3 {
			t.Errorf("allowed, but not planned: %+v", got)
		}
		s.Settings.Allow = []string{spec.AllowPruneAll}
		if got := (Differ{}).Diff(s, seen).Summary(); got.Remove != 3 {
			t.Errorf("allowed by the spec, but not planned: %+v", got)
		}
	})
}

// Somebody's own services in the namespace stay, however the spec looks.
func TestForeignServiceStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		foreign := ObservedService{ID: "f"}
		foreign.Spec.Name, foreign.Spec.Labels = "app_byhand", map[string]string{spec.LabelNamespace: "app"}
		f.seen.Services["app_byhand"] = foreign
		seen, _ := f.Observe(t.Context(), pair())
		if p := (Differ{}).Diff(pair(), seen); !p.Empty() {
			t.Errorf("planned something:\n%s", p)
		}
	})
}

func TestRevisionNames(t *testing.T) {
	long := strings.Repeat("x", 64)
	for _, c := range []struct {
		base string
		n    int
		want string
	}{{"a", 1, "a"}, {"a", 2, "a.r2"}, {"a", 12, "a.r12"}, {long, 2, long[:61] + ".r2"}} {
		if got := revisionName(c.base, c.n); got != c.want || len(got) > 64 {
			t.Errorf("revisionName(%q, %d) = %q", c.base, c.n, got)
		}
		if got := revisionOf(c.want, c.base); got != c.n {
			t.Errorf("revisionOf(%q) = %d, want %d", c.want, got, c.n)
		}
	}
	for _, other := range []string{"ab", "a.r1", "a.r02", "a.rx", "a.r2.r2", "b.r2"} {
		if revisionOf(other, "a") != 0 {
			t.Errorf("%s is taken for a revision of a", other)
		}
	}
}

func TestFingerprint(t *testing.T) {
	var f Fingerprints
	x := f.Of("name", []byte("content"))
	if !f.Match(x, []byte("content")) || f.Match(x, []byte("other")) || f.Match("nonsense", []byte("content")) {
		t.Error("does not tell contents apart")
	}
	if f.Of("other", []byte("content")) == x {
		t.Error("two secrets with one content show it")
	}
	if new(Fingerprints).Of("name", []byte("content")) != x {
		t.Error("another process finds another fingerprint")
	}
}

// A network that would have to be replaced comes with everybody who is on it.
func TestBlockedNetworkNamesItsUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := applied(t), pair()
		f.foreign = Attached{Services: []string{"other_web"}, Containers: []string{"a-shell"}}
		s.Networks[0].Create.Internal = true
		plan, _, err := (&Reconciler{Engine: f}).Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		want := `blocked network net recreate(2): Swarm cannot change a network in place
  networks.net.internal false -> true
  # on it are the services app_back, app_front, other_web
  # other_web is not of this stack: whoever runs it has to make it again
  # on it is container a-shell, of no service
`
		if diff := cmp.Diff(want, plan.String()); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
		remedy := []string{"docker service rm app_back app_front other_web", "docker network disconnect app_net a-shell", "docker network rm app_net", "swarmward apply"}
		if diff := cmp.Diff(remedy, plan.Changes[0].Remedy); diff != "" {
			t.Errorf("commands (-want +got):\n%s", diff)
		}
	})
}

// A stack that follows its tags gets what the registry says a tag is now; one
// that cannot be asked changes nothing.
func TestFollowsTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := applied(t), pair()
		s.Settings.Images.Resolve = "always"
		digest := "sha256:" + strings.Repeat("a", 64)
		seen, _ := f.Observe(t.Context(), s)
		seen.Digests = map[string]string{"back:1": digest}
		seen.Unresolved = map[string]string{"front:1": "connection refused"}
		plan := Differ{}.Diff(s, seen)
		want := `update service back rolling(1): its tag points at another image now
  services.back.image back:1 -> back:1@` + digest + "\n"
		if diff := cmp.Diff(want, plan.String()); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
		if len(plan.Warnings) != 1 || plan.Warnings[0] != "services.front.image: the registry could not say what front:1 is now, so what runs is kept: connection refused" {
			t.Errorf("warnings: %q", plan.Warnings)
		}
		edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "back:1@" + digest })
		seen, _ = f.Observe(t.Context(), s)
		seen.Digests = map[string]string{"back:1": digest}
		if plan = (Differ{}).Diff(s, seen); !plan.Empty() {
			t.Errorf("what it follows already differs:\n%s", plan)
		}
	})
}
