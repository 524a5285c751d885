package reconcile

import (
	"fmt"

	"github.com/docker/docker/api/types/swarm"
)

// engineSince is the first Engine with a minor version of the API.
var engineSince = map[int]string{44: "25", 45: "26", 46: "27"}

// dropped lists what the Engine will not keep of a new service.
func (m marking) dropped(s swarm.ServiceSpec) []droppedField {
	w := walker{canonical: true, api: m.api, prefix: m.prefix, ignored: m.rules}
	w.service(&swarm.ServiceSpec{}, &s)
	return w.dropped
}

// warnDropped: what no write to this Engine can bring about is no difference.
func (x *diffing) warnDropped(fields []droppedField) {
	for _, f := range fields {
		x.plan.Warnings = append(x.plan.Warnings, fmt.Sprintf("%s: this Engine (API %s) does not keep it; it takes effect from Engine %s (API 1.%d)",
			f.path, x.seen.Node.APIVersion, engineSince[f.since], f.since))
	}
}
