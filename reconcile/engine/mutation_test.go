package engine_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// Every part of a maximal service is changed by hand through the Engine's API,
// each on a service of its own. The plan shows just that change, in the user's
// words; what it writes removes it; and then the plan is empty.
func TestEveryLiveChangeIsSeen(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		all := mutations(b.minor)
		var services []swarm.ServiceSpec
		for i, m := range all {
			services = append(services, m.base(i))
		}
		stack := stackOf(services...)
		b.apply(stack)
		b.settled(stack, "after the stack was made")
		b.warned(stack)
		tried := b.mutate(services, all)

		p := b.apply(stack)
		changes := map[string]reconcile.Change{}
		for _, c := range p.Changes {
			changes[c.Object] = c
		}
		seen, hidden := 0, 0
		for i, m := range all {
			if !tried[i] {
				continue
			}
			want := m.want
			got := pathsOf(changes[services[i].Name])
			if !slices.Equal(got, want) {
				b.Errorf("%s: the plan shows %q, want %q", m.what, got, want)
				continue
			}
			if len(want) == 0 {
				hidden++
				continue
			}
			seen++
			if c := changes[services[i].Name]; c.Cause != "changed by hand" || c.Action != reconcile.ActionUpdate {
				b.Errorf("%s: the plan says %s, %s", m.what, c.Action, c.Cause)
			}
		}
		b.settled(stack, "after the changes were taken back")
		b.Logf("%d mutations tried, %d seen, each under its own path and gone after one write; %d mean the same and are not shown", len(all), seen, hidden)
	})
}

