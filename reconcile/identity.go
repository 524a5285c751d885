package reconcile

import (
	"cmp"
	"encoding/binary"

	"github.com/swarmward/swarmward/spec"
)

// TargetOf is what a pass with this stack is to reach. It costs one slow
// fingerprint, which f remembers; f may be nil.
func TargetOf(stack *spec.Stack, f *Fingerprints) Target {
	t := Target{Revision: stack.Revision, Secrets: stack.SecretsPrint}
	if stack.Hash != stack.Revision {
		t.Hash = stack.Hash
	}
	if t.Secrets != "" {
		return t
	}
	var all []byte
	some := false
	put := func(b []byte) { all = append(binary.AppendUvarint(all, uint64(len(b))), b...) }
	for _, s := range stack.Secrets {
		if !s.External {
			put([]byte(s.Key))
			put([]byte(s.Data))
			some = true
		}
	}
	if some {
		if f == nil {
			f = &Fingerprints{}
		}
		t.Secrets = f.Of("all of "+stack.Name, all)
	}
	return t
}

// Same says whether the stack is what the target was made from.
func (t Target) Same(stack *spec.Stack, f *Fingerprints) bool {
	return t.says(stack) && t.Is(TargetOf(stack, f))
}

// Is says whether two targets are one: a commit that touches nothing of a stack
// leaves its target as it is.
func (t Target) Is(other Target) bool {
	return t.hash() == other.hash() && t.Secrets == other.Secrets
}

// says compares without the secrets.
func (t Target) says(stack *spec.Stack) bool { return t.hash() == cmp.Or(stack.Hash, stack.Revision) }

func (t Target) hash() string {
	return cmp.Or(t.Hash, t.Revision)
}
