package main

import (
	"os"
	"strings"
	"testing"
)

// adopter is an operator with the everything-file, and what it refers to made
// by hand as a setup guide would.
func adopter(t *testing.T, o *operator) {
	t.Helper()
	text, err := os.ReadFile("testdata/adopt/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o.write("desired-state.yaml", string(text))
	o.write("plain.conf", "port 6379\n# $HOME\n")
	o.write("templated.conf", "{{ .Service.Name }}\n")
	o.write("password", "adoptedPassword1")
	o.docker("network", "create", "--driver", "overlay", "--scope", "swarm", "adopted-redeinterna")
	o.docker("volume", "create", "adopted-redis_data")
	o.docker("secret", "create", "adopted_by_hand", o.dir+"/password")
}

// running lists the ids of the tasks that should run, once every service has
// as many as it wants.
func (o *operator) running(stack string) string {
	o.t.Helper()
	eventually(o.t, "the tasks of "+stack+" run", func() bool {
		all := strings.Fields(o.docker("stack", "services", "--format", "{{.Replicas}}", stack))
		for _, r := range all {
			if is, want, ok := strings.Cut(r, "/"); ok && is != want {
				return false
			}
		}
		return len(all) > 0
	})
	return o.docker("stack", "ps", "-q", "--no-trunc", "--filter", "desired-state=running", stack)
}

func (o *operator) deploy(stack string) {
	o.t.Helper()
	o.docker("stack", "deploy", "--resolve-image", "never", "-c", o.dir+"/desired-state.yaml", stack)
}

// A stack of docker stack deploy becomes swarmward's, docker stack deploy's
// and swarmward's again; then from an export of it: no task restarts.
func TestAdoptionRestartsNothing(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	o := newOperator(t, lab.Nodes[0])
	adopter(t, o)
	t.Cleanup(func() {
		o.clear("adopted")
		o.docker("network", "rm", "adopted-redeinterna")
		o.docker("volume", "rm", "adopted-redis_data")
		o.docker("secret", "rm", "adopted_by_hand")
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(o.docker("stack", "ps", "--no-trunc", "adopted"))
		}
	})
	o.deploy("adopted")
	before := o.running("adopted")
	if n := len(strings.Fields(before)); n != 6 {
		t.Fatalf("%d tasks run, want 6:\n%s", n, o.docker("stack", "ps", "adopted"))
	}
	same := func(after string) {
		t.Helper()
		if tasks := o.running("adopted"); tasks != before {
			t.Fatalf("%s: tasks were replaced:\n%s", after, o.docker("stack", "ps", "--no-trunc", "adopted"))
		}
	}
	adopts := func(verb ...string) {
		t.Helper()
		r := o.want(2, append([]string{"plan"}, verb...), "adopt, no restart")
		for _, bad := range []string{"->", "1 task restarts", "tasks restart", "blocked", "create", "remove"} {
			if strings.Contains(r.stdout, bad) {
				t.Errorf("the plan of a stack that is as the spec says has %q:\n%s", bad, r)
			}
		}
	}
	adopts("--stack", "adopted")
	o.want(0, []string{"apply", "--stack", "adopted"}, "converged")
	same("apply")
	o.want(0, []string{"plan", "--stack", "adopted"}, "nothing to do")

	o.deploy("adopted")
	same("docker stack deploy")
	o.want(0, []string{"apply", "--stack", "adopted"}, "adopt, no restart")
	same("apply after docker stack deploy")
	o.want(0, []string{"plan", "--stack", "adopted"}, "nothing to do")

	o.want(0, []string{"export", "adopted", "-w", "exported.yaml"})
	o.want(0, []string{"plan", "-f", "exported.yaml"}, "nothing to do")
	o.want(0, []string{"apply", "-f", "exported.yaml"}, "nothing was written")
	o.deploy("adopted")
	adopts("-f", "exported.yaml")
	o.want(0, []string{"apply", "-f", "exported.yaml"}, "adopt, no restart")
	same("apply of the export")
	t.Logf("%d tasks went through four hand-overs", len(strings.Fields(before)))
}