// warned: what the Engine drops is a warning, not a difference.
func (b *bench) warned(stack *spec.Stack) {
	b.Helper()
	var want, got []string
	for path, since := range map[string]int{
		"healthcheck.start_interval": 44, "privileges.seccomp.mode": 44, "privileges.seccomp.profile": 44,
		"privileges.apparmor.mode": 44, "privileges.no_new_privileges": 44,
		`volumes."/data".volume.subpath`: 45, `volumes."/tmp".tmpfs.options`: 46, "oom_score_adj": 46,
	} {
		if b.minor < since {
			want = append(want, path)
		}
	}
	for _, w := range b.plan(stack).Warnings {
		if path, ok := strings.CutPrefix(w, "services.s000."); ok {
			path, _, _ = strings.Cut(path, ": ")
			got = append(got, path)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		b.Errorf("API 1.%d: the plan warns of %q, want %q", b.minor, got, want)
	}
}

func pathsOf(c reconcile.Change) []string {
	out := []string{}
	for _, f := range c.Fields {
		out = append(out, strings.TrimPrefix(f.Path, "services."+c.Name+"."))
	}
	slices.Sort(out)
	return out
}

// mutate changes the services by hand, and says which the Engine changed.
func (b *bench) mutate(services []swarm.ServiceSpec, all []mutation) []bool {
	ids := b.ids()
	tried := make([]bool, len(all))
	for i, m := range all {
		before, err := b.edit(services[i].Name, func(s *swarm.ServiceSpec) {
			m.do(s)
			ids.fill(s)
		})
		if err != nil {
			b.Errorf("%s: the Engine refuses it: %v", m.what, err)
			continue
		}
		after, _, err := b.api.ServiceInspectWithRaw(b.Context(), services[i].Name, swarm.ServiceInspectOptions{})
		b.must(err)
		tried[i] = !reflect.DeepEqual(before, after.Spec)
		if !tried[i] {
			b.Errorf("%s: the Engine drops it", m.what)
		}
	}
	return tried
}

// edit updates a service by hand, and says what it was before.
func (b *bench) edit(service string, do func(*swarm.ServiceSpec)) (swarm.ServiceSpec, error) {
	for {
		before, _, err := b.api.ServiceInspectWithRaw(b.Context(), service, swarm.ServiceInspectOptions{})
		b.must(err)
		live, _, err := b.api.ServiceInspectWithRaw(b.Context(), service, swarm.ServiceInspectOptions{})
		b.must(err)
		do(&live.Spec)
		_, err = b.api.ServiceUpdate(b.Context(), live.ID, live.Version, live.Spec, swarm.ServiceUpdateOptions{})
		if err == nil || !strings.Contains(err.Error(), "update out of sequence") {
			return before.Spec, err
		}
	}
}

// ids of the stack's secrets and configs by name.
type ids struct{ secrets, configs map[string]string }

func (b *bench) ids() ids {
	secrets, err := b.api.SecretList(b.Context(), swarm.SecretListOptions{})
	b.must(err)
	configs, err := b.api.ConfigList(b.Context(), swarm.ConfigListOptions{})
	b.must(err)
	out := ids{map[string]string{}, map[string]string{}}
	for _, s := range secrets {
		out.secrets[s.Spec.Name] = s.ID
	}
	for _, c := range configs {
		out.configs[c.Spec.Name] = c.ID
	}
	return out
}

// fill makes the ids of references agree with their names, as the Engine wants.
func (x ids) fill(s *swarm.ServiceSpec) {
	c := s.TaskTemplate.ContainerSpec
	for _, r := range c.Secrets {
		r.SecretID = x.secrets[r.SecretName]
	}
	for _, r := range c.Configs {
		r.ConfigID = x.configs[r.ConfigName]
	}
	if p := c.Privileges; p != nil && p.CredentialSpec != nil {
		if id, ok := x.configs[p.CredentialSpec.Config]; ok {
			p.CredentialSpec.Config = id
		}
	}
}

// mutation is one change by hand.
type mutation struct {
	what string
	want []string // the paths that the plan shows, below the service's
	do   func(*swarm.ServiceSpec)
	base func(number int) swarm.ServiceSpec
}

// notMutated are the fields that nobody can change, or in which a difference
// is none.
var notMutated = map[string]string{
	"Name":                               "the Engine refuses to rename a service",
	"Networks":                           "deprecated; the Engine refuses a change of these alone",
	"TaskTemplate.PluginSpec":            "not a container: the Engine refuses another runtime",
	"TaskTemplate.NetworkAttachmentSpec": "not a container: the Engine refuses another runtime",
	"TaskTemplate.Runtime":               "the Engine refuses another runtime",
	"TaskTemplate.Placement.Platforms":   "whoever asks the registry writes them; tested below",
	"TaskTemplate.ContainerSpec.Secrets[].SecretID":                          "the Engine refuses an id that is not the name's",
	"TaskTemplate.ContainerSpec.Configs[].ConfigID":                          "the Engine refuses an id that is not the name's",
	"TaskTemplate.ContainerSpec.Mounts[].Consistency":                        "every Engine drops it",
	"TaskTemplate.ContainerSpec.Mounts[].BindOptions.CreateMountpoint":       "every Engine drops it",
	"TaskTemplate.ContainerSpec.Mounts[].BindOptions.ReadOnlyNonRecursive":   "every Engine drops it",
	"TaskTemplate.ContainerSpec.Mounts[].BindOptions.ReadOnlyForceRecursive": "every Engine drops it",
	"TaskTemplate.ContainerSpec.Mounts[].ImageOptions":                       "the Engine refuses mounts of images",
}

// keptSince are the fields that older Engines drop: there is nothing to change
// by hand.
var keptSince = map[string]int{
	"TaskTemplate.ContainerSpec.Healthcheck.StartInterval":      44,
	"TaskTemplate.ContainerSpec.Privileges.NoNewPrivileges":     44,
	"TaskTemplate.ContainerSpec.Privileges.Seccomp":             44,
	"TaskTemplate.ContainerSpec.Privileges.AppArmor":            44,
	"TaskTemplate.ContainerSpec.Mounts[].VolumeOptions.Subpath": 45,
	"TaskTemplate.ContainerSpec.Mounts[].TmpfsOptions.Options":  46,
	"TaskTemplate.ContainerSpec.OomScoreAdj":                    46,
}

func excused(goPath string, minor int) bool {
	for p := range notMutated {
		if goPath == p || strings.HasPrefix(goPath, p+".") || strings.HasPrefix(goPath, p+"[]") {
			return true
		}
	}
	for p, since := range keptSince {
		if minor < since && (goPath == p || strings.HasPrefix(goPath, p+".") || strings.HasPrefix(goPath, p+"[]")) {
			return true
		}
	}
	return false
}

// mutations of everything, for an Engine with that version of the API.
func mutations(minor int) []mutation {
	var out []mutation
	for _, v := range variants {
		sample := v.base(0)
		m := &mutator{minor: minor, base: v.base}
		m.walk(reflect.ValueOf(&sample).Elem(), place{}, func(s *swarm.ServiceSpec) reflect.Value { return reflect.ValueOf(s).Elem() })
		for _, x := range m.out {
			if v.only == "" || strings.HasPrefix(x.what, v.only) {
				out = append(out, x)
			}
		}
	}
	return append(out, byHand()...)
}

// variants: what cannot be said at once.
var variants = []struct {
	only string // the mutations below this Go name alone
	base func(number int) swarm.ServiceSpec
}{
	{"", maximal},
	{"TaskTemplate.ContainerSpec.Privileges.CredentialSpec.File", func(n int) swarm.ServiceSpec {
		s := maximal(n)
		s.TaskTemplate.ContainerSpec.Privileges.CredentialSpec = &swarm.CredentialSpec{File: "cred.json"}
		return s
	}},
	{"TaskTemplate.ContainerSpec.Privileges.CredentialSpec.Config", func(n int) swarm.ServiceSpec {
		s := maximal(n)
		c := s.TaskTemplate.ContainerSpec
		c.Privileges.CredentialSpec = &swarm.CredentialSpec{Config: stackName + "_three"}
		for _, name := range []string{"_three", "_two"} {
			c.Configs = append(c.Configs, &swarm.ConfigReference{ConfigName: stackName + name, Runtime: &swarm.ConfigReferenceRuntimeTarget{}})
		}
		return s
	}},
	{"Mode", func(n int) swarm.ServiceSpec {
		s := maximal(n)
		s.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: new(uint64(2)), TotalCompletions: new(uint64(3))}}
		s.UpdateConfig, s.RollbackConfig = nil, nil
		s.TaskTemplate.RestartPolicy.Condition = swarm.RestartPolicyConditionOnFailure
		return s
	}},
}

