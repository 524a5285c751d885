package spec_test

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"pgregory.net/rapid"
)

func (w *world) attachments(t *rapid.T, key string) []swarm.NetworkAttachmentConfig {
	if rapid.IntRange(0, 9).Draw(t, "host") == 0 {
		return []swarm.NetworkAttachmentConfig{{Target: "host"}}
	}
	var out []swarm.NetworkAttachmentConfig
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(w.networks), 1, 2, rapid.ID).Draw(t, "networks") {
		a := swarm.NetworkAttachmentConfig{
			Target: name, DriverOpts: anyMap().Draw(t, "options"),
			Aliases: rapid.SliceOfNDistinct(anyName(), 0, 2, rapid.ID).Draw(t, "aliases"),
		}
		if rapid.IntRange(0, 3).Draw(t, "alias") > 0 || slices.Contains(a.Aliases, key) {
			a.Aliases = append(a.Aliases, key)
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b swarm.NetworkAttachmentConfig) int { return strings.Compare(a.Target, b.Target) })
	return out
}

func anyTarget(t *rapid.T, name string, i int) swarm.ConfigReferenceFileTarget {
	id := rapid.SampledFrom([]string{"0", "0", "1000"})
	return swarm.ConfigReferenceFileTarget{
		Name: rapid.SampledFrom([]string{name, name[strings.Index(name, "_")+1:], "/a b/$c", "x"}).Draw(t, "target") + fmt.Sprint(i),
		UID:  id.Draw(t, "uid"), GID: id.Draw(t, "gid"),
		Mode: rapid.SampledFrom([]os.FileMode{0o444, 0o400, 0o7, 0}).Draw(t, "mode"),
	}
}

func (w *world) secretRefs(t *rapid.T) []*swarm.SecretReference {
	var out []*swarm.SecretReference
	for i, name := range w.secrets {
		if rapid.Bool().Draw(t, name) {
			f := swarm.SecretReferenceFileTarget(anyTarget(t, name, i))
			out = append(out, &swarm.SecretReference{SecretName: name, File: &f})
		}
	}
	return out
}

func (w *world) configRefs(t *rapid.T) []*swarm.ConfigReference {
	var out []*swarm.ConfigReference
	for i, name := range w.configs {
		if rapid.Bool().Draw(t, name) {
			f := anyTarget(t, name, i)
			f.Name += "c" // none is where a secret is
			out = append(out, &swarm.ConfigReference{ConfigName: name, File: &f})
		}
	}
	return out
}

func (w *world) mounts(t *rapid.T) []mount.Mount {
	var out, last []mount.Mount
	for i := range rapid.IntRange(0, 3).Draw(t, "mounts") {
		m := mount.Mount{
			Target:   fmt.Sprintf("%s%d%s", rapid.SampledFrom([]string{"/t", "/a b", "/$x", "/c:d"}).Draw(t, "target"), i, rapid.SampledFrom([]string{"", "/"}).Draw(t, "slash")),
			ReadOnly: rapid.Bool().Draw(t, "ro"),
		}
		switch m.Type = rapid.SampledFrom([]mount.Type{mount.TypeBind, mount.TypeVolume, mount.TypeTmpfs}).Draw(t, "type"); m.Type {
		case mount.TypeBind:
			m.Source = rapid.SampledFrom([]string{"/srv", "/s v/$x", "/a:b"}).Draw(t, "source")
			m.BindOptions = maybe(t, "bind", rapid.SampledFrom([]mount.BindOptions{
				{Propagation: mount.PropagationRSlave}, {NonRecursive: true}, {Propagation: mount.PropagationShared, NonRecursive: true}, {Propagation: mount.PropagationRPrivate},
			}))
		case mount.TypeVolume:
			m.Source = rapid.SampledFrom(append(w.volume, "")).Draw(t, "source")
			if m.Source != "" {
				m.VolumeOptions = &mount.VolumeOptions{NoCopy: rapid.Bool().Draw(t, "nocopy"), Subpath: rapid.SampledFrom([]string{"", "a/b"}).Draw(t, "subpath")}
			}
			if m.Source != "" && m.Source != "elsewhere" {
				m.VolumeOptions.Labels = w.labels(anyPairs().Draw(t, "labels"))
			}
		case mount.TypeTmpfs:
			m.TmpfsOptions = maybe(t, "tmpfs", rapid.SampledFrom([]mount.TmpfsOptions{{}, {SizeBytes: 1000}, {SizeBytes: 1 << 20, Mode: 0o1777}}))
			if i == 2 {
				m.Target, m.TmpfsOptions = "/tmpfs", &mount.TmpfsOptions{SizeBytes: 1 << 20, Mode: 0o700, Options: [][]string{{"noexec"}, {"nr_inodes", "9"}}}
				last = append(last, m)
				continue
			}
		}
		out = append(out, m)
	}
	return append(out, last...)
}
