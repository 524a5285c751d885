package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A controller whose own service is in the spec that it keeps changes all else
// first and itself last. Whichever way Swarm then takes it down, in the middle of
// its pass, the next one finds nothing left to do.
func TestSelfUpdate(t *testing.T) {
	t.Parallel()
	newImage(t)
	for _, order := range []string{"start-first", "stop-first"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			s := &selfUpdate{newOperator(t, sharedLab(t).Nodes[0]), "self-" + strings.TrimSuffix(order, "-first"), order}
			t.Cleanup(s.end)
			s.spec("one", "")
			s.want(0, []string{"apply", "--yes", "-f", "specs/stack.yaml"}, " converged; ")
			first := s.controllers()
			s.spec("two", "  extra: {image: \"busybox:lab\", command: [sleep, \"1000\"], stop_grace_period: 1s}\n")
			eventually(t, "the controller has changed itself and stands", func() bool {
				now := s.controllers()
				return len(now) == 1 && now[0] != first[0] && s.passed(now[0])
			})
			s.want(0, []string{"plan", "-f", "specs/stack.yaml"}, "nothing to do")
			s.once(first[0])
		})
	}
}

type selfUpdate struct {
	*operator
	stack, order string
}

// spec puts it where the controller reads it.
func (s *selfUpdate) spec(generation, more string) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "specs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	text := "name: " + s.stack + `
services:
  controller:
    image: swarmward:lab
    command: [run, -f, /specs, --log-format, json]
    environment: {GENERATION: ` + generation + `, SWARMWARD_LOG_LEVEL: debug, SWARMWARD_LISTEN: ":8080"}
    volumes: ["` + strings.TrimPrefix(s.node.Host, "unix://") + `:/var/run/docker.sock", "` + dir + `:/specs:ro"]
    healthcheck: {test: [CMD, /swarmward, health], interval: 1s, timeout: 5s, retries: 5, start_period: 10s}
    deploy: {update_config: {order: ` + s.order + `, monitor: 1s}}
  web:
    image: busybox:lab
    command: [sleep, "1000"]
    environment: {GENERATION: ` + generation + `}
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 1s}}
` + more
	// It is replaced as a checkout does it, whole.
	if err := os.WriteFile(filepath.Join(s.dir, "next"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(s.dir, "next"), filepath.Join(dir, "stack.yaml")); err != nil {
		s.t.Fatal(err)
	}
}

// end it all. For as long as the spec is there the controller makes again what
// is removed, itself too.
func (s *selfUpdate) end() {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.dir, "specs", "stack.yaml")); err != nil {
		s.t.Error(err)
	}
	eventually(s.t, "no controller reconciles the stack", func() bool {
		for _, c := range s.controllers() {
			if !slices.ContainsFunc(s.logged(c), func(said string) bool { return strings.HasPrefix(said, "the spec of a stack is gone") }) {
				return false
			}
		}
		return true
	})
	s.clear(s.stack)
}

// controllers that run.
func (s *selfUpdate) controllers() []string {
	s.t.Helper()
	return strings.Fields(s.docker("ps", "-q", "--filter", "name="+s.stack+"_controller"))
}

// logged is what a controller has said, as messages with their subjects.
func (s *selfUpdate) logged(container string) []string {
	s.t.Helper()
	// Also in a cleanup, where the test's context has ended.
	out, err := s.node.Command(context.WithoutCancel(s.t.Context()), "docker", "logs", container).CombinedOutput()
	if err != nil {
		s.t.Fatalf("docker logs: %v: %s", err, out)
	}
	var said []string
	for line := range strings.Lines(string(out)) {
		var entry struct {
			Msg, Subject, Level string
			Exit                *int
		}
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		text := strings.TrimSpace(entry.Msg + " " + entry.Subject)
		if entry.Exit != nil && *entry.Exit == 0 {
			text += " well"
		}
		if entry.Level == "ERROR" {
			text = "error: " + text
		}
		said = append(said, text)
	}
	return said
}

func (s *selfUpdate) passed(container string) bool {
	return slices.Contains(s.logged(container), "pass done well")
}

// once: each change was made once, the controller's own after all others, and
// nobody complained.
func (s *selfUpdate) once(old string) {
	s.t.Helper()
	said := s.logged(old)
	self := slices.Index(said, "apply: started service controller")
	for _, before := range []string{"apply: done service extra", "apply: done service web", "converge: done extra", "converge: done web"} {
		if i := slices.Index(said, before); i < 0 || i > self {
			s.t.Errorf("not before it changed itself: %q\n%s", before, strings.Join(said, "\n"))
		}
	}
	if last := said[len(said)-1]; last != "stopped" {
		s.t.Errorf("its last word was %q", last)
	}
	all := slices.Concat(said, s.logged(s.controllers()[0]))
	for _, text := range all {
		if strings.HasPrefix(text, "error: ") {
			s.t.Errorf("%s", text)
		}
	}
	for service, tasks := range map[string]int{"controller": 2, "web": 2, "extra": 1} {
		if got := len(strings.Fields(s.docker("service", "ps", "-q", s.stack+"_"+service))); got != tasks {
			s.t.Errorf("%s has had %d tasks, want %d:\n%s", service, got, tasks, s.docker("service", "ps", s.stack+"_"+service))
		}
	}
}