// byHand are changes that no walk makes.
func byHand() []mutation {
	container := func(what string, do func(*swarm.ContainerSpec), want ...string) mutation {
		return mutation{what, want, func(s *swarm.ServiceSpec) { do(s.TaskTemplate.ContainerSpec) }, maximal}
	}
	service := func(what string, do func(*swarm.ServiceSpec), want ...string) mutation {
		return mutation{what, want, do, maximal}
	}
	zeros := strings.Repeat("0", 64)
	return []mutation{
		service("docker service update --force", func(s *swarm.ServiceSpec) { s.TaskTemplate.ForceUpdate++ }),
		service("the registry's platforms", func(s *swarm.ServiceSpec) {
			s.TaskTemplate.Placement.Platforms = []swarm.Platform{{OS: "linux", Architecture: "amd64"}}
		}),
		container("another digest of the tag", func(c *swarm.ContainerSpec) { c.Image = "redis:7.4@sha256:" + zeros }),
		container("another tag, pinned", func(c *swarm.ContainerSpec) { c.Image = "redis:8@sha256:" + zeros }, "image"),
		container("a digest alone", func(c *swarm.ContainerSpec) { c.Image = "redis@sha256:" + zeros }, "image"),
		container("hosts in another order", func(c *swarm.ContainerSpec) { slices.Reverse(c.Hosts) }),
		container("environment in another order", func(c *swarm.ContainerSpec) { slices.Reverse(c.Env) }),
		container("mounts in another order", func(c *swarm.ContainerSpec) { slices.Reverse(c.Mounts) }),
		container("a command in another order", func(c *swarm.ContainerSpec) { slices.Reverse(c.Args) }, "command"),
		container("resolvers in another order", func(c *swarm.ContainerSpec) { slices.Reverse(c.DNSConfig.Nameservers) }, "dns"),
		container("search domains in another order", func(c *swarm.ContainerSpec) { slices.Reverse(c.DNSConfig.Search) }, "dns_search"),
		container("a variable twice", func(c *swarm.ContainerSpec) { c.Env = append(c.Env, "A=2") }, `environment."A#2"`),
		container("a variable emptied", func(c *swarm.ContainerSpec) { c.Env[2] = "BARE=" }, "environment.BARE"),
		service("another mark", func(s *swarm.ServiceSpec) { s.Labels["swarmward.note"] = "x" }),
		service("a port twice", func(s *swarm.ServiceSpec) {
			p := s.EndpointSpec.Ports[0]
			p.PublishedPort += 2
			s.EndpointSpec.Ports = append([]swarm.PortConfig{p}, s.EndpointSpec.Ports...)
		}, `ports."80/tcp"`),
		service("the endpoint taken away", func(s *swarm.ServiceSpec) { s.EndpointSpec = nil }, `ports."53/udp"`, `ports."80/tcp"`),
		service("ports in another order", func(s *swarm.ServiceSpec) { slices.Reverse(s.EndpointSpec.Ports) }),
		service("networks in another order", func(s *swarm.ServiceSpec) { slices.Reverse(s.TaskTemplate.Networks) }),
		service("preferences in another order", func(s *swarm.ServiceSpec) { slices.Reverse(s.TaskTemplate.Placement.Preferences) }, "deploy.placement.preferences"),
		service("blanks in a constraint", func(s *swarm.ServiceSpec) { s.TaskTemplate.Placement.Constraints[1] = " node.role==worker " }),
	}
}

