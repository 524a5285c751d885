package reconcile

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// A service whose dependency was written may fail its check until it has
// connected anew; one that nothing was written for may not.
func TestGraceReachesDependants(t *testing.T) {
	for _, c := range []struct {
		name    string
		changed int // back, or front, which depends on it
		checked string
		want    int
	}{
		{"what depends on it", 0, "front", ExitOK},
		{"itself", 0, "back", ExitOK},
		{"what it depends on", 1, "back", ExitNotConverged}, // front, which waits for back, is not started
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s, tries := applied(t), pair(), 0
				_ = pause(t.Context(), time.Hour) // nothing is young any more
				r := &Reconciler{Engine: f, Prober: fakeProber(func(c spec.Check) CheckResult {
					if tries++; tries < 5 {
						return failing(c)
					}
					return passing(c)
				})}
				s.Services[c.changed].Spec.TaskTemplate.ContainerSpec.Image = "new:2"
				check := s.Settings.Checks[0]
				check.TCP = &spec.TCPCheck{Target: spec.Target{Service: c.checked}}
				s.Settings.Checks = []spec.Check{check}
				if o := r.Pass(t.Context(), s); o.ExitCode() != c.want {
					t.Errorf("exit %d after %d tries, want %d", o.ExitCode(), tries, c.want)
				}
			})
		})
	}
}
