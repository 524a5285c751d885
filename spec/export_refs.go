package spec

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"gopkg.in/yaml.v3"
)

// attachments leaves out the implicit: the network default, and the service's
// own name as its alias.
func (x *exporting) attachments(key string, s swarm.ServiceSpec) *yaml.Node {
	var keys []string
	long := newObject()
	short := true
	for _, a := range s.TaskTemplate.Networks {
		network, o := x.networks.keys[a.Target], newObject()
		aliases := slices.Clone(a.Aliases)
		if container.NetworkMode(a.Target).IsUserDefined() {
			if i := lastIndex(aliases, key); i >= 0 {
				aliases = slices.Delete(aliases, i, i+1)
			} else {
				o.put("use_service_name_alias", plain(false))
			}
		}
		o.unique("aliases", aliases)
		o.mapping("driver_opts", a.DriverOpts)
		short = short && o.empty()
		keys = append(keys, network)
		long.put(network, o.flow())
	}
	switch {
	case len(keys) == 0:
		return x.noNetwork(key)
	case !short:
		return &long.Node
	case slices.Equal(keys, []string{defaultNetwork}):
		return nil
	}
	return list(texts(keys)...)
}

func lastIndex(list []string, s string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == s {
			return i
		}
	}
	return -1
}

// noNetwork cannot be said: a service that names no network is on default.
func (x *exporting) noNetwork(key string) *yaml.Node {
	x.note("services.%s.networks: it is on no network, and Compose has no words for that", key)
	for _, name := range x.networks.sorted() {
		return list(text(x.networks.keys[name])) // rather than to have default made
	}
	return nil
}

func (x *exporting) secretRefs(key string, refs []*swarm.SecretReference) *yaml.Node {
	var items []*yaml.Node
	for _, r := range refs {
		if r.File == nil {
			x.note("services.%s.secrets: %s is in no file", key, r.SecretName)
			continue
		}
		f := swarm.ConfigReferenceFileTarget(*r.File)
		items = append(items, fileReference(x.secrets.keys[r.SecretName], f))
	}
	return listed(items)
}

func (x *exporting) configRefs(key string, refs []*swarm.ConfigReference) *yaml.Node {
	var items []*yaml.Node
	for _, r := range refs {
		switch {
		case r.File != nil:
			items = append(items, fileReference(x.configs.keys[r.ConfigName], *r.File))
		case r.Runtime == nil: // those are for the credential spec
			x.note("services.%s.configs: %s is in no file", key, r.ConfigName)
		}
	}
	return listed(items)
}

func listed(items []*yaml.Node) *yaml.Node {
	if len(items) == 0 {
		return nil
	}
	return list(items...)
}

// fileReference is the inverse of fileTarget.
func fileReference(key string, f swarm.ConfigReferenceFileTarget) *yaml.Node {
	o := newObject()
	o.text("source", key)
	if f.Name != key {
		o.text("target", f.Name)
	}
	if f.UID != "0" {
		o.text("uid", f.UID)
	}
	if f.GID != "0" {
		o.text("gid", f.GID)
	}
	if f.Mode != 0o444 {
		o.put("mode", octal(f.Mode))
	}
	if len(o.Content) == 2 {
		return text(key)
	}
	return o.flow()
}

func octal(m os.FileMode) *yaml.Node { return literal(fmt.Sprintf("%#04o", uint32(m))) }

func (x *exporting) credentials(p *swarm.Privileges) *object {
	o := newObject()
	if p == nil || p.CredentialSpec == nil {
		return o
	}
	o.text("config", x.configs.keys[p.CredentialSpec.Config])
	o.text("file", p.CredentialSpec.File)
	o.text("registry", p.CredentialSpec.Registry)
	return o
}

func (x *exporting) mounts(key string, c *swarm.ContainerSpec) *yaml.Node {
	var items []*yaml.Node
	rest, _ := splitTmpfs(c.Mounts)
	for _, m := range rest {
		items = append(items, x.mount(key, m))
	}
	return listed(items)
}

// splitTmpfs parts the mounts that are written under tmpfs:, which come last:
// those with options that only that can say, and such that follow one.
func splitTmpfs(mounts []mount.Mount) (rest, tmpfs []mount.Mount) {
	for _, m := range mounts {
		o := m.TmpfsOptions
		switch {
		case m.Type == mount.TypeTmpfs && o != nil && len(o.Options) > 0,
			m.Type == mount.TypeTmpfs && o == nil && !m.ReadOnly && len(tmpfs) > 0:
			tmpfs = append(tmpfs, m)
		default:
			rest = append(rest, m)
		}
	}
	return rest, tmpfs
}

