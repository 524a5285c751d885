package conformance

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"
)

const taskSection = "11 tasks"

// taskRows are what the code reads of tasks: where they are, why they wait or
// failed, and what they said.
func taskRows() []Row {
	row := func(name string, want Want, try func(*trial) string) Row {
		return Row{Section: taskSection, Name: name, Want: want, try: try}
	}
	one := at("Mode.Replicated.Replicas", "1")
	fails := func(name string, want Want, edits ...edit) Row {
		return row(name, want, func(t *trial) string {
			task := t.failed(edits...)
			out := string(task.Status.State) + ": " + task.Status.Err
			if s := task.Status.ContainerStatus; s != nil && s.ExitCode != 0 {
				out += ", exit code " + count(s.ExitCode)
			}
			return out
		})
	}
	waits := func(name, want string, edits ...edit) Row {
		return row(name, is(want), func(t *trial) string {
			t.create("a", append([]edit{one}, edits...)...)
			return t.waiting("a")
		})
	}
	command := func(value string) edit { return at(inContainer+"Command", value) }
	hostPort := at("EndpointSpec", `{"Ports":[{"TargetPort":80,"PublishedPort":{port}1,"PublishMode":"host"}]}`)
	return []Row{
		row("a task that runs", is("running started, slot 1, a container, on this node"), func(t *trial) string {
			t.create("a", one)
			task := t.awaitRunning("a")
			info, err := t.Info(t.Context())
			t.must(err)
			out := fmt.Sprintf("%s %s, slot %d", task.Status.State, task.Status.Message, task.Slot)
			if s := task.Status.ContainerStatus; s != nil && s.ContainerID != "" && s.PID != 0 {
				out += ", a container"
			}
			if task.NodeID == info.Swarm.NodeID {
				out += ", on this node"
			}
			return out
		}),
		row("a task keeps the spec that it was made from", is("[a=b] 7"), func(t *trial) string {
			t.create("a", one, nowhere, at(inContainer+"Env", `["a=b"]`), at(inTask+"ForceUpdate", "7"))
			task := t.awaitTask("a", "is there", func(swarm.Task) bool { return true })
			return fmt.Sprint(task.Spec.ContainerSpec.Env, " ", task.Spec.ForceUpdate)
		}),
		fails("an exit code", is("failed: task: non-zero exit (3), exit code 3"), command(`["sh","-c","exit 3"]`)),
		fails("a task that is done", is("complete: "), command(`["true"]`)),
		fails("a program that is missing", is(`failed: starting container failed: …exec: "nosuchprogram": executable file not found in $PATH…`), command(`["nosuchprogram"]`)),
		fails("an image that is missing", is("rejected: No such image: nosuch.invalid/a:1"), at(inContainer+"Image", `"nosuch.invalid/a:1"`)),
		waits("a constraint that no node satisfies", "no suitable node (scheduling constraints not satisfied on 1 node)", nowhere),
		waits("an unknown constraint", "no suitable node (scheduling constraints not satisfied on 1 node)", at(inTask+"Placement.Constraints", `["bogus==1"]`)),
		waits("more memory than there is", "no suitable node (insufficient resources on 1 node)", at(inTask+"Resources", `{"Reservations":{"MemoryBytes":1125899906842624}}`)),
		waits("a platform that no node has", "no suitable node (unsupported platform on 1 node)", at(inTask+"Placement.Platforms", `[{"Architecture":"s390x","OS":"plan9"}]`)),
		row("a second task beyond max replicas per node", is("no suitable node (max replicas per node limit exceed)"), func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "2"), at(inTask+"Placement.MaxReplicas", "1"))
			return t.waiting("a")
		}),
		row("a host-mode port is told by the task", is("80 tcp host, its port"), func(t *trial) string {
			t.create("a", one, hostPort)
			task := t.awaitRunning("a")
			p := task.Status.PortStatus.Ports[0]
			out := fmt.Sprintf("%d %s %s", p.TargetPort, p.Protocol, p.PublishMode)
			if p.PublishedPort == t.port+1 {
				out += ", its port"
			}
			return out
		}),
		row("a host-mode port that is taken", is("no suitable node (host-mode port already in use on 1 node)"), func(t *trial) string {
			t.create("a", one, hostPort)
			t.awaitRunning("a")
			t.create("b", one, hostPort)
			return t.waiting("b")
		}),
		row("an ingress port without a number gets one", is("0 in the spec, from 30000 up"), func(t *trial) string {
			t.create("a", at("EndpointSpec", `{"Ports":[{"TargetPort":80}]}`))
			var s swarm.Service
			t.sure("a port is allocated", func() bool { s = t.live("a"); return len(s.Endpoint.Ports) > 0 })
			out := fmt.Sprintf("%d in the spec", s.Spec.EndpointSpec.Ports[0].PublishedPort)
			if s.Endpoint.Ports[0].PublishedPort >= 30000 {
				out += ", from 30000 up"
			}
			return out
		}),
		row("a global service has a task on the node", is("running, slot 0"), func(t *trial) string {
			t.create("a", at("Mode.Replicated", "null"), at("Mode.Global", "{}"))
			task := t.awaitRunning("a")
			return fmt.Sprintf("%s, slot %d", task.Status.State, task.Slot)
		}),
		row("a job completes, and stays so", is("complete, status 1 of 1 completed"), func(t *trial) string {
			t.create("a", at("Mode.Replicated", "null"), at("Mode.ReplicatedJob", "{}"), command(`["true"]`))
			task := t.awaitTask("a", "is complete", func(task swarm.Task) bool { return task.Status.State == swarm.TaskStateComplete })
			list, err := t.ServiceList(t.Context(), swarm.ServiceListOptions{Status: true, Filters: byName(t.name("a"))})
			t.must(err)
			return fmt.Sprintf("%s, status %d of 1 completed", task.Status.State, list[0].ServiceStatus.CompletedTasks)
		}),
		row("what a task said", is("hello"), func(t *trial) string {
			t.failed(command(`["sh","-c","echo hello; exit 3"]`))
			var out bytes.Buffer
			t.sure("a log line", func() bool {
				out.Reset()
				r, err := t.ServiceLogs(t.Context(), t.name("a"), container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "10"})
				t.must(err)
				defer r.Close()
				_, err = stdcopy.StdCopy(&out, &out, r)
				t.must(err)
				return out.Len() > 0
			})
			return strings.TrimSpace(out.String())
		}),
		row("a service scaled down loses tasks", is("1"), func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "2"), nowhere)
			t.sure("two tasks", func() bool { return len(t.tasks("a")) == 2 })
			t.update("a", one)
			t.sure("one task", func() bool { return len(t.tasks("a")) == 1 })
			return count(len(t.tasks("a")))
		}),
	}
}
