package reconcile

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

func (x *diffing) secret(s spec.Secret) {
	c := Change{Kind: KindSecret, Name: s.Key, Object: s.Name}
	if s.External {
		x.external(c, hasKey(x.seen.Secrets, s.Name), "printf … | docker secret create "+s.Name+" -")
		return
	}
	revs := x.live[KindSecret].of(s.Name)
	for _, n := range revs {
		live := x.seen.Secrets[revisionName(s.Name, n)]
		if x.sameSecret(live, s) && !x.rotates(s, live) {
			x.useSecret(c, live, s)
			return
		}
	}
	// One that was there before swarmward: its content cannot be read, so it
	// is taken to be the spec's until a check says otherwise.
	if len(revs) == 1 && x.seen.Secrets[revisionName(s.Name, revs[0])].Spec.Labels[LabelFingerprint] == "" && !x.Rotate[s.Key] {
		x.adoptSecret(c, x.seen.Secrets[revisionName(s.Name, revs[0])], s)
		return
	}
	next := 1
	c.Cause = "not in the Swarm yet"
	if len(revs) > 0 {
		next = revs[0] + 1
		c.Cause = "its content changed"
		c.Fields = x.secretFields(x.seen.Secrets[revisionName(s.Name, revs[0])].Spec, s)
	}
	name := revisionName(s.Name, next)
	x.current[object{c.Kind, s.Name}] = name
	sp := s.Spec
	sp.Name, sp.Data = name, []byte(s.Data)
	sp.Labels = withLabels(s.Spec.Labels, map[string]string{
		LabelManaged: "true", LabelFingerprint: x.Fingerprints.Of(name, []byte(s.Data)),
	})
	c.Action, c.Impact, c.Object = ActionCreate, ImpactNone, name
	c.Write = CreateSecret{Spec: sp}
	x.add(c)
	x.retire(KindSecret, s.Key, s.Name, revs, func(name string) (string, bool) {
		o := x.seen.Secrets[name]
		return o.ID, o.Spec.Labels[LabelManaged] != ""
	})
}

func (x *diffing) sameSecret(live swarm.Secret, s spec.Secret) bool {
	return driverText(live.Spec.Templating) == driverText(s.Spec.Templating) &&
		driverText(live.Spec.Driver) == driverText(s.Spec.Driver) && x.sameContent(live.Spec, s)
}

func (x *diffing) sameContent(live swarm.SecretSpec, s spec.Secret) bool {
	return x.known[live.Name] == s.Key || x.Fingerprints.Match(live.Labels[LabelFingerprint], []byte(s.Data))
}

// rotates: an adopted secret that nothing has proved is replaced when somebody
// says so. Of any other it is known that it is what the spec says.
func (x *diffing) rotates(s spec.Secret, live swarm.Secret) bool {
	return x.Rotate[s.Key] && live.Spec.Labels[LabelUnverified] != ""
}

// driverText is a driver with its options: golang, vault(path=a).
func driverText(d *swarm.Driver) string {
	if d == nil {
		return ""
	}
	var options []string
	for _, k := range sortedKeys(d.Options) {
		options = append(options, k+"="+d.Options[k])
	}
	if len(options) == 0 {
		return d.Name
	}
	return d.Name + "(" + strings.Join(options, ", ") + ")"
}

// secretFields: what another revision is made for.
func (x *diffing) secretFields(was swarm.SecretSpec, s spec.Secret) []FieldChange {
	w := walker{prefix: "secrets." + quoteKey(s.Key), redact: x.redact}
	w.texts("template_driver", driverText(was.Templating), driverText(s.Spec.Templating))
	w.texts("driver", driverText(was.Driver), driverText(s.Spec.Driver))
	if !x.sameContent(was, s) {
		w.changes = append(w.changes, FieldChange{Path: w.prefix + ".content", Sensitive: true})
	}
	return w.changes
}

// useSecret settles on a revision whose content is right, and updates its
// labels where the spec's differ.
func (x *diffing) useSecret(c Change, live swarm.Secret, s spec.Secret) {
	x.current[object{c.Kind, s.Name}] = live.Spec.Name
	if live.Spec.Labels[LabelUnverified] != "" {
		x.plan.Unverified = append(x.plan.Unverified, s.Key)
	}
	x.retire(KindSecret, s.Key, s.Name, x.live[KindSecret].of(s.Name), func(name string) (string, bool) {
		o := x.seen.Secrets[name]
		return o.ID, o.Spec.Labels[LabelManaged] != "" && name != live.Spec.Name
	})
	x.relabel(c, live.Spec.Annotations, s.Spec.Labels, func(labels map[string]string) Write {
		sp := live.Spec
		sp.Labels = labels
		return LabelSecret{ID: live.ID, Version: live.Version, Spec: sp}
	})
}

// relabel plans the one change that Swarm makes to a secret or config in place.
func (x *diffing) relabel(c Change, live swarm.Annotations, want map[string]string, write func(map[string]string) Write) {
	labels, fields := x.labelFields(string(c.Kind)+"s."+quoteKey(c.Name), live.Labels, want)
	if len(fields) == 0 {
		x.plan.Unchanged++
		return
	}
	c.Action, c.Impact, c.Cause, c.Fields, c.Object = ActionUpdate, ImpactNone, "labels differ", fields, live.Name
	c.Write = write(labels)
	x.add(c)
}

