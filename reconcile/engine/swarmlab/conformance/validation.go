package conformance

import "strings"

const validationSection = "10 validation"

// refused is a row for a spec that the Engine answers with an error, or takes.
func refused(name string, want Want, edits ...edit) Row {
	return Row{Section: validationSection, Name: name, Want: want, try: func(t *trial) string {
		return t.outcome(t.tryCreate(t.spec("a", edits...)))
	}}
}

func validationRows() []Row {
	const invalid = "400 InvalidArgument: rpc error: code = InvalidArgument desc = "
	ports := func(list string) edit { return at("EndpointSpec", `{"Ports":[`+list+`]}`) }
	named := func(name, want string, service func(key string) string) Row {
		return Row{Section: validationSection, Name: name, Want: is(want), try: func(t *trial) string {
			s := t.spec("a")
			s.Name = service(t.key)
			return t.outcome(t.tryCreate(s))
		}}
	}
	const badName = invalid + "name must be valid as a DNS name component"
	padded := func(n int) func(string) string {
		return func(key string) string { return key + strings.Repeat("x", n-len(key)) }
	}
	rows := []Row{
		named("a name of 63", "ok", padded(63)),
		named("a name of 64", invalid+"name must be 63 characters or fewer", padded(64)),
		named("dashes and underscores in a name", "ok", func(key string) string { return key + "_a--b__c" }),
		named("a dash at the end of a name", badName, func(key string) string { return key + "-" }),
		named("a dot in a name", badName, func(key string) string { return key + ".a" }),
		{Section: validationSection, Name: "names are one whatever their case", Want: is("409 Conflict: rpc error: code = AlreadyExists desc = name conflicts with an existing object: service …-A already exists"), try: func(t *trial) string {
			t.create("a")
			s := t.spec("a")
			s.Name = strings.ToUpper(s.Name)
			return t.outcome(t.tryCreate(s))
		}},
		{Section: validationSection, Name: "a port that another service publishes", Want: is(invalid + "port '…' is already in use by service 'a' (<id>) as an ingress port"), try: func(t *trial) string {
			t.create("a", ports(`{"TargetPort":80,"PublishedPort":{port}1}`))
			return t.outcome(t.tryCreate(t.spec("b", ports(`{"TargetPort":80,"PublishedPort":{port}1}`))))
		}},
		{Section: validationSection, Name: "one port over TCP and UDP", Want: is("ok"), try: func(t *trial) string {
			t.create("a", ports(`{"TargetPort":80,"PublishedPort":{port}1}`))
			return t.outcome(t.tryCreate(t.spec("b", ports(`{"TargetPort":80,"PublishedPort":{port}1,"Protocol":"udp"}`))))
		}},
		refused("one published port twice", is(invalid+"EndpointSpec: duplicate published ports provided"), ports(`{"TargetPort":80,"PublishedPort":{port}1},{"TargetPort":81,"PublishedPort":{port}1}`)),
		refused("an ingress port with DNS round robin", is(invalid+"EndpointSpec: port published with ingress mode can't be used with dnsrr mode"), at("EndpointSpec", `{"Mode":"dnsrr","Ports":[{"TargetPort":80,"PublishedPort":{port}1}]}`)),
		refused("a host-mode port with DNS round robin", is("ok"), at("EndpointSpec", `{"Mode":"dnsrr","Ports":[{"TargetPort":80,"PublishedPort":{port}1,"PublishMode":"host"}]}`)),
		refused("target port 0", is("ok"), ports(`{"TargetPort":0,"PublishedPort":{port}1}`)),
		refused("published port 70000", is("ok"), ports(`{"TargetPort":80,"PublishedPort":70000}`)),
		refused("too little CPU", is(invalid+"invalid cpu value 1e-06: Must be at least 0.001"), at(inTask+"Resources", `{"Limits":{"NanoCPUs":1000}}`)),
		refused("too little memory", is(invalid+"invalid memory value 1: Must be at least 4MiB"), at(inTask+"Resources", `{"Limits":{"MemoryBytes":1}}`)),
		refused("too little memory reserved", is(invalid+"invalid memory value 1: Must be at least 4MiB"), at(inTask+"Resources", `{"Reservations":{"MemoryBytes":1}}`)),
		refused("no image", is(invalid+"ContainerSpec: image reference must be provided"), at(inContainer+"Image", `""`)),
		refused("two mounts on one target", is(invalid+"ContainerSpec: duplicate mount point: /a"), at(inContainer+"Mounts", `[{"Type":"tmpfs","Target":"/a"},{"Type":"tmpfs","Target":"/a"}]`)),
		refused("an unknown mount type", is(`400 InvalidArgument: invalid MountType: "bogus"`), at(inContainer+"Mounts", `[{"Type":"bogus","Target":"/a"}]`)),
		refused("a job with an update config", is(invalid+"Jobs may not have an update config"), at("Mode.Replicated", `null`), at("Mode.ReplicatedJob", `{}`), at("UpdateConfig", `{}`), nowhere),
		refused("a job that restarts always", is("ok"), at("Mode.Replicated", `null`), at("Mode.ReplicatedJob", `{}`), at(inTask+"RestartPolicy", `{"Condition":"any"}`), nowhere),
		refused("two modes", is("400 InvalidArgument: must specify only one service mode"), at("Mode.Global", `{}`)),
		refused("a malformed constraint", is("500 Internal: rpc error: code = Unknown desc = constraint expected one operator from ==, !="), at(inTask+"Placement.Constraints", `["node.role"]`)),
		refused("an unknown failure action", is("400 InvalidArgument: unrecognized update failure action bogus"), at("UpdateConfig", `{"FailureAction":"bogus"}`)),
		refused("an unknown restart condition", is(`400 InvalidArgument: invalid RestartCondition: "bogus"`), at(inTask+"RestartPolicy", `{"Condition":"bogus"}`)),
		refused("a negative failure ratio", is(invalid+"TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1"), at("UpdateConfig", `{"MaxFailureRatio":-1}`)),
		refused("a template that does not parse", is(invalid+`expanding env failed: expanding env "a={{.Nope": template: expansion:1: unclosed action`), at(inContainer+"Env", `["a={{.Nope"]`)),
	}
	for _, f := range []struct{ name, path, value string }{
		{"log driver", inTask + "LogDriver", `{"Name":"bogus"}`},
		{"capability", inContainer + "CapabilityAdd", `["BOGUS"]`},
		{"stop signal", inContainer + "StopSignal", `"BOGUS"`},
		{"hosts", inContainer + "Hosts", `["bogus"]`},
		{"constraint key", inTask + "Placement.Constraints", `["bogus==1"]`},
		{"image that nobody has", inContainer + "Image", `"nosuch.invalid/a:1"`},
		{"mount without a target", inContainer + "Mounts", `[{"Type":"tmpfs"}]`},
		{"relative mount target", inContainer + "Mounts", `[{"Type":"tmpfs","Target":"a"}]`},
		{"environment without =", inContainer + "Env", `["bogus"]`},
		{"sysctl", inContainer + "Sysctls", `{"bogus":"1"}`},
	} {
		rows = append(rows, refused("not looked at: "+f.name, is("ok"), at(f.path, f.value)))
	}
	return rows
}
