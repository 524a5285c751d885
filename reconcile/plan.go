// Package reconcile is the domain: what differs between a spec and a live
// Swarm (Diff), in which order it is removed (Apply), when the Swarm has
// converged (Judge), and whether the stack works (Verify). Diff and Judge are
// functions of values; Pass and Loop drive them through the Engine and Prober
// interfaces.
//
// What worked is kept in the Swarm, and so is what is true of a stack beside its
// objects: that it is suspended, that a revision is held, that one is attempted
// (Record, Memory). Proceed is a pass in the light of that, Decide says when to
// go back to a record, and StatusOf what all of it amounts to.
//
// A live service differs where it means something else than the spec, not
// where it says it in another way: what the Engine fills in, drops or may
// reorder is in the table of fields.go. Not everything that moves is a
// difference. The counter of docker service update --force is kept as it is. An
// image is its tag: whatever digest somebody pinned for that tag is kept, as
// docker stack deploy --resolve-image changed does, unless the spec pins one
// itself; another tag is a difference. What this Engine's version of the API
// drops is a warning, until an upgrade makes it a difference.
package reconcile

import (
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"

	"github.com/swarmward/swarmward/spec"
)

// Labels of swarmward's own, on services, secrets, configs and networks; never
// on containers, which would restart tasks.
const (
	labelPrefix      = "swarmward."
	LabelApplied     = "swarmward.applied"     // hash of the service spec that was written, and of what of it the Engine keeps and no rule ignores
	LabelManaged     = "swarmward.managed"     // the object was created by swarmward
	LabelFingerprint = "swarmward.fingerprint" // of a secret's content
	LabelUnverified  = "swarmward.unverified"  // the secret was there before; its content is not known to be the spec's
)

// Kind of object.
type Kind string

// The kinds, in the order in which a plan lists and makes them.
const (
	KindNetwork Kind = "network"
	KindVolume  Kind = "volume"
	KindSecret  Kind = "secret"
	KindConfig  Kind = "config"
	KindService Kind = "service"
)

// Action on an object.
type Action string

// Blocked is a difference that only a person may remove. A note changes
// nothing and is no difference.
const (
	ActionCreate  Action = "create"
	ActionUpdate  Action = "update"
	ActionAdopt   Action = "adopt" // only swarmward's own labels are written
	ActionRemove  Action = "remove"
	ActionBlocked Action = "blocked"
	ActionNote    Action = "note"
)

// Impact of a change on what runs.
type Impact string

// None: no task restarts, though some may come or go. Rolling: so many tasks
// are replaced, as the update config says. Recreate means that the object goes
// away in between; data, that data would be lost.
const (
	ImpactNone     Impact = "none"
	ImpactRolling  Impact = "rolling"
	ImpactRecreate Impact = "recreate"
	ImpactData     Impact = "data"
)

// Plan is the difference between a spec and the Swarm, and what would remove
// it. It holds no secret's content and nothing that depends on when it was
// made.
type Plan struct {
	Stack     string
	Revision  string
	Commit    *spec.Commit // that the spec is from; nil: plain files
	Changes   []Change     // by kind, then name
	Unchanged int          // objects of the spec that are as it says
	Warnings  []string
	// Unverified lists the keys of secrets that were there before swarmward and
	// that no check has proved yet.
	Unverified []string

	current map[object]string // first revision of a secret or config -> name of the one in use
	forgets bool              // also what swarmward remembers of the stack
}

// Change is one object's difference.
type Change struct {
	Kind   Kind
	Name   string // key in the spec; the full name where the spec has none
	Object string // full name in the Swarm
	Action Action
	Impact Impact
	Tasks  int    // that are replaced or, where the object comes or goes, start or stop
	Cause  string // in the user's words
	Fields []FieldChange
	Notes  []string
	Remedy []string // commands a person would run, for a blocked change
	Write  Write    // nil for blocked and note
	// AfterChecks holds the write back until the checks have passed.
	AfterChecks bool
}

// FieldChange is one field's difference. Old is nil where the field is not set
// in the Swarm, New where it is not set in the spec; both may be nil when the
// value is sensitive.
type FieldChange struct {
	Path      string // in the user's words: services.redis.environment.LOG_LEVEL
	Old, New  *string
	Sensitive bool
	since     int // API version that first keeps the field; 0: all do
}

