package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"
)

// An Engine that drops a field, and what becomes of that when it is upgraded.
func TestDroppedFields(t *testing.T) {
	checked := func(image string, every time.Duration) swarm.ServiceSpec {
		s := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{
			Image: image, Healthcheck: &container.HealthConfig{Test: []string{"CMD", "true"}, StartInterval: every},
		}}}
		s.Name = "app_a"
		return s
	}
	written := func(api string, want swarm.ServiceSpec) swarm.ServiceSpec {
		p := Differ{}.Diff(oneService(want, ""), &Observed{Node: Self{APIVersion: api}})
		return asKept(p.Changes[0].Write.(CreateService).Spec, api)
	}
	old := written("1.41", checked("a:1", time.Second))
	warning := "services.a.healthcheck.start_interval: this Engine (API 1.41) does not keep it; it takes effect from Engine 25 (API 1.44)"
	for _, c := range []struct {
		name, api string
		live      func(*swarm.ServiceSpec)
		want      swarm.ServiceSpec
		plan      string
		warns     bool
	}{
		{name: "as written", api: "1.41", want: checked("a:1", time.Second), warns: true},
		{name: "another value, which is dropped too", api: "1.41", want: checked("a:1", time.Minute), warns: true},
		{name: "no value", api: "1.41", want: checked("a:1", 0)},
		{
			name: "another image", api: "1.41", want: checked("a:2", time.Second), warns: true,
			plan: "the spec changed\n  services.a.image a:1 -> a:2\n",
		},
		{
			name: "by hand, and another value, which is dropped too", api: "1.41", want: checked("a:1", time.Minute), warns: true,
			live: func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.User = "root" },
			plan: "changed by hand\n  services.a.user root -> (unset)\n",
		},
		{
			name: "the Engine was upgraded", api: "1.44", want: checked("a:1", time.Second),
			plan: "this Engine keeps what an older one dropped\n  services.a.healthcheck.start_interval 0s -> 1s\n",
		},
		{
			name: "the Engine was upgraded, and the spec changed", api: "1.44", want: checked("a:1", time.Minute),
			plan: "the spec changed\n  services.a.healthcheck.start_interval 0s -> 1m\n",
		},
		{
			name: "the Engine was upgraded, and somebody changed it by hand", api: "1.44", want: checked("a:1", time.Second),
			live: func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Healthcheck.StartInterval = time.Hour },
			plan: "changed by hand\n  services.a.healthcheck.start_interval 1h -> 1s\n",
		},
		{name: "the Engine was upgraded, and the spec says nothing", api: "1.44", want: checked("a:1", 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			live := asKept(old, "1.41")
			if c.live != nil {
				c.live(&live)
			}
			p := Differ{}.Diff(oneService(c.want, ""), liveService(live, c.api))
			_, got, _ := strings.Cut(p.String(), ": ")
			if d := cmp.Diff(c.plan, got); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
			var warnings []string
			if c.warns {
				warnings = []string{warning}
			}
			if d := cmp.Diff(warnings, p.Warnings); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
		})
	}
	if fresh := written("1.44", checked("a:1", time.Second)); fresh.Labels[LabelApplied] != SpecHash(fresh) {
		t.Errorf("where all is kept, the mark is %s", fresh.Labels[LabelApplied])
	}
}

// Whose digest it is that differs.
func TestCauseOfDigests(t *testing.T) {
	at := func(image string) swarm.ServiceSpec {
		s := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: image}}}
		s.Name = "app_a"
		return s
	}
	a, b := "@sha256:a"+zeros[1:], "@sha256:b"+zeros[1:]
	for _, c := range []struct{ written, live, want, cause string }{
		{"redis:7", "redis:7" + a, "redis:7", ""},
		{"redis:7", "redis:7" + a, "redis:7" + a, ""},
		{"redis:7", "redis:7" + a, "redis:7" + b, "the spec changed"},
		{"redis:7" + a, "redis:7" + a, "redis:7" + b, "the spec changed"},
		{"redis:7" + a, "redis:7" + a, "redis:7", ""},
		{"redis:7" + a, "redis:7" + b, "redis:7" + a, "changed by hand"},
		{"redis:7" + a, "redis:7", "redis:7" + a, "changed by hand"},
		{"redis:7", "redis" + a, "redis:7", "changed by hand"},
		{"redis:7", "redis:8" + b, "redis:7", "changed by hand"},
		{"redis:7", "redis:8" + b, "redis:6" + a, "the spec changed, and so did somebody by hand"},
	} {
		p := Differ{}.Diff(oneService(at(c.written), ""), &Observed{})
		live := p.Changes[0].Write.(CreateService).Spec
		live.TaskTemplate.ContainerSpec = at(c.live).TaskTemplate.ContainerSpec
		got := ""
		if p := (Differ{}).Diff(oneService(at(c.want), ""), liveService(live, "1.51")); len(p.Changes) > 0 {
			got = p.Changes[0].Cause
		}
		if got != c.cause {
			t.Errorf("written as %s, live %s, wanted %s: %q, want %q", c.written, c.live, c.want, got, c.cause)
		}
	}
}
