package conformance

import (
	"fmt"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

const replacedSection = "3 what replaces tasks"

const (
	kept     = "kept"
	replaced = "replaced"
)

// change is a row for what an update does to the service's task: a field goes
// from one value to another.
func change(name, path, from, to, want string) Row {
	return changes(name, want, []edit{at(path, from)}, at(path, to))
}

// changes is for more than one field. The task waits for a node that does not
// exist: what replaces it does not depend on whether it runs.
func changes(name, want string, first []edit, then ...edit) Row {
	return Row{Section: replacedSection, Name: name, Want: is(want), try: func(t *trial) string {
		return t.fate(false, append([]edit{nowhere}, first...), then)
	}}
}

// placed is for what depends on the node that the task runs on.
func placed(name, want string, first []edit, then ...edit) Row {
	return Row{Section: replacedSection, Name: name, Want: is(want), try: func(t *trial) string {
		return t.fate(true, first, then)
	}}
}

// fate makes a service with one task, changes it, and tells what becomes of
// the task: by the Engine's own judgement, which the updater acts on, and by
// what is there when the Swarm has acted.
func (t *trial) fate(runs bool, first, then []edit) string {
	t.Helper()
	t.create("a", append([]edit{at("Mode.Replicated.Replicas", "1")}, first...)...)
	pending := func(task swarm.Task) bool { return task.Status.State == swarm.TaskStatePending }
	var before swarm.Task
	if runs {
		before = t.awaitRunning("a")
	} else {
		before = t.awaitTask("a", "is pending", pending)
	}
	t.update("a", then...)
	judged := replaced
	for _, task := range t.tasks("a", filters.Arg("_up-to-date", "true")) {
		if task.ID == before.ID {
			judged = kept
		}
	}
	// The orchestrator takes changes in order: when it has scaled the service,
	// it has taken the one before.
	t.update("a", at("Mode.Replicated.Replicas", "2"))
	want := 2
	if judged == replaced {
		want = 3
	}
	var tasks []swarm.Task
	t.eventually(func() bool {
		tasks = t.tasks("a")
		if judged == kept {
			return len(tasks) >= want
		}
		for _, task := range tasks {
			if task.ID != before.ID && task.Slot == before.Slot {
				return true
			}
		}
		return false
	}, func() string { return fmt.Sprintf("%s, %d tasks", judged, len(tasks)) })
	if judged == kept {
		status := t.live("a").UpdateStatus
		for _, task := range tasks {
			if task.Slot == before.Slot && task.ID != before.ID || status != nil {
				return fmt.Sprintf("judged as kept, but replaced: update status %+v", status)
			}
		}
	}
	return judged
}

func replacedRows() []Row {
	ports := func(list string) string { return `{"Ports":[` + list + `]}` }
	const first, second = `{"TargetPort":1,"PublishedPort":{port}1,"Protocol":"tcp","PublishMode":"ingress"}`, `{"TargetPort":2,"PublishedPort":{port}2,"Protocol":"tcp","PublishMode":"ingress"}`
	volume := func(options string) string {
		return `[{"Type":"volume","Source":"v","Target":"/v"` + options + `}]`
	}
	return []Row{
		changes("nothing", kept, nil),
		change("service labels", "Labels", `{}`, `{"a":"b"}`, kept),
		change("update config", "UpdateConfig", `null`, `{"Parallelism":7}`, kept),
		change("rollback config", "RollbackConfig", `null`, `{"Parallelism":7}`, kept),
		change("empty list for none", inContainer+"Args", `null`, `[]`, kept),
		change("isolation made explicit", inContainer+"Isolation", `""`, `"default"`, kept),
		change("runtime made explicit", inTask+"Runtime", `""`, `"container"`, kept),
		change("the same image by its full name", inContainer+"Image", `"redis:1"`, `"docker.io/library/redis:1"`, kept),
		change("max attempts of 0 for none", inTask+"RestartPolicy", `{}`, `{"MaxAttempts":0}`, kept),
		change("preferences", inTask+"Placement.Preferences", `null`, `[{"Spread":{"SpreadDescriptor":"node.labels.a"}}]`, replaced),
		placed("preferences of a task that has a node", kept, nil, at(inTask+"Placement.Preferences", `[{"Spread":{"SpreadDescriptor":"node.labels.a"}}]`)),
		placed("max replicas of a task that has a node", kept, nil, at(inTask+"Placement.MaxReplicas", `5`)),
		placed("constraint that the node satisfies", kept, nil, at(inTask+"Placement.Constraints", `["node.role==manager"]`)),
		placed("such a constraint and a label", kept, nil, at(inTask+"Placement.Constraints", `["node.role==manager"]`), at("Labels", `{"a":"b"}`)),
		placed("such a constraint and the environment", replaced, nil, at(inTask+"Placement.Constraints", `["node.role==manager"]`), at(inContainer+"Env", `["a=b"]`)),
		placed("constraint that the node does not satisfy", replaced, nil, nowhere),
		placed("placement for none", kept, []edit{at(inTask+"Placement", `null`)}, at(inTask+"Placement", `{}`)),
		placed("label of a service that runs", kept, nil, at("Labels", `{"a":"b"}`)),
		placed("environment of a service that runs", replaced, nil, at(inContainer+"Env", `["a=b"]`)),

		change("container labels", inContainer+"Labels", `null`, `{"a":"b"}`, replaced),
		change("environment", inContainer+"Env", `["a=1"]`, `["a=2"]`, replaced),
		change("order of the environment", inContainer+"Env", `["a=1","b=2"]`, `["b=2","a=1"]`, replaced),
		change("arguments", inContainer+"Args", `["a"]`, `["b"]`, replaced),
		change("hostname", inContainer+"Hostname", `""`, `"h"`, replaced),
		change("user", inContainer+"User", `""`, `"1"`, replaced),
		change("image", inContainer+"Image", `"redis:1"`, `"redis:2"`, replaced),
		change("force update", inTask+"ForceUpdate", `0`, `1`, replaced),
		change("order of mounts", inContainer+"Mounts", `[{"Type":"tmpfs","Target":"/a"},{"Type":"tmpfs","Target":"/b"}]`, `[{"Type":"tmpfs","Target":"/b"},{"Type":"tmpfs","Target":"/a"}]`, replaced),
		change("volume options for none", inContainer+"Mounts", volume(""), volume(`,"VolumeOptions":{}`), replaced),
		change("endpoint for none", "EndpointSpec", `null`, `{}`, replaced),
		change("no endpoint for an empty one", "EndpointSpec", `{}`, `null`, replaced),
		change("VIP to DNS round robin", "EndpointSpec", `{"Mode":"vip"}`, `{"Mode":"dnsrr"}`, replaced),
		change("another port", "EndpointSpec", ports(first), ports(first+","+second), replaced),
		change("a port's name", "EndpointSpec", ports(`{"TargetPort":1,"PublishedPort":{port}1}`), ports(`{"TargetPort":1,"PublishedPort":{port}1,"Name":"n"}`), replaced),
		change("order of ports", "EndpointSpec", ports(first+","+second), ports(second+","+first), replaced),
		change("port's protocol and mode made explicit", "EndpointSpec", ports(`{"TargetPort":1,"PublishedPort":{port}1}`), ports(first), kept),
		change("restart policy for none", inTask+"RestartPolicy", `null`, `{}`, replaced),
		change("restart policy's own defaults for none", inTask+"RestartPolicy", `null`, `{"Condition":"any","Delay":5000000000,"MaxAttempts":0,"Window":0}`, replaced),
		change("restart delay of 0 for none", inTask+"RestartPolicy", `{}`, `{"Delay":0}`, replaced),
		change("restart window of 0 for none", inTask+"RestartPolicy", `{}`, `{"Window":0}`, replaced),
		change("resources for none", inTask+"Resources", `null`, `{}`, replaced),
		change("limits for none", inTask+"Resources", `{}`, `{"Limits":{}}`, replaced),
		change("reservations for none", inTask+"Resources", `{}`, `{"Reservations":{}}`, replaced),
		change("pids limit", inTask+"Resources", `{"Limits":{}}`, `{"Limits":{"Pids":5}}`, replaced),
		change("DNS config for none", inContainer+"DNSConfig", `null`, `{}`, replaced),
		change("privileges for none", inContainer+"Privileges", `null`, `{}`, replaced),
		change("health check for none", inContainer+"Healthcheck", `null`, `{}`, replaced),
		change("init false for none", inContainer+"Init", `null`, `false`, replaced),
		change("grace period of 10 s for none", inContainer+"StopGracePeriod", `null`, `10000000000`, replaced),
		change("log driver", inTask+"LogDriver", `null`, `{"Name":"json-file"}`, replaced),
		change("log driver for none", inTask+"LogDriver", `null`, `{}`, replaced),
		{Section: replacedSection, Name: "network by name for the same by id", Want: is(kept), try: func(t *trial) string {
			id := t.network("n")
			return t.fate(false, []edit{nowhere, at(inTask+"Networks", `[{"Target":"`+id+`"}]`)}, []edit{at(inTask+"Networks", `[{"Target":"{name}n"}]`)})
		}},
		{Section: replacedSection, Name: "another network", Want: is(replaced), try: func(t *trial) string {
			t.network("n")
			return t.fate(false, []edit{nowhere}, []edit{at(inTask+"Networks", `[{"Target":"{name}n"}]`)})
		}},
		{Section: replacedSection, Name: "alias on a network", Want: is(replaced), try: func(t *trial) string {
			t.network("n")
			return t.fate(false, []edit{nowhere, at(inTask+"Networks", `[{"Target":"{name}n"}]`)}, []edit{at(inTask+"Networks", `[{"Target":"{name}n","Aliases":["x"]}]`)})
		}},
		{Section: replacedSection, Name: "order of networks", Want: is(replaced), try: func(t *trial) string {
			t.network("n")
			t.network("m")
			return t.fate(false, []edit{nowhere, at(inTask+"Networks", `[{"Target":"{name}n"},{"Target":"{name}m"}]`)},
				[]edit{at(inTask+"Networks", `[{"Target":"{name}m"},{"Target":"{name}n"}]`)})
		}},
		{Section: replacedSection, Name: "a secret added", Want: is(replaced), try: func(t *trial) string {
			return t.fate(false, []edit{nowhere}, []edit{at(inContainer+"Secrets", t.secretRef(t.secret("s"), "s"))})
		}},
		{Section: replacedSection, Name: "what inspect gives, sent back", Want: is(kept), try: func(t *trial) string {
			return t.fate(false, []edit{nowhere, at(inTask+"RestartPolicy", `{}`), at("UpdateConfig", `{}`), at(inContainer+"Env", `["b=1","a=2"]`)}, nil)
		}},
		{Section: replacedSection, Name: "what inspect gives with defaults inserted, sent back", Want: is(replaced), try: func(t *trial) string {
			t.create("a", nowhere, at("Mode.Replicated.Replicas", "1"))
			before := t.awaitTask("a", "is pending", func(task swarm.Task) bool { return task.Status.State == swarm.TaskStatePending })
			full, _, err := t.ServiceInspectWithRaw(t.Context(), t.name("a"), swarm.ServiceInspectOptions{InsertDefaults: true})
			t.must(err)
			t.must(t.write(t.live("a"), full.Spec))
			for _, task := range t.tasks("a", filters.Arg("_up-to-date", "true")) {
				if task.ID == before.ID {
					return kept
				}
			}
			return replaced
		}},
	}
}
