package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// TestMain lets the test binary be swarmward in the txtar sessions, and closes
// the Swarm that the end-to-end tests share.
func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"swarmward": main})
}

type suite struct{ m *testing.M }

func (s suite) Run() int {
	code := s.m.Run()
	if shared.lab != nil {
		if err := shared.lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "swarmlab:", err)
			code = max(code, 1)
		}
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	return code
}

// Sessions are readable: what a person types and what the answer is.
func TestSessions(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			// No Engine is near, whatever this machine has.
			e.Setenv("DOCKER_HOST", "unix:///no/such/docker.sock")
			root, err := filepath.Abs("../..")
			e.Setenv("ROOT", root)
			return err
		},
		Condition: func(cond string) (bool, error) { return false, fmt.Errorf("unknown condition %q", cond) },
	})
}

// shared is one Swarm with the spec's images, and one swarmward, for all
// end-to-end tests of this package.
var shared struct {
	once   sync.Once
	dir    string
	binary string
	lab    *swarmlab.Lab
	err    error
}

// sharedLab is skipped where no Engine can run.
func sharedLab(t *testing.T) *swarmlab.Lab {
	t.Helper()
	swarmlab.Require(t)
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
		defer cancel()
		if shared.err = build(ctx); shared.err != nil {
			return
		}
		if shared.lab, shared.err = swarmlab.Open(ctx, "", swarmlab.Options{}); shared.err != nil {
			return
		}
		if shared.err = shared.lab.LoadImages(ctx); shared.err == nil {
			shared.err = shared.lab.LoadImage(ctx, "busybox:lab", nil)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.lab
}

func build(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "swarmward-")
	if err != nil {
		return err
	}
	shared.dir, shared.binary = dir, filepath.Join(dir, "swarmward")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", shared.binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// builtBinary is for tests that have a lab of their own.
var builtOnce sync.Once

func builtBinary(t *testing.T) string {
	t.Helper()
	builtOnce.Do(func() {
		if shared.binary == "" {
			if err := build(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
	return shared.binary
}
