package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
)

const volumeSection = "5 volumes"

// volume makes a volume of this node.
func (t *trial) volume(suffix string, o volume.CreateOptions) (volume.Volume, error) {
	o.Name = t.name(suffix)
	v, err := t.VolumeCreate(t.Context(), o)
	if err == nil {
		t.Cleanup(func() { _ = t.VolumeRemove(context.Background(), o.Name, true) }) // a task may still use it
	}
	return v, err
}

func volumeRows() []Row {
	row := func(name string, want Want, try func(*trial) string) Row {
		return Row{Section: volumeSection, Name: name, Want: want, try: try}
	}
	mounts := func(options string) edit {
		return at(inContainer+"Mounts", `[{"Type":"volume","Source":"{name}v","Target":"/v"`+options+`}]`)
	}
	// Since there are cluster volumes, the Swarm is asked too.
	missing := is("404 NotFound: volume v not found").before("1.42", "404 NotFound: get v: no such volume")
	one := at("Mode.Replicated.Replicas", "1")
	labels := func(t *trial) string {
		v, err := t.VolumeInspect(t.Context(), t.name("v"))
		if err != nil {
			return t.outcome(err)
		}
		return v.Driver + " " + compact(v.Labels)
	}
	return []Row{
		row("a volume of this node", is(`local local {"a":"b"} {"device":"tmpfs","type":"tmpfs"}`), func(t *trial) string {
			v, err := t.volume("v", volume.CreateOptions{Labels: map[string]string{"a": "b"}, DriverOpts: map[string]string{"type": "tmpfs", "device": "tmpfs"}})
			t.must(err)
			return v.Driver + " " + v.Scope + " " + compact(v.Labels) + " " + compact(v.Options)
		}),
		row("creating it again ignores what differs", is(`ok local {"a":"b"}`), func(t *trial) string {
			_, err := t.volume("v", volume.CreateOptions{Labels: map[string]string{"a": "b"}})
			t.must(err)
			_, err = t.volume("v", volume.CreateOptions{Labels: map[string]string{"c": "d"}, DriverOpts: map[string]string{"type": "tmpfs", "device": "tmpfs"}})
			return t.outcome(err) + " " + labels(t)
		}),
		row("unknown driver", is(`404 NotFound: create v: error looking up volume plugin nosuch: plugin "nosuch" not found`), func(t *trial) string {
			_, err := t.volume("v", volume.CreateOptions{Driver: "nosuch"})
			return t.outcome(err)
		}),
		row("missing volume", missing, func(t *trial) string {
			return labels(t)
		}),
		row("removing one that is missing", missing, func(t *trial) string {
			return t.outcome(t.VolumeRemove(t.Context(), t.name("v"), false))
		}),
		row("a service alone makes no volume", missing, func(t *trial) string {
			t.create("a", mounts(""))
			return labels(t)
		}),
		row("the task that mounts it makes it", is(`local {"a":"b"}`), func(t *trial) string {
			t.create("a", one, mounts(`,"VolumeOptions":{"Labels":{"a":"b"}}`))
			t.awaitRunning("a")
			return labels(t)
		}),
		row("a task takes one that exists, whatever its labels", is(`local {"c":"d"}`), func(t *trial) string {
			_, err := t.volume("v", volume.CreateOptions{Labels: map[string]string{"c": "d"}})
			t.must(err)
			t.create("a", one, mounts(`,"VolumeOptions":{"Labels":{"a":"b"}}`))
			t.awaitRunning("a")
			return labels(t)
		}),
		row("removing one in use", is("409 Conflict: remove v: volume is in use - [<id>]"), func(t *trial) string {
			t.create("a", one, mounts(""))
			t.awaitRunning("a")
			return t.outcome(t.VolumeRemove(t.Context(), t.name("v"), false))
		}),
		row("it outlives the service", is(`local {"a":"b"}`), func(t *trial) string {
			t.create("a", one, mounts(`,"VolumeOptions":{"Labels":{"a":"b"}}`))
			t.awaitRunning("a")
			t.must(t.ServiceRemove(t.Context(), t.name("a")))
			t.sure("no task", func() bool { return len(t.tasks("a")) == 0 })
			return labels(t)
		}),
		row("a task with an unknown volume driver waits", is("no suitable node (missing plugin on 1 node)"), func(t *trial) string {
			t.create("a", one, mounts(`,"VolumeOptions":{"DriverConfig":{"Name":"nosuch"}}`))
			return t.waiting("a")
		}),
		row("a task without its bind source is rejected", is(`invalid mount config for type "bind": bind source path does not exist: /nowhere/at/all`), func(t *trial) string {
			return t.failure(at(inContainer+"Mounts", `[{"Type":"bind","Source":"/nowhere/at/all","Target":"/x"}]`))
		}),
		row("a cluster volume needs 1.42: below it the volume is a local one", is("400 InvalidArgument: rpc error: code = InvalidArgument desc = AccessMode must not be nil").before("1.42", "local local"), func(t *trial) string {
			v, err := t.volume("v", volume.CreateOptions{ClusterVolumeSpec: &volume.ClusterVolumeSpec{}})
			if err != nil {
				return t.outcome(err)
			}
			return v.Driver + " " + v.Scope
		}).on(Real, "cluster volumes are not simulated"),
		row("mount type cluster: since 1.42", is("ok").before("1.42", `400 InvalidArgument: invalid MountType: "cluster"`), func(t *trial) string {
			return t.outcome(t.tryCreate(t.spec("a", at(inContainer+"Mounts", `[{"Type":"cluster","Source":"v","Target":"/v"}]`))))
		}),
		row("mount type image", is(`400 InvalidArgument: invalid MountType: "image"`), func(t *trial) string {
			return t.outcome(t.tryCreate(t.spec("a", at(inContainer+"Mounts", `[{"Type":"image","Source":"v","Target":"/v"}]`))))
		}),
		row("the list has it", is("1"), func(t *trial) string {
			_, err := t.volume("v", volume.CreateOptions{})
			t.must(err)
			list, err := t.VolumeList(t.Context(), volume.ListOptions{})
			t.must(err)
			found := 0
			for _, v := range list.Volumes {
				if v.Name == t.name("v") {
					found++
				}
			}
			return count(found)
		}),
	}
}

// waiting is why a task is pending.
func (t *trial) waiting(suffix string) string {
	t.Helper()
	task := t.awaitTask(suffix, "waits with a reason", func(task swarm.Task) bool {
		return task.Status.State == swarm.TaskStatePending && task.Status.Err != ""
	})
	return task.Status.Err
}

// failure is the error of a task that failed or was rejected.
func (t *trial) failure(edits ...edit) string {
	t.Helper()
	return t.failed(edits...).Status.Err
}

func (t *trial) failed(edits ...edit) swarm.Task {
	t.Helper()
	t.create("a", append([]edit{
		at("Mode.Replicated.Replicas", "1"), at(inTask+"RestartPolicy", `{"Condition":"none"}`),
	}, edits...)...)
	return t.awaitTask("a", "failed", func(task swarm.Task) bool {
		return task.Status.State == swarm.TaskStateFailed || task.Status.State == swarm.TaskStateRejected || task.Status.State == swarm.TaskStateComplete
	})
}

func joined(words ...any) string { return strings.TrimSpace(fmt.Sprintln(words...)) }
