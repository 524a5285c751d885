package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"github.com/swarmward/swarmward/spec"
)

// Limit is the part of a stack that targets name, such as services.redis: these
// objects, the networks, volumes, secrets and configs that the services among
// them use, and the checks on them. Other services are neither waited for nor
// checked. A target that the stack does not have is an error with those that it
// has.
func Limit(stack *spec.Stack, targets []string) (*spec.Stack, error) {
	if len(targets) == 0 {
		return stack, nil
	}
	known := stackPaths(stack)
	wanted := map[string]bool{}
	for _, t := range targets {
		if !slices.Contains(known, t) {
			kind, _, _ := strings.Cut(t, ".")
			if of := keepOf(known, func(k string) bool { return strings.HasPrefix(k, kind+".") }); len(of) > 0 {
				known = of
			}
			return nil, fmt.Errorf("%q is not in stack %s, which has %s", t, stack.Name, strings.Join(known, ", "))
		}
		wanted[t] = true
	}
	out := *stack
	out.Services = keepOf(stack.Services, func(s spec.Service) bool { return wanted["services."+s.Key] })
	names := namedBy(out.Services)
	out.Networks = keepOf(stack.Networks, func(n spec.Network) bool { return wanted["networks."+n.Key] || names["network "+n.Name] })
	out.Volumes = keepOf(stack.Volumes, func(v spec.Volume) bool { return wanted["volumes."+v.Key] || names["volume "+v.Name] })
	out.Secrets = keepOf(stack.Secrets, func(s spec.Secret) bool { return wanted["secrets."+s.Key] || names["secret "+s.Name] })
	out.Configs = keepOf(stack.Configs, func(c spec.Config) bool { return wanted["configs."+c.Key] || names["config "+c.Name] })
	out.Settings.Checks = keepOf(stack.Settings.Checks, func(c spec.Check) bool { return wanted["services."+c.Target().Service] })
	out.Partial = targets
	return &out, nil
}

func stackPaths(s *spec.Stack) []string {
	var out []string
	for _, x := range s.Services {
		out = append(out, "services."+x.Key)
	}
	for _, x := range s.Networks {
		out = append(out, "networks."+x.Key)
	}
	for _, x := range s.Volumes {
		out = append(out, "volumes."+x.Key)
	}
	for _, x := range s.Secrets {
		out = append(out, "secrets."+x.Key)
	}
	for _, x := range s.Configs {
		out = append(out, "configs."+x.Key)
	}
	return out
}

func keepOf[V any](list []V, keep func(V) bool) []V {
	var out []V
	for _, v := range list {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

// namedBy has what services refer to, as "kind name".
func namedBy(services []spec.Service) map[string]bool {
	out := map[string]bool{}
	for _, s := range services {
		for _, n := range s.Spec.TaskTemplate.Networks {
			out["network "+n.Target] = true
		}
		c := s.Spec.TaskTemplate.ContainerSpec
		if c == nil {
			continue
		}
		for _, m := range c.Mounts {
			if m.Type == mount.TypeVolume || m.Type == mount.TypeCluster {
				out["volume "+m.Source] = true
			}
		}
		for _, r := range c.Secrets {
			out["secret "+r.SecretName] = true
		}
		for _, r := range c.Configs {
			out["config "+r.ConfigName] = true
		}
		if p := c.Privileges; p != nil && p.CredentialSpec != nil {
			out["config "+p.CredentialSpec.Config] = true
		}
	}
	return out
}
