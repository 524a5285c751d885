package reconcile

import (
	"slices"
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
	Of     string    `json:"stack"`
	At     time.Time `json:"at"`
	Target
	Source *spec.Commit `json:"source,omitempty"` // where the spec's source knows one

	Secrets []RecordedObject `json:"secrets"`
	Configs []RecordedObject `json:"configs"`
	Checks  []RecordedCheck  `json:"checks"`
	// Digest identifies what the rest of the record says.
	Digest string `json:"digest"`

	RecordedSpec `json:"-"`
	packed       []byte // what it is kept in, where RecordedSpec has not been read
}

// RecordedSpec is what the record says beside which objects there were. It is
// kept behind the rest, which is all that most passes read.
type RecordedSpec struct {
	Services []RecordedService `json:"services"`
	Networks []spec.Network    `json:"networks"`
	Volumes  []spec.Volume     `json:"volumes"`
	// Settings without what is secret in them: no content of a file, and no text
	// with the content of a secret in it.
	Settings spec.Settings `json:"settings"`
}

// RecordedService is a service of the spec as it was lowered.
type RecordedService struct {
	Key string `json:"key"`
	// Spec names the first revisions of secrets and configs, and the image with the
	// digest that the Engine pinned: its tag may point at another one later.
	Spec      swarm.ServiceSpec         `json:"spec"`
	DependsOn map[string]spec.Condition `json:"dependsOn,omitempty"`
}

// RecordedObject is a secret or config, and the object that held its content.
type RecordedObject struct {
	Key      string `json:"key"`
	Name     string `json:"name"`   // of the first revision
	Object   string `json:"object"` // full name of the revision that was used
	ID       string `json:"id"`     // of that object
	External bool   `json:"external,omitempty"`
	// Fingerprint of the content: a secret's label, where it has one; a config's
	// SHA-256, since everybody can read those anyway.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// RecordedCheck is how a check went when the revision proved itself.
type RecordedCheck struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`
	Via     string        `json:"via,omitempty"`
	Latency time.Duration `json:"latencyNanoseconds"`
}

// Same says whether two records keep the same: the same specs and settings, and
// the same objects. Who wrote the revision, when, and how long the checks took
// makes no other.
func (r Record) Same(other Record) bool {
	return r.Digest == other.Digest && r.Target.Secrets == other.Target.Secrets &&
		slices.Equal(r.Secrets, other.Secrets) && slices.Equal(r.Configs, other.Configs)
}
