package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/server/httputils"
	"github.com/docker/docker/api/server/router"
	basictypes "github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/errdefs"
	"github.com/docker/go-connections/nat"
)

// containersRouter shows the containers of the local node's tasks, and lets
// them be killed: the part of the Engine's API that a Swarm's operator needs.
type containersRouter struct{ engine *Engine }

// Routes of the API.
func (r containersRouter) Routes() []router.Route {
	return []router.Route{
		router.NewGetRoute("/containers/json", r.list),
		router.NewGetRoute("/containers/{name:.*}/json", r.inspect),
		router.NewGetRoute("/containers/{name:.*}/logs", r.logs),
		router.NewPostRoute("/containers/{name:.*}/kill", r.end(137)),
		router.NewPostRoute("/containers/{name:.*}/stop", r.end(0)),
		router.NewDeleteRoute("/containers/{name:.*}", r.end(137)),
	}
}

// find a container by id, name, or beginning of its id.
func (r containersRouter) find(input string) (*simulated, error) {
	var prefix []*simulated
	for _, c := range r.engine.agent.all() {
		if c.node != r.engine.local() || c.status() == "" {
			continue
		}
		if c.id == input || c.name() == strings.TrimPrefix(input, "/") {
			return c, nil
		}
		if strings.HasPrefix(c.id, input) {
			prefix = append(prefix, c)
		}
	}
	if len(prefix) == 1 && input != "" {
		return prefix[0], nil
	}
	return nil, errdefs.NotFound(verbatim("No such container: %s", input))
}

func (c *simulated) status() container.ContainerState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// labels of the container: the spec's and the Swarm's.
func (c *simulated) labels() map[string]string {
	labels := maps.Clone(c.spec.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, map[string]string{
		"com.docker.swarm.task": "", "com.docker.swarm.task.id": c.task.ID, "com.docker.swarm.task.name": c.name(),
		"com.docker.swarm.node.id": c.task.NodeID, "com.docker.swarm.service.id": c.task.ServiceID,
		"com.docker.swarm.service.name": c.task.ServiceAnnotations.Name,
	})
	return labels
}

func (r containersRouter) list(_ context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	filter, err := filters.FromJSON(req.Form.Get("filters"))
	if err != nil {
		return err
	}
	out := []*container.Summary{}
	for _, c := range r.engine.agent.all() {
		state := c.status()
		if c.node != r.engine.local() || state == "" || state != container.StateRunning && !httputils.BoolValue(req, "all") {
			continue
		}
		if !filter.MatchKVList("label", c.labels()) || filter.Contains("name") && !filter.Match("name", c.name()) ||
			filter.Contains("id") && !filter.Match("id", c.id) || filter.Contains("status") && !filter.ExactMatch("status", state) {
			continue
		}
		out = append(out, c.summary())
	}
	slices.SortFunc(out, func(a, b *container.Summary) int { return int(b.Created - a.Created) })
	return httputils.WriteJSON(w, http.StatusOK, out)
}

func (c *simulated) summary() *container.Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := "Created"
	switch c.state {
	case container.StateRunning:
		status = "Up " + time.Since(c.started).Round(time.Second).String()
	case container.StateExited:
		status = fmt.Sprintf("Exited (%d) %s ago", c.exitCode, time.Since(c.finished).Round(time.Second))
	}
	return &container.Summary{
		ID: c.id, Names: []string{"/" + c.name()}, Image: familiar(c.spec.Image), ImageID: "sha256:" + c.id, Command: strings.Join(words(c.spec), " "),
		Created: c.created.Unix(), Labels: c.labels(), State: c.state, Status: status, Ports: []container.Port{},
		NetworkSettings: &container.NetworkSettingsSummary{Networks: c.endpoints()},
	}
}

// endpoints are the container's places on its networks.
func (c *simulated) endpoints() map[string]*network.EndpointSettings {
	out := map[string]*network.EndpointSettings{}
	for _, a := range c.task.Networks {
		if a.Network == nil {
			continue
		}
		e := &network.EndpointSettings{NetworkID: a.Network.ID, Aliases: a.Aliases}
		if len(a.Addresses) > 0 {
			address, bits, _ := strings.Cut(a.Addresses[0], "/")
			e.IPAddress = address
			e.IPPrefixLen, _ = strconv.Atoi(bits)
		}
		out[a.Network.Spec.Annotations.Name] = e
	}
	return out
}

