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

// TestMain lets the test binary be swarmward in the txtar sessions, and docker
// where the machine has none, and the measuring parent of a benchmark, and closes
// the Swarm that the end-to-end tests share.
func TestMain(m *testing.M) {
	commands := map[string]func(){"swarmward": main, standIn: dockerByHand, "measured": measured}
	if _, err := exec.LookPath("docker"); err != nil || filepath.Base(os.Args[0]) == "docker" {
		commands["docker"] = dockerByHand
	}
	testscript.Main(suite{m}, commands)
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
	once sync.Once
	lab  *swarmlab.Lab
	err  error

	build    sync.Once
	dir      string
	binary   string
	buildErr error
}

// sharedLab is skipped where no Engine can run.
func sharedLab(t testing.TB) *swarmlab.Lab {
	t.Helper()
	swarmlab.Require(t)
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
		defer cancel()
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

// builtBinary is a swarmward as make build makes it, built once.
func builtBinary(t testing.TB) string {
	t.Helper()
	shared.build.Do(func() {
		if shared.dir, shared.buildErr = os.MkdirTemp("", "swarmward-"); shared.buildErr != nil {
			return
		}
		shared.binary = filepath.Join(shared.dir, "swarmward")
		cmd := exec.Command("go", "build", "-o", shared.binary, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			shared.buildErr = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if shared.buildErr != nil {
		t.Fatal(shared.buildErr)
	}
	return shared.binary
}
