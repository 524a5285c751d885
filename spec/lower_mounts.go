package spec

import (
	"fmt"
	"maps"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/format"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/go-units"
	"gopkg.in/yaml.v3"
)

func (w *lowering) mounts(key string, s types.ServiceConfig) []mount.Mount {
	out := make([]mount.Mount, 0, len(s.Volumes))
	written := w.l.writtenTargets(key)
	for _, v := range s.Volumes {
		m := mount.Mount{
			Type:        mount.Type(v.Type),
			Source:      v.Source,
			Target:      v.Target,
			ReadOnly:    v.ReadOnly,
			Consistency: mount.Consistency(v.Consistency),
		}
		if t, ok := written[v.Target]; ok {
			m.Target = t
		}
		w.mountOptions(&m, v)
		out = append(out, m)
	}
	if w.l.legacy && len(s.Tmpfs) > 0 {
		w.ignoredByDocker(key, "tmpfs", "write a mount of type tmpfs under volumes")
		return out
	}
	for _, t := range s.Tmpfs {
		if m, err := parseTmpfs(t); err == nil {
			out = append(out, m)
		}
	}
	return out
}

func (w *lowering) mountOptions(m *mount.Mount, v types.ServiceVolumeConfig) {
	switch v.Type {
	case types.VolumeTypeVolume, "":
		if v.Source != "" {
			w.volumeOptions(m, v)
		}
	case types.VolumeTypeBind, types.VolumeTypeNamedPipe:
		m.BindOptions = bindOptions(v.Bind)
	case types.VolumeTypeTmpfs:
		if v.Tmpfs != nil {
			m.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: int64(v.Tmpfs.Size), Mode: os.FileMode(v.Tmpfs.Mode)}
		}
	case types.VolumeTypeImage:
		if v.Image != nil {
			m.ImageOptions = &mount.ImageOptions{Subpath: v.Image.SubPath}
		}
	case types.VolumeTypeCluster:
		m.ClusterOptions = &mount.ClusterOptions{}
		if !strings.HasPrefix(v.Source, "group:") {
			c := w.project.Volumes[v.Source]
			m.Source = w.fullName(v.Source, c.Name, bool(c.External))
		}
	}
}

func (w *lowering) volumeOptions(m *mount.Mount, v types.ServiceVolumeConfig) {
	c := w.project.Volumes[v.Source]
	m.Source = w.fullName(v.Source, c.Name, bool(c.External))
	m.VolumeOptions = &mount.VolumeOptions{}
	if v.Volume != nil {
		m.VolumeOptions.NoCopy = v.Volume.NoCopy
		m.VolumeOptions.Subpath = v.Volume.Subpath
	}
	if c.External {
		return
	}
	labels := map[string]string{}
	maps.Copy(labels, c.Labels)
	if v.Volume != nil {
		maps.Copy(labels, v.Volume.Labels)
	}
	m.VolumeOptions.Labels = w.labels(labels)
	if c.Driver != "" || c.DriverOpts != nil {
		m.VolumeOptions.DriverConfig = &mount.Driver{Name: c.Driver, Options: c.DriverOpts}
	}
}

// bindOptions are nil where the file has none: what compose-go makes of a
// mount in short form says only that the folder is created.
func bindOptions(b *types.ServiceVolumeBind) *mount.BindOptions {
	if b == nil {
		return nil
	}
	out := mount.BindOptions{
		Propagation:            mount.Propagation(b.Propagation),
		NonRecursive:           b.Recursive == "disabled",
		ReadOnlyNonRecursive:   b.Recursive == "writable",
		ReadOnlyForceRecursive: b.Recursive == "readonly",
	}
	if bool(b.CreateHostPath) && out == (mount.BindOptions{}) {
		return nil
	}
	return &out
}

// parseTmpfs reads the short form /path:size=64m,mode=1777.
func parseTmpfs(text string) (mount.Mount, error) {
	target, options, _ := strings.Cut(text, ":")
	m := mount.Mount{Type: mount.TypeTmpfs, Target: path.Clean(target)}
	if !path.IsAbs(target) {
		return m, fmt.Errorf("the tmpfs target %s is not an absolute path", target)
	}
	if options == "" {
		return m, nil
	}
	m.TmpfsOptions = &mount.TmpfsOptions{}
	for _, option := range strings.Split(options, ",") {
		name, value, hasValue := strings.Cut(option, "=")
		switch name {
		case "size":
			size, err := units.RAMInBytes(value)
			if err != nil || size < 0 {
				return m, fmt.Errorf("the size of the tmpfs at %s is not a size", target)
			}
			m.TmpfsOptions.SizeBytes = size
		case "mode":
			bits, err := strconv.ParseUint(value, 8, 32)
			if err != nil {
				return m, fmt.Errorf("the mode of the tmpfs at %s is not octal", target)
			}
			m.TmpfsOptions.Mode = os.FileMode(bits)
		case "ro":
			m.ReadOnly = true
		default:
			o := []string{name}
			if hasValue {
				o = append(o, value)
			}
			m.TmpfsOptions.Options = append(m.TmpfsOptions.Options, o)
		}
	}
	return m, nil
}

// writtenTargets are the targets of mounts in short form as they were written,
// by what compose-go cleans them to: docker stack deploy leaves /data/ as it
// is, and another spelling would restart tasks.
func (l *loading) writtenTargets(service string) map[string]string {
	out := map[string]string{}
	l.eachList([]string{"services", service, "volumes"}, func(d *document, list *yaml.Node) {
		for _, item := range scalars(list) {
			text, _ := d.text(item)
			if v, err := format.ParseVolume(text); err == nil && v.Target != "" {
				out[path.Clean(v.Target)] = v.Target
			}
		}
	})
	return out
}
