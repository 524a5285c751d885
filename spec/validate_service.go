package spec

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/format"
	"github.com/compose-spec/compose-go/v2/types"
	"gopkg.in/yaml.v3"
)

// files reports env and label files that cannot be read.
func (v validator) files(name string, s types.ServiceConfig) {
	for i, f := range s.EnvFiles {
		at := []string{"services", name, "env_file", fmt.Sprint(i)}
		if !v.l.index.has(at...) {
			at = at[:3]
		}
		v.file("env", f.Path, bool(f.Required), at...)
	}
	for _, f := range s.LabelFiles {
		v.file("label", f, true, "services", name, "label_file")
	}
	for _, hook := range s.PreStart {
		for _, f := range hook.EnvFiles {
			v.file("env", f.Path, bool(f.Required), "services", name, "pre_start")
		}
		for _, f := range hook.LabelFiles {
			v.file("label", f, true, "services", name, "pre_start")
		}
	}
}

// file reports an env or label file that cannot be read.
func (v validator) file(kind, path string, required bool, at ...string) {
	info, err := v.l.access.stat(path)
	var refused *Refused
	if errors.As(err, &refused) || err != nil && required || err == nil && info.IsDir() {
		rule, message, remedy := refusal(err, "missing-file", "cannot be read", "correct the path; it is relative to the spec's folder")
		v.fail(rule, "the "+kind+" file "+v.l.shown(path)+" "+message, remedy, at...)
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
	for i, c := range d.Placement.Constraints {
		if _, value := splitConstraint(c); !constraintValue.MatchString(value) && !v.l.report.has("undefined-variable") {
			v.fail("constraint", "this is not a constraint, and Swarm refuses it", "write KEY == VALUE or KEY != VALUE, the value of letters, digits and -_.:/",
				v.l.item(i, len(d.Placement.Constraints), at("deploy", "placement", "constraints")...)...)
		}
	}
	if strings.EqualFold(d.EndpointMode, "dnsrr") {
		for i, p := range s.Ports {
			if p.Mode != "host" {
				v.fail("dnsrr-ingress", "Swarm cannot publish a port in ingress mode for a service with endpoint_mode dnsrr",
					"write the port in long form with `mode: host`, or remove endpoint_mode", v.l.item(i, len(s.Ports), at("ports")...)...)
			}
		}
	}
}

// What Swarm takes as the value of a constraint.
var constraintValue = regexp.MustCompile(`^(?i)[a-z0-9:\-_\s.*()?+\[\]\\^$|/]+$`)

// item is the place of an element of a list of n; of the list alone when as
// many are not written there, because a range of ports has become several or
// a bad element was left out.
func (l *loading) item(i, n int, list ...string) []string {
	at := append(slices.Clone(list), fmt.Sprint(i))
	past := append(slices.Clone(list), fmt.Sprint(n))
	last := append(slices.Clone(list), fmt.Sprint(n-1))
	if !l.index.has(last...) || l.index.has(past...) {
		return list
	}
	return at
}

// ports reports a port that two services want.
func (v validator) ports() {
	type key struct{ published, protocol string }
	taken := map[key]string{}
	for _, name := range slices.Sorted(maps.Keys(v.project.Services)) {
		ports := v.project.Services[name].Ports
		for i, p := range ports {
			if p.Published == "" || p.Published == "0" || p.Mode == "host" {
				continue
			}
			k := key{p.Published, cmp.Or(strings.ToLower(p.Protocol), "tcp")}
			if other, ok := taken[k]; ok {
				v.fail("port-taken", "port "+k.published+"/"+k.protocol+" is published already by service "+other, "publish another one", v.l.item(i, len(ports), "services", name, "ports")...)
				continue
			}
			taken[k] = name
		}
	}
}

const mountRemedy = "bring the file in with `configs:` or `secrets:`, or mount an absolute path of the nodes"

// mounts reports mounts that the Engine refuses, and two things at one place.
func (v validator) mounts(name string, s types.ServiceConfig) {
	taken := map[string]string{}
	for i, m := range s.Volumes {
		at := v.l.item(i, len(s.Volumes), "services", name, "volumes")
		if m.Target == "" {
			v.fail("mount", "the mount has no target", "add the path in the container", at...)
			continue
		}
		if _, inside := v.l.access.within(m.Source); inside && m.Type == types.VolumeTypeBind {
			v.fail("mount", "it would mount a folder of the repository, which no node of the Swarm has", mountRemedy, at...)
		}
		if letter, rest, ok := strings.Cut(m.Target, ":"); ok && m.Source == "" && len(letter) == 1 && v.l.index.has("volumes", letter) {
			v.fail("mount", "docker and Compose read the volume's name as the drive letter of a Windows path",
				"write {type: volume, source: "+letter+", target: "+rest+"}, or give the volume a longer name", at...)
		}
		taken[path.Clean(m.Target)] = cmp.Or(m.Source, m.Type)
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
	for _, kind := range []string{"volumes", "secrets", "configs"} {
		v.sameTarget(name, kind)
	}
}

// sameTarget reports two mounts of a service with one target. It looks at the
// files, because compose-go keeps the last of them and says nothing.
func (v validator) sameTarget(name, kind string) {
	v.l.eachList([]string{"services", name, kind}, func(d *document, list *yaml.Node) {
		taken := map[string]bool{}
		for i, item := range list.Content {
			item = deref(item)
			target := d.target(item, kind)
			if target == "" {
				continue
			}
			if taken[target] {
				v.l.report.fail("mount", d.at(item), dotted([]string{"services", name, kind, fmt.Sprint(i)}),
					"another entry of the list has the target "+target+" already", "choose another target")
			}
			taken[target] = true
		}
	})
}

// eachList visits the lists that stand at a path of the files.
func (l *loading) eachList(path []string, visit func(d *document, list *yaml.Node)) {
	for _, d := range l.index.docs {
		for _, n := range d.roots {
			for _, step := range path {
				if _, n = d.child(n, step); n == nil {
					break
				}
			}
			if n != nil && n.Kind == yaml.SequenceNode {
				visit(d, n)
			}
		}
	}
}

// target is where a mount, secret or config is seen in the container.
func (d *document) target(item *yaml.Node, kind string) string {
	if item == nil {
		return ""
	}
	if item.Kind == yaml.MappingNode {
		_, n := child(item, "target")
		if n == nil && kind != "volumes" {
			_, n = child(item, "source")
		}
		if n == nil || n.Kind != yaml.ScalarNode {
			return ""
		}
		text, _ := d.text(n)
		return path.Clean(text)
	}
	text, _ := d.text(item)
	if kind != "volumes" {
		return text
	}
	m, err := format.ParseVolume(text)
	if err != nil || m.Target == "" {
		return ""
	}
	return path.Clean(m.Target)
}
