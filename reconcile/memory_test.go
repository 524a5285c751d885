package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"
)

func TestMemoryComesBack(t *testing.T) {
	at := time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC)
	m := Memory{
		Suspended: &Suspension{By: "ana", Why: "moving a disk", At: at},
		Held:      &Hold{Target: Target{Revision: "4f2c1ab", Secrets: "f"}, Why: "check redis failed", Since: at, Record: 3},
		Attempt:   &Attempt{Target: Target{Revision: "4f2c1ab", Secrets: ""}, Since: at},
	}
	made := m.Write("web").(CreateConfig).Spec
	live := swarm.Config{ID: "id", Meta: swarm.Meta{Version: swarm.Version{Index: 7}}, Spec: made}
	live.Spec.Labels["somebody.else"] = "stays"
	seen := &Observed{Configs: map[string]swarm.Config{made.Name: live}}

	got, err := MemoryOf(seen, "web")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{m.Suspended, m.Held, m.Attempt}, []any{got.Suspended, got.Held, got.Attempt}); diff != "" {
		t.Error(diff)
	}
	got.Suspended, got.Held = nil, nil
	w := got.Write("web").(LabelConfig)
	if w.ID != "id" || w.Version.Index != 7 || w.Spec.Labels["somebody.else"] != "stays" || w.Spec.Labels[LabelHeld] != "" || w.Spec.Labels[LabelAttempt] == "" || string(w.Spec.Data) != string(made.Data) {
		t.Errorf("%+v", w)
	}

	live.Spec.Labels[LabelAttempt] = "{"
	if _, err := MemoryOf(seen, "web"); err == nil || !strings.Contains(err.Error(), "label swarmward.attempt cannot be read") || !strings.Contains(err.Error(), "`docker config rm swarmward.web.memory`") {
		t.Errorf("a label that is damaged: %v", err)
	}
	live.Spec.Labels[LabelSchema] = "2"
	if _, err := MemoryOf(seen, "web"); err == nil || !strings.Contains(err.Error(), "newer swarmward") {
		t.Errorf("a newer schema: %v", err)
	}
	live.Spec.Labels[LabelStack] = "other"
	if _, err := MemoryOf(seen, "web"); err == nil {
		t.Error("another stack's config was taken for this one's memory")
	}
}

func TestKeptNamesFitAndDiffer(t *testing.T) {
	long := strings.Repeat("a", 61)
	for _, stack := range []string{"web", long} {
		if name := keptName(stack, "memory"); len(name) > maxObjectName {
			t.Errorf("%s has %d characters", name, len(name))
		}
	}
	if !IsMemory("web", memoryName("web")) || !IsMemory("", memoryName(long)) || IsMemory("web", memoryName("webs")) || IsMemory("", keptName("web", "4")) {
		t.Error("a memory is not told from what else is kept")
	}
	if keptName(long, "memory") == keptName(long[:60]+"b", "memory") {
		t.Error("two stacks have one memory")
	}
}
