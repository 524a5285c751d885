package spec

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"gopkg.in/yaml.v3"
)

// service is the inverse of lowering.service.
func (x *exporting) service(s swarm.ServiceSpec) *yaml.Node {
	key, c, o := x.serviceKey(s), s.TaskTemplate.ContainerSpec, newObject()
	o.text("image", x.image(key, s))
	o.text("platform", platform(s))
	o.texts("entrypoint", c.Command)
	o.texts("command", c.Args)
	o.text("hostname", c.Hostname)
	o.text("user", c.User)
	o.unique("group_add", c.Groups)
	o.text("working_dir", c.Dir)
	o.put("environment", x.environment(key, c.Env))
	o.put("configs", x.configRefs(key, c.Configs))
	o.put("secrets", x.secretRefs(key, c.Secrets))
	o.object("credential_spec", x.credentials(c.Privileges))
	o.put("volumes", x.mounts(key, c))
	o.put("tmpfs", tmpfsMounts(c.Mounts))
	o.put("networks", x.attachments(key, s))
	x.dns(o, c)
	o.unique("extra_hosts", x.extraHosts(key, c.Hosts))
	o.put("ports", ports(s.EndpointSpec))
	if c.Healthcheck != nil {
		o.present("healthcheck", health(c.Healthcheck))
	}
	if d := s.TaskTemplate.LogDriver; d != nil {
		logging := newObject()
		logging.text("driver", d.Name)
		logging.mapping("options", d.Options)
		o.present("logging", logging)
	}
	x.process(o, c)
	o.pairs("labels", x.own(c.Labels))
	o.object("depends_on", x.dependsOn(key))
	o.object("deploy", x.deploy(key, s))
	if s.TaskTemplate.ForceUpdate != 0 {
		x.note("services.%s: was restarted with docker service update --force, which Swarm counts and no file says", key)
	}
	return &o.Node
}

// dependsOn is in no Swarm.
func (x *exporting) dependsOn(key string) *object {
	o := newObject()
	if k := x.options.Known; k != nil {
		for _, dep := range slices.Sorted(maps.Keys(k.DependsOn[key])) {
			condition := newObject()
			condition.text("condition", string(k.DependsOn[key][dep]))
			o.put(dep, condition.flow())
		}
	}
	return o
}

// process are the lesser properties of a container.
func (x *exporting) process(o *object, c *swarm.ContainerSpec) {
	if c.Init != nil {
		o.put("init", plain(*c.Init))
	}
	o.flag("read_only", c.ReadOnly)
	o.flag("tty", c.TTY)
	o.flag("stdin_open", c.OpenStdin)
	o.text("stop_signal", c.StopSignal)
	if c.StopGracePeriod != nil {
		o.put("stop_grace_period", period(*c.StopGracePeriod))
	}
	o.unique("cap_add", withoutCap(c.CapabilityAdd))
	o.unique("cap_drop", withoutCap(c.CapabilityDrop))
	o.object("ulimits", limits(c.Ulimits))
	o.pairs("sysctls", c.Sysctls)
	o.number("oom_score_adj", c.OomScoreAdj)
	if c.Isolation != container.IsolationDefault {
		o.text("isolation", string(c.Isolation))
	}
}

// image is the one that people chose: without the digest that the Engine found
// for it.
func (x *exporting) image(key string, s swarm.ServiceSpec) string {
	live, label := s.TaskTemplate.ContainerSpec.Image, s.Labels[LabelImage]
	chosen := chosenImage(live, label)
	if label != "" && chosen != label {
		x.note("services.%s.image: %s was put there by hand, after a deploy with %s", key, chosen, label)
	}
	if x.options.Pin && chosen != live {
		x.note("services.%s.image: pinned; the label %s has it without the digest", key, LabelImage)
		return live
	}
	return chosen
}

// chosenImage is what a person wrote: the label, where docker stack deploy
// left one and it means the image that runs.
func chosenImage(live, label string) string {
	n, err := reference.ParseNormalizedNamed(live)
	if err != nil {
		return live
	}
	if l, err := reference.ParseNormalizedNamed(label); err == nil && l.Name() == n.Name() {
		digest, pinned := l.(reference.Digested)
		runs, _ := n.(reference.Digested)
		if pinned && runs != nil && digest.Digest() == runs.Digest() || !pinned && tagOf(l) == tagOf(n) {
			return label
		}
	}
	if name, _, pinned := strings.Cut(live, "@"); pinned && tagged(n) {
		return name
	}
	return live
}

func tagged(n reference.Named) bool { _, ok := n.(reference.Tagged); return ok }

// tagOf is latest for a reference without tag and digest.
func tagOf(n reference.Named) string {
	if t, ok := reference.TagNameOnly(n).(reference.Tagged); ok {
		return t.Tag()
	}
	return ""
}

