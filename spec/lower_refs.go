package spec

import (
	"cmp"
	"os"
	"slices"
	"sort"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

// attachments are the networks of a service, sorted by full name; the service
// is known on each by its short name.
func (w *lowering) attachments(key string, s types.ServiceConfig) []swarm.NetworkAttachmentConfig {
	joined := s.Networks
	if len(joined) == 0 {
		joined = map[string]*types.ServiceNetworkConfig{defaultNetwork: nil}
	}
	out := []swarm.NetworkAttachmentConfig{}
	for name, options := range joined {
		c := w.project.Networks[name]
		a := swarm.NetworkAttachmentConfig{Target: w.fullName(name, c.Name, bool(c.External))}
		if options != nil {
			a.Aliases = slices.Clone(options.Aliases)
			a.DriverOpts = options.DriverOpts
		}
		if container.NetworkMode(a.Target).IsUserDefined() && options.ServiceNameAliasEnabled() {
			a.Aliases = append(a.Aliases, key)
		}
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Target < out[j].Target })
	return out
}

func (w *lowering) secretRefs(s types.ServiceConfig) []*swarm.SecretReference {
	out := []*swarm.SecretReference{}
	for _, ref := range s.Secrets {
		c := w.project.Secrets[ref.Source]
		f := fileTarget(types.FileReferenceConfig(ref))
		out = append(out, &swarm.SecretReference{
			File:       &swarm.SecretReferenceFileTarget{Name: f.Name, UID: f.UID, GID: f.GID, Mode: f.Mode},
			SecretName: w.fullName(ref.Source, c.Name, bool(c.External)),
		})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].SecretName < out[j].SecretName })
	return out
}

func (w *lowering) configRefs(s types.ServiceConfig) []*swarm.ConfigReference {
	out := []*swarm.ConfigReference{}
	for _, ref := range s.Configs {
		c := w.project.Configs[ref.Source]
		f := fileTarget(types.FileReferenceConfig(ref))
		out = append(out, &swarm.ConfigReference{File: &f, ConfigName: w.fullName(ref.Source, c.Name, bool(c.External))})
	}
	if s.CredentialSpec != nil && s.CredentialSpec.Config != "" {
		out = append(out, &swarm.ConfigReference{
			Runtime:    &swarm.ConfigReferenceRuntimeTarget{},
			ConfigName: w.configName(s.CredentialSpec.Config),
		})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].ConfigName < out[j].ConfigName })
	return out
}

func (w *lowering) configName(key string) string {
	c := w.project.Configs[key]
	return w.fullName(key, c.Name, bool(c.External))
}

// fileTarget is where a secret or config is seen in the container. The Engine
// fails tasks without an explicit owner and mode.
func fileTarget(ref types.FileReferenceConfig) swarm.ConfigReferenceFileTarget {
	mode := os.FileMode(0o444)
	if ref.Mode != nil {
		mode = os.FileMode(*ref.Mode)
	}
	return swarm.ConfigReferenceFileTarget{
		Name: cmp.Or(ref.Target, ref.Source),
		UID:  cmp.Or(ref.UID, "0"),
		GID:  cmp.Or(ref.GID, "0"),
		Mode: mode,
	}
}

// credentialSpec names a config by its full name, where the Engine wants an
// id: whoever writes the service turns one into the other.
func (w *lowering) credentialSpec(c *types.CredentialSpecConfig) *swarm.CredentialSpec {
	if c == nil || c.Config == "" && c.File == "" && c.Registry == "" {
		return nil
	}
	out := &swarm.CredentialSpec{File: c.File, Registry: c.Registry}
	if c.Config != "" {
		out.Config = w.configName(c.Config)
	}
	return out
}
