package reconcile

import (
	"fmt"

	"github.com/swarmward/swarmward/spec"
)

// pinned settles on the one revision that a record names, whatever the newest is.
func (x *diffing) pinned(c Change, base string) {
	var exists bool
	var owned func(name string) (id string, ours bool)
	if c.Kind == KindSecret {
		exists = hasKey(x.seen.Secrets, c.Object)
		owned = func(name string) (string, bool) {
			o := x.seen.Secrets[name]
			return o.ID, o.Spec.Labels[LabelManaged] != ""
		}
	} else {
		exists, owned = hasKey(x.seen.Configs, c.Object), x.ownedConfig("")
	}
	x.current[object{c.Kind, base}] = c.Object
	if !exists {
		c.Action, c.Cause = ActionBlocked, fmt.Sprintf("the record names %s %s, which is gone", c.Kind, c.Object)
		c.Remedy = []string{"swarmward history"}
		x.add(c)
		return
	}
	x.plan.Unchanged++
	x.retire(c.Kind, c.Name, base, x.live[c.Kind].of(base), owned)
}

// known are the live secrets, by name, whose content is that of the spec's secret
// with that key: those of a record whose contents are, all together, the spec's.
// That takes one slow fingerprint instead of one for each. A secret's content
// never changes, so the same id and label stand for the same content.
func (a *archive) known(stack *spec.Stack, seen *Observed, f *Fingerprints) map[string]string {
	if stack.Partial != nil || stack.SecretsPrint != "" || len(a.records) == 0 {
		return nil
	}
	out := map[string]string{}
	all := ""
	for _, k := range a.records {
		if k.Target.Secrets == "" {
			continue
		}
		if all == "" {
			all = TargetOf(stack, f).Secrets
		}
		if k.Target.Secrets != all {
			continue
		}
		for _, s := range k.Secrets {
			live := seen.Secrets[s.Object]
			if s.ID != "" && live.ID == s.ID && s.Fingerprint != "" && live.Spec.Labels[LabelFingerprint] == s.Fingerprint {
				out[s.Object] = s.Key
			}
		}
	}
	return out
}

// unknown are the secrets that have to be compared by their own fingerprints.
func (x *diffing) unknown(secrets []spec.Secret) []spec.Secret {
	keys := map[string]bool{}
	for _, key := range x.known {
		keys[key] = true
	}
	return keepOf(secrets, func(s spec.Secret) bool { return !keys[s.Key] && s.Object == "" })
}

// warnUnreadable tells what is wrong with the records.
func (x *diffing) warnUnreadable() {
	for _, u := range x.archive.unreadable {
		x.plan.Warnings = append(x.plan.Warnings, u.String())
	}
}
