package reconcile

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/go-units"
)

// explanation is what is to be said of a task that does not run.
type explanation struct {
	match   string // in the Engine's error, in lower case
	reason  string
	remedy  func(*judging, swarm.Task) string
	message func(*judging, swarm.Task) string // beside the Engine's own words
}

// rejections are what the Engine says of tasks that ended; first match wins.
// The texts are those of docker's daemon/cluster/executor/container and of the
// Engine's own API.
var rejections = []explanation{
	{match: "no such image", reason: "image_missing", remedy: imageRemedy, message: imageElsewhere},
	{match: "pull access denied", reason: "image_missing", remedy: imageRemedy, message: imageElsewhere},
	{match: "manifest unknown", reason: "image_missing", remedy: imageRemedy, message: imageElsewhere},
	{match: "port is already allocated", reason: "port_in_use", remedy: always("find what holds the port on that node (ss -ltnp), or publish another one")},
	{match: "address already in use", reason: "port_in_use", remedy: always("find what holds the port on that node (ss -ltnp), or publish another one")},
	{match: "bind source path does not exist", reason: "mount_missing", remedy: always("create the path on that node, or mount a volume")},
	{match: "invalid mount config", reason: "mount_missing", remedy: always("correct the mount, or create what it names on that node")},
	{match: "error while mounting volume", reason: "mount_missing", remedy: always("see whether the volume's driver and its options work on that node: docker volume inspect")},
	{match: "secret target", reason: "secret_missing", remedy: always("a templated config reads a secret that the service does not have: list it under the service's secrets")},
	{match: "config target", reason: "config_missing", remedy: always("a templated config reads a config that the service does not have: list it under the service's configs")},
	{match: "executable file not found", reason: "bad_command", remedy: always("correct the command or entrypoint: the image does not have that program")},
	{match: "unhealthy container", reason: "unhealthy", remedy: logs("its health check fails: ")},
	{match: "non-zero exit (137)", reason: "killed", remedy: logs("killed from outside, most often for want of memory: see deploy.resources.limits.memory, and ")},
	{match: "non-zero exit", reason: "crash_looping", remedy: logs("")},
}

func always(text string) func(*judging, swarm.Task) string {
	return func(*judging, swarm.Task) string { return text }
}

func logs(before string) func(*judging, swarm.Task) string {
	return func(j *judging, _ swarm.Task) string { return before + "docker service logs " + j.s.Spec.Name }
}

// ImageOf is the service's image as it was asked for, without the digest that
// the Engine may have pinned beside the tag.
func ImageOf(s swarm.ServiceSpec) string {
	if s.TaskTemplate.ContainerSpec == nil {
		return ""
	}
	return formatImage(reflect.ValueOf(s.TaskTemplate.ContainerSpec.Image))
}

func imageRemedy(j *judging, t swarm.Task) string {
	return fmt.Sprintf("check the name, the tag and the registry: docker pull %s on %s", ImageOf(j.s.Spec), j.nodeName(t.NodeID))
}

// imageElsewhere tells which nodes run tasks of that image, and so have it.
func imageElsewhere(j *judging, t swarm.Task) string {
	image, have := ImageOf(j.s.Spec), map[string]bool{}
	for _, list := range j.seen.Tasks {
		for _, other := range list {
			c := other.Spec.ContainerSpec
			if other.Status.State == swarm.TaskStateRunning && c != nil && other.NodeID != "" && SameImage(c.Image, image) {
				have[j.nodeName(other.NodeID)] = true
			}
		}
	}
	where := "no node runs a task of it"
	if len(have) > 0 {
		where = strings.Join(sortedKeys(have), ", ") + " has it"
	}
	return fmt.Sprintf("%s has no %s and cannot pull it; %s", j.nodeName(t.NodeID), image, where)
}

func (j *judging) nodeName(id string) string {
	if n, ok := j.seen.Nodes[id]; ok && n.Description.Hostname != "" {
		return n.Description.Hostname
	}
	return cmp.Or(id, "the node")
}

