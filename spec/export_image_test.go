package spec_test

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// An image is written as a person chose it: a digest that the Engine added goes,
// one that was asked for stays.
func TestExportedImage(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct{ live, label, want, pinned, note string }{
		{"redis:7", "redis:7", "redis:7", "redis:7", ""},
		{"redis:7" + digest, "redis:7", "redis:7", "redis:7" + digest, "pinned"},
		{"redis:latest" + digest, "redis", "redis", "redis:latest" + digest, "pinned"},
		{"docker.io/library/redis:7" + digest, "redis:7", "redis:7", "docker.io/library/redis:7" + digest, "pinned"},
		{"redis:7" + digest, "redis:7" + digest, "redis:7" + digest, "redis:7" + digest, ""},
		{"redis" + digest, "redis" + digest, "redis" + digest, "redis" + digest, ""},
		{"redis" + digest, "", "redis" + digest, "redis" + digest, ""},
		{"redis:8" + digest, "redis:7", "redis:8", "redis:8" + digest, "by hand"},
		{"valkey:8", "redis:7", "valkey:8", "valkey:8", "by hand"},
		{"redis:7" + digest, "", "redis:7", "redis:7" + digest, "pinned"},
	} {
		for _, pin := range []bool{false, true} {
			s := swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "a_web", Labels: map[string]string{spec.LabelNamespace: "a", spec.LabelImage: c.label}}}
			s.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Image: c.live}
			x, err := spec.Export(spec.Live{Name: "a", Services: []swarm.ServiceSpec{s}}, spec.ExportOptions{Pin: pin})
			if err != nil {
				t.Fatal(err)
			}
			want, notes := c.want, strings.Join(x.Notes, "\n")
			if pin {
				want = c.pinned
			}
			if !strings.Contains(string(x.YAML), "image: "+want+"\n") {
				t.Errorf("live %s, label %s, pin %v: want %s in\n%s", c.live, c.label, pin, want, x.YAML)
			}
			if expected := c.note != "" && (pin || c.note != "pinned"); expected && !strings.Contains(notes, c.note) || c.note == "" && strings.Contains(notes, "image") {
				t.Errorf("live %s, label %s, pin %v: notes %q", c.live, c.label, pin, notes)
			}
		}
	}
}