// platform is written where a person asked for one; else the client of the
// Engine wrote those that the registry has the image for.
func platform(s swarm.ServiceSpec) string {
	p := s.TaskTemplate.Placement
	if p == nil || len(p.Platforms) != 1 || strings.Contains(s.TaskTemplate.ContainerSpec.Image, "@") {
		return ""
	}
	return strings.TrimSuffix(p.Platforms[0].OS+"/"+p.Platforms[0].Architecture, "/")
}

func (x *exporting) environment(key string, env []string) *yaml.Node {
	values, bare := map[string]string{}, map[string]bool{}
	extended := false
	for _, line := range env {
		name, value, ok := strings.Cut(line, "=")
		if _, twice := values[name]; twice {
			x.note("services.%s.environment.%s: is set twice, and the last value holds", key, name)
		}
		if !ok {
			x.note("services.%s.environment.%s: has no value in the Swarm, and takes one from where the file is loaded", key, name)
		}
		values[name], bare[name] = value, !ok
		extended = extended || strings.HasPrefix(name, "x-")
	}
	o, lines := newObject(), []string(nil)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if bare[name] {
			lines = append(lines, name)
			o.put(name, plain(nil))
			continue
		}
		lines = append(lines, name+"="+values[name])
		o.put(name, text(values[name]))
	}
	switch {
	case len(env) == 0:
		return nil
	case extended: // as a mapping, that is an extension to Compose
		return list(texts(lines)...)
	}
	return &o.Node
}

func (x *exporting) dns(o *object, c *swarm.ContainerSpec) {
	d := c.DNSConfig
	if d == nil {
		return
	}
	o.unique("dns", d.Nameservers)
	o.unique("dns_search", d.Search)
	o.unique("dns_opt", d.Options)
	if len(d.Nameservers)+len(d.Search)+len(d.Options) == 0 && x.owns(c.Labels) {
		o.put("dns", list())
	}
}

// extraHosts turns "IP name" into name:IP, and into name=IP for IPv6.
func (x *exporting) extraHosts(key string, lines []string) []string {
	var out []string
	for _, line := range lines {
		ip, name, ok := strings.Cut(line, " ")
		switch {
		case !ok || strings.ContainsAny(name, "=:"):
			x.note("services.%s.extra_hosts: %q is no address with a name", key, line)
		case strings.Contains(ip, ":"):
			out = append(out, name+"="+ip)
		default:
			out = append(out, name+":"+ip)
		}
	}
	return out
}

func health(h *container.HealthConfig) *object {
	o := newObject()
	rest := *h
	rest.Test = nil
	quiet := rest.Interval == 0 && rest.Timeout == 0 && rest.StartPeriod == 0 && rest.StartInterval == 0 && rest.Retries == 0
	if quiet && slices.Equal(h.Test, []string{"NONE"}) {
		o.flag("disable", true)
		return o
	}
	o.texts("test", h.Test)
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"interval", h.Interval}, {"timeout", h.Timeout}, {"start_period", h.StartPeriod}, {"start_interval", h.StartInterval}} {
		if d.value != 0 {
			o.put(d.key, period(d.value))
		}
	}
	o.number("retries", int64(h.Retries))
	return o
}

// period is a duration as people write it: 1m, not 1m0s.
func period(d time.Duration) *yaml.Node {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return text(s)
}

func withoutCap(list []string) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = strings.TrimPrefix(c, "CAP_")
	}
	return out
}

func limits(list []*container.Ulimit) *object {
	o := newObject()
	for _, u := range list {
		if u.Soft == u.Hard && u.Soft != 0 {
			o.put(u.Name, plain(u.Soft))
			continue
		}
		l := newObject()
		l.put("soft", plain(u.Soft))
		l.put("hard", plain(u.Hard))
		o.put(u.Name, l.flow())
	}
	return o
}

func ports(e *swarm.EndpointSpec) *yaml.Node {
	if e == nil || len(e.Ports) == 0 {
		return nil
	}
	var items []*yaml.Node
	for _, p := range e.Ports {
		items = append(items, port(p))
	}
	return list(items...)
}

// port is short where that says it all: 8080:80/udp.
func port(p swarm.PortConfig) *yaml.Node {
	if p.Name == "" && (p.PublishMode == "" || p.PublishMode == swarm.PortConfigPublishModeIngress) {
		short := strconv.Itoa(int(p.TargetPort))
		if p.PublishedPort != 0 {
			short = fmt.Sprintf("%d:%s", p.PublishedPort, short)
		}
		if p.Protocol != "" && p.Protocol != swarm.PortConfigProtocolTCP {
			short += "/" + string(p.Protocol)
		}
		n := text(short)
		n.Style = yaml.DoubleQuotedStyle // to some readers 22:22 is a number
		return n
	}
	o := newObject()
	o.text("name", p.Name)
	o.number("target", int64(p.TargetPort))
	o.number("published", int64(p.PublishedPort))
	if p.Protocol != swarm.PortConfigProtocolTCP {
		o.text("protocol", string(p.Protocol))
	}
	o.text("mode", string(p.PublishMode))
	return o.flow()
}
