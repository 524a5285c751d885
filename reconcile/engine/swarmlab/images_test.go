package swarmlab

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// serviceOfSpec is the image and the health check of one of the spec's services.
func serviceOfSpec(t *testing.T, name string) (image string, health []string) {
	t.Helper()
	file, err := findUp(specFile)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Services map[string]struct {
			Image       string
			Healthcheck struct{ Test []string }
		}
	}
	if err := yaml.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	for _, word := range spec.Services[name].Healthcheck.Test {
		health = append(health, strings.ReplaceAll(word, "$$", "$"))
	}
	if len(health) == 0 {
		t.Fatalf("%s: service %s has no health check", file, name)
	}
	return spec.Services[name].Image, health
}

// TestCentrifugoImage runs the stand-in under the spec's health check, once
// with the health endpoint and once, as Centrifugo is by default, without.
func TestCentrifugoImage(t *testing.T) {
	t.Parallel()
	lab := Start(t, Options{NoSwarm: true})
	ctx, n := t.Context(), lab.Nodes[0]
	if err := lab.LoadImages(ctx); err != nil {
		t.Fatal(err)
	}
	image, health := serviceOfSpec(t, "centrifugo")
	for _, tc := range []struct{ enabled, want string }{{"true", "healthy"}, {"false", "unhealthy"}} {
		name := "health-" + tc.enabled
		_, err := n.Docker(ctx, "run", "--detach", "--name", name, "--env", "CENTRIFUGO_HEALTH_ENABLED="+tc.enabled,
			"--health-cmd", health[1], "--health-interval", "1s", "--health-retries", "3", image)
		if err != nil {
			t.Fatal(err)
		}
		err = poll(ctx, time.Minute, name, func(ctx context.Context) error {
			got, err := n.Docker(ctx, "inspect", "--format", "{{.State.Health.Status}}", name)
			if err == nil && got != tc.want+"\n" {
				err = fmt.Errorf("it is %q, want %s", got, tc.want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	out, err := n.Docker(ctx, "exec", "health-true", "sh", "-c", "id -u; pwd")
	if want := "1000\n/centrifugo\n"; err != nil || out != want {
		t.Errorf("its user and folder: %q (%v), want %q", out, err, want)
	}
}
