package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSwarmward runs the product on the example that everything runs on.
func TestSwarmward(t *testing.T) {
	swarmward := filepath.Join(t.TempDir(), "swarmward")
	build := exec.Command("go", "build", "-o", swarmward, "./cmd/swarmward")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := start(t)
	for _, tt := range []struct {
		step string // a verb of swarmward, or "ctl …"
		code int
		want []string
	}{
		{"plan", 2, []string{"11 to create"}},
		{"apply --yes", 0, []string{"converged and verified", "via published 127.", "via bridge 127."}},
		{"plan", 0, []string{"nothing to do"}},
		{"apply --yes", 0, []string{"nothing was written"}},
		{"check", 0, []string{"Redis stored", "Centrifugo answers with health and API: version 6.9.1, 1 node"}},
		{"ctl service stop whatrack_redis", 0, nil},
		{"check redis", 3, []string{"connection refused", "reason: refused"}},
		{"ctl service start whatrack_redis", 0, nil},
		{"check", 0, []string{"Redis stored"}},
	} {
		args := strings.Fields(tt.step)
		if args[0] == "ctl" {
			s.ctl(args[1:]...)
			continue
		}
		c := exec.Command(swarmward, append(args, "-f", "../../desired-state.yaml", "--log-level", "error")...)
		c.Env = append(os.Environ(), "DOCKER_HOST="+s.host, "REDIS_NODE=node-1", "REDIS_PASSWORD=redis-secret",
			"CENTRIFUGO_API_KEY=key-secret", "CENTRIFUGO_TOKEN_SECRET=token-secret",
			"CENTRIFUGO_ADMIN_PASSWORD=admin-password", "CENTRIFUGO_ADMIN_SECRET=admin-secret")
		out, _ := c.CombinedOutput()
		if code := c.ProcessState.ExitCode(); code != tt.code {
			t.Fatalf("swarmward %s: exit code %d, want %d: %s", tt.step, code, tt.code, out)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("swarmward %s: %s, want %s", tt.step, out, want)
			}
		}
	}
}