func (x *exporting) mount(key string, m mount.Mount) *yaml.Node {
	o := newObject()
	kind, source := m.Type, m.Source
	if kind == "" {
		kind = mount.TypeBind
	}
	if k, ok := x.volumes.keys[m.Source]; ok && (kind == mount.TypeVolume || kind == mount.TypeCluster) {
		source = k
	}
	o.text("type", string(kind))
	o.text("source", source)
	o.text("target", m.Target)
	o.flag("read_only", m.ReadOnly)
	o.text("consistency", string(m.Consistency))
	x.mountOptions(o, m)
	if s := shortMount(kind, source, m, o); s != "" {
		return text(s)
	}
	if kind == mount.TypeVolume && m.Source == "" && m.VolumeOptions != nil {
		x.note("services.%s.volumes: the options of the nameless volume at %s are left out", key, m.Target)
	}
	return &o.Node
}

// shortMount is source:target:ro, where that says as much as the long form
// would; otherwise empty.
func shortMount(kind mount.Type, source string, m mount.Mount, o *object) string {
	n := len(o.Content)/2 - 2 // without type and target
	if source != "" {
		n--
	}
	if m.ReadOnly {
		n--
	}
	switch {
	case n > 0 || strings.Contains(source+m.Target, ":") || !path.IsAbs(m.Target),
		// One letter before a colon is a drive of Windows.
		kind == mount.TypeVolume && len(source) == 1,
		kind == mount.TypeVolume && source == "" && m.ReadOnly,
		kind == mount.TypeBind && !path.IsAbs(source),
		kind != mount.TypeVolume && kind != mount.TypeBind:
		return ""
	}
	short := m.Target
	if source != "" {
		short = source + ":" + short
	}
	if m.ReadOnly {
		short += ":ro"
	}
	return short
}

func (x *exporting) mountOptions(o *object, m mount.Mount) {
	if b := m.BindOptions; b != nil {
		bind := newObject()
		if b.Propagation != mount.PropagationRPrivate || !b.NonRecursive { // which the Engine adds to that
			bind.text("propagation", string(b.Propagation))
		}
		switch {
		case b.NonRecursive:
			bind.text("recursive", "disabled")
		case b.ReadOnlyNonRecursive:
			bind.text("recursive", "writable")
		case b.ReadOnlyForceRecursive:
			bind.text("recursive", "readonly")
		}
		o.object("bind", bind)
	}
	if v := m.VolumeOptions; v != nil && m.Source != "" {
		volume := newObject()
		volume.flag("nocopy", v.NoCopy)
		volume.text("subpath", v.Subpath)
		labels := x.own(v.Labels)
		if known := x.mounted[m.Source]; known != nil {
			for k := range known.labels {
				delete(labels, k)
			}
		}
		volume.pairs("labels", labels)
		o.object("volume", volume)
	}
	if t := m.TmpfsOptions; t != nil {
		tmpfs := newObject()
		if t.SizeBytes != 0 {
			tmpfs.put("size", bytesText(t.SizeBytes))
		}
		if t.Mode != 0 {
			tmpfs.put("mode", octal(t.Mode))
		}
		o.present("tmpfs", tmpfs)
	}
	if i := m.ImageOptions; i != nil {
		image := newObject()
		image.text("subpath", i.Subpath)
		o.present("image", image)
	}
}

// tmpfsMounts are the inverse of parseTmpfs.
func tmpfsMounts(mounts []mount.Mount) *yaml.Node {
	var items []*yaml.Node
	_, tmpfs := splitTmpfs(mounts)
	for _, m := range tmpfs {
		o := m.TmpfsOptions
		if o == nil {
			items = append(items, text(m.Target))
			continue
		}
		var options []string
		if o.SizeBytes != 0 {
			options = append(options, "size="+bytesText(o.SizeBytes).Value)
		}
		if o.Mode != 0 {
			options = append(options, fmt.Sprintf("mode=%o", uint32(o.Mode)))
		}
		if m.ReadOnly {
			options = append(options, "ro")
		}
		for _, pair := range o.Options {
			options = append(options, strings.Join(pair, "="))
		}
		items = append(items, text(m.Target+":"+strings.Join(options, ",")))
	}
	return listed(items)
}
