package reconcile

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
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
	// AllowPruneAll lifts the guard against plans that remove most of a stack.
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
		plan:    &Plan{Stack: stack.Name, Revision: stack.Revision},
		current: map[string]string{},
		redact:  Redactor(stack),
	}
	x.ignored = x.ignoreRules()
	for _, n := range stack.Networks {
		x.network(n)
	}
	for _, v := range stack.Volumes {
		x.volume(v)
	}
	for _, s := range stack.Secrets {
		x.secret(s)
	}
	for _, c := range stack.Configs {
		x.config(c)
	}
	for _, s := range stack.Services {
		x.service(s)
	}
	x.prune()
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
	current map[string]string // first revision's name -> name of the revision to use
	redact  func(string) (string, bool)
	ignored func(string) bool
	rules   []*ignoreRule
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
	if !ok {
		change.Action, change.Cause = ActionCreate, "not in the Swarm yet"
		change.Impact, change.Tasks = ImpactNone, x.size(want)
		change.Write = CreateService{Spec: stamped(want, SpecHash(want)), Query: x.stack.Settings.Images.Resolve != "never"}
		x.add(change)
		return
	}
	if was, is := modeName(live.Spec.Mode), modeName(want.Mode); was != is {
		change.Action, change.Impact, change.Tasks = ActionBlocked, ImpactRecreate, len(x.runningTasks(live.ID))
		change.Cause = "Swarm cannot change a service's mode"
		change.Fields = []FieldChange{{Path: "services." + s.Key + ".deploy.mode", Old: &was, New: &is}}
		change.Remedy = []string{"docker service rm " + want.Name, "swarmward apply"}
		x.add(change)
		return
	}
	w := walker{fields: fields(), prefix: "services." + s.Key, ignored: x.ignored, redact: x.redact}
	merged := w.merge("", "", replaceTasks, reflect.ValueOf(live.Spec), reflect.ValueOf(want)).Interface().(swarm.ServiceSpec)
	if len(w.changes) == 0 {
		x.unchangedService(change, live)
		return
	}
	hash := SpecHash(merged)
	change.Action, change.Fields = ActionUpdate, withoutEcho(w.changes)
	change.Cause = cause(live.Spec, hash)
	if movedTag(change.Fields, live.Spec, merged) && SpecHash(live.Spec) == hash {
		change.Cause = "its tag points at another image now"
	}
	if note := rolledBackNote(live.UpdateStatus); note != "" {
		change.Notes = append(change.Notes, note)
	}
	x.impact(&change, live, merged)
	change.Write = UpdateService{
		ID: live.ID, Version: live.Version, Spec: stamped(merged, hash),
		Query: x.queries(change.Fields),
	}
	x.add(change)
}

// withoutEcho leaves out the label in which docker stack deploy repeats the
// image, where the image itself is listed.
func withoutEcho(changes []FieldChange) []FieldChange {
	if !slices.ContainsFunc(changes, func(c FieldChange) bool { return strings.HasSuffix(c.Path, ".image") }) {
		return changes
	}
	return slices.DeleteFunc(changes, func(c FieldChange) bool {
		return strings.HasSuffix(c.Path, "."+quoteKey(spec.LabelImage))
	})
}

// unchangedService adopts a service that has no mark of ours yet. That write
// changes labels alone; it waits while an update runs or is paused, because
// any write would disarm the one and resume the other.
func (x *diffing) unchangedService(change Change, live ObservedService) {
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
	change.Action, change.Impact, change.Cause = ActionAdopt, ImpactNone, "as the spec says, but not under swarmward yet"
	change.Write = UpdateService{ID: live.ID, Version: live.Version, Spec: stamped(live.Spec, SpecHash(live.Spec))}
	x.add(change)
}

func terminal(s swarm.UpdateState) bool {
	return s == swarm.UpdateStateCompleted || s == swarm.UpdateStateRollbackCompleted
}