// explain classifies what the Engine says of a task that ended.
func (j *judging) explain(t swarm.Task) (reason, message, remedy string) {
	err := strings.ToLower(t.Status.Err)
	for _, e := range rejections {
		if strings.Contains(err, e.match) {
			if e.message != nil {
				message = e.message(j, t)
			}
			return e.reason, message, e.remedy(j, t)
		}
	}
	if t.Status.State == swarm.TaskStateComplete {
		return "ends", "", "docker service logs " + j.s.Spec.Name + "; a process that answers SIGTERM with exit code 0 ends like this when its health check fails; one that is meant to end wants deploy.mode: replicated-job"
	}
	return "", "", ""
}

// obstacles are what Swarm's scheduler says of a task that finds no node, in
// the words of swarmkit's manager/scheduler/filter.go; several can be named.
var obstacles = []explanation{
	{match: "host-mode port already in use", reason: "port_in_use", remedy: hostPortRemedy, message: hostPorts},
	{match: "scheduling constraints not satisfied", reason: "no_node_meets_constraints", remedy: always("label a node (docker node update --label-add), or correct deploy.placement.constraints"), message: unmetConstraints},
	{match: "insufficient resources", reason: "no_resources", remedy: always("lower deploy.resources.reservations, or add a node"), message: reservations},
	{match: "missing plugin", reason: "plugin_missing", remedy: always("install the volume, network or log driver on a node: docker plugin ls")},
	{match: "unsupported platform", reason: "wrong_platform", remedy: always("use an image for the platform of a node"), message: platforms},
	{match: "max replicas per node", reason: "too_many_replicas", remedy: always("add a node, lower deploy.replicas, or raise deploy.placement.max_replicas_per_node"), message: nil},
	{match: "not available for new tasks", reason: "nodes_unavailable", remedy: always("start the node, or docker node update --availability active NODE"), message: unavailable},
	{match: "csi volume", reason: "volume_unavailable", remedy: always("docker volume ls --cluster")},
}

// noNode explains why a task finds no node.
func (j *judging) noNode(t swarm.Task) (reason, message, remedy string) {
	var parts []string
	for _, o := range obstacles {
		if !strings.Contains(strings.ToLower(t.Status.Err), o.match) {
			continue
		}
		if reason == "" {
			reason, remedy = o.reason, o.remedy(j, t)
		}
		if o.message != nil {
			if m := o.message(j, t); m != "" {
				parts = append(parts, m)
			}
		}
	}
	return cmp.Or(reason, "unschedulable"), strings.Join(parts, "; "),
		cmp.Or(remedy, "docker node ls, and compare with the service's constraints, resources and ports")
}

func hostPorts(j *judging, t swarm.Task) string {
	var ports []string
	for _, p := range j.hostPorts() {
		ports = append(ports, fmt.Sprintf("%d/%s", p.PublishedPort, protocol(p)))
	}
	text := "it wants " + strings.Join(ports, " and ") + " of a node for itself"
	if j.missedPort(t) {
		text += "; that is free by now, and Swarm's scheduler has missed it"
	}
	return text
}

// hostPorts are the ports that the service publishes on the nodes of its tasks.
func (j *judging) hostPorts() []swarm.PortConfig {
	if j.s.Spec.EndpointSpec == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(j.s.Spec.EndpointSpec.Ports), func(p swarm.PortConfig) bool {
		return p.PublishMode != swarm.PortConfigPublishModeHost
	})
}

func protocol(p swarm.PortConfig) swarm.PortConfigProtocol {
	return cmp.Or(p.Protocol, swarm.PortConfigProtocolTCP)
}

func hostPortRemedy(j *judging, t swarm.Task) string {
	if j.missedPort(t) {
		return "have Swarm look again: " + stallRemedy + j.s.Spec.Name
	}
	return "find what else publishes that port in host mode (docker service ls), or publish another one"
}

// unmetConstraints names those that no node meets, or all where each is met by
// some node.
func unmetConstraints(j *judging, _ swarm.Task) string {
	p := j.s.Spec.TaskTemplate.Placement
	if p == nil {
		return ""
	}
	var unmet []string
	for _, c := range p.Constraints {
		met := false
		for _, n := range j.seen.Nodes {
			met = met || satisfies(n, []string{c})
		}
		if !met {
			unmet = append(unmet, c)
		}
	}
	if len(unmet) > 0 {
		return "no node meets " + strings.Join(unmet, ", or ")
	}
	return "no node that can be used meets all of " + strings.Join(p.Constraints, ", ")
}

