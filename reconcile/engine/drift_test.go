package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// What a plan says of one object: its action and the paths that it shows.
func saysOf(p *reconcile.Plan, kind reconcile.Kind, name string) string {
	var out []string
	for _, c := range p.Changes {
		if c.Kind != kind || c.Name != name || c.Action == reconcile.ActionRemove {
			continue
		}
		s := string(c.Action)
		for _, f := range c.Fields {
			s += " " + strings.TrimPrefix(f.Path, string(kind)+"s."+name+".")
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// Networks are made again by hand with another option. Swarm cannot change one
// in place: one of the stack's own is blocked, another's is noted.
func TestEveryNetworkChangeIsSeen(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		base := func() network.CreateOptions {
			return network.CreateOptions{
				Driver: "overlay", Attachable: true, Options: map[string]string{"com.example.one": "1"},
				IPAM:   &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.77.0.0/24", Gateway: "10.77.0.254", IPRange: "10.77.0.0/25"}}},
				Labels: map[string]string{spec.LabelNamespace: stackName, "plain": "1"},
			}
		}
		for _, c := range []struct {
			change func(*network.CreateOptions)
			shows  string
		}{
			{func(*network.CreateOptions) {}, ""},
			{func(o *network.CreateOptions) { o.Attachable = false }, " attachable"},
			{func(o *network.CreateOptions) { o.Internal = true }, " internal"},
			{func(o *network.CreateOptions) { o.EnableIPv6 = new(true) }, " enable_ipv6"},
			{func(o *network.CreateOptions) { o.Options["com.example.one"] = "2" }, ` driver_opts."com.example.one"`},
			{func(o *network.CreateOptions) { o.Options = nil }, ` driver_opts."com.example.one"`},
			{func(o *network.CreateOptions) { o.Options["encrypted"] = "" }, " driver_opts.encrypted"},
			{func(o *network.CreateOptions) { o.IPAM.Config[0] = network.IPAMConfig{Subnet: "10.78.0.0/24"} }, " ipam"},
			{func(o *network.CreateOptions) { o.IPAM.Config[0].Gateway = "10.77.0.253" }, " ipam"},
			{func(o *network.CreateOptions) { o.IPAM.Config[0].IPRange = "" }, " ipam"},
			{func(o *network.CreateOptions) { o.IPAM = nil }, " ipam"},
			{func(o *network.CreateOptions) { o.Labels["plain"] = "2" }, " labels.plain"},
			{func(o *network.CreateOptions) { o.Labels["added"] = "1" }, " labels.added"},
			{func(o *network.CreateOptions) { delete(o.Labels, "plain") }, " labels.plain"},
		} {
			for _, own := range []bool{true, false} {
				n := spec.Network{Key: "net", Name: stackName + "_net", Create: base()}
				live := base()
				verdict := "blocked"
				if !own {
					n.Name, n.Explicit, verdict = "shared", true, "note"
				}
				c.change(&live)
				r, err := b.api.NetworkCreate(b.Context(), n.Name, live)
				b.must(err)
				b.allocated(r.ID)
				want := ""
				if c.shows != "" {
					want = verdict + c.shows
				}
				if got := saysOf(b.plan(&spec.Stack{Name: stackName, Networks: []spec.Network{n}}), reconcile.KindNetwork, "net"); got != want {
					b.Errorf("%+v: the plan says %q, want %q", live, got, want)
				}
				b.must(b.api.NetworkRemove(b.Context(), r.ID))
			}
		}
	})
}

// allocated waits until the Swarm has given a network its addresses.
func (b *bench) allocated(id string) {
	for {
		n, err := b.api.NetworkInspect(b.Context(), id, network.InspectOptions{})
		b.must(err)
		if n.Driver != "" {
			return
		}
	}
}

func TestEveryVolumeChangeIsSeen(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		options := map[string]string{"type": "tmpfs", "device": "tmpfs"}
		labels := map[string]string{spec.LabelNamespace: stackName, "plain": "1"}
		for _, c := range []struct {
			what          string
			live          volume.CreateOptions
			owned, shared string
		}{
			{"the same", volume.CreateOptions{DriverOpts: options, Labels: labels}, "", ""},
			{"an option", volume.CreateOptions{DriverOpts: map[string]string{"type": "tmpfs", "device": "none"}, Labels: labels}, "blocked driver_opts.device", "blocked driver_opts.device"},
			{"an option more", volume.CreateOptions{DriverOpts: map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, Labels: labels}, "blocked driver_opts.o", "blocked driver_opts.o"},
			{"no options", volume.CreateOptions{Labels: labels}, "blocked driver_opts.device driver_opts.type", "blocked driver_opts.device driver_opts.type"},
			{"a label", volume.CreateOptions{DriverOpts: options, Labels: map[string]string{spec.LabelNamespace: stackName, "plain": "2"}}, "note labels.plain", "note labels.plain"},
			{"somebody's own", volume.CreateOptions{DriverOpts: map[string]string{"type": "tmpfs", "device": "none"}, Labels: map[string]string{"plain": "1"}}, "blocked driver_opts.device", "note driver_opts.device"},
		} {
			for _, explicit := range []bool{false, true} {
				v := spec.Volume{Key: "data", Name: stackName + "_data", Create: volume.CreateOptions{Driver: "local", DriverOpts: options, Labels: labels}}
				want := c.owned
				if explicit {
					v.Name, v.Explicit, want = "shared", true, c.shared
				}
				c.live.Name = v.Name
				_, err := b.api.VolumeCreate(b.Context(), c.live)
				b.must(err)
				if got := saysOf(b.plan(&spec.Stack{Name: stackName, Volumes: []spec.Volume{v}}), reconcile.KindVolume, "data"); got != want {
					b.Errorf("%s: the plan says %q, want %q", c.what, got, want)
				}
				b.must(b.api.VolumeRemove(b.Context(), v.Name, false))
			}
		}
	})
}

