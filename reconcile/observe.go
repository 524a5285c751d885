package reconcile

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"

	"github.com/swarmward/swarmward/spec"
)

// Observed is what the Swarm has of one stack, and of what the stack refers
// to. The specs of services, and of tasks that are not up to date, name
// networks, secrets and configs.
type Observed struct {
	At       time.Time
	Node     Self
	Services map[string]ObservedService // by full name
	Networks map[string]network.Summary // swarm-scoped ones, by name
	Volumes  map[string]*volume.Volume  // of the node that answered, by name
	Secrets  map[string]swarm.Secret    // by name
	Configs  map[string]swarm.Config    // by name
	// Tasks by service id: all that the Swarm still remembers, those of services
	// that were removed included while they stop.
	Tasks map[string][]swarm.Task
	Nodes map[string]swarm.Node // by id
	// UpToDate has the ids of the tasks that the Swarm itself counts as made
	// from their service's current spec.
	UpToDate map[string]bool
	// Digests has what the registries say that the tags of the stack's images
	// point at, for a stack that follows its tags; Unresolved, why one could not
	// be asked. Both by image, as the spec names it.
	Digests, Unresolved map[string]string
}

// Self is the manager that answered.
type Self struct {
	ID, Name, Addr string
	APIVersion     string
}

// ObservedService is a live service.
type ObservedService struct {
	ID           string
	Version      swarm.Version
	Spec         swarm.ServiceSpec
	Previous     *swarm.ServiceSpec // what the last write replaced; nil after a rollback
	UpdateStatus *swarm.UpdateStatus
	JobStatus    *swarm.JobStatus
	UpdatedAt    time.Time
}

// Engine is the Swarm as a pass needs it. Errors are wrapped with the subject
// first; a refused connection, a node that is no manager and a manager without
// a leader are told apart in words.
type Engine interface {
	// Observe lists everything that Diff needs, in a constant number of
	// read-only calls, after making sure that the answers will be the Swarm's.
	Observe(ctx context.Context, stack *spec.Stack) (*Observed, error)
	// Progress lists the stack's services and tasks, and all nodes, alone.
	Progress(ctx context.Context, stack *spec.Stack) (*Observed, error)
	// Attached tells who is on a network, of this stack or not.
	Attached(ctx context.Context, network string) (Attached, error)
	Keeper
	// Remains tells what the task's container left behind, with at most that
	// many lines of its log. What cannot be told is left empty.
	Remains(ctx context.Context, task swarm.Task, lines int) Remains
}

// Attached are the full names of the services on a network, and the names of
// containers on this node that belong to no service; both sorted.
type Attached struct {
	Services, Containers []string
}
