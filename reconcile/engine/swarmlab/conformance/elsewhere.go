package conformance

import (
	"errors"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

const elsewhereSection = "8 not a manager"

// Places where an Engine cannot answer for its Swarm.
const (
	Outside = "outside a Swarm"
	Worker  = "worker"
	Locked  = "locked manager"
)

// at is the trial on the Engine of such a place.
func (t *trial) at(place string) *trial {
	t.Helper()
	if t.engine.Elsewhere == nil {
		t.Fatal(errors.New("this Engine has no others"))
	}
	e, err := t.engine.Elsewhere(place)
	t.must(err)
	own := *t
	own.engine, own.last = e, &lastStatus{next: e.transport}
	own.Client = own.dial(clientVersion(e))
	return &own
}

func elsewhereRows() []Row {
	const (
		noManager = `500 Internal: This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`
		unjoined  = `503 Unavailable: This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`
		worker    = "503 Unavailable: This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager."
		locked    = `503 Unavailable: Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.`
	)
	var all []Row
	for _, p := range []struct{ place, error, info, network string }{
		{Outside, unjoined, "inactive false", noManager},
		{Worker, worker, "active false", "403 PermissionDenied: Cannot create a multi-host network from a worker node. Please create the network from a manager node."},
		{Locked, locked, "locked false", noManager},
	} {
		row := func(name, want string, try func(*trial) string) {
			all = append(all, Row{Section: elsewhereSection, Name: p.place + ": " + name, Want: is(want), try: func(t *trial) string {
				return try(t.at(p.place))
			}}.on(Real, "swarmsim is always a manager"))
		}
		row("info", p.info, func(t *trial) string {
			i, err := t.Info(t.Context())
			t.must(err)
			return string(i.Swarm.LocalNodeState) + " " + compact(i.Swarm.ControlAvailable)
		})
		row("services", p.error, func(t *trial) string {
			_, err := t.ServiceList(t.Context(), swarm.ServiceListOptions{})
			return t.outcome(err)
		})
		row("a new service", p.error, func(t *trial) string { return t.outcome(t.tryCreate(t.spec("a"))) })
		row("a new secret", p.error, func(t *trial) string {
			_, err := t.SecretCreate(t.Context(), t.secretSpec("s", []byte("x")))
			return t.outcome(err)
		})
		row("a new overlay network", p.network, func(t *trial) string {
			_, err := t.NetworkCreate(t.Context(), t.name("n"), network.CreateOptions{Driver: "overlay"})
			return t.outcome(err)
		})
		row("networks are listed all the same, without the Swarm's", "ok, 0 more of the Swarm", func(t *trial) string {
			list, err := t.NetworkList(t.Context(), network.ListOptions{Filters: filters.NewArgs(filters.Arg("scope", "swarm"))})
			more := 0
			for _, n := range list {
				if n.Name != "ingress" {
					more++
				}
			}
			return t.outcome(err) + ", " + count(more) + " more of the Swarm"
		})
	}
	return append(all, Row{Section: elsewhereSection, Name: "an Engine that is down is no error of the Engine", Want: is("true, not Unavailable"), try: func(t *trial) string {
		down := *t.engine
		down.Host += ".gone"
		down.dial()
		t.engine, t.last = &down, &lastStatus{next: down.transport}
		t.Client = t.dial(clientVersion(&down))
		_, err := t.ServiceList(t.Context(), swarm.ServiceListOptions{})
		out := compact(client.IsErrConnectionFailed(err))
		if !errdefs.IsUnavailable(err) {
			out += ", not Unavailable"
		}
		return out
	}})
}
