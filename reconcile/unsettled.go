package reconcile

import "github.com/swarmward/swarmward/spec"

// unsettled tells whether this pass wrote a service, or one that it depends on:
// what is new starts, and its clients have to connect anew.
func (p *pass) unsettled(s spec.Service) bool {
	if !p.wrote(s.Spec.Name).IsZero() {
		return true
	}
	for key := range s.DependsOn {
		if d, ok := p.stack.Service(key); ok && !p.wrote(d.Spec.Name).IsZero() {
			return true
		}
	}
	return false
}
