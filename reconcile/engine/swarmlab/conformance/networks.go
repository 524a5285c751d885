package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

const networkSection = "4 networks"

// tryNetwork makes a network that goes when the trial ends, and its services
// have gone.
func (t *trial) tryNetwork(name string, o network.CreateOptions) (string, error) {
	r, err := t.NetworkCreate(t.Context(), name, o)
	if err == nil {
		t.Cleanup(func() {
			// Its services have been told to go; their tasks may still be there.
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			for t.NetworkRemove(ctx, r.ID) != nil && ctx.Err() == nil {
				if _, err := t.NetworkInspect(ctx, r.ID, network.InspectOptions{Scope: "swarm"}); errdefs.IsNotFound(err) {
					return
				}
			}
		})
	}
	return r.ID, err
}

func (t *trial) network(suffix string) string {
	t.Helper()
	id, err := t.tryNetwork(t.name(suffix), network.CreateOptions{Driver: "overlay"})
	t.must(err)
	return id
}

// allocated waits until the Swarm has given the network its addresses.
func (t *trial) allocated(id string) network.Inspect {
	t.Helper()
	var n network.Inspect
	t.sure("the network is allocated", func() bool {
		var err error
		n, err = t.NetworkInspect(t.Context(), id, network.InspectOptions{})
		t.must(err)
		return n.Driver != "" && len(n.IPAM.Config) > 0
	})
	return n
}

