package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// What swarmward remembers of a stack is kept in the Swarm itself, in config
// objects that carry LabelStack and not the stack's namespace: `docker stack rm`
// leaves them, and a stack's own configs are never taken for them. One object
// per stack, its memory, says in its labels what is true now; labels are the
// one thing about a config that can change, and they change by compare and
// swap. Records have objects of their own.
const (
	LabelStack     = "swarmward.stack"     // whose memory, record or claim it is
	LabelSchema    = "swarmward.schema"    // version of what the object says
	LabelKept      = "swarmward.kept"      // memory, record or session
	LabelSuspended = "swarmward.suspended" // Suspension, as JSON
	LabelHeld      = "swarmward.held"      // Hold, as JSON
	LabelAttempt   = "swarmward.attempt"   // Attempt, as JSON
)

// memorySchema is the version that this program writes. It reads this and older
// ones, and leaves newer ones alone.
const memorySchema = 1

// The kinds of kept objects.
const (
	keptMemory  = "memory"
	keptRecord  = "record"
	keptSession = "session"
)

// Memory is what is true of a stack beside its objects. The zero value is that
// of a stack that swarmward has never written to.
type Memory struct {
	ID      string // of the config object; empty: there is none yet
	Version swarm.Version
	Labels  map[string]string // all of the object's, also those not known here
	data    []byte            // of the object, which must stay what it is

	Suspended *Suspension
	Held      *Hold
	Attempt   *Attempt
	Leader    string  // id of the session of the controller that reconciles the stack
	Writer    *Writer // who makes a pass over it, or was killed while it did
}

// Suspension is a person's word that nothing is to be written.
type Suspension struct {
	By  string    `json:"by"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at"`
}

// Hold is a revision that did not prove itself and is not tried again until the
// spec changes or a person says so.
type Hold struct {
	Target
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
	// Record that the stack was taken back to; 0: there was none.
	Record int `json:"record,omitempty"`
}

// Attempt is a revision that was begun and has not proved itself yet. It is kept
// before the first write, so that whoever goes on after a crash knows whose
// fault a failing check is.
type Attempt struct {
	Target
	Since time.Time `json:"since"`
	// Undecided: a pass came to its end since then, and could neither prove the
	// revision nor refute it.
	Undecided bool `json:"undecided,omitempty"`
}

// Target identifies what a pass is to reach: what the spec says, and a salted
// fingerprint of all secrets' contents together, which that leaves out. People
// know it by the revision; where that is a commit, Hash tells those that say the
// same from others.
type Target struct {
	Revision string `json:"revision"`
	Hash     string `json:"hash,omitempty"` // empty: it is the revision
	Secrets  string `json:"secretsPrint,omitempty"`
}

// MemoryOf reads what the Swarm remembers of a stack. The error is for a person:
// something is kept that this program cannot read, and must not overwrite.
func MemoryOf(seen *Observed, stack string) (Memory, error) {
	live, ok := seen.Configs[memoryName(stack)]
	if !ok {
		return Memory{}, nil
	}
	m := Memory{ID: live.ID, Version: live.Version, Labels: maps.Clone(live.Spec.Labels), data: live.Spec.Data}
	if m.Labels[LabelStack] != stack || m.Labels[LabelKept] != keptMemory {
		return m, fmt.Errorf("config %s has the name under which swarmward keeps what it knows of stack %s, and was made by somebody else: remove it or make it anew under another name", live.Spec.Name, stack)
	}
	if err := readableSchema(live.Spec, memorySchema); err != nil {
		return m, err
	}
	for label, into := range map[string]any{LabelSuspended: &m.Suspended, LabelHeld: &m.Held, LabelAttempt: &m.Attempt, LabelWriter: &m.Writer} {
		if text := m.Labels[label]; text != "" {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				return m, fmt.Errorf("config %s: label %s cannot be read: %w; `docker config rm %[1]s` removes it: swarmward then forgets what is suspended and held", live.Spec.Name, label, err)
			}
		}
	}
	m.Leader = m.Labels[LabelLeader]
	return m, nil
}

// readableSchema: this program knows the versions up to known.
func readableSchema(kept swarm.ConfigSpec, known int) error {
	var schema int
	if _, err := fmt.Sscan(kept.Labels[LabelSchema], &schema); err != nil || schema < 1 {
		return fmt.Errorf("config %s: label %s is %q, which is no version", kept.Name, LabelSchema, kept.Labels[LabelSchema])
	}
	if schema > known {
		return fmt.Errorf("config %s was written by a newer swarmward (schema %d, this one knows %d): use that one", kept.Name, schema, known)
	}
	return nil
}

// Write is the memory as it is in m, for the Engine. It fails as stale when the
// object is no longer at m.Version, or has come to be meanwhile.
func (m Memory) Write(stack string) Write {
	sp := swarm.ConfigSpec{
		Annotations: swarm.Annotations{Name: memoryName(stack), Labels: maps.Clone(m.Labels)},
		Data:        []byte("What swarmward remembers of stack " + stack + " is in the labels of this config.\n"),
	}
	if sp.Labels == nil {
		sp.Labels = map[string]string{}
	}
	sp.Labels[LabelStack], sp.Labels[LabelKept], sp.Labels[LabelSchema] = stack, keptMemory, fmt.Sprint(memorySchema)
	set := func(label string, v any, is bool) {
		delete(sp.Labels, label)
		if is {
			text, _ := json.Marshal(v) // plain values
			sp.Labels[label] = string(text)
		}
	}
	set(LabelSuspended, m.Suspended, m.Suspended != nil)
	set(LabelHeld, m.Held, m.Held != nil)
	set(LabelAttempt, m.Attempt, m.Attempt != nil)
	set(LabelWriter, m.Writer, m.Writer != nil)
	if delete(sp.Labels, LabelLeader); m.Leader != "" {
		sp.Labels[LabelLeader] = m.Leader
	}
	if m.ID == "" {
		return CreateConfig{Spec: sp}
	}
	sp.Data = m.data
	return LabelConfig{ID: m.ID, Version: m.Version, Spec: sp}
}

func memoryName(stack string) string { return keptName(stack, keptMemory) }

// IsMemory says whether a config of that name is the memory of the stack or,
// without one, may be the memory of any.
func IsMemory(stack, name string) bool {
	if stack == "" {
		return strings.HasPrefix(name, labelPrefix) && strings.HasSuffix(name, "."+keptMemory)
	}
	return name == memoryName(stack)
}

// keptName is swarmward.STACK.REST within Swarm's 64 characters; a long stack
// name is cut and told apart by a hash.
func keptName(stack, rest string) string {
	const most = 36
	if len(stack) > most {
		sum := sha256.Sum256([]byte(stack))
		stack = stack[:most-9] + "-" + hex.EncodeToString(sum[:4])
	}
	return "swarmward." + stack + "." + rest
}
