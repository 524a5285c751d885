package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/swarmward/swarmward"

// The arrows between the rooms point one way: cmd to reconcile/*, those to
// reconcile, that to spec. What may import what is listed; all else is an
// error, so that a new room needs a line here.
func TestArrows(t *testing.T) {
	allowed := map[string][]string{
		"spec":                              {},
		"spec/source":                       {"spec"},
		"spec/source/gittest":               {},
		"reconcile":                         {"spec"},
		"reconcile/check":                   {"spec", "reconcile"},
		"reconcile/engine":                  {"spec", "reconcile"},
		"reconcile/render":                  {"spec", "reconcile"},
		"reconcile/serve":                   {"spec", "reconcile", "reconcile/render"},
		"reconcile/trigger":                 {},
		"cmd/swarmward":                     {"spec", "spec/source", "reconcile", "reconcile/check", "reconcile/engine", "reconcile/render", "reconcile/serve", "reconcile/trigger"},
		"reconcile/check/redistest":         {},
		"reconcile/engine/swarmlab":         {},
		"reconcile/engine/swarmlab/standin": {},
		"reconcile/engine/swarmlab/reality": {"reconcile/engine/swarmlab", "reconcile/engine/swarmlab/standin"},
		"reconcile/engine/swarmlab/standin/centrifugo": {"reconcile/engine/swarmlab/standin"},
		"reconcile/engine/swarmlab/conformance":        {"reconcile/engine/swarmlab"},
	}
	for _, p := range packages(t, "-find=false", module+"/...") {
		room := strings.TrimPrefix(p.ImportPath, module+"/")
		may, known := allowed[room]
		if !known {
			t.Errorf("%s is a room that this test does not know", room)
		}
		for _, i := range p.Imports {
			if to, ours := strings.CutPrefix(i, module+"/"); ours && !slices.Contains(may, to) {
				t.Errorf("%s imports %s", room, to)
			}
		}
	}
}

// The domain and the spec know Swarm's types and no way to talk to anything.
func TestPureRooms(t *testing.T) {
	for _, room := range []string{"reconcile", "spec"} {
		for _, p := range packages(t, "-deps", module+"/"+room) {
			for _, bad := range []string{"github.com/docker/docker/client", "github.com/redis/", "net/http", "github.com/spf13/"} {
				if strings.HasPrefix(p.ImportPath, bad) {
					t.Errorf("%s depends on %s", room, p.ImportPath)
				}
			}
		}
	}
	for _, p := range packages(t, "-find=false", module+"/...") {
		if slices.Contains(p.Imports, "github.com/docker/docker/client") && !strings.HasPrefix(p.ImportPath, module+"/reconcile/engine") {
			t.Errorf("%s imports the Docker client, which is reconcile/engine's alone", p.ImportPath)
		}
	}
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("go list found no package")
	}
	return all
}
