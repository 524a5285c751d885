package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// Three controllers and two people share a stack. Whatever becomes of who is in
// the middle of a pass, one writes at a time.
func TestReplicas(t *testing.T) {
	t.Parallel()
	sim := swarmlab.StartSim(t)
	r := newReplicas(t, sim.Client(t), 6*time.Second)
	all := []*replica{r.controller("a", sim.Host), r.controller("b", sim.Host), r.controller("c", sim.Host)}
	leader, others := r.leads(all...)
	r.has("first")

	// Paused in the middle of its pass, it is followed by another one. When it
	// wakes its config is made and its services come next; of the other one it
	// does not hear yet, and writes nothing all the same.
	leader.set(&leader.made, leader.freeze)
	r.want("second")
	r.has("second")
	wrote, said := r.writing.of(leader.name), len(leader.text())
	leader.deaf.Store(true)
	leader.signal(syscall.SIGCONT)
	eventually(t, "its pass ends", func() bool {
		text := leader.text()[said:]
		return strings.Contains(text, `"msg":"pass done"`) || strings.Contains(text, `"msg":"the pass failed"`)
	})
	if n := r.writing.of(leader.name); n != wrote {
		t.Errorf("%s has written %d times, not knowing what it missed", leader.name, n-wrote)
	}
	leader.deaf.Store(false)
	eventually(t, "it knows", func() bool { return strings.Contains(leader.text(), "the session is lost") })
	next, _ := r.leads(all...)
	if next == leader {
		t.Errorf("%s leads, which was paused", leader.name)
	}
	if n := r.writing.of(leader.name); n != wrote {
		t.Errorf("%s has written %d times after its pause", leader.name, n-wrote)
	}

	// Killed at the same moment, it is followed, and its session is removed.
	next.set(&next.claimed, func() { next.signal(syscall.SIGKILL) })
	r.want("third")
	<-next.ended
	r.has("third")
	rest := []*replica{}
	for _, x := range append(others, leader) {
		if x != next {
			rest = append(rest, x)
		}
	}
	last, _ := r.leads(rest...)
	sessions := func() (n int) {
		list, err := r.api.ConfigList(t.Context(), swarm.ConfigListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			if strings.HasPrefix(c.Spec.Name, "swarmward.session.") {
				n++
			}
		}
		return n
	}
	eventually(t, "two sessions are left", func() bool { return sessions() == 2 })

	// An apply waits for the pass that is under way.
	waits := make(chan struct{})
	last.set(&last.update, func() { <-waits })
	r.want("fourth")
	eventually(t, "the pass has its claim", func() bool {
		r.writing.mu.Lock()
		defer r.writing.mu.Unlock()
		return r.writing.owner == last.name
	})
	person := r.start("person", sim.Host, "apply", "--yes")
	eventually(t, "it says for whom it waits", func() bool { return strings.Contains(person.text(), "swarmward run (") })
	close(waits)
	if code := person.finish(); code != 0 {
		t.Errorf("apply beside a pass: exit %d\n%s", code, person.text())
	}
	r.has("fourth")

	// The leader stops, and the other one takes over; it leaves no session.
	for _, x := range rest {
		x.signal(syscall.SIGTERM)
		<-x.ended
	}
	if n := sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}

	// An apply that is killed holds up the next one, and not for good.
	r.want("fifth")
	killed := r.startTapped("killed", sim.Host, func(x *replica) { x.claimed = func() { x.signal(syscall.SIGKILL) } }, "apply", "--yes")
	<-killed.ended
	after := r.start("after", sim.Host, "apply", "--yes")
	if code := after.finish(); code != 0 {
		t.Errorf("apply after one that was killed: exit %d\n%s", code, after.text())
	}
	r.has("fifth")
}

// The manager of the leading controller is cut off from the others: somebody
// else leads at a manager that has a quorum, and who was cut off learns of it
// before it writes anything.
func TestReplicasApart(t *testing.T) {
	t.Parallel()
	swarmlab.Require(t)
	lab := swarmlab.Start(t, swarmlab.Options{Managers: 3})
	r := newReplicas(t, lab.Nodes[0].Client(t), 15*time.Second)
	at := map[string]*swarmlab.Node{}
	var all []*replica
	for i, n := range lab.Nodes {
		name := string(rune('a' + i))
		at[name] = n
		all = append(all, r.controller(name, n.Host))
	}
	leader, others := r.leads(all...)
	r.has("first")

	cut := at[leader.name]
	if err := cut.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.api = at[others[0].name].Client(t)
	r.want("second")
	r.has("second")
	wrote := r.writing.of(leader.name)
	if err := cut.Reconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it knows", func() bool { return strings.Contains(leader.text(), "the session is lost") })
	if n := r.writing.of(leader.name); n != wrote {
		t.Errorf("%s has written %d times since", leader.name, n-wrote)
	}

	// A process that is killed on a Swarm of three managers is followed too.
	next, _ := r.leads(all...)
	next.signal(syscall.SIGKILL)
	<-next.ended
	r.want("third")
	r.has("third")
}
