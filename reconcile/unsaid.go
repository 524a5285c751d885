package reconcile

import (
	"slices"

	"github.com/swarmward/swarmward/spec"
)

// Unsaid are the differences that would remain if nobody changed anything:
// where a plan is made from a spec that was written after the Swarm, they are
// what the spec could not say. Paths are fields of services, which
// x-swarmward.ignore can leave as they are; others are all other differences,
// a line each.
//
// The image's label is among neither where it names an image of before: writing
// it restarts nothing, and left alone it would mislead docker stack deploy.
func (p *Plan) Unsaid() (paths, others []string) {
	for _, c := range p.Changes {
		switch {
		case c.Action == ActionAdopt || c.Action == ActionNote:
		case c.Action == ActionUpdate && c.Kind == KindService:
			for _, f := range c.Fields {
				if f.Old == nil || f.Path != "services."+c.Name+".deploy.labels."+quoteKey(spec.LabelImage) {
					paths = append(paths, f.Path)
				}
			}
		default:
			line := string(c.Action) + " " + string(c.Kind) + " " + c.Object
			if c.Cause != "" {
				line += ": " + c.Cause
			}
			others = append(others, line)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), others
}
