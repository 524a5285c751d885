package conformance

import (
	"encoding/json"

	"github.com/docker/docker/api/types/swarm"
)

const (
	sentSection     = "1 round trip"
	distinctSection = "1 nil and empty"
)

// sent is a row for what a field comes back as: some fields are set, one path
// is looked at.
func sent(name, path string, want Want, edits ...edit) Row {
	return Row{Section: sentSection, Name: name, Want: want, try: func(t *trial) string {
		return t.cameBack(path, edits...)
	}}
}

// same is a row for a field that comes back as it was sent.
func same(name, path, value string) Row {
	return sent(name, path, is(value), at(path, value))
}

// cameBack creates a service and gives one field of what came out of it.
func (t *trial) cameBack(path string, edits ...edit) string {
	t.Helper()
	t.must(t.tryCreate(t.spec("a", edits...)))
	_, raw, err := t.ServiceInspectWithRaw(t.Context(), t.name("a"), swarm.ServiceInspectOptions{})
	t.must(err)
	var s struct{ Spec json.RawMessage }
	t.must(json.Unmarshal(raw, &s))
	return t.field(s.Spec, path)
}

func sentRows() []Row {
	replicated := at("Mode.Replicated", `null`)
	all := []Row{
		sent("service labels nil become empty", "Labels", is(`{}`), at("Labels", `null`)),
		sent("empty container labels are absent", inContainer+"Labels", is("absent"), at(inContainer+"Labels", `{}`)),
		sent("no runtime is container", inTask+"Runtime", is(`"container"`)),
		sent("no isolation is default", inContainer+"Isolation", is(`"default"`)),
		sent("no mode is replicated, 1", "Mode", is(`{"Replicated":{"Replicas":1}}`), replicated, at(inContainer+"Image", `"nosuch:1"`)),
		sent("no replicas are 1", "Mode", is(`{"Replicated":{"Replicas":1}}`), at("Mode.Replicated.Replicas", `null`), at(inContainer+"Image", `"nosuch:1"`)),
		sent("global", "Mode", is(`{"Global":{}}`), replicated, at("Mode.Global", `{}`), nowhere),
		sent("replicated job without numbers", "Mode", is(`{"ReplicatedJob":{"MaxConcurrent":1,"TotalCompletions":1}}`),
			replicated, at("Mode.ReplicatedJob", `{}`), nowhere),
		sent("replicated job completes as often as it is concurrent", "Mode", is(`{"ReplicatedJob":{"MaxConcurrent":2,"TotalCompletions":2}}`),
			replicated, at("Mode.ReplicatedJob", `{"MaxConcurrent":2}`), nowhere),
		sent("global job", "Mode", is(`{"GlobalJob":{}}`), replicated, at("Mode.GlobalJob", `{}`), nowhere),
		sent("restart policy's defaults", inTask+"RestartPolicy", is(`{"Condition":"any","MaxAttempts":0}`), at(inTask+"RestartPolicy", `{}`)),
		sent("restart delay of zero stays", inTask+"RestartPolicy", is(`{"Condition":"any","Delay":0,"MaxAttempts":0,"Window":0}`),
			at(inTask+"RestartPolicy", `{"Delay":0,"Window":0}`)),
		sent("restart policy none stays", inTask+"RestartPolicy.Condition", is(`"none"`), at(inTask+"RestartPolicy", `{"Condition":"none"}`)),
		sent("update config's defaults", "UpdateConfig", is(updateDefaults), at("UpdateConfig", `{}`)),
		sent("rollback config's defaults", "RollbackConfig", is(updateDefaults), at("RollbackConfig", `{}`)),
		sent("monitor to the nanosecond", "UpdateConfig.Monitor", is(`1000000001`), at("UpdateConfig", `{"Monitor":1000000001}`)),
		sent("endpoint mode's default", "EndpointSpec", is(`{"Mode":"vip"}`), at("EndpointSpec", `{}`)),
		sent("port's defaults", "EndpointSpec.Ports", is(`[{"Protocol":"tcp","PublishMode":"ingress","TargetPort":80}]`),
			at("EndpointSpec", `{"Ports":[{"TargetPort":80}]}`)),
		sent("bogus protocol and mode become the defaults", "EndpointSpec.Ports", is(`[{"Protocol":"tcp","PublishMode":"ingress","TargetPort":80}]`),
			at("EndpointSpec", `{"Ports":[{"TargetPort":80,"Protocol":"bogus","PublishMode":"bogus"}]}`)),
		sent("upper case protocol is understood", "EndpointSpec.Ports", is(`[{"Protocol":"udp","PublishMode":"host","TargetPort":80}]`),
			at("EndpointSpec", `{"Ports":[{"TargetPort":80,"Protocol":"UDP","PublishMode":"HOST"}]}`)),
		sent("host network comes back by id", inTask+"Networks", is(`[{"Target":"<id>"}]`), at(inTask+"Networks", `[{"Target":"host"}]`)),
		sent("bridge network comes back by id", inTask+"Networks", is(`[{"Target":"<id>"}]`), at(inTask+"Networks", `[{"Target":"bridge"}]`)),
		sent("preference without spread is dropped", inTask+"Placement", is(`{}`), at(inTask+"Placement", `{"Preferences":[{}]}`)),
		sent("empty placement stays", inTask+"Placement", is(`{}`)),
		sent("force update stays", inTask+"ForceUpdate", is(`7`), at(inTask+"ForceUpdate", `7`)),
		same("environment: order and duplicates", inContainer+"Env", `["b=1","a=2","b=1"]`),
		same("arguments", inContainer+"Args", `["b","a","b"]`),
		same("groups", inContainer+"Groups", `["z","a","z"]`),
		same("hosts", inContainer+"Hosts", `["10.0.0.9 b","10.0.0.1 a"]`),
		same("capabilities", inContainer+"CapabilityAdd", `["CAP_SYS_ADMIN","CAP_CHOWN"]`),
		same("sysctls", inContainer+"Sysctls", `{"net.core.somaxconn":"1"}`),
		same("ulimits", inContainer+"Ulimits", `[{"Hard":2,"Name":"nofile","Soft":1},{"Hard":1,"Name":"core","Soft":1}]`),
		same("DNS", inContainer+"DNSConfig", `{"Nameservers":["8.8.8.8","1.1.1.1"],"Options":["b","a"],"Search":["z","y"]}`),
		same("stop signal, whatever it is", inContainer+"StopSignal", `"bogus"`),
		same("grace period to the nanosecond", inContainer+"StopGracePeriod", `1000000001`),
		same("grace period of zero", inContainer+"StopGracePeriod", `0`),
		same("init false", inContainer+"Init", `false`),
		same("health check", inContainer+"Healthcheck", `{"Interval":1000000001,"Retries":3,"StartPeriod":2000000,"Test":["CMD","true"],"Timeout":1000000}`),
		same("constraints with their spaces", inTask+"Placement.Constraints", `["node.role  ==  manager","node.labels.a!=b"]`),
		same("preferences", inTask+"Placement.Preferences", `[{"Spread":{"SpreadDescriptor":"node.labels.b"}},{"Spread":{"SpreadDescriptor":"node.labels.a"}}]`),
		same("platforms", inTask+"Placement.Platforms", `[{"Architecture":"x86_64","OS":"linux"},{"Architecture":"arm64","OS":"linux"}]`),
		same("log driver", inTask+"LogDriver", `{"Name":"json-file","Options":{"max-size":"1m"}}`),
		same("resources", inTask+"Resources", `{"Limits":{"MemoryBytes":8388608,"NanoCPUs":1000000,"Pids":5},"Reservations":{"MemoryBytes":4194304}}`),
	}
	return append(append(all, mountRows()...), droppedRows()...)
}