func (x *diffing) adoptSecret(c Change, live swarm.Secret, s spec.Secret) {
	x.current[object{c.Kind, s.Name}] = live.Spec.Name
	x.plan.Unverified = append(x.plan.Unverified, s.Key)
	sp := live.Spec
	labels, fields := x.labelFields("secrets."+s.Key, live.Spec.Labels, s.Spec.Labels)
	c.Fields = fields
	sp.Labels = withLabels(labels, map[string]string{
		LabelFingerprint: x.Fingerprints.Of(live.Spec.Name, []byte(s.Data)), LabelUnverified: "true",
	})
	c.Action, c.Impact, c.Object = ActionAdopt, ImpactNone, live.Spec.Name
	c.Cause = "not made by swarmward; Swarm does not tell its content, so the spec's is taken for it until a check fails"
	c.Write = LabelSecret{ID: live.ID, Version: live.Version, Spec: sp}
	x.add(c)
}

func (x *diffing) config(s spec.Config) {
	c := Change{Kind: KindConfig, Name: s.Key, Object: s.Name}
	if s.External {
		x.external(c, hasKey(x.seen.Configs, s.Name), "docker config create "+s.Name+" FILE")
		return
	}
	revs := x.live[KindConfig].of(s.Name)
	for _, n := range revs {
		live := x.seen.Configs[revisionName(s.Name, n)]
		if bytes.Equal(live.Spec.Data, s.Spec.Data) && driverText(live.Spec.Templating) == driverText(s.Spec.Templating) {
			x.useConfig(c, live, s, revs)
			return
		}
	}
	next := 1
	c.Cause = "not in the Swarm yet"
	if len(revs) > 0 {
		next = revs[0] + 1
		c.Cause = "its content changed"
		was := x.seen.Configs[revisionName(s.Name, revs[0])]
		c.Fields = x.contentFields("configs."+quoteKey(s.Key), was.Spec, s.Spec)
	}
	name := revisionName(s.Name, next)
	x.current[object{c.Kind, s.Name}] = name
	sp := s.Spec
	sp.Name = name
	sp.Labels = withLabels(s.Spec.Labels, map[string]string{LabelManaged: "true"})
	c.Action, c.Impact, c.Object = ActionCreate, ImpactNone, name
	c.Write = CreateConfig{Spec: sp}
	x.add(c)
	x.retire(KindConfig, s.Key, s.Name, revs, x.ownedConfig(""))
}

func (x *diffing) contentFields(prefix string, was, is swarm.ConfigSpec) []FieldChange {
	w := walker{prefix: prefix, redact: x.redact}
	w.texts("content", string(was.Data), string(is.Data))
	w.texts("template_driver", driverText(was.Templating), driverText(is.Templating))
	return w.changes
}

func (x *diffing) useConfig(c Change, live swarm.Config, s spec.Config, revs []int) {
	x.current[object{c.Kind, s.Name}] = live.Spec.Name
	x.retire(KindConfig, s.Key, s.Name, revs, x.ownedConfig(live.Spec.Name))
	x.relabel(c, live.Spec.Annotations, s.Spec.Labels, func(labels map[string]string) Write {
		sp := live.Spec
		sp.Labels = labels
		return LabelConfig{ID: live.ID, Version: live.Version, Spec: sp}
	})
}

func (x *diffing) ownedConfig(except string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		o := x.seen.Configs[name]
		return o.ID, o.Spec.Labels[LabelManaged] != "" && name != except
	}
}

// retire plans the removal of revisions that swarmward made and that nothing
// uses any longer and no record needs, for after the checks have passed.
func (x *diffing) retire(kind Kind, key, base string, revs []int, owned func(name string) (string, bool)) {
	if x.stack.Partial != nil {
		return // others may still use them
	}
	for _, n := range revs {
		name := revisionName(base, n)
		id, ok := owned(name)
		if !ok || name == x.current[object{kind, base}] || x.archive.needs(kind, name) {
			continue
		}
		x.add(Change{
			Kind: kind, Name: key, Object: name, Action: ActionRemove, Impact: ImpactNone,
			Cause: "replaced by " + x.current[object{kind, base}] + "; removed once the checks have passed",
			Write: Remove{Kind: kind, ID: id, Name: name}, AfterChecks: true,
		})
	}
}

func (x *diffing) external(c Change, exists bool, remedy string) {
	if exists {
		x.plan.Unchanged++
		return
	}
	c.Action, c.Cause = ActionBlocked, fmt.Sprintf("the spec says it is external, but the Swarm has no %s of that name", c.Kind)
	c.Remedy = []string{remedy}
	x.add(c)
}

var labelsNode = &node{field: field{secretive: true}, segment: "labels"}

// labelFields compares labels other than our own, and merges ours into the
// result.
func (x *diffing) labelFields(prefix string, live, want map[string]string) (map[string]string, []FieldChange) {
	w := walker{prefix: prefix, ignored: x.ignored, redact: x.redact}
	merged := w.merge(labelsNode, reflect.ValueOf(live), reflect.ValueOf(want))
	return merged.Interface().(map[string]string), w.changes
}

func withLabels(base, more map[string]string) map[string]string {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}

func hasKey[V any](m map[string]V, k string) bool { _, ok := m[k]; return ok }
