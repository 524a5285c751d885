package conformance

import (
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

const clientSection = "1 client"

// clientRows: what the client does before the Engine sees anything, and how the
// two find a version to speak.
func clientRows() []Row {
	image := func(name, sends string, want Want) Row {
		return Row{Section: clientSection, Name: name, Want: want, try: func(t *trial) string {
			s := t.spec("a", at(inContainer+"Image", `"`+sends+`"`))
			t.must(t.tryCreate(s))
			return s.TaskTemplate.ContainerSpec.Image
		}}
	}
	const digest = "@sha256:0123456789012345678901234567890123456789012345678901234567890123"
	return []Row{
		image("an image is made familiar in the caller's own spec", "docker.io/library/redis", is("redis:latest")),
		image("an image of another registry stays", "registry.example/a/b:1", is("registry.example/a/b:1")),
		image("an image by digest stays", "redis"+digest, is("redis@sha256:…")),
		{Section: clientSection, Name: "an image that no registry tells the digest of is written as it is, with a warning", Want: is("nosuch.invalid/a:1 1 warning"), try: func(t *trial) string {
			s := t.spec("a", at(inContainer+"Image", `"nosuch.invalid/a:1"`))
			r, err := t.ServiceCreate(t.Context(), s, swarm.ServiceCreateOptions{QueryRegistry: true})
			t.must(err)
			return t.live("a").Spec.TaskTemplate.ContainerSpec.Image + " " + count(len(r.Warnings)) + " warning"
		}},
		{Section: clientSection, Name: "a version that is too new is refused", Want: is("400 InvalidArgument: client version 1.99 is too new. Maximum supported API version is {api}"), try: func(t *trial) string {
			_, err := t.dial(client.WithVersion("1.99")).Info(t.Context())
			return t.outcome(err)
		}},
		{Section: clientSection, Name: "negotiation finds the Engine's version", Want: is("{api}"), try: func(t *trial) string {
			c := t.dial(client.WithAPIVersionNegotiation())
			_, err := c.Info(t.Context())
			t.must(err)
			return c.ClientVersion()
		}},
		{Section: clientSection, Name: "ping tells the state of the Swarm: since 1.42", Want: is("active manager").before("1.42", "nothing"), try: func(t *trial) string {
			p, err := t.Ping(t.Context())
			t.must(err)
			switch {
			case p.SwarmStatus == nil:
				return "nothing"
			case p.SwarmStatus.ControlAvailable:
				return string(p.SwarmStatus.NodeState) + " manager"
			}
			return string(p.SwarmStatus.NodeState)
		}},
		{Section: clientSection, Name: "info tells that this manager can answer for the Swarm", Want: is("active true no error, 1 nodes, 1 managers, its id is the node's"), try: func(t *trial) string {
			i, err := t.Info(t.Context())
			t.must(err)
			out := string(i.Swarm.LocalNodeState)
			if i.Swarm.ControlAvailable {
				out += " true"
			}
			if i.Swarm.Error == "" {
				out += " no error"
			}
			out += ", " + count(i.Swarm.Nodes) + " nodes, " + count(i.Swarm.Managers) + " managers"
			n, _, err := t.NodeInspectWithRaw(t.Context(), i.Swarm.NodeID)
			t.must(err)
			if n.ID == i.Swarm.NodeID && n.Description.Hostname == i.Name {
				out += ", its id is the node's"
			}
			return out
		}},
	}
}