// Secrets and configs: labels changed by hand, and the object removed and made
// again by hand.
func TestEverySecretAndConfigChangeIsSeen(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		stack := stackOf()
		b.apply(stack)
		b.settled(stack, "after the stack was made")
		name := stackName + "_one"
		for what, change := range map[string]func(map[string]string){
			"labels.added":                         func(l map[string]string) { l["added"] = "1" },
			`labels."` + spec.LabelNamespace + `"`: func(l map[string]string) { delete(l, spec.LabelNamespace) },
		} {
			s, _, err := b.api.SecretInspectWithRaw(b.Context(), name)
			b.must(err)
			change(s.Spec.Labels)
			b.must(b.api.SecretUpdate(b.Context(), s.ID, s.Version, s.Spec))
			c, _, err := b.api.ConfigInspectWithRaw(b.Context(), name)
			b.must(err)
			change(c.Spec.Labels)
			b.must(b.api.ConfigUpdate(b.Context(), c.ID, c.Version, c.Spec))
			p := b.apply(stack)
			for _, kind := range []reconcile.Kind{reconcile.KindSecret, reconcile.KindConfig} {
				if got := saysOf(p, kind, "one"); got != "update "+what {
					b.Errorf("%s: the plan says %q of the %s", what, got, kind)
				}
			}
			b.settled(stack, "after labels were taken back")
		}

		b.must(b.api.SecretRemove(b.Context(), name))
		b.must(b.api.ConfigRemove(b.Context(), name))
		p := b.plan(stack)
		if s, c := saysOf(p, reconcile.KindSecret, "one"), saysOf(p, reconcile.KindConfig, "one"); s != "create" || c != "create" {
			b.Errorf("removed by hand: the plan says %q and %q", s, c)
		}
		_, err := b.api.SecretCreate(b.Context(), swarm.SecretSpec{Annotations: object("one"), Data: []byte("somebody's")})
		b.must(err)
		_, err = b.api.ConfigCreate(b.Context(), swarm.ConfigSpec{Annotations: object("one"), Data: []byte("somebody's")})
		b.must(err)
		p = b.apply(stack)
		if s, c := saysOf(p, reconcile.KindSecret, "one"), saysOf(p, reconcile.KindConfig, "one"); s != "adopt" || c != "create content" {
			b.Errorf("made again by hand: the plan says %q and %q", s, c)
		}
		if !slices.ContainsFunc(p.Changes, func(c reconcile.Change) bool { return c.Object == name+".r2" }) {
			b.Errorf("no next revision of the config:\n%s", p)
		}
		b.settled(stack, "after the next revision was made")
	})
}
