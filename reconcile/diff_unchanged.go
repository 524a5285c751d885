package reconcile

import (
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// Unchanged remembers which services were as the spec said, from one Diff of a
// loaded stack to the next: a service that is still what it was, compared with
// what it was compared with, is not walked again. The zero value is ready; it
// is safe for concurrent use. It has no part in what a plan says.
type Unchanged struct {
	mu sync.Mutex
	of map[string]*compared // by stack

	digests map[string]recordDigest // of the stacks' records, by stack
}

// compared is what one Diff found to be as the spec says.
type compared struct {
	stack    *spec.Stack                 // as it was loaded, and nobody changes it
	services map[string]unchangedService // by full name
}

// unchangedService is what tells one state of a live service from another: the
// Swarm counts a service's versions, and a Swarm that was put back to an earlier
// state, and counts anew from there, does so at another time.
type unchangedService struct {
	id      string
	version swarm.Version
	updated time.Time
	names   string // of what both sides referred to
}

// last is what the last Diff of the very stack found.
func (u *Unchanged) last(stack *spec.Stack) *compared {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.of[stack.Name]; c != nil && c.stack == stack {
		return c
	}
	return nil
}

func (u *Unchanged) keep(c *compared) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of == nil {
		u.of = map[string]*compared{}
	}
	u.of[c.stack.Name] = c
}

// still says whether a service is known to be as the spec says, and counts it.
func (x *diffing) still(s spec.Service) bool {
	if x.before == nil || x.asksRegistry(s) {
		return false
	}
	was, ok := x.before.services[s.Spec.Name]
	live := x.seen.Services[s.Spec.Name]
	if !ok || was != x.standing(s, live) {
		return false
	}
	x.use(live.Spec)
	x.plan.Unchanged++
	x.found.services[s.Spec.Name] = was
	return true
}

// settled notes a service that the walk w found to be as the spec says, with
// nothing more to tell: each walk is to say which rules are for something, and
// what this Engine does not keep.
func (x *diffing) settled(s spec.Service, live ObservedService, w *walker) {
	if x.Unchanged == nil || x.ignored != nil || len(w.dropped) > 0 || live.Spec.Labels[LabelApplied] == "" || x.asksRegistry(s) {
		return
	}
	x.found.services[s.Spec.Name] = x.standing(s, live)
}

func (x *diffing) standing(s spec.Service, live ObservedService) unchangedService {
	return unchangedService{id: live.ID, version: live.Version, updated: live.UpdatedAt.UTC(), names: x.references(s, live)}
}

// asksRegistry says whether a registry's answer has a part in what s should be.
func (x *diffing) asksRegistry(s spec.Service) bool {
	image := ImageOf(s.Spec)
	return hasKey(x.seen.Digests, image) || hasKey(x.seen.Unresolved, image)
}

// references are the names of the secrets and configs that s stands for now, and
// those in the live spec that stand for an id there.
func (x *diffing) references(s spec.Service, live ObservedService) string {
	var b strings.Builder
	name := func(text string) {
		b.WriteString(text)
		b.WriteByte(0)
	}
	if c := s.Spec.TaskTemplate.ContainerSpec; c != nil {
		for _, r := range c.Secrets {
			name(x.revision(KindSecret, r.SecretName))
		}
		for _, r := range c.Configs {
			name(x.revision(KindConfig, r.ConfigName))
		}
		name(x.revision(KindConfig, credentialConfig(c)))
	}
	for _, n := range live.Spec.TaskTemplate.Networks {
		name(n.Target)
	}
	if c := live.Spec.TaskTemplate.ContainerSpec; c != nil {
		name(credentialConfig(c))
	}
	return b.String()
}

func credentialConfig(c *swarm.ContainerSpec) string {
	if p := c.Privileges; p != nil && p.CredentialSpec != nil {
		return p.CredentialSpec.Config
	}
	return ""
}
