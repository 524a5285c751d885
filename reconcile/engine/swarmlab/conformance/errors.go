package conformance

import (
	"github.com/docker/docker/api/types/swarm"
)

const errorSection = "8 errors"

func errorRows() []Row {
	row := func(name string, want Want, try func(*trial) string) Row {
		return Row{Section: errorSection, Name: name, Want: want, try: try}
	}
	return []Row{
		row("missing service", is("404 NotFound: service a not found"), func(t *trial) string {
			_, _, err := t.ServiceInspectWithRaw(t.Context(), t.name("a"), swarm.ServiceInspectOptions{})
			return t.outcome(err)
		}),
		row("update of a missing service", is("404 NotFound: service a not found"), func(t *trial) string {
			_, err := t.ServiceUpdate(t.Context(), t.name("a"), swarm.Version{Index: 1}, t.spec("a"), swarm.ServiceUpdateOptions{})
			return t.outcome(err)
		}),
		row("name taken", is("409 Conflict: rpc error: code = AlreadyExists desc = name conflicts with an existing object: service a already exists"), func(t *trial) string {
			t.create("a")
			return t.outcome(t.tryCreate(t.spec("a")))
		}),
		row("missing task", is("404 NotFound: task a not found"), func(t *trial) string {
			_, _, err := t.TaskInspectWithRaw(t.Context(), t.name("a"))
			return t.outcome(err)
		}),
		row("missing node", is("404 NotFound: node a not found"), func(t *trial) string {
			_, _, err := t.NodeInspectWithRaw(t.Context(), t.name("a"))
			return t.outcome(err)
		}),
		row("the Engine is already in a Swarm", is(`503 Unavailable: This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.`), func(t *trial) string {
			_, err := t.SwarmInit(t.Context(), swarm.InitRequest{ListenAddr: "127.0.0.1:1", AdvertiseAddr: "127.0.0.1"})
			return t.outcome(err)
		}),
		row("a registry that cannot be reached", is(`500 Internal: Get "https://nosuch.invalid/v2/": …`).sim("404 NotFound: manifest unknown: manifest unknown", "its registry answers, and has no such image"), func(t *trial) string {
			_, err := t.DistributionInspect(t.Context(), "nosuch.invalid/a:1", "")
			return t.outcome(err)
		}),
		row("an image that is no reference", is(`400 InvalidArgument: rpc error: code = InvalidArgument desc = ContainerSpec: "A B" is not a valid repository/tag`), func(t *trial) string {
			return t.outcome(t.tryCreate(t.spec("a", at(inContainer+"Image", `"A B"`))))
		}),
	}
}