const updateDefaults = `{"FailureAction":"pause","MaxFailureRatio":0,"Order":"stop-first","Parallelism":0}`

// nowhere keeps tasks from being placed, and so from running a container.
var nowhere = at(inTask+"Placement.Constraints", `["node.hostname==nowhere"]`)

func mountRows() []Row {
	mounts := inContainer + "Mounts"
	mounted := func(name, sends string, gives Want) Row { return sent(name, mounts, gives, at(mounts, sends)) }
	return []Row{
		mounted("mount without a type is a bind", `[{"Source":"/etc","Target":"/e"}]`, is(`[{"Source":"/etc","Target":"/e","Type":"bind"}]`)),
		mounted("mount consistency is dropped", `[{"Type":"bind","Source":"/etc","Target":"/e","Consistency":"cached"}]`,
			is(`[{"Source":"/etc","Target":"/e","Type":"bind"}]`)),
		mounted("empty bind options are dropped", `[{"Type":"bind","Source":"/etc","Target":"/e","BindOptions":{}}]`,
			is(`[{"Source":"/etc","Target":"/e","Type":"bind"}]`)),
		mounted("create host path is dropped", `[{"Type":"bind","Source":"/etc","Target":"/e","BindOptions":{"CreateMountpoint":true}}]`,
			is(`[{"Source":"/etc","Target":"/e","Type":"bind"}]`)),
		mounted("recursive read-only is dropped", `[{"Type":"bind","Source":"/etc","Target":"/e","BindOptions":{"Propagation":"shared","ReadOnlyNonRecursive":true}}]`,
			is(`[{"BindOptions":{"Propagation":"shared"},"Source":"/etc","Target":"/e","Type":"bind"}]`)),
		mounted("non-recursive bind is private", `[{"Type":"bind","Source":"/etc","Target":"/e","BindOptions":{"NonRecursive":true}}]`,
			is(`[{"BindOptions":{"NonRecursive":true,"Propagation":"rprivate"},"Source":"/etc","Target":"/e","Type":"bind"}]`)),
		mounted("volume with everything", `[{"Type":"volume","Source":"v","Target":"/v","ReadOnly":true,"VolumeOptions":{"NoCopy":true,"Labels":{"a":"b"},"DriverConfig":{"Name":"local","Options":{"type":"tmpfs"}}}}]`,
			is(`[{"ReadOnly":true,"Source":"v","Target":"/v","Type":"volume","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"tmpfs"}},"Labels":{"a":"b"},"NoCopy":true}}]`)),
		mounted("tmpfs size and mode", `[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1024,"Mode":448}}]`,
			is(`[{"Target":"/t","TmpfsOptions":{"Mode":448,"SizeBytes":1024},"Type":"tmpfs"}]`)),
		mounted("mounts keep their order", `[{"Type":"tmpfs","Target":"/z"},{"Type":"tmpfs","Target":"/a"}]`,
			is(`[{"Target":"/z","Type":"tmpfs"},{"Target":"/a","Type":"tmpfs"}]`)),
	}
}