func networkRows() []Row {
	net := func(name string, want Want, try func(*trial) string) Row {
		return Row{Section: networkSection, Name: name, Want: want, try: try}
	}
	made := func(name, want string, o network.CreateOptions) Row {
		return net(name, is(want), func(t *trial) string {
			_, err := t.tryNetwork(t.name("n"), o)
			return t.outcome(err)
		})
	}
	shown := func(name, want string, o network.CreateOptions, what func(network.Inspect) any) Row {
		return net(name, is(want), func(t *trial) string {
			id, err := t.tryNetwork(t.name("n"), o)
			t.must(err)
			return fmt.Sprint(what(t.allocated(id)))
		})
	}
	attached := func(name, target string, want Want) Row {
		return net(name, want, func(t *trial) string {
			return t.outcome(t.tryCreate(t.spec("a", at(inTask+"Networks", `[{"Target":"`+target+`"}]`))))
		})
	}
	subnet := func(cidr, gateway string) *network.IPAM {
		return &network.IPAM{Config: []network.IPAMConfig{{Subnet: cidr, Gateway: gateway}}}
	}
	return []Row{
		shown("an overlay network", "swarm overlay false false false", network.CreateOptions{Driver: "overlay"}, func(n network.Inspect) any {
			return fmt.Sprint(n.Scope, " ", n.Driver, " ", n.Attachable, " ", n.Internal, " ", n.Ingress)
		}),
		shown("attachable and internal", "true true", network.CreateOptions{Driver: "overlay", Attachable: true, Internal: true}, func(n network.Inspect) any {
			return fmt.Sprint(n.Attachable, " ", n.Internal)
		}),
		shown("labels", "map[a:b]", network.CreateOptions{Driver: "overlay", Labels: map[string]string{"a": "b"}}, func(n network.Inspect) any { return n.Labels }),
		shown("a subnet of one's own", "10.77.1.0/24 10.77.1.9", network.CreateOptions{Driver: "overlay", IPAM: subnet("10.77.1.0/24", "10.77.1.9")}, func(n network.Inspect) any {
			return n.IPAM.Config[0].Subnet + " " + n.IPAM.Config[0].Gateway
		}),
		shown("the allocator adds a subnet and an option", "10.0.…/24 [com.docker.network.driver.overlay.vxlanid_list]", network.CreateOptions{Driver: "overlay"}, func(n network.Inspect) any {
			var keys []string
			for k := range n.Options {
				keys = append(keys, k)
			}
			return fmt.Sprint(n.IPAM.Config[0].Subnet, " ", keys)
		}),
		shown("an unknown option is kept", "x", network.CreateOptions{Driver: "overlay", Options: map[string]string{"unknown": "x"}}, func(n network.Inspect) any { return n.Options["unknown"] }),
		shown("auxiliary addresses are dropped", "0", network.CreateOptions{Driver: "overlay", IPAM: &network.IPAM{Config: []network.IPAMConfig{{
			Subnet: "10.77.2.0/24", AuxAddress: map[string]string{"a": "10.77.2.7"},
		}}}}, func(n network.Inspect) any { return len(n.IPAM.Config[0].AuxAddress) }),
		made("no driver, with the Swarm's scope", "400 InvalidArgument: rpc error: code = InvalidArgument desc = driver name: if driver is specified name is required", network.CreateOptions{Scope: "swarm"}),
		made("unknown driver", `404 NotFound: plugin "nosuch" not found`, network.CreateOptions{Driver: "nosuch"}),
		net("malformed subnet", is("400 InvalidArgument: invalid network config:\ninvalid subnet bogus: invalid CIDR block notation").
			before("1.44", "500 Internal: Invalid subnet bogus : invalid CIDR address: bogus"), func(t *trial) string {
			_, err := t.tryNetwork(t.name("n"), network.CreateOptions{Driver: "overlay", IPAM: subnet("bogus", "")})
			return t.outcome(err)
		}),
		net("gateway outside the subnet", is("400 InvalidArgument: invalid network config:\ninvalid gateway 10.99.0.1: parent subnet 10.77.3.0/24 doesn't contain this address").
			before("1.44", "400 InvalidArgument: rpc error: code = InvalidArgument desc = ipam configuration: subnet 10.77.3.0/24 does not contain gateway 10.99.0.1"), func(t *trial) string {
			_, err := t.tryNetwork(t.name("n"), network.CreateOptions{Driver: "overlay", IPAM: subnet("10.77.3.0/24", "10.99.0.1")})
			return t.outcome(err)
		}),
		net("an overlapping subnet is taken, and never allocated", is("ok, driver \"\""), func(t *trial) string {
			id, err := t.tryNetwork(t.name("n"), network.CreateOptions{Driver: "overlay", IPAM: subnet("10.77.4.0/24", "")})
			t.must(err)
			t.allocated(id)
			id, err = t.tryNetwork(t.name("m"), network.CreateOptions{Driver: "overlay", IPAM: subnet("10.77.4.0/25", "")})
			out := t.outcome(err)
			// What comes after it is allocated.
			t.allocated(t.network("later"))
			n, err := t.NetworkInspect(t.Context(), id, network.InspectOptions{})
			t.must(err)
			return fmt.Sprintf("%s, driver %q", out, n.Driver)
		}),
		net("name taken", is("409 Conflict: network with name n already exists"), func(t *trial) string {
			t.network("n")
			_, err := t.tryNetwork(t.name("n"), network.CreateOptions{Driver: "overlay"})
			return t.outcome(err)
		}),
		net("name taken in another case", is("500 Internal: rpc error: code = Unknown desc = name conflicts with an existing object"), func(t *trial) string {
			t.network("n")
			_, err := t.tryNetwork(strings.ToUpper(t.name("n")), network.CreateOptions{Driver: "overlay"})
			return t.outcome(err)
		}),
		net("a predefined name", is("403 PermissionDenied: operation is not permitted on predefined none network"), func(t *trial) string {
			_, err := t.tryNetwork("none", network.CreateOptions{Driver: "overlay"})
			return t.outcome(err)
		}),
		net("removing one in use", is("400 InvalidArgument: rpc error: code = FailedPrecondition desc = network <id> is in use by service <id>"), func(t *trial) string {
			id := t.network("n")
			t.create("a", at(inTask+"Networks", `[{"Target":"{name}n"}]`))
			return t.outcome(t.NetworkRemove(t.Context(), id))
		}),
		net("removing one whose service was just removed", is("ok"), func(t *trial) string {
			id := t.network("n")
			s := t.create("a", at(inTask+"Networks", `[{"Target":"{name}n"}]`))
			t.must(t.ServiceRemove(t.Context(), s.ID))
			var out string
			t.sure("it can be removed", func() bool {
				out = t.outcome(t.NetworkRemove(t.Context(), id))
				return out == "ok" || !strings.Contains(out, "in use by service")
			})
			return out
		}),
		net("removing what is not there", is("404 NotFound: network n not found"), func(t *trial) string {
			return t.outcome(t.NetworkRemove(t.Context(), t.name("n")))
		}),
		net("inspecting what is not there", is("404 NotFound: network n not found"), func(t *trial) string {
			_, err := t.NetworkInspect(t.Context(), t.name("n"), network.InspectOptions{})
			return t.outcome(err)
		}),
		net("asking for the node's own networks alone excludes none that is asked for by id", is("ok"), func(t *trial) string {
			id := t.network("n")
			t.allocated(id)
			_, err := t.NetworkInspect(t.Context(), id, network.InspectOptions{Scope: "local"})
			return t.outcome(err)
		}),
		net("the local copy outlives the removal until the tasks end", is("gone in the end"), func(t *trial) string {
			id, err := t.tryNetwork(t.name("n"), network.CreateOptions{Driver: "overlay"})
			t.must(err)
			t.create("a", at("Mode.Replicated.Replicas", "1"), at(inTask+"Networks", `[{"Target":"{name}n"}]`), at("EndpointSpec", `{"Mode":"dnsrr"}`))
			t.awaitRunning("a")
			t.must(t.ServiceRemove(t.Context(), t.name("a")))
			t.sure("it can be removed", func() bool { return t.NetworkRemove(t.Context(), id) == nil })
			t.sure("the copy is gone", func() bool {
				_, err := t.NetworkInspect(t.Context(), id, network.InspectOptions{})
				return errdefs.IsNotFound(err)
			})
			return "gone in the end"
		}),
		net("a task has an address on its network", is("1 network, 1 address"), func(t *trial) string {
			id := t.network("n")
			t.create("a", at("Mode.Replicated.Replicas", "1"), at(inTask+"Networks", `[{"Target":"{name}n"}]`), at("EndpointSpec", `{"Mode":"dnsrr"}`))
			running := t.awaitRunning("a")
			found := 0
			for _, a := range running.NetworksAttachments {
				if a.Network.ID == id {
					found += len(a.Addresses)
				}
			}
			return count(len(running.NetworksAttachments)) + " network, " + count(found) + " address"
		}),
		net("docker_gwbridge knows the container of a task", is("an address"), func(t *trial) string {
			t.network("n")
			t.create("a", at("Mode.Replicated.Replicas", "1"), at(inTask+"Networks", `[{"Target":"{name}n"}]`), at("EndpointSpec", `{"Mode":"dnsrr"}`))
			running := t.awaitRunning("a")
			n, err := t.NetworkInspect(t.Context(), "docker_gwbridge", network.InspectOptions{})
			t.must(err)
			if n.Containers[running.Status.ContainerStatus.ContainerID].IPv4Address == "" {
				return "no address"
			}
			return "an address"
		}),
		net("a service by name comes back with its network's id", is("true"), func(t *trial) string {
			id := t.network("n")
			s := t.create("a", at(inTask+"Networks", `[{"Target":"{name}n","Aliases":["b","a","b"]}]`))
			n := s.Spec.TaskTemplate.Networks[0]
			return fmt.Sprint(n.Target == id && strings.Join(n.Aliases, " ") == "b a b")
		}),
		net("a service by the beginning of a network's id", is("true"), func(t *trial) string {
			id := t.network("n")
			s := t.create("a", at(inTask+"Networks", `[{"Target":"`+id[:20]+`"}]`))
			return fmt.Sprint(s.Spec.TaskTemplate.Networks[0].Target == id)
		}),
		attached("attaching to one that is missing", "nowhere", is("500 Internal: network nowhere not found")),
		attached("attaching to ingress", "ingress", is(`400 InvalidArgument: rpc error: code = InvalidArgument desc = Service cannot be explicitly attached to the ingress network "ingress"`)),
		attached("attaching to docker_gwbridge", "docker_gwbridge", is("403 PermissionDenied: The network docker_gwbridge cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.")),
		attached("attaching to none", "none", is("404 NotFound: could not find the corresponding predefined swarm network: network none not found")),
		net("virtual addresses", is("1 address on n"), func(t *trial) string {
			id := t.network("n")
			t.create("a", at(inTask+"Networks", `[{"Target":"{name}n"}]`))
			var s swarm.Service
			t.sure("an address", func() bool { s = t.live("a"); return len(s.Endpoint.VirtualIPs) > 0 })
			out := count(len(s.Endpoint.VirtualIPs)) + " address"
			if s.Endpoint.VirtualIPs[0].NetworkID == id {
				out += " on n"
			}
			return out
		}),
	}
}
