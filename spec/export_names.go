package spec

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
)

// names are the keys that objects of one kind have in the spec.
type names struct {
	keys map[string]string // by full name
	took map[string]bool
	// bases are the names that objects have in their first revision, where
	// theirs is another one.
	bases map[string]string
	own   map[string]string // keys that the spec is known to have
}

func (x *exporting) newNames(section string) names {
	n := names{keys: map[string]string{}, took: map[string]bool{}, bases: map[string]string{}}
	if k := x.options.Known; k != nil {
		n.own = k.Keys[section]
	}
	return n
}

// add gives an object a key: its name without the stack's.
func (n names) add(stack, full, base string) {
	if _, ok := n.keys[full]; ok {
		return
	}
	short := cmp.Or(n.own[full], strings.TrimPrefix(base, stack+"_"))
	key := short
	for i := 2; n.took[key]; i++ {
		key = fmt.Sprintf("%s-%d", short, i)
	}
	n.keys[full], n.took[key] = key, true
	if base != full {
		n.bases[full] = base
	}
}

// sorted are the full names in the order of their keys.
func (n names) sorted() []string {
	return slices.SortedFunc(maps.Keys(n.keys), func(a, b string) int { return strings.Compare(n.keys[a], n.keys[b]) })
}

// gather names everything that the spec will speak of; what is the stack's own
// comes first, so that it has the better keys.
func (x *exporting) gather() {
	x.networks, x.volumes = x.newNames("networks"), x.newNames("volumes")
	x.gatherMounts()
	inUse := map[string]map[string]bool{"networks": {}, "secrets": {}, "configs": {}}
	for _, s := range x.live.Services {
		for _, a := range s.TaskTemplate.Networks {
			inUse["networks"][a.Target] = true
		}
		for _, name := range referenced(s.TaskTemplate.ContainerSpec) {
			inUse[name.kind][name.name] = true
		}
	}
	foreign := func(name string) bool { return !x.owns(x.live.Networks[name].Labels) }
	for _, name := range ownFirst(inUse["networks"], foreign) {
		x.networks.add(x.live.Name, name, name)
	}
	x.secrets = x.revised("secrets", inUse["secrets"], labelsOf(x.live.Secrets, func(s swarm.SecretSpec) swarm.Annotations { return s.Annotations }))
	x.configs = x.revised("configs", inUse["configs"], labelsOf(x.live.Configs, func(s swarm.ConfigSpec) swarm.Annotations { return s.Annotations }))
}

type mention struct{ kind, name string }

// referenced are the secrets and configs that a container uses.
func referenced(c *swarm.ContainerSpec) []mention {
	if c == nil {
		return nil
	}
	var out []mention
	for _, r := range c.Secrets {
		out = append(out, mention{"secrets", r.SecretName})
	}
	for _, r := range c.Configs {
		out = append(out, mention{"configs", r.ConfigName})
	}
	if p := c.Privileges; p != nil && p.CredentialSpec != nil && p.CredentialSpec.Config != "" {
		out = append(out, mention{"configs", p.CredentialSpec.Config})
	}
	return out
}

func labelsOf[V any](from map[string]V, annotations func(V) swarm.Annotations) map[string]map[string]string {
	out := make(map[string]map[string]string, len(from))
	for name, v := range from {
		out[name] = annotations(v).Labels
	}
	return out
}

func ownFirst(set map[string]bool, foreign func(string) bool) []string {
	list := slices.Sorted(maps.Keys(set))
	slices.SortStableFunc(list, func(a, b string) int {
		switch fa, fb := foreign(a), foreign(b); {
		case fa == fb:
			return 0
		case fa:
			return 1
		}
		return -1
	})
	return list
}

// revised names secrets or configs: those in use and those of the stack, but
// of each no revision that another one has replaced.
func (x *exporting) revised(section string, used map[string]bool, live map[string]map[string]string) names {
	type candidate struct {
		name string
		n    int
		used bool
	}
	current, wanted := map[string]candidate{}, map[string]bool{}
	for name, labels := range live {
		if !x.owns(labels) {
			continue
		}
		base, n := revision(name, labels)
		c, best := candidate{name, n, used[name]}, current[base]
		if best.name == "" || c.used && !best.used || c.used == best.used && c.n > best.n {
			current[base] = c
		}
	}
	bases := map[string]string{}
	for base, c := range current {
		wanted[c.name] = true
		bases[c.name] = base
	}
	for name := range used {
		wanted[name] = true
	}
	out := x.newNames(section)
	for _, name := range ownFirst(wanted, func(name string) bool { return bases[name] == "" }) {
		base, ok := bases[name]
		if !ok {
			base = name
		}
		out.add(x.live.Name, name, base)
	}
	return out
}

var revisionSuffix = regexp.MustCompile(`^(.+)\.r([1-9][0-9]*)$`)

// revision takes apart the name of a revision that swarmward made: NAME.r2.
func revision(name string, labels map[string]string) (base string, n int) {
	m := revisionSuffix.FindStringSubmatch(name)
	if m == nil || !marked(labels) {
		return name, 1
	}
	n, err := strconv.Atoi(m[2])
	if err != nil || n < 2 {
		return name, 1
	}
	return m[1], n
}

// mountedVolume is what the mounts of one volume say about it.
type mountedVolume struct {
	own    bool
	labels map[string]string // that all of them give
	driver *mount.Driver
}

// gatherMounts finds what the mounts tell of their volumes, and the volumes of
// the stack that nothing mounts.
func (x *exporting) gatherMounts() {
	x.mounted = map[string]*mountedVolume{}
	for _, s := range x.live.Services {
		if c := s.TaskTemplate.ContainerSpec; c != nil {
			for _, m := range c.Mounts {
				x.gatherMount(m)
			}
		}
	}
	for name, v := range x.live.Volumes {
		if _, ok := x.mounted[name]; ok || v == nil || !x.owns(v.Labels) {
			continue
		}
		found := &mountedVolume{own: true, labels: x.own(v.Labels)}
		if v.Driver != "local" && v.Driver != "" || len(v.Options) > 0 {
			found.driver = &mount.Driver{Name: v.Driver, Options: v.Options}
		}
		x.mounted[name] = found
	}
	set := map[string]bool{}
	for name := range x.mounted {
		set[name] = true
	}
	for _, name := range ownFirst(set, func(name string) bool { return !x.mounted[name].own }) {
		x.volumes.add(x.live.Name, name, name)
	}
}

func (x *exporting) gatherMount(m mount.Mount) {
	if m.Source == "" || m.Type != mount.TypeVolume && (m.Type != mount.TypeCluster || strings.HasPrefix(m.Source, "group:")) {
		return
	}
	known, ok := x.mounted[m.Source]
	if !ok {
		// The mount of a cluster volume says nothing about it.
		known = &mountedVolume{own: m.Type == mount.TypeCluster && strings.HasPrefix(m.Source, x.live.Name+"_")}
		x.mounted[m.Source] = known
	}
	o := m.VolumeOptions
	if o == nil || !x.owns(o.Labels) {
		return
	}
	if known.labels == nil {
		known.labels = x.own(o.Labels)
	}
	maps.DeleteFunc(known.labels, func(k, v string) bool { has, ok := o.Labels[k]; return !ok || has != v })
	known.own = true
	if known.driver == nil {
		known.driver = o.DriverConfig
	}
}