// reservations compares what the service reserves with what the largest node
// has in all.
func reservations(j *judging, _ swarm.Task) string {
	r := j.s.Spec.TaskTemplate.Resources
	if r == nil || r.Reservations == nil {
		return ""
	}
	var cpus, memory int64
	for _, n := range j.seen.Nodes {
		cpus, memory = max(cpus, n.Description.Resources.NanoCPUs), max(memory, n.Description.Resources.MemoryBytes)
	}
	var parts []string
	if want := r.Reservations.NanoCPUs; want > 0 {
		parts = append(parts, fmt.Sprintf("%s CPUs where a node has %s at most", cpuText(want), cpuText(cpus)))
	}
	if want := r.Reservations.MemoryBytes; want > 0 {
		parts = append(parts, fmt.Sprintf("%s of memory where a node has %s at most", sizeText(want), sizeText(memory)))
	}
	for _, g := range r.Reservations.GenericResources {
		if g.DiscreteResourceSpec != nil {
			parts = append(parts, fmt.Sprintf("%d %s", g.DiscreteResourceSpec.Value, g.DiscreteResourceSpec.Kind))
		}
	}
	return "each task reserves " + strings.Join(parts, ", ") + ", less what other tasks reserve"
}

func platforms(j *judging, _ swarm.Task) string {
	nodes, image := map[string]bool{}, map[string]bool{}
	for _, n := range j.seen.Nodes {
		nodes[n.Description.Platform.OS+"/"+n.Description.Platform.Architecture] = true
	}
	if p := j.s.Spec.TaskTemplate.Placement; p != nil {
		for _, x := range p.Platforms {
			image[x.OS+"/"+x.Architecture] = true
		}
	}
	return fmt.Sprintf("the image is for %s, the nodes are %s", strings.Join(sortedKeys(image), ", "), strings.Join(sortedKeys(nodes), ", "))
}

func unavailable(j *judging, _ swarm.Task) string {
	var out []string
	for _, n := range j.seen.Nodes {
		switch {
		case n.Status.State != swarm.NodeStateReady:
			out = append(out, fmt.Sprintf("%s is %s", j.nodeName(n.ID), n.Status.State))
		case n.Spec.Availability != swarm.NodeAvailabilityActive && n.Spec.Availability != "":
			out = append(out, fmt.Sprintf("%s is set to %s", j.nodeName(n.ID), n.Spec.Availability))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func cpuText(nano int64) string { return formatCPUs(reflect.ValueOf(nano)) }

// sizeText rounds: what a node has is no round number.
func sizeText(bytes int64) string { return units.BytesSize(float64(bytes)) }

// Remains are what the Engine still knows of a task's container. All but the
// log is known to the node alone that ran it.
type Remains struct {
	Log       []string // its last lines
	OOMKilled bool
	Health    string // what its health check said last
}

// with adds what a container left behind to the verdict on its service.
func (v Verdict) with(r Remains, s swarm.ServiceSpec) Verdict {
	switch {
	case r.OOMKilled:
		limit := "none: the node had no more"
		if res := s.TaskTemplate.Resources; res != nil && res.Limits != nil && res.Limits.MemoryBytes > 0 {
			limit = sizeText(res.Limits.MemoryBytes)
		}
		v.Reason = "oom_killed"
		v.Message += fmt.Sprintf("; the kernel killed it for want of memory (limit: %s)", limit)
		v.Remedy = "raise deploy.resources.limits.memory, or make it use less"
	case r.Health != "":
		v.Message += "; its health check said: " + r.Health
		if v.Reason == "ends" || v.Reason == "unhealthy" {
			v.Reason = "unhealthy"
			v.Remedy = "see why its health check fails, or give it a longer start_period: docker service logs " + s.Name
		}
	}
	if len(r.Log) > 0 {
		v.Message += "; its last log lines:\n    " + strings.Join(r.Log, "\n    ")
	}
	return v
}
