package reconcile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// ignoreRule is one entry of x-swarmward.ignore: a path in the words of a plan,
// with * for any characters of one name. It covers what lies below it.
type ignoreRule struct {
	text  string
	names []*regexp.Regexp
	used  bool
}

func newIgnoreRule(text string) *ignoreRule {
	r := &ignoreRule{text: text}
	names, err := spec.SplitPath(text)
	if err != nil {
		return r // validate has said so; it matches nothing
	}
	for _, n := range names {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(n), `\*`, `.*`)
		r.names = append(r.names, regexp.MustCompile(`^(?s:`+pattern+`)$`))
	}
	return r
}

// covers says whether the rule is for the path or for something above it.
func (r *ignoreRule) covers(path []string) bool {
	return len(r.names) > 0 && len(path) >= len(r.names) && r.common(path) == len(r.names)
}

// common counts the names at the beginning of a path that the rule is for.
func (r *ignoreRule) common(path []string) int {
	n := 0
	for n < len(r.names) && n < len(path) && r.names[n].MatchString(path[n]) {
		n++
	}
	return n
}

// ignoreRules returns what says whether a path is somebody else's; nil without
// rules.
func (x *diffing) ignoreRules() func(string) bool {
	for _, text := range x.stack.Settings.Ignore {
		x.rules = append(x.rules, newIgnoreRule(text))
	}
	if len(x.rules) == 0 {
		return nil
	}
	return func(path string) bool {
		names, err := spec.SplitPath(path)
		if err != nil {
			return false
		}
		image := withImage(names)
		hit := false
		for _, r := range x.rules {
			if r.covers(names) || r.covers(image) {
				r.used, hit = true, true
			}
		}
		return hit
	}
}

// withImage takes the label in which docker stack deploy repeats the image for
// the image: who owns the one owns the other.
func withImage(names []string) []string {
	if len(names) == 5 && names[0] == "services" && names[4] == spec.LabelImage {
		return []string{names[0], names[1], "image"}
	}
	return names
}

func (x *diffing) ignores(path string) bool { return x.ignored != nil && x.ignored(path) }

// leaves says whether a whole object is somebody else's: it is made when it is
// missing, and then neither changed nor marked nor removed. A secret or config
// is nothing but its content.
func (x *diffing) leaves(kind Kind, key string) bool {
	path := string(kind) + "s." + quoteKey(key)
	return x.ignores(path) || (kind == KindSecret || kind == KindConfig) && x.ignores(path+".content")
}

// leave is leaves for an object that may exist; it counts one that is left.
func (x *diffing) leave(kind Kind, key string, exists bool) bool {
	if !exists || !x.leaves(kind, key) {
		return false
	}
	x.plan.Unchanged++
	return true
}

// leaveRevision is leave for secrets and configs, whose newest revision stays
// the one in use.
func (x *diffing) leaveRevision(kind Kind, key, base string) bool {
	revs := x.live[kind].of(base)
	if len(revs) == 0 || !x.leave(kind, key, true) {
		return false
	}
	x.current[object{kind, base}] = revisionName(base, revs[0])
	return true
}

// keep takes removals out of the plan: of what a rule leaves alone, and of
// secrets and configs that a service goes on using because a rule leaves its
// reference alone.
func (x *diffing) keep() {
	if len(x.rules) == 0 {
		return
	}
	x.plan.Changes = slices.DeleteFunc(x.plan.Changes, func(c Change) bool {
		w, ok := c.Write.(Remove)
		return ok && (x.inUse[w.Kind][w.Name] || x.leaves(w.Kind, strings.TrimPrefix(w.Name, x.stack.Name+"_")))
	})
}

// use notes the secrets and configs that a service will refer to.
func (x *diffing) use(s swarm.ServiceSpec) {
	if x.inUse == nil {
		x.inUse = map[Kind]map[string]bool{KindSecret: {}, KindConfig: {}}
	}
	if s.TaskTemplate.ContainerSpec == nil {
		return
	}
	for _, r := range s.TaskTemplate.ContainerSpec.Secrets {
		x.inUse[KindSecret][r.SecretName] = true
	}
	for _, r := range s.TaskTemplate.ContainerSpec.Configs {
		x.inUse[KindConfig][r.ConfigName] = true
	}
}

