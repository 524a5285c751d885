package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/swarmward/swarmward/spec"
)

// live is what a Swarm has when a stack was applied to it.
func live(s *spec.Stack) spec.Live {
	out := spec.Live{
		Name: s.Name, Networks: map[string]network.Summary{}, Volumes: map[string]*volume.Volume{},
		Secrets: map[string]swarm.SecretSpec{}, Configs: map[string]swarm.ConfigSpec{},
	}
	for _, x := range s.Services {
		out.Services = append(out.Services, x.Spec)
	}
	for _, n := range s.Networks {
		sum := network.Summary{
			Name: n.Name, Driver: n.Create.Driver, Internal: n.Create.Internal, Attachable: n.Create.Attachable,
			Options: n.Create.Options, Labels: n.Create.Labels,
		}
		if n.Create.IPAM != nil {
			sum.IPAM = *n.Create.IPAM
		}
		sum.EnableIPv6 = n.Create.EnableIPv6 != nil && *n.Create.EnableIPv6
		out.Networks[n.Name] = sum
	}
	for _, v := range s.Volumes {
		out.Volumes[v.Name] = &volume.Volume{Name: v.Name, Driver: v.Create.Driver, Options: v.Create.DriverOpts, Labels: v.Create.Labels}
	}
	for _, x := range s.Secrets {
		out.Secrets[x.Name] = x.Spec
	}
	for _, c := range s.Configs {
		out.Configs[c.Name] = c.Spec
	}
	return out
}

// exported writes a spec for a live stack and loads it.
func exported(t testing.TB, dir string, l spec.Live, o spec.ExportOptions, environ ...string) (*spec.Stack, *spec.Exported) {
	t.Helper()
	x, err := spec.Export(l, o)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range x.Files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range x.Variables {
		environ = append(environ, v+"=the value of "+v)
	}
	file := filepath.Join(dir, "exported.yaml")
	if err := os.WriteFile(file, x.YAML, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := spec.Load(t.Context(), spec.Options{Files: []string{file}, Environ: environ})
	if err != nil {
		t.Fatalf("%v\n%s", err, x.YAML)
	}
	return s, x
}

// normal compares stacks without what a Swarm does not know: the keys of its
// objects, what waits for what, and whether a label of a mount is the volume's
// as well.
func normal() []cmp.Option {
	return []cmp.Option{
		cmpopts.IgnoreFields(spec.Stack{}, "Revision", "Hash", "Files", "Settings", "Warnings"),
		cmpopts.IgnoreFields(spec.Service{}, "DependsOn"),
		cmpopts.IgnoreFields(spec.Network{}, "Key", "Explicit"),
		cmpopts.IgnoreFields(spec.Volume{}, "Key", "Explicit", "Create.Labels"),
		cmpopts.IgnoreFields(spec.Secret{}, "Key", "Data", "Variable"),
		cmpopts.IgnoreFields(spec.Config{}, "Key"),
		cmpopts.SortSlices(func(a, b spec.Network) bool { return a.Name < b.Name }),
		cmpopts.SortSlices(func(a, b spec.Volume) bool { return a.Name < b.Name }),
		cmpopts.SortSlices(func(a, b spec.Secret) bool { return a.Name < b.Name }),
		cmpopts.SortSlices(func(a, b spec.Config) bool { return a.Name < b.Name }),
		cmpopts.EquateEmpty(),
	}
}

// engine puts in the values that the Engine puts where there is none.
func engine(s *spec.Stack) {
	for i := range s.Services {
		sp := &s.Services[i].Spec
		c := sp.TaskTemplate.ContainerSpec
		if c.Isolation == "" {
			c.Isolation = container.IsolationDefault
		}
		if p := sp.TaskTemplate.RestartPolicy; p != nil {
			if p.Condition == "" {
				p.Condition = swarm.RestartPolicyConditionAny
			}
			if p.MaxAttempts == nil {
				p.MaxAttempts = new(uint64)
			}
		}
		for _, u := range []*swarm.UpdateConfig{sp.UpdateConfig, sp.RollbackConfig} {
			if u != nil && u.FailureAction == "" {
				u.FailureAction = swarm.UpdateFailureActionPause
			}
			if u != nil && u.Order == "" {
				u.Order = swarm.UpdateOrderStopFirst
			}
		}
		if sp.EndpointSpec.Mode == "" {
			sp.EndpointSpec.Mode = swarm.ResolutionModeVIP
		}
		for j := range sp.EndpointSpec.Ports {
			p := &sp.EndpointSpec.Ports[j]
			if p.Protocol == "" {
				p.Protocol = swarm.PortConfigProtocolTCP
			}
			if p.PublishMode == "" {
				p.PublishMode = swarm.PortConfigPublishModeIngress
			}
		}
		for j := range c.Mounts {
			if b := c.Mounts[j].BindOptions; b != nil && b.NonRecursive && b.Propagation == "" {
				b.Propagation = mount.PropagationRPrivate
			}
		}
		if m := sp.Mode.Replicated; m != nil && m.Replicas == nil {
			m.Replicas = new(uint64(1))
		}
		if m := sp.Mode.ReplicatedJob; m != nil && m.MaxConcurrent == nil {
			m.MaxConcurrent, m.TotalCompletions = new(uint64(1)), new(uint64(1))
		}
	}
	for i := range s.Networks {
		if s.Networks[i].Create.EnableIPv6 == nil {
			s.Networks[i].Create.EnableIPv6 = new(false)
		}
	}
}

func TestExportRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		file string
		env  []string
	}{
		{"../desired-state.yaml", exampleEnv},
		{"testdata/lower/everything.yaml", []string{"HOME=/root"}},
		{"testdata/lower/beyond.yaml", []string{"HOST=h"}},
	} {
		for _, secrets := range []spec.SecretsFrom{spec.SecretsExternal, spec.SecretsEnvironment} {
			t.Run(filepath.Base(tt.file)+"/"+string(secrets), func(t *testing.T) {
				was, err := spec.Load(t.Context(), spec.Options{Files: []string{tt.file}, Environ: tt.env})
				if err != nil {
					t.Fatal(err)
				}
				engine(was)
				is, x := exported(t, t.TempDir(), live(was), spec.ExportOptions{Secrets: secrets})
				engine(is)
				if secrets == spec.SecretsExternal { // the spec then does not describe them
					for i := range was.Secrets {
						if was.Secrets[i].Spec.Driver == nil {
							was.Secrets[i].Spec, was.Secrets[i].External = swarm.SecretSpec{}, true
						}
					}
				}
				if diff := cmp.Diff(was, is, normal()...); diff != "" {
					t.Errorf("exported and loaded again (-was +is):\n%s\n%s", diff, x.YAML)
				}
				again, err := spec.Export(live(is), spec.ExportOptions{Secrets: secrets})
				if err != nil {
					t.Fatal(err)
				}
				if secrets == spec.SecretsEnvironment && !slices.Equal(again.YAML, x.YAML) {
					t.Errorf("a second export is another one:\n%s", cmp.Diff(string(x.YAML), string(again.YAML)))
				}
				if strings.Contains(string(x.YAML), "hunter2") {
					t.Error("a secret's content is in the spec")
				}
				fmt.Fprintf(t.Output(), "%s", x.YAML)
			})
		}
	}
}
