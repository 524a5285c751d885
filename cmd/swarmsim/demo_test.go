package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The demo holds itself to what it tells; and what the README shows is what it
// prints today, but for what differs from run to run. `make recording` writes
// it anew.
func TestDemo(t *testing.T) {
	t.Parallel()
	product := filepath.Join(t.TempDir(), "swarmward")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", product, "./cmd/swarmward")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	recorded := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(recorded, readme, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "--", binary, "demo", product, "../../desired-state.yaml", recorded)
	cmd.Env = []string{"PATH=" + filepath.Dir(git), "HOME=" + t.TempDir(), "TMPDIR=" + os.TempDir()}
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, &problems)
	}
	anew, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(readme), "\n"), strings.Split(string(anew), "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("README.md is not what the demo prints; make recording mends it. Line %d on:\n%s\nand now:\n%s",
				i+1, strings.Join(was[i:min(i+5, len(was))], "\n"), strings.Join(is[i:min(i+5, len(is))], "\n"))
		}
	}
}

// A demo that finds something else than it tells fails.
func TestDemoFails(t *testing.T) {
	t.Parallel()
	liar := filepath.Join(t.TempDir(), "swarmward")
	if err := os.WriteFile(liar, []byte("#!/bin/sh\necho everything is valid\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "--", binary, "demo", liar, "../../desired-state.yaml")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the demo went wrong: swarmward plan: exit code 0 instead of 2") {
		t.Errorf("%v\n%s", err, out)
	}
}
