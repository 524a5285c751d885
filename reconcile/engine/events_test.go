package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// What a pass may see is heard of, what it cannot see is not, and a stream that
// is cut ends.
func TestFollow(t *testing.T) {
	sim := swarmlab.StartSim(t)
	api := sim.Client(t)
	e, f := counted(t, sim.Host)
	heard, ended := make(chan string, 100), make(chan error, 1)
	connected := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- e.Follow(ctx, func() { close(connected) }, func(kind reconcile.Kind, name string) { heard <- fmt.Sprint(kind, " ", name) })
	}()
	<-connected
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// The Engine takes a moment to subscribe after it has answered.
	for n := 0; ; n++ {
		_, err := api.VolumeCreate(t.Context(), volume.CreateOptions{Name: fmt.Sprint("knock", n)})
		must(err)
		if <-heard != "" {
			break
		}
	}
	node := func(change func(*swarm.NodeSpec)) string {
		t.Helper()
		list, err := api.NodeList(t.Context(), swarm.NodeListOptions{})
		must(err)
		change(&list[0].Spec)
		must(api.NodeUpdate(t.Context(), list[0].ID, list[0].Version, list[0].Spec))
		return list[0].Description.Hostname
	}
	want := map[string]bool{}
	_, err := api.ServiceCreate(t.Context(), idle("shop_none"), swarm.ServiceCreateOptions{})
	must(err)
	want["service shop_none"] = true
	_, err = api.NetworkCreate(t.Context(), "front", network.CreateOptions{Driver: "overlay"})
	must(err)
	want["network front"] = true
	_, err = api.ConfigCreate(t.Context(), swarm.ConfigSpec{Annotations: swarm.Annotations{Name: "conf"}, Data: []byte("x")})
	must(err)
	want["config conf"] = true
	_, err = api.SecretCreate(t.Context(), swarm.SecretSpec{Annotations: swarm.Annotations{Name: "key"}, Data: []byte("x")})
	must(err)
	want["secret key"] = true
	host := node(func(s *swarm.NodeSpec) { s.Labels = map[string]string{"disk": "ssd"} }) // no pass sees that
	node(func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityDrain })
	nodes := 0
	_, err = api.SecretCreate(t.Context(), swarm.SecretSpec{Annotations: swarm.Annotations{Name: "after-the-node"}, Data: []byte("x")})
	must(err)
	want["secret after-the-node"] = true
	must(api.VolumeRemove(t.Context(), "knock0", false))
	want["volume knock0"] = true
	for len(want) > 0 {
		select {
		case what := <-heard:
			delete(want, what)
			if what == "node "+host {
				nodes++
			}
		case err := <-ended:
			t.Fatalf("the stream ended: %v; not heard of: %v", err, want)
		case <-t.Context().Done():
			t.Fatalf("not heard of: %v", want)
		}
	}
	if nodes != 1 {
		t.Errorf("%d events of a node, whose labels were changed, which is nothing to a pass, and which was drained", nodes)
	}

	cancel()
	if err := <-ended; err == nil {
		t.Error("a stream that was ended is told as one")
	}
	// One that breaks after it was open, and an Engine that does not answer.
	f.Arm(1, swarmlab.Cut, nil)
	if err := e.Follow(t.Context(), func() {}, func(reconcile.Kind, string) {}); err == nil {
		t.Error("a stream that broke is told as one")
	}
	f.Arm(1, swarmlab.Drop, nil)
	if err := e.Follow(t.Context(), func() { t.Error("connected to nothing") }, func(reconcile.Kind, string) {}); err == nil {
		t.Error("a stream that was never there is told as one")
	}
}
