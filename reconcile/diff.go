package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// Differ compares a spec with a live Swarm. The zero value is ready.
type Differ struct {
	// Fingerprints remembers what it computed from one Diff to the next.
	Fingerprints *Fingerprints
	// Unchanged does so too, for who compares one stack again and again. Nil:
	// nothing is remembered.
	Unchanged *Unchanged
	// AllowPruneAll lifts the guard against plans that remove most of a stack, as
	// the stack's own settings may.
	AllowPruneAll bool
	// Rotate has the keys of adopted secrets that get the spec's content now.
	Rotate map[string]bool
}

// Diff is the plan that makes seen what stack says. It is a function of its
// arguments: the same ones give the same plan.
func (d Differ) Diff(stack *spec.Stack, seen *Observed) *Plan {
	if d.Fingerprints == nil {
		d.Fingerprints = &Fingerprints{}
	}
	x := &diffing{
		Differ: d, stack: stack, seen: seen,
		plan:    &Plan{Stack: stack.Name, Revision: stack.Revision, Commit: stack.Commit},
		current: map[object]string{},
		redact:  Redactor(stack),
		live:    map[Kind]revisions{KindSecret: indexRevisions(seen.Secrets), KindConfig: indexRevisions(seen.Configs)},
		archive: openArchive(seen, stack.Name),
	}
	x.plan.current = x.current
	x.known = x.archive.known(stack, seen, d.Fingerprints)
	x.ignored = x.ignoreRules()
	for _, n := range stack.Networks {
		if !x.leave(KindNetwork, n.Key, hasKey(seen.Networks, n.Name)) {
			x.network(n)
		}
	}
	for _, v := range stack.Volumes {
		if !x.leave(KindVolume, v.Key, hasKey(seen.Volumes, v.Name)) {
			x.volume(v)
		}
	}
	x.Fingerprints.warm(x.unknown(stack.Secrets), seen)
	for _, s := range stack.Secrets {
		switch {
		case s.Object != "" && !s.External:
			x.pinned(Change{Kind: KindSecret, Name: s.Key, Object: s.Object}, s.Name)
		case !x.leaveRevision(KindSecret, s.Key, s.Name):
			x.secret(s)
		}
	}
	for _, c := range stack.Configs {
		switch {
		case c.Object != "" && !c.External:
			x.pinned(Change{Kind: KindConfig, Name: c.Key, Object: c.Object}, c.Name)
		case !x.leaveRevision(KindConfig, c.Key, c.Name):
			x.config(c)
		}
	}
	x.before = d.Unchanged.last(stack)
	x.found = &compared{stack: stack, services: map[string]unchangedService{}}
	for _, s := range stack.Services {
		if !x.still(s) {
			x.service(s)
		}
	}
	d.Unchanged.keep(x.found)
	x.prune()
	x.keep()
	x.warnUnreadable()
	if stack.Partial == nil {
		x.warnUnusedRules()
	} else {
		x.plan.Warnings = append(x.plan.Warnings, "limited to "+strings.Join(stack.Partial, ", ")+" and what that uses: the rest of the stack is neither compared nor checked")
	}
	x.sort()
	return x.plan
}

// diffing is one Diff under way.
type diffing struct {
	Differ
	stack   *spec.Stack
	seen    *Observed
	plan    *Plan
	current map[object]string // first revision -> name of the revision to use
	redact  func(string) (string, bool)
	ignored func(string) bool
	rules   []*ignoreRule
	live    map[Kind]revisions       // of secrets and configs
	archive *archive                 // of the stack's records
	known   map[string]string        // keys of the secrets whose content these live ones have, by name
	before  *compared                // by the last Diff; nil: there was none
	found   *compared                // by this one
	inUse   map[Kind]map[string]bool // secrets and configs, by name, that services will refer to
}

// object is one of the Swarm's; kinds have names of their own.
type object struct {
	kind Kind
	name string
}

func (x *diffing) add(c Change) { x.plan.Changes = append(x.plan.Changes, c) }

func (x *diffing) sort() {
	rank := map[Kind]int{KindNetwork: 0, KindVolume: 1, KindSecret: 2, KindConfig: 3, KindService: 4}
	late := map[bool]int{true: 1}
	slices.SortStableFunc(x.plan.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(rank[a.Kind], rank[b.Kind]), cmp.Compare(a.Name, b.Name),
			cmp.Compare(late[a.AfterChecks], late[b.AfterChecks]), cmp.Compare(a.Object, b.Object))
	})
}

