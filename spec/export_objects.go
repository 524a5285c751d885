package spec

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"gopkg.in/yaml.v3"
)

// external is something that must exist and is not the stack's.
func external(key, name string) *yaml.Node {
	o := newObject()
	o.flag("external", true)
	if name != key {
		o.text("name", name)
	}
	return o.flow()
}

// named writes name: where it is not the one that the key implies.
func (x *exporting) named(o *object, key, name string) {
	if name != x.live.Name+"_"+key {
		o.text("name", name)
	}
}

func (x *exporting) networkSection() *object {
	section := newObject()
	for _, name := range x.networks.sorted() {
		key, n := x.networks.keys[name], x.live.Networks[name]
		if !x.owns(n.Labels) {
			section.put(key, external(key, name))
			continue
		}
		o := newObject()
		x.named(o, key, name)
		x.network(o, n)
		if !o.empty() || key != defaultNetwork {
			section.present(key, o)
			x.chosenSubnets(section, n.IPAM)
		}
	}
	return section
}

// The Engine's own notes among the options of an overlay network.
const vxlanOption = "com.docker.network.driver.overlay.vxlanid_list"

func (x *exporting) network(o *object, n network.Summary) {
	if n.Driver != "overlay" {
		o.text("driver", n.Driver)
	}
	o.flag("attachable", n.Attachable)
	o.flag("internal", n.Internal)
	o.flag("enable_ipv6", n.EnableIPv6)
	options := maps.Clone(n.Options)
	delete(options, vxlanOption)
	o.mapping("driver_opts", options)
	o.object("ipam", x.ipam(n.IPAM))
	o.pairs("labels", x.own(n.Labels))
}

// ipam leaves out what Swarm chooses by itself when it is not told.
func (x *exporting) ipam(from network.IPAM) *object {
	o := newObject()
	if from.Driver != "default" {
		o.text("driver", from.Driver)
	}
	var pools []*yaml.Node
	for _, c := range from.Config {
		if x.fromPool(c) {
			continue
		}
		pool := newObject()
		pool.text("subnet", c.Subnet)
		pool.text("ip_range", c.IPRange)
		pool.text("gateway", c.Gateway)
		pool.mapping("aux_addresses", c.AuxAddress)
		pools = append(pools, pool.flow())
	}
	if len(pools) > 0 {
		o.put("config", list(pools...))
	}
	if !o.empty() {
		o.mapping("options", from.Options)
	}
	return o
}

// chosenSubnets says beside the network just written which subnets it has that
// the spec does not say.
func (x *exporting) chosenSubnets(section *object, from network.IPAM) {
	for _, c := range from.Config {
		if x.fromPool(c) {
			section.Content[len(section.Content)-2].HeadComment = "# On " + c.Subnet + ", as Swarm chooses when it is not told."
		}
	}
}

// fromPool says whether a subnet is like those that Swarm chooses.
func (x *exporting) fromPool(c network.IPAMConfig) bool {
	subnet, err := netip.ParsePrefix(c.Subnet)
	if err != nil || subnet.Bits() != x.live.PoolBits || c.IPRange != "" || len(c.AuxAddress) > 0 ||
		c.Gateway != "" && c.Gateway != subnet.Addr().Next().String() {
		return false
	}
	return slices.ContainsFunc(x.live.Pools, func(p netip.Prefix) bool { return p.Contains(subnet.Addr()) })
}

func (x *exporting) volumeSection() *object {
	section := newObject()
	for _, name := range x.volumes.sorted() {
		key, v := x.volumes.keys[name], x.mounted[name]
		if !v.own {
			section.put(key, external(key, name))
			continue
		}
		o := newObject()
		x.named(o, key, name)
		if d := v.driver; d != nil {
			o.text("driver", d.Name)
			o.mapping("driver_opts", d.Options)
			if d.Name == "" && len(d.Options) == 0 {
				o.present("driver_opts", newObject())
			}
		}
		o.pairs("labels", v.labels)
		section.present(key, o)
	}
	return section
}

func (x *exporting) secretSection() *object {
	section := newObject()
	for _, name := range x.secrets.sorted() {
		key, s := x.secrets.keys[name], x.live.Secrets[name]
		if !x.owns(s.Labels) || x.options.Secrets != SecretsEnvironment && s.Driver == nil {
			section.put(key, external(key, name))
			continue
		}
		o := newObject()
		x.named(o, key, cmp.Or(x.secrets.bases[name], name))
		if s.Driver != nil {
			o.text("driver", s.Driver.Name)
			o.mapping("driver_opts", s.Driver.Options)
		} else {
			variable := variableName(key)
			for slices.Contains(x.out.Variables, variable) {
				variable += "_"
			}
			x.out.Variables = append(x.out.Variables, variable)
			o.text("environment", variable)
		}
		templated(o, s.Templating)
		o.pairs("labels", x.own(s.Labels))
		section.put(key, &o.Node)
	}
	return section
}

func templated(o *object, d *swarm.Driver) {
	if d != nil {
		o.text("template_driver", d.Name)
	}
}

// variableName is redis_password as people name variables: REDIS_PASSWORD.
func variableName(key string) string {
	name := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToUpper(r)
		}
		return '_'
	}, key)
	if name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}

func (x *exporting) configSection() (*object, error) {
	section := newObject()
	for _, name := range x.configs.sorted() {
		key, c := x.configs.keys[name], x.live.Configs[name]
		if !x.owns(c.Labels) {
			section.put(key, external(key, name))
			continue
		}
		o := newObject()
		x.named(o, key, cmp.Or(x.configs.bases[name], name))
		templated(o, c.Templating)
		o.pairs("labels", x.own(c.Labels))
		if err := x.content(o, key, c.Data); err != nil {
			return nil, err
		}
		section.put(key, &o.Node)
	}
	return section, nil
}

// Contents longer than this are better read in a file of their own.
const longContent = 8 << 10

func (x *exporting) content(o *object, key string, data []byte) error {
	written := isText(data)
	switch {
	case written && (x.options.Dir == "" || len(data) <= longContent):
		o.text("content", string(data))
	case x.options.Dir == "":
		return fmt.Errorf("config %s_%s is no text, which a spec cannot hold; give --dir DIR to have it written to a file there", x.live.Name, key)
	default:
		x.out.Files[key] = data
		path := strings.TrimSuffix(x.options.Dir, "/") + "/" + key
		if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, ".") {
			path = "./" + path
		}
		o.text("file", path)
	}
	return nil
}

func isText(data []byte) bool {
	return utf8.Valid(data) && !slices.ContainsFunc([]rune(string(data)), func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) || r == '\ufeff'
	})
}
