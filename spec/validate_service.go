package spec

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// files reports env and label files that cannot be read.
func (v validator) files(name string, s types.ServiceConfig) {
	for i, f := range s.EnvFiles {
		if info, err := os.Stat(f.Path); err != nil && bool(f.Required) || err == nil && info.IsDir() {
			at := []string{"services", name, "env_file", fmt.Sprint(i)}
			if !v.l.index.has(at...) {
				at = at[:3]
			}
			v.fail("missing-file", "the env file "+v.l.shown(f.Path)+" cannot be read", "correct the path; it is relative to the spec's folder", at...)
		}
	}
	for _, f := range s.LabelFiles {
		if info, err := os.Stat(f); err != nil || info.IsDir() {
			v.fail("missing-file", "the label file "+v.l.shown(f)+" cannot be read", "correct the path; it is relative to the spec's folder", "services", name, "label_file")
		}
	}
}

// shown is a path the way the user would write it.
func (l *loading) shown(full string) string { return l.main[0].display(full) }

// deploy reports combinations that the Engine refuses.
func (v validator) deploy(name string, s types.ServiceConfig) {
	at := func(more ...string) []string { return append([]string{"services", name}, more...) }
	if s.Deploy == nil {
		return
	}
	d := s.Deploy
	mode := cmp.Or(d.Mode, "replicated")
	if strings.HasPrefix(mode, "global") && (d.Replicas != nil || s.Scale != nil) {
		v.fail("deploy-mode", "a "+mode+" service has one task on every node, not a number of replicas", "remove replicas, or the mode", at("deploy", "replicas")...)
	}
	if strings.HasSuffix(mode, "-job") {
		for key, c := range map[string]*types.UpdateConfig{"update_config": d.UpdateConfig, "rollback_config": d.RollbackConfig} {
			if c != nil {
				v.fail("deploy-mode", "a job is never updated in place, and Swarm refuses this for one", "remove it", at("deploy", key)...)
			}
		}
	}
	if s.Scale != nil && d.Replicas != nil && *s.Scale != *d.Replicas {
		v.fail("deploy-mode", "scale and deploy.replicas say different numbers", "remove scale", at("scale")...)
	}
	for key, r := range map[string]*types.Resource{"limits": d.Resources.Limits, "reservations": d.Resources.Reservations} {
		if r != nil && r.MemoryBytes > 0 && r.MemoryBytes < 4<<20 {
			v.fail("resources", "the memory is less than the 4M that Swarm asks for", "write at least 4M", at("deploy", "resources", key, "memory")...)
		}
	}
	if strings.EqualFold(d.EndpointMode, "dnsrr") {
		for i, p := range s.Ports {
			if p.Mode != "host" {
				v.fail("dnsrr-ingress", "Swarm cannot publish a port in ingress mode for a service with endpoint_mode dnsrr",
					"write the port in long form with `mode: host`, or remove endpoint_mode", v.portPath(name, i)...)
			}
		}
	}
}

// portPath is the place of the i-th port; a range in short form may have
// become several.
func (v validator) portPath(name string, i int) []string {
	at := []string{"services", name, "ports", fmt.Sprint(i)}
	if ports, ok := v.l.list(at[:3]...); !ok || ports != len(v.project.Services[name].Ports) {
		return at[:3]
	}
	return at
}

// list is the length of a list as it is written.
func (l *loading) list(path ...string) (int, bool) {
	for i := 0; ; i++ {
		if !l.index.has(append(slices.Clone(path), fmt.Sprint(i))...) {
			return i, i > 0
		}
	}
}

// ports reports a port that two services want.
func (v validator) ports() {
	type key struct{ published, protocol string }
	taken := map[key]string{}
	for _, name := range slices.Sorted(maps.Keys(v.project.Services)) {
		for i, p := range v.project.Services[name].Ports {
			if p.Published == "" || p.Published == "0" || p.Mode == "host" {
				continue
			}
			k := key{p.Published, cmp.Or(strings.ToLower(p.Protocol), "tcp")}
			if other, ok := taken[k]; ok {
				v.fail("port-taken", "port "+k.published+"/"+k.protocol+" is published already by service "+other, "publish another one", v.portPath(name, i)...)
				continue
			}
			taken[k] = name
		}
	}
}

// mounts reports mounts that the Engine refuses, and two things at one place.
func (v validator) mounts(name string, s types.ServiceConfig) {
	taken := map[string]string{}
	for i, m := range s.Volumes {
		at := []string{"services", name, "volumes", fmt.Sprint(i)}
		if m.Target == "" {
			v.fail("mount", "the mount has no target", "add the path in the container", at...)
			continue
		}
		if other, ok := taken[path.Clean(m.Target)]; ok {
			v.fail("mount", "something is mounted at "+m.Target+" already: "+other, "choose another target", at...)
		}
		taken[path.Clean(m.Target)] = cmp.Or(m.Source, m.Type)
		if message, remedy := mountProblem(m); message != "" {
			v.fail("mount", message, remedy, at...)
		}
	}
	for i, t := range s.Tmpfs {
		target, _, _ := strings.Cut(t, ":")
		if other, ok := taken[path.Clean(target)]; ok {
			v.fail("mount", "something is mounted at "+target+" already: "+other, "choose another target", "services", name, "tmpfs", fmt.Sprint(i))
		}
		taken[path.Clean(target)] = "tmpfs"
		if _, err := parseTmpfs(t); err != nil {
			v.fail("mount", err.Error(), "write /path:size=64m,mode=1777", "services", name, "tmpfs", fmt.Sprint(i))
		}
	}
	var secrets, configs []types.FileReferenceConfig
	for _, ref := range s.Secrets {
		secrets = append(secrets, types.FileReferenceConfig(ref))
	}
	for _, ref := range s.Configs {
		configs = append(configs, types.FileReferenceConfig(ref))
	}
	v.sameTarget(name, "secrets", secrets)
	v.sameTarget(name, "configs", configs)
}

func (v validator) sameTarget(name, kind string, refs []types.FileReferenceConfig) {
	taken := map[string]string{}
	for i, ref := range refs {
		target := cmp.Or(ref.Target, ref.Source)
		if other, ok := taken[target]; ok {
			v.fail("mount", kind+" "+other+" and "+ref.Source+" have one target, "+target, "choose another target", "services", name, kind, fmt.Sprint(i))
		}
		taken[target] = ref.Source
	}
}

// mountProblem says which option or source does not go with the mount's type.
func mountProblem(m types.ServiceVolumeConfig) (message, remedy string) {
	options := map[string]bool{"bind": m.Bind != nil, "tmpfs": m.Tmpfs != nil, "image": m.Image != nil}
	options["volume"] = m.Volume != nil
	allowed := m.Type
	if m.Type == types.VolumeTypeNamedPipe {
		allowed = "bind"
	}
	for _, kind := range []string{"bind", "image", "tmpfs", "volume"} {
		if options[kind] && kind != cmp.Or(allowed, "volume") {
			return "a mount of type " + cmp.Or(m.Type, "volume") + " has no options for " + kind, "remove `" + kind + ":`, or change the type"
		}
	}
	switch m.Type {
	case types.VolumeTypeTmpfs:
		if m.Source != "" {
			return "a mount of type tmpfs has no source", "remove source"
		}
	case types.VolumeTypeVolume, "":
	default:
		if m.Source == "" {
			return "a mount of type " + m.Type + " needs a source", "add source"
		}
	}
	return "", ""
}