func (x *diffing) service(s spec.Service) {
	want := x.digested(x.resolved(s.Spec))
	live, ok := x.seen.Services[want.Name]
	change := Change{Kind: KindService, Name: s.Key, Object: want.Name}
	path := "services." + quoteKey(s.Key)
	m := marking{
		pinned: pinned(s.Spec.TaskTemplate.ContainerSpec), api: minorVersion(x.seen.Node.APIVersion),
		prefix: path, rules: x.ignored,
	}
	if !ok {
		x.use(want)
		change.Action, change.Cause = ActionCreate, "not in the Swarm yet"
		change.Impact, change.Tasks = ImpactNone, x.size(want)
		x.warnDropped(m.dropped(want))
		change.Write = CreateService{Spec: stamped(want, m.mark(want, m.pinned).String()), Query: x.stack.Settings.Images.Resolve != "never"}
		x.add(change)
		return
	}
	if x.leave(KindService, s.Key, true) {
		x.use(live.Spec)
		return
	}
	if was, is := modeName(live.Spec.Mode), modeName(want.Mode); was != is {
		if !x.ignores(path + ".deploy.mode") {
			x.otherMode(change, path+".deploy.mode", was, is, live)
			return
		}
		want.Mode = live.Spec.Mode
	}
	w := walker{prefix: path, ignored: x.ignored, redact: x.redact, api: m.api}
	merged := w.service(&live.Spec, &want)
	x.use(merged)
	x.warnDropped(w.dropped)
	if len(w.changes) == 0 {
		x.settled(s, live, &w)
		x.unchangedService(change, live, func() mark { return m.mark(merged, m.pinned) })
		return
	}
	change.Action, change.Fields = ActionUpdate, withoutEcho(path, w.changes)
	next := m.mark(merged, m.pinned)
	change.Cause = m.cause(live.Spec, next, w.changes)
	if x.seen.Digests[ImageOf(s.Spec)] != "" && movedTag(change.Fields, live.Spec, merged) {
		change.Cause = "its tag points at another image now"
	}
	if note := rolledBackNote(live.UpdateStatus); note != "" {
		change.Notes = append(change.Notes, note)
	}
	query := x.queries(path, w.changes)
	x.impact(&change, live, &merged, query)
	change.Write = UpdateService{
		ID: live.ID, Version: live.Version, Spec: stamped(merged, next.String()), Query: query,
	}
	x.add(change)
}

// otherMode blocks what only a new service in the old one's place would do.
func (x *diffing) otherMode(c Change, path, was, is string, live ObservedService) {
	x.use(live.Spec)
	c.Action, c.Impact, c.Tasks = ActionBlocked, ImpactRecreate, len(x.runningTasks(live.ID))
	c.Cause = "Swarm cannot change a service's mode"
	c.Fields = []FieldChange{{Path: path, Old: &was, New: &is}}
	c.Remedy = []string{"docker service rm " + c.Object, "swarmward apply"}
	x.add(c)
}

// withoutEcho leaves out the label in which docker stack deploy repeats the
// image, where the image itself is listed.
func withoutEcho(path string, changes []FieldChange) []FieldChange {
	if !changesImage(path, changes) {
		return changes
	}
	return slices.DeleteFunc(slices.Clone(changes), func(c FieldChange) bool {
		return c.Path == path+".deploy.labels."+quoteKey(spec.LabelImage)
	})
}

func changesImage(path string, changes []FieldChange) bool {
	return slices.ContainsFunc(changes, func(c FieldChange) bool { return c.Path == path+".image" })
}

// unchangedService adopts a service that has no mark of ours yet. That write
// changes labels alone; it waits while an update runs or is paused, because
// any write would disarm the one and resume the other.
func (x *diffing) unchangedService(change Change, live ObservedService, written func() mark) {
	if live.Spec.Labels[LabelApplied] != "" {
		x.plan.Unchanged++
		return
	}
	if st := live.UpdateStatus; st != nil && !terminal(st.State) {
		change.Action, change.Notes = ActionNote, []string{fmt.Sprintf("adopted once its update is no longer %s", st.State)}
		x.plan.Unchanged++
		x.add(change)
		return
	}
	next := live.Spec
	x.impact(&change, live, &next, false)
	if change.Impact != ImpactNone {
		change = Change{Kind: change.Kind, Name: change.Name, Object: change.Object, Action: ActionNote}
		change.Notes = []string{"adopted with its next change: any write would start its tasks anew"}
		x.plan.Unchanged++
		x.add(change)
		return
	}
	change.Action, change.Cause = ActionAdopt, "as the spec says, but not under swarmward yet"
	change.Write = UpdateService{ID: live.ID, Version: live.Version, Spec: stamped(live.Spec, written().String())}
	x.add(change)
}

