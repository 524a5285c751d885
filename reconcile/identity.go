package reconcile

import (
	"encoding/binary"

	"github.com/swarmward/swarmward/spec"
)

// TargetOf is what a pass with this stack is to reach. It costs one slow
// fingerprint, which f remembers; f may be nil.
func TargetOf(stack *spec.Stack, f *Fingerprints) Target {
	t := Target{Revision: stack.Revision, Secrets: stack.SecretsPrint}
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
	return t.Revision == stack.Revision && t == TargetOf(stack, f)
}