// queries says whether the registry is asked for the digest, in the words of
// docker stack deploy's --resolve-image.
func (x *diffing) queries(changes []FieldChange) bool {
	return x.stack.Settings.Images.Resolve != "never" && slices.ContainsFunc(changes, func(c FieldChange) bool { return strings.HasSuffix(c.Path, ".image") })
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

// cause compares the live spec, the one that was written last and the one that
// is wanted now.
func cause(live swarm.ServiceSpec, wantHash string) string {
	applied := live.Labels[LabelApplied]
	byHand, bySpec := SpecHash(live) != applied, wantHash != applied
	switch {
	case applied == "":
		return "not under swarmward yet"
	case byHand && bySpec:
		return "the spec changed, and so did somebody by hand"
	case byHand:
		return "changed by hand"
	}
	return "the spec changed"
}

func rolledBackNote(s *swarm.UpdateStatus) string {
	if s == nil || !strings.HasPrefix(string(s.State), "rollback") {
		return ""
	}
	return fmt.Sprintf("Swarm rolled the last update back: %s", s.Message)
}

// impact predicts which tasks are replaced.
func (x *diffing) impact(c *Change, live ObservedService, merged swarm.ServiceSpec) {
	running := x.runningTasks(live.ID)
	worst, scales := keepsTasks, false
	for _, f := range c.Fields {
		if f.impact == scalesTasks {
			scales = true
			continue
		}
		worst = max(worst, f.impact)
	}
	c.Impact = ImpactNone
	switch {
	case worst == replaceTasks:
		c.Impact, c.Tasks = ImpactRolling, len(running)
	case worst == movesTasks:
		for _, t := range running {
			if node, ok := x.seen.Nodes[t.NodeID]; ok && !satisfies(node, merged.TaskTemplate.Placement.Constraints) {
				c.Tasks++
			}
		}
		if c.Tasks > 0 {
			c.Impact = ImpactRolling
		}
	}
	if scales {
		c.Notes = append(c.Notes, fmt.Sprintf("scales from %d to %d", x.size(live.Spec), x.size(merged)))
	}
}

func (x *diffing) runningTasks(serviceID string) []swarm.Task {
	return slices.DeleteFunc(slices.Clone(x.seen.Tasks[serviceID]), func(t swarm.Task) bool {
		return t.DesiredState != swarm.TaskStateRunning
	})
}

// size is the number of tasks that a service should have.
func (x *diffing) size(s swarm.ServiceSpec) int {
	switch {
	case s.Mode.Replicated != nil && s.Mode.Replicated.Replicas != nil:
		return int(*s.Mode.Replicated.Replicas)
	case s.Mode.Global != nil || s.Mode.GlobalJob != nil:
		return len(x.seen.Nodes)
	case s.Mode.ReplicatedJob != nil && s.Mode.ReplicatedJob.TotalCompletions != nil:
		return int(*s.Mode.ReplicatedJob.TotalCompletions)
	}
	return 1
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
		ref.SecretName = cmp.Or(x.current[r.SecretName], r.SecretName)
		c.Secrets[i] = &ref
	}
	c.Configs = slices.Clone(c.Configs)
	for i, r := range c.Configs {
		ref := *r
		ref.ConfigName = cmp.Or(x.current[r.ConfigName], r.ConfigName)
		c.Configs[i] = &ref
	}
	s.TaskTemplate.ContainerSpec = &c
	return s
}

// ignoreRule is one entry of x-swarmward.ignore: a path, * for any part of it;
// what lies below a path that matches is ignored too.
type ignoreRule struct {
	text string
	re   *regexp.Regexp
	used bool
}

func (x *diffing) ignoreRules() func(string) bool {
	for _, r := range x.stack.Settings.Ignore {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(r), `\*`, `.*`)
		x.rules = append(x.rules, &ignoreRule{text: r, re: regexp.MustCompile(`^` + pattern + `($|\.)`)})
	}
	if len(x.rules) == 0 {
		return nil
	}
	return func(path string) bool {
		hit := false
		for _, r := range x.rules {
			if r.re.MatchString(path) {
				r.used, hit = true, true
			}
		}
		return hit
	}
}

func (x *diffing) warnUnusedRules() {
	for _, r := range x.rules {
		if !r.used {
			x.plan.Warnings = append(x.plan.Warnings, fmt.Sprintf("x-swarmward.ignore: %q matches nothing in this stack", r.text))
		}
	}
}

// Redactor hides the contents of the stack's secrets wherever they occur.
func Redactor(stack *spec.Stack) func(string) (string, bool) {
	var values []string
	for _, s := range stack.Secrets {
		// Shorter ones would blot out half of every text.
		if v := strings.TrimSpace(string([]byte(s.Data))); len(v) >= 4 {
			values = append(values, v)
		}
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
