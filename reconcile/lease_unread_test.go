package reconcile

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// A session whose label says nothing ends as others do, unless its holder writes
// it anew: else all controllers would stand by for ever.
func TestUnreadableSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		broken := (&Session{}).config("broken", session{})
		broken.Labels[LabelSession] = "{"
		f.seen.Configs[broken.Name] = swarm.Config{ID: "id-broken", Spec: broken}
		there := func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return hasKey(f.seen.Configs, broken.Name)
		}
		a := asks(t.Context(), f, "a")
		defer a.end()
		time.Sleep(sessionTTL - time.Second)
		if !there() {
			t.Error("it ended before its time was over")
		}
		time.Sleep(sessionTTL)
		if there() {
			t.Error("it lives for ever")
		}
	})
}
