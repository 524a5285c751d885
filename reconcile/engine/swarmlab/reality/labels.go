package reality

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
)

// marker is the name of a router that leads nowhere: where it is, the others are.
const marker = "marker"

// services are the labels of a service for each router.
func services(t *standin.Traefik, secure bool) map[string]map[string]string {
	all, seen := map[string]map[string]string{}, map[string]bool{}
	for i, r := range t.Routers {
		if seen[r.Name] || r.Name == "" { // one name on two services would be none
			r.Name = fmt.Sprintf("%s%d", r.Name, i)
		}
		seen[r.Name] = true
		all[fmt.Sprintf("service%d", i)] = labels(r, secure)
	}
	return all
}

// deploy makes a Swarm with services that have these labels and one with the
// marker, and returns its address when all of them run.
func deploy(tb testing.TB, services map[string]map[string]string) string {
	tb.Helper()
	sim := swarmlab.StartSim(tb)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	api, err := client.NewClientWithOpts(client.WithHost(sim.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = api.Close() }()
	if _, err := api.NetworkCreate(ctx, "gate", network.CreateOptions{Driver: "overlay"}); err != nil {
		tb.Fatal(err)
	}
	services = maps.Clone(services)
	services[marker] = labels(standin.Router{Name: marker, Host: marker, Redirect: "/"}, false)
	for name, labels := range services {
		s := swarm.ServiceSpec{EndpointSpec: &swarm.EndpointSpec{}, TaskTemplate: swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{Image: "busybox:1.37", Args: []string{"sleep", "100000"}}, Placement: &swarm.Placement{},
			Networks: []swarm.NetworkAttachmentConfig{{Target: "gate"}},
		}}
		s.Name, s.Labels = name, labels
		if _, err := api.ServiceCreate(ctx, s, swarm.ServiceCreateOptions{}); err != nil {
			tb.Fatal(err)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for running(ctx, tb, api) < len(services) {
		<-tick.C
	}
	return sim.Host
}

func running(ctx context.Context, tb testing.TB, api *client.Client) int {
	tb.Helper()
	tasks, err := api.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("desired-state", "running"))})
	if err != nil {
		tb.Fatal(err)
	}
	n := 0
	for _, t := range tasks {
		if t.Status.State == swarm.TaskStateRunning {
			n++
		}
	}
	return n
}

// labels are what makes Traefik have the router.
func labels(r standin.Router, secure bool) map[string]string {
	l := map[string]string{}
	router := "traefik.http.routers." + r.Name + "."
	server := "traefik.http.services." + r.Name + ".loadbalancer."
	l[router+"rule"], l[router+"service"], l[router+"entrypoints"] = r.Rule(), r.Name, "web"
	if secure {
		l[router+"entrypoints"], l[router+"tls"] = "websecure", "true"
	}
	l[server+"server.url"] = "http://" + r.Backend
	if r.Backend == "" { // the discard port, which nobody serves
		l[server+"server.url"] = "http://127.0.0.1:9"
	}
	if r.NoServer() {
		l[server+"healthcheck.path"], l[server+"healthcheck.interval"] = "/", "100ms"
	}
	if r.Error != nil {
		l[router+"entrypoints"] = "websecur"
	}
	does := func(settings map[string]string) {
		l[router+"middlewares"] = r.Name
		for k, v := range settings {
			l["traefik.http.middlewares."+r.Name+"."+k] = v
		}
	}
	switch {
	case r.Redirect != "":
		does(map[string]string{"redirectregex.regex": ".*", "redirectregex.replacement": r.Redirect, "redirectregex.permanent": "true"})
	case r.Deny:
		does(map[string]string{"ipallowlist.sourcerange": "192.0.2.1"})
	case r.Login:
		does(map[string]string{"basicauth.users": "operator:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="})
	}
	return l
}
