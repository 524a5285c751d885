package reconcile

import (
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// Record is a revision of a whole stack that worked: everything was converged
// and every check passed. It holds no secret's content; that stays in the
// secrets that it names.
type Record struct {
	Schema int       `json:"schema"`
	Number int       `json:"number"` // counts up, per stack, from 1
	Stack  string    `json:"stack"`
	At     time.Time `json:"at"`
	Target
	Source Source `json:"source,omitzero"`

	Services []RecordedService `json:"services"`
	Networks []spec.Network    `json:"networks"`
	Volumes  []spec.Volume     `json:"volumes"`
	Secrets  []RecordedObject  `json:"secrets"`
	Configs  []RecordedObject  `json:"configs"`
	Settings spec.Settings     `json:"settings"`
	Checks   []RecordedCheck   `json:"checks"`
}

// Source says who wrote a revision, where the source of the spec knows it.
type Source struct {
	Commit  string    `json:"commit,omitempty"`
	Author  string    `json:"author,omitempty"`
	Subject string    `json:"subject,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// RecordedService is a service of the spec as it was lowered.
type RecordedService struct {
	Key       string                    `json:"key"`
	Spec      swarm.ServiceSpec         `json:"spec"`
	DependsOn map[string]spec.Condition `json:"dependsOn,omitempty"`
}

// RecordedObject is a secret or config, and the object that held its content.
type RecordedObject struct {
	Key         string `json:"key"`
	Name        string `json:"name"`   // of the first revision
	Object      string `json:"object"` // full name of the revision that was used
	External    bool   `json:"external,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"` // of a secret, where it has one
}

// RecordedCheck is how a check went when the revision proved itself.
type RecordedCheck struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`
	Via     string        `json:"via,omitempty"`
	Latency time.Duration `json:"latencyNanoseconds"`
}