func terminal(s swarm.UpdateState) bool {
	return s == swarm.UpdateStateCompleted || s == swarm.UpdateStateRollbackCompleted
}

// queries says whether the registry is asked for the digest, in the words of
// docker stack deploy's --resolve-image. A change that leaves the tasks alone
// never asks: the answer would replace them.
func (x *diffing) queries(path string, changes []FieldChange) bool {
	return x.stack.Settings.Images.Resolve != "never" && changesImage(path, changes)
}

// digested is s with its image pinned to what the tag points at now, for a stack
// that follows its tags.
func (x *diffing) digested(s swarm.ServiceSpec) swarm.ServiceSpec {
	image := ImageOf(s)
	digest, ok := x.seen.Digests[image]
	if !ok {
		if why, asked := x.seen.Unresolved[image]; asked {
			x.plan.Warnings = append(x.plan.Warnings, fmt.Sprintf("services.%s.image: the registry could not say what %s is now, so what runs is kept: %s", strings.TrimPrefix(s.Name, x.stack.Name+"_"), image, why))
		}
		return s
	}
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return s
	}
	c := *s.TaskTemplate.ContainerSpec
	c.Image = reference.FamiliarString(reference.TagNameOnly(ref)) + "@" + digest
	s.TaskTemplate.ContainerSpec = &c
	return s
}

// movedTag: the image is another one under the same name and tag.
func movedTag(changes []FieldChange, live, merged swarm.ServiceSpec) bool {
	return len(changes) == 1 && strings.HasSuffix(changes[0].Path, ".image") && ImageOf(live) == ImageOf(merged)
}

func rolledBackNote(s *swarm.UpdateStatus) string {
	if s == nil || !strings.HasPrefix(string(s.State), "rollback") {
		return ""
	}
	return fmt.Sprintf("Swarm rolled the last update back: %s", s.Message)
}

func modeName(m swarm.ServiceMode) string {
	switch {
	case m.Global != nil:
		return "global"
	case m.ReplicatedJob != nil:
		return "replicated-job"
	case m.GlobalJob != nil:
		return "global-job"
	}
	return "replicated"
}

// stamped is a copy of s that carries the hash of what was written.
func stamped(s swarm.ServiceSpec, hash string) swarm.ServiceSpec {
	labels := map[string]string{LabelApplied: hash}
	for k, v := range s.Labels {
		if k != LabelApplied {
			labels[k] = v
		}
	}
	s.Labels = labels
	return s
}

// resolved is a copy of s whose secret and config references name the
// revisions to use.
func (x *diffing) resolved(s swarm.ServiceSpec) swarm.ServiceSpec {
	if s.TaskTemplate.ContainerSpec == nil {
		return s
	}
	c := *s.TaskTemplate.ContainerSpec
	c.Secrets = slices.Clone(c.Secrets)
	for i, r := range c.Secrets {
		ref := *r
		ref.SecretName = x.revision(KindSecret, r.SecretName)
		c.Secrets[i] = &ref
	}
	c.Configs = slices.Clone(c.Configs)
	for i, r := range c.Configs {
		ref := *r
		ref.ConfigName = x.revision(KindConfig, r.ConfigName)
		c.Configs[i] = &ref
	}
	if p := c.Privileges; p != nil && p.CredentialSpec != nil && p.CredentialSpec.Config != "" {
		privileges, credential := *p, *p.CredentialSpec
		credential.Config = x.revision(KindConfig, credential.Config)
		privileges.CredentialSpec, c.Privileges = &credential, &privileges
	}
	s.TaskTemplate.ContainerSpec = &c
	return s
}

func (x *diffing) revision(kind Kind, name string) string { return x.plan.revision(kind, name) }

// revision is the full name of the object in use for the first revision's name.
func (p *Plan) revision(kind Kind, name string) string {
	return cmp.Or(p.current[object{kind, name}], name)
}

// Redactor hides the contents of the stack's secrets wherever they occur, and
// what else of it is sensitive.
func Redactor(stack *spec.Stack) func(string) (string, bool) {
	var values []string
	hide := func(data spec.Sensitive) {
		// Shorter ones would blot out half of every text.
		if v := strings.TrimSpace(string([]byte(data))); len(v) >= 4 {
			values = append(values, v)
		}
	}
	for _, s := range stack.Secrets {
		hide(s.Data)
	}
	for _, data := range stack.Sensitive {
		hide(data)
	}
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	return func(s string) (string, bool) {
		was := s
		for _, v := range values {
			s = strings.ReplaceAll(s, v, "(sensitive)")
		}
		return s, s != was
	}
}