// Nothing that a service spec can hold is left out by accident.
func TestMaximalIsMaximal(t *testing.T) {
	tried := map[string]bool{}
	for _, v := range variants {
		sample := v.base(0)
		m := &mutator{minor: 99, base: v.base}
		m.walk(reflect.ValueOf(&sample).Elem(), place{}, func(s *swarm.ServiceSpec) reflect.Value { return reflect.ValueOf(s).Elem() })
		maps.Copy(tried, m.visited)
	}
	leaves := 0
	eachLeaf(reflect.TypeFor[swarm.ServiceSpec](), "", func(goPath string) {
		leaves++
		if !tried[goPath] && !excused(goPath, 99) && goPath != "TaskTemplate.ForceUpdate" {
			t.Errorf("%s: nobody changes it", goPath)
		}
	})
	if testing.Verbose() {
		fmt.Fprintf(t.Output(), "%d leaves of a service spec, %d excused by a reason\n", leaves, len(notMutated))
	}
}

func eachLeaf(t reflect.Type, goPath string, f func(string)) {
	switch {
	case t.Kind() == reflect.Pointer:
		eachLeaf(t.Elem(), goPath, f)
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			eachLeaf(t.Field(i).Type, goName(goPath, t.Field(i)), f)
		}
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 && t.Elem().Kind() != reflect.String && t.Elem().Kind() != reflect.Slice:
		eachLeaf(t.Elem(), goPath+"[]", f)
	default:
		f(goPath)
	}
}

func goName(parent string, f reflect.StructField) string {
	switch {
	case f.Anonymous:
		return parent
	case parent == "":
		return f.Name
	}
	return parent + "." + f.Name
}
