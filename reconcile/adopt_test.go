package reconcile

import (
	"testing"
	"testing/synctest"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// A secret that was made without any label is adopted in one write: nothing is
// left for the next pass.
func TestAdoptedSecretGetsTheStacksLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		old := swarm.Secret{ID: "old"}
		old.Spec.Name = "app_password"
		f.seen.Secrets["app_password"] = old
		f.writes = nil
		o := (&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(t.Context(), pair())
		seen, _ := f.Observe(t.Context(), pair())
		if p := (Differ{}).Diff(pair(), seen); o.ExitCode() != ExitOK || !p.Empty() {
			t.Errorf("exit %d, and then:\n%s", o.ExitCode(), p)
		}
		if got := f.seen.Secrets["app_password"].Spec.Labels[spec.LabelNamespace]; got != "app" || len(f.writes) != 1 {
			t.Errorf("namespace %q, wrote %v", got, f.writes)
		}
	})
}
