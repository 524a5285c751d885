package spec

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"gopkg.in/yaml.v3"
)

// Live is what a Swarm has of one stack, in the words of lowering: service
// specs name networks, secrets and configs, and hold no ids.
type Live struct {
	Name     string
	Services []swarm.ServiceSpec
	// All that the Swarm has, by name; what does not carry the stack's
	// namespace is external to it.
	Networks map[string]network.Summary
	Volumes  map[string]*volume.Volume // of the node that answered
	Secrets  map[string]swarm.SecretSpec
	Configs  map[string]swarm.ConfigSpec
	// Pools are where Swarm takes the subnets of networks from that ask for
	// none, PoolBits long each.
	Pools    []netip.Prefix
	PoolBits int
}

// SecretsFrom says how an exported spec speaks of the stack's secrets, which
// no Swarm gives back.
type SecretsFrom string

// External secrets are used as they are; those from the environment need their
// content at every load.
const (
	SecretsExternal    SecretsFrom = "external"
	SecretsEnvironment SecretsFrom = "environment"
)

// ExportOptions are the choices that a live stack leaves open.
type ExportOptions struct {
	Pin     bool        // keep the digests that the Engine pinned images to
	Secrets SecretsFrom // external when empty
	// Dir is where the contents of configs go that are better not in the spec,
	// as the spec says it. Empty: everything is in the spec.
	Dir string
	// Ignore becomes x-swarmward.ignore.
	Ignore []string
	// Notes of the caller go to the top, with those of Export.
	Notes []string
	// Known is what no Swarm keeps, where somebody else does; nil: nobody.
	Known *Known
}

// Known is what only a spec says.
type Known struct {
	About     string // where all of it is from, for the first line
	Settings  Settings
	DependsOn map[string]map[string]Condition // by service key
	// Keys have the spec's own for full names, by section: secrets.
	Keys map[string]map[string]string
}

// Exported is a spec and what belongs to it.
type Exported struct {
	YAML []byte
	// Files are contents of configs, by name in Dir.
	Files map[string][]byte
	// Notes say what the spec cannot, or had to guess. They are comments at its
	// top as well.
	Notes []string
	// Variables have to be set to load the spec, sorted.
	Variables []string
}

// Export is the inverse of lowering: a spec which, loaded and lowered, is what
// the Swarm has. What Compose has no words for is in Notes. It fails on a
// config that only a file could hold, when there is no Dir.
func Export(live Live, o ExportOptions) (*Exported, error) {
	x := &exporting{live: live, options: o, out: &Exported{Files: map[string][]byte{}}}
	x.gather()
	services, sections := newObject(), newObject()
	for _, s := range x.services() {
		services.put(x.serviceKey(s), x.service(s))
	}
	configs, err := x.configSection()
	if err != nil {
		return nil, err
	}
	sections.put("name", plain(live.Name))
	sections.object("services", services)
	sections.object("networks", x.networkSection())
	sections.object("volumes", x.volumeSection())
	sections.object("configs", configs)
	sections.object("secrets", x.secretSection())
	if o.Known != nil {
		sections.object("x-swarmward", x.settings(o.Known.Settings))
	} else if len(o.Ignore) > 0 {
		settings := newObject()
		settings.put("ignore", &yaml.Node{Kind: yaml.SequenceNode, Content: texts(o.Ignore)})
		sections.object("x-swarmward", settings)
	}
	x.out.Notes = append(x.out.Notes, o.Notes...)
	slices.Sort(x.out.Variables)
	body, err := encode(sections)
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", live.Name, err)
	}
	x.out.YAML = append(x.header(), body...)
	return x.out, nil
}

// exporting is one Export under way.
type exporting struct {
	live    Live
	options ExportOptions
	out     *Exported

	networks, secrets, configs, volumes names
	mounted                             map[string]*mountedVolume // by full name
}

// note says what the spec cannot.
func (x *exporting) note(format string, args ...any) {
	x.out.Notes = append(x.out.Notes, fmt.Sprintf(format, args...))
}

func (x *exporting) header() []byte {
	var b bytes.Buffer
	if k := x.options.Known; k != nil {
		fmt.Fprintf(&b, "# Stack %s, %s. The comments that its file had are not here.\n", x.live.Name, k.About)
	} else {
		fmt.Fprintf(&b, "# Stack %s, as it is in the Swarm. What Swarm does not keep is not here:\n", x.live.Name)
		b.WriteString("# depends_on, the checks of x-swarmward, comments.\n")
	}
	comment := func(heading string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "#\n# %s\n", heading)
		for _, l := range lines {
			fmt.Fprintf(&b, "#   %s\n", strings.ReplaceAll(l, "\n", `\n`))
		}
	}
	comment("These variables hold the secrets; set them in .env or in the environment:", x.out.Variables)
	comment("Mind:", x.out.Notes)
	return b.Bytes()
}

// services are those that a spec can name, sorted.
func (x *exporting) services() []swarm.ServiceSpec {
	var out []swarm.ServiceSpec
	for _, s := range x.live.Services {
		switch {
		case !strings.HasPrefix(s.Name, x.live.Name+"_"):
			x.note("service %s is left out: the services of stack %s have names that begin with %s_", s.Name, x.live.Name, x.live.Name)
		case s.TaskTemplate.ContainerSpec == nil:
			x.note("service %s is left out: it runs no containers", s.Name)
		default:
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b swarm.ServiceSpec) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (x *exporting) serviceKey(s swarm.ServiceSpec) string {
	return strings.TrimPrefix(s.Name, x.live.Name+"_")
}

// owns says whether the stack made what has these labels.
func (x *exporting) owns(labels map[string]string) bool {
	return labels[LabelNamespace] == x.live.Name
}

// Marks of swarmward begin with this, whatever the object.
const markPrefix = "swarmward."

// own are the labels that a person gave.
func (x *exporting) own(labels map[string]string) map[string]string {
	out := maps.Clone(labels)
	maps.DeleteFunc(out, func(k, v string) bool {
		return strings.HasPrefix(k, markPrefix) || k == LabelNamespace && v == x.live.Name
	})
	return out
}

func marked(labels map[string]string) bool {
	for k := range labels {
		if strings.HasPrefix(k, markPrefix) {
			return true
		}
	}
	return false
}