// Write is one Engine call. Specs in it name networks, secrets and configs.
type Write interface{ write() }

// The writes.
type (
	CreateNetwork struct {
		Name    string
		Options network.CreateOptions
	}
	CreateVolume struct{ Options volume.CreateOptions }
	CreateSecret struct{ Spec swarm.SecretSpec }
	CreateConfig struct{ Spec swarm.ConfigSpec }
	// LabelSecret and LabelConfig replace the labels, the one thing that can
	// change about them.
	LabelSecret struct {
		ID      string
		Version swarm.Version
		Spec    swarm.SecretSpec
	}
	LabelConfig struct {
		ID      string
		Version swarm.Version
		Spec    swarm.ConfigSpec
	}
	CreateService struct {
		Spec  swarm.ServiceSpec
		Query bool // ask the registry for the image's digest
	}
	// UpdateService fails when the service is no longer at Version.
	UpdateService struct {
		ID      string
		Version swarm.Version
		Spec    swarm.ServiceSpec
		Query   bool
	}
	// Remove fails when the object is in use.
	Remove struct {
		Kind     Kind
		ID, Name string
	}
)

func (CreateNetwork) write() {}
func (CreateVolume) write()  {}
func (CreateSecret) write()  {}
func (CreateConfig) write()  {}
func (LabelSecret) write()   {}
func (LabelConfig) write()   {}
func (CreateService) write() {}
func (UpdateService) write() {}
func (Remove) write()        {}

// Summary counts a plan's changes by what becomes of them, and the tasks that
// they touch.
type Summary struct {
	Create  int `json:"create"`
	Update  int `json:"update"`
	Adopt   int `json:"adopt"` // of the updates, those that only adopt
	Remove  int `json:"remove"`
	Blocked int `json:"blocked"`

	TasksStart   int `json:"tasksStart"`
	TasksRestart int `json:"tasksRestart"`
	TasksStop    int `json:"tasksStop"`
}

// Summary of the plan; adoption counts as an update.
func (p *Plan) Summary() Summary {
	var s Summary
	for _, c := range p.Changes {
		switch c.Action {
		case ActionCreate:
			s.Create++
			s.TasksStart += c.Tasks
		case ActionUpdate:
			s.Update++
			s.TasksRestart += c.Tasks
		case ActionAdopt:
			s.Update++
			s.Adopt++
		case ActionRemove:
			s.Remove++
			s.TasksStop += c.Tasks
		case ActionBlocked:
			s.Blocked++
		}
	}
	return s
}

// Empty says that the Swarm is what the spec says: nothing to change and
// nothing blocked.
func (p *Plan) Empty() bool { return p.Summary() == Summary{} }

// Writes says whether applying the plan writes anything.
func (p *Plan) Writes() bool {
	for _, c := range p.Changes {
		if c.Write != nil {
			return true
		}
	}
	return false
}

func (p *Plan) find(k Kind, object string) (Change, bool) {
	for _, c := range p.Changes {
		if c.Kind == k && c.Object == object {
			return c, true
		}
	}
	return Change{}, false
}

// String is the plan as plain text, one line per change and field: the
// language of the tests.
func (p *Plan) String() string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s %s", c.Action, c.Kind, c.Name)
		if c.Impact != "" && c.Impact != ImpactNone {
			fmt.Fprintf(&b, " %s(%d)", c.Impact, c.Tasks)
		}
		if c.Cause != "" {
			fmt.Fprintf(&b, ": %s", c.Cause)
		}
		b.WriteByte('\n')
		for _, f := range c.Fields {
			fmt.Fprintf(&b, "  %s\n", f)
		}
		for _, n := range c.Notes {
			fmt.Fprintf(&b, "  # %s\n", n)
		}
	}
	return b.String()
}

// String is path, old and new on one line.
func (f FieldChange) String() string {
	if f.Sensitive && f.Old == nil && f.New == nil {
		return f.Path + " (sensitive, changed)"
	}
	return fmt.Sprintf("%s %s -> %s", f.Path, orUnset(f.Old), orUnset(f.New))
}

func orUnset(s *string) string {
	if s == nil {
		return "(unset)"
	}
	return *s
}