func (r containersRouter) inspect(_ context.Context, w http.ResponseWriter, _ *http.Request, vars map[string]string) error {
	c, err := r.find(vars["name"])
	if err != nil {
		return err
	}
	return httputils.WriteJSON(w, http.StatusOK, c.inspection())
}

// inspection is what `docker inspect` shows.
func (c *simulated) inspection() *container.InspectResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	argv := words(c.spec)
	path := ""
	if len(argv) > 0 {
		path = argv[0]
	}
	state := &container.State{
		Status: c.state, Running: c.state == container.StateRunning, OOMKilled: c.oom, ExitCode: c.exitCode,
		StartedAt: c.started.UTC().Format(time.RFC3339Nano), FinishedAt: c.finished.UTC().Format(time.RFC3339Nano),
	}
	if state.Running {
		state.Pid = int(c.pid())
	}
	if h := c.spec.Healthcheck; h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" {
		state.Health = &container.Health{Status: container.Healthy, Log: []*container.HealthcheckResult{}}
		if c.sick {
			state.Health.Status = container.Unhealthy
		}
	}
	ports := nat.PortMap{}
	for _, p := range c.ports {
		key := nat.Port(fmt.Sprintf("%d/%s", p.TargetPort, strings.ToLower(p.Protocol.String())))
		ports[key] = append(ports[key], nat.PortBinding{HostIP: c.node.addr, HostPort: strconv.Itoa(int(p.PublishedPort))})
	}
	settings := &container.NetworkSettings{Networks: c.endpoints()}
	settings.Ports = ports
	hostname := c.spec.Hostname
	if hostname == "" {
		hostname = c.id[:12]
	}
	return &container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{
			ID: c.id, Name: "/" + c.name(), Created: c.created.UTC().Format(time.RFC3339Nano), Image: "sha256:" + c.id,
			Path: path, Args: argv[min(1, len(argv)):], State: state, Driver: "overlay2", Platform: "linux", HostConfig: &container.HostConfig{},
		},
		Mounts: c.mounts(),
		Config: &container.Config{
			Hostname: hostname, User: c.spec.User, Env: c.spec.Env, Cmd: c.spec.Args, Entrypoint: c.spec.Command,
			Image: familiar(c.spec.Image), WorkingDir: c.spec.Dir, Labels: c.labels(), Tty: c.spec.TTY,
		},
		NetworkSettings: settings,
	}
}

func (c *simulated) mounts() []container.MountPoint {
	out := []container.MountPoint{}
	for _, m := range c.spec.Mounts {
		p := container.MountPoint{Source: m.Source, Destination: m.Target, RW: !m.ReadOnly, Type: "bind"}
		if name := strings.ToLower(m.Type.String()); name != "bind" {
			p.Type, p.Name = "volume", m.Source
		}
		out = append(out, p)
	}
	return out
}

func (r containersRouter) logs(ctx context.Context, w http.ResponseWriter, req *http.Request, vars map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	c, err := r.find(vars["name"])
	if err != nil {
		return err
	}
	options := &container.LogsOptions{
		Follow: httputils.BoolValue(req, "follow"), Timestamps: httputils.BoolValue(req, "timestamps"), Since: req.Form.Get("since"),
		Tail: req.Form.Get("tail"), ShowStdout: httputils.BoolValue(req, "stdout"), ShowStderr: httputils.BoolValue(req, "stderr"),
	}
	if !options.ShowStdout && !options.ShowStderr {
		return errdefs.InvalidParameter(verbatim("Bad parameters: you must choose at least one stream"))
	}
	messages, err := r.engine.follow(ctx, options, func(other *simulated) bool { return other == c })
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", basictypes.MediaTypeMultiplexedStream)
	httputils.WriteLogStream(ctx, w, messages, options, true)
	return nil
}

// end kills or stops a container; its Swarm then does what it does.
func (r containersRouter) end(code int) httputils.APIFunc {
	return func(_ context.Context, w http.ResponseWriter, _ *http.Request, vars map[string]string) error {
		c, err := r.find(vars["name"])
		if err != nil {
			return err
		}
		if c.status() == container.StateRunning {
			c.kill(code)
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// notSimulated says what is missing, as the API's 501.
func notSimulated(what string) error {
	return errdefs.NotImplemented(fmt.Errorf("not simulated: %s", what))
}

// writeError answers as the Engine does.
func writeError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(basictypes.ErrorResponse{Message: message})
}
