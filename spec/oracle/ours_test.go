package oracle

import (
	"context"
	"os"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// ours lowers the files with package spec.
func ours(paths []string) (lowered, error) {
	stack, err := spec.Load(context.Background(), spec.Options{Files: paths, Name: stackName, Environ: os.Environ()})
	if err != nil {
		return lowered{}, err
	}
	out := lowered{
		Services: map[string]swarm.ServiceSpec{}, Networks: map[string]network.CreateOptions{}, External: []string{},
		Secrets: map[string]swarm.SecretSpec{}, Configs: map[string]swarm.ConfigSpec{},
	}
	for _, s := range stack.Services {
		out.Services[s.Key] = s.Spec
	}
	for _, n := range stack.Networks {
		if n.External {
			out.External = append(out.External, n.Name)
			continue
		}
		out.Networks[n.Name] = n.Create
	}
	for _, s := range stack.Secrets {
		if !s.External {
			s.Spec.Data = s.Data
			out.Secrets[s.Name] = s.Spec
		}
	}
	for _, c := range stack.Configs {
		if !c.External {
			out.Configs[c.Name] = c.Spec
		}
	}
	out.normalise()
	return out, nil
}