// warnUnusedRules names the rules that are for nothing, and what they are most
// likely meant for. A field that could be set counts although nobody sets it.
func (x *diffing) warnUnusedRules() {
	var known [][]string
	for _, r := range x.rules {
		if r.used {
			continue
		}
		if known == nil {
			known = x.knownPaths()
		}
		if slices.ContainsFunc(known, r.covers) {
			continue
		}
		x.plan.Warnings = append(x.plan.Warnings, fmt.Sprintf("x-swarmward.ignore: %q matches nothing in this stack%s", r.text, r.nearest(known)))
	}
}

// nearest says how much of the rule's path there is, and what it may mean.
func (r *ignoreRule) nearest(known [][]string) string {
	names, err := spec.SplitPath(r.text)
	if err != nil {
		return ": " + err.Error()
	}
	most := 1
	for _, path := range known {
		most = max(most, r.common(path))
	}
	below := map[string]bool{}
	for _, path := range known {
		if len(path) > most && r.common(path) == most {
			below[path[most]] = true
		}
	}
	have, rest := pathText(names[:most]), names[most:]
	text := fmt.Sprintf(": %s has no %s", have, pathText(rest[:1]))
	if dotted := strings.Join(rest, "."); below[dotted] {
		return text + "; write " + have + "." + quoteKey(dotted)
	}
	if n := spec.Nearest(rest[0], sortedKeys(below)); n != "" {
		return text + "; did you mean " + pathText(append(slices.Clone(names[:most]), append([]string{n}, rest[1:]...)...)) + "?"
	}
	return text
}

var plainPattern = regexp.MustCompile(`^[A-Za-z0-9_*-]+$`)

func pathText(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		if out[i] = n; !plainPattern.MatchString(n) {
			out[i] = quoteKey(n)
		}
	}
	return strings.Join(out, ".")
}

// knownPaths are the paths of all that the stack has or could have.
func (x *diffing) knownPaths() [][]string {
	var out [][]string
	add := func(path string) bool {
		if names, err := spec.SplitPath(path); err == nil {
			out = append(out, names)
		}
		return false
	}
	for _, s := range x.stack.Services {
		prefix := "services." + quoteKey(s.Key)
		for p := range servicePaths() {
			add(prefix + "." + p)
		}
		w := walker{prefix: prefix, ignored: add}
		live := x.seen.Services[s.Spec.Name].Spec
		w.service(&live, &s.Spec)
	}
	for _, n := range x.stack.Networks {
		live := x.seen.Networks[n.Name]
		prefix := objectPaths(add, KindNetwork, n.Key, "driver", "attachable", "internal", "enable_ipv6", "ipam")
		keyPaths(add, prefix+"labels", n.Create.Labels, live.Labels)
		keyPaths(add, prefix+"driver_opts", n.Create.Options, live.Options)
	}
	for _, v := range x.stack.Volumes {
		prefix := objectPaths(add, KindVolume, v.Key, "driver")
		keyPaths(add, prefix+"labels", v.Create.Labels)
		keyPaths(add, prefix+"driver_opts", v.Create.DriverOpts)
	}
	for _, s := range x.stack.Secrets {
		keyPaths(add, objectPaths(add, KindSecret, s.Key, "content", "template_driver")+"labels", s.Spec.Labels)
	}
	for _, c := range x.stack.Configs {
		keyPaths(add, objectPaths(add, KindConfig, c.Key, "content", "template_driver")+"labels", c.Spec.Labels)
	}
	return out
}

// objectPaths adds an object's fields and returns what their paths begin with.
func objectPaths(add func(string) bool, kind Kind, key string, fields ...string) string {
	prefix := string(kind) + "s." + quoteKey(key) + "."
	for _, f := range fields {
		add(prefix + f)
	}
	return prefix
}

func keyPaths(add func(string) bool, path string, maps ...map[string]string) {
	add(path)
	for _, m := range maps {
		for k := range m {
			add(path + "." + quoteKey(k))
		}
	}
}

// servicePaths are the fields that a service can have, set or not.
var servicePaths = sync.OnceValue(func() map[string]bool {
	paths := map[string]bool{}
	var visit func(n *node, path string)
	visit = func(n *node, path string) {
		switch {
		case n.skip:
			return
		case n.absolute:
			path = n.segment
		case n.segment != "":
			path = join(path, n.segment)
		}
		if path != "" {
			paths[path] = true
		}
		for _, p := range n.parts {
			visit(p.node, path)
		}
	}
	visit(fields(), "")
	return paths
})