// droppedRows are the fields that an older API version does not know.
func droppedRows() []Row {
	mounts := inContainer + "Mounts"
	return []Row{
		sent("no new privileges: since 1.44", inContainer+"Privileges", is(`{"CredentialSpec":null,"NoNewPrivileges":true,"SELinuxContext":null}`).
			before("1.44", `{"CredentialSpec":null,"SELinuxContext":null}`), at(inContainer+"Privileges", `{"NoNewPrivileges":true}`)),
		sent("seccomp: since 1.44", inContainer+"Privileges.Seccomp", is(`{"Mode":"unconfined"}`).before("1.44", "absent"),
			at(inContainer+"Privileges", `{"Seccomp":{"Mode":"unconfined"}}`)),
		sent("AppArmor: since 1.44", inContainer+"Privileges.AppArmor", is(`{"Mode":"disabled"}`).before("1.44", "absent"),
			at(inContainer+"Privileges", `{"AppArmor":{"Mode":"disabled"}}`)),
		sent("health check's start interval: since 1.44", inContainer+"Healthcheck.StartInterval", is(`1000000000`).before("1.44", "absent"),
			at(inContainer+"Healthcheck", `{"Test":["CMD","true"],"StartInterval":1000000000}`)),
		sent("OOM score: since 1.46", inContainer+"OomScoreAdj", is(`100`).before("1.46", "absent"), at(inContainer+"OomScoreAdj", `100`)),
		sent("tmpfs options: since 1.46", mounts, is(`[{"Target":"/t","TmpfsOptions":{"Options":[["noexec"]]},"Type":"tmpfs"}]`).
			before("1.46", `[{"Target":"/t","TmpfsOptions":{},"Type":"tmpfs"}]`),
			at(mounts, `[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"Options":[["noexec"]]}}]`)),
		sent("volume subpath: since 1.45", mounts, is(`[{"Source":"v","Target":"/v","Type":"volume","VolumeOptions":{"Subpath":"p"}}]`).
			before("1.45", `[{"Source":"v","Target":"/v","Type":"volume","VolumeOptions":{}}]`),
			at(mounts, `[{"Type":"volume","Source":"v","Target":"/v","VolumeOptions":{"Subpath":"p"}}]`)),
	}
}

