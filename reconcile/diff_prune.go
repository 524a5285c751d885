package reconcile

import (
	"fmt"
	"slices"

	"github.com/swarmward/swarmward/spec"
)

// prune plans the removal of what swarmward made for this stack and the spec
// no longer names. What does not carry both the stack's namespace and our mark
// stays.
func (x *diffing) prune() {
	if !x.stack.Settings.Prune || x.stack.Partial != nil {
		return
	}
	first := len(x.plan.Changes)
	named := x.named()
	owned := 0
	for _, name := range sortedKeys(x.seen.Services) {
		s := x.seen.Services[name]
		if !x.owns(s.Spec.Labels, LabelApplied) {
			continue
		}
		owned++
		if !named[KindService][name] {
			x.remove(KindService, s.ID, name, len(x.runningTasks(s.ID)))
		}
	}
	removed := len(x.plan.Changes) - first
	allowed := x.AllowPruneAll || slices.Contains(x.stack.Settings.Allow, spec.AllowPruneAll)
	if removed >= 3 && removed*2 > owned && !allowed {
		x.block(first, removed, owned)
	}
	for _, name := range sortedKeys(x.seen.Networks) {
		if n := x.seen.Networks[name]; x.owns(n.Labels, LabelManaged) && !named[KindNetwork][name] {
			x.remove(KindNetwork, n.ID, name, 0)
		}
	}
	for _, name := range sortedKeys(x.seen.Secrets) {
		if s := x.seen.Secrets[name]; x.owns(s.Spec.Labels, LabelManaged) && !revisionOfNamed(named[KindSecret], name) && !x.archive.needs(KindSecret, name) {
			x.remove(KindSecret, s.ID, name, 0)
		}
	}
	for _, name := range sortedKeys(x.seen.Configs) {
		if s := x.seen.Configs[name]; x.owns(s.Spec.Labels, LabelManaged) && !revisionOfNamed(named[KindConfig], name) && !x.archive.needs(KindConfig, name) {
			x.remove(KindConfig, s.ID, name, 0)
		}
	}
}

// block turns the planned removals into blocked ones: more likely an accident
// than a wish.
func (x *diffing) block(first, removed, owned int) {
	for i := first; i < len(x.plan.Changes); i++ {
		c := &x.plan.Changes[i]
		c.Action, c.Write, c.AfterChecks = ActionBlocked, nil, false
		c.Cause = fmt.Sprintf("the spec no longer names %d of %d services", removed, owned)
		c.Remedy = []string{"swarmward apply --allow-prune-all, or for a controller x-swarmward: {allow: [prune-all]}"}
	}
}

func (x *diffing) owns(labels map[string]string, mark string) bool {
	return labels[spec.LabelNamespace] == x.stack.Name && labels[mark] != ""
}

func (x *diffing) remove(kind Kind, id, name string, tasks int) {
	impact := ImpactNone
	if kind == KindService {
		impact = ImpactRecreate
	}
	x.add(Change{
		Kind: kind, Name: name, Object: name, Action: ActionRemove, Impact: impact, Tasks: tasks,
		Cause: "no longer in the spec", Write: Remove{Kind: kind, ID: id, Name: name}, AfterChecks: true,
	})
}

// named has the full names of the spec's objects by kind.
func (x *diffing) named() map[Kind]map[string]bool {
	m := map[Kind]map[string]bool{KindService: {}, KindNetwork: {}, KindSecret: {}, KindConfig: {}}
	for _, s := range x.stack.Services {
		m[KindService][s.Spec.Name] = true
	}
	for _, n := range x.stack.Networks {
		m[KindNetwork][n.Name] = true
	}
	for _, s := range x.stack.Secrets {
		m[KindSecret][s.Name] = true
	}
	for _, c := range x.stack.Configs {
		m[KindConfig][c.Name] = true
	}
	return m
}

func revisionOfNamed(bases map[string]bool, name string) bool {
	if before, n := cutRevision(name); bases[name] || n > 0 && bases[before] && revisionName(before, n) == name {
		return true
	}
	if len(name) < maxObjectName {
		return false // no base was shortened for it
	}
	for b := range bases {
		if revisionOf(name, b) > 0 {
			return true
		}
	}
	return false
}