// distinctRows: nil stays nil and an empty struct stays an empty struct; what
// is nil or empty in a list or a map comes back the same.
func distinctRows() []Row {
	var all []Row
	for _, f := range []struct{ name, path, empty string }{
		{"resources", inTask + "Resources", `{}`},
		{"limits", inTask + "Resources.Limits", `{}`},
		{"reservations", inTask + "Resources.Reservations", `{}`},
		{"restart policy", inTask + "RestartPolicy", `{"Condition":"any","MaxAttempts":0}`},
		{"placement", inTask + "Placement", `{}`},
		{"log driver", inTask + "LogDriver", `{}`},
		{"DNS config", inContainer + "DNSConfig", `{}`},
		{"health check", inContainer + "Healthcheck", `{}`},
		{"endpoint", "EndpointSpec", `{"Mode":"vip"}`},
		{"update config", "UpdateConfig", updateDefaults},
		{"rollback config", "RollbackConfig", updateDefaults},
	} {
		all = append(all,
			Row{Section: distinctSection, Name: f.name + ": nil stays nil", Want: is("absent"), try: func(t *trial) string {
				return t.cameBack(f.path, at(f.path, "null"))
			}},
			Row{Section: distinctSection, Name: f.name + ": empty stays", Want: is(f.empty), try: func(t *trial) string {
				return t.cameBack(f.path, at(f.path, "{}"))
			}})
	}
	for _, f := range []struct{ name, path string }{
		{"environment", inContainer + "Env"}, {"mounts", inContainer + "Mounts"}, {"networks", inTask + "Networks"},
		{"secrets", inContainer + "Secrets"}, {"ports", "EndpointSpec.Ports"}, {"constraints", inTask + "Placement.Constraints"},
	} {
		all = append(all, Row{Section: distinctSection, Name: f.name + ": an empty list is absent", Want: is("absent"), try: func(t *trial) string {
			return t.cameBack(f.path, at(f.path, "[]"))
		}})
	}
	for _, f := range []struct{ name, path string }{
		{"init", inContainer + "Init"}, {"grace period", inContainer + "StopGracePeriod"},
	} {
		all = append(all, Row{Section: distinctSection, Name: f.name + ": nil stays nil", Want: is("absent"), try: func(t *trial) string {
			return t.cameBack(f.path)
		}})
	}
	mounted := func(name, sends, gives string) Row {
		return Row{Section: distinctSection, Name: name, Want: is(gives), try: func(t *trial) string {
			return t.cameBack(inContainer+"Mounts", at(inContainer+"Mounts", sends))
		}}
	}
	return append(all,
		Row{Section: distinctSection, Name: "privileges: nil stays nil", Want: is("absent"), try: func(t *trial) string {
			return t.cameBack(inContainer + "Privileges")
		}},
		Row{Section: distinctSection, Name: "privileges: empty stay", Want: is(`{"CredentialSpec":null,"NoNewPrivileges":false,"SELinuxContext":null}`).
			before("1.44", `{"CredentialSpec":null,"SELinuxContext":null}`), try: func(t *trial) string {
			return t.cameBack(inContainer+"Privileges", at(inContainer+"Privileges", "{}"))
		}},
		mounted("volume options: empty stay", `[{"Type":"volume","Source":"v","Target":"/v","VolumeOptions":{}}]`,
			`[{"Source":"v","Target":"/v","Type":"volume","VolumeOptions":{}}]`),
		mounted("tmpfs options: empty stay", `[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{}}]`, `[{"Target":"/t","TmpfsOptions":{},"Type":"tmpfs"}]`))
}
