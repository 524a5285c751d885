package oracle

// fields are all places of a stack file that mean something, with values in
// every form that docker/cli reads. services.web is the service of base; what
// differs on purpose stands in deliberate instead.
var fields = []field{
	{"services.web.image", []string{"nginx", "nginx:1.25", "docker.io/library/redis", "registry.example:5000/a/b:1",
		"a@sha256:0123456789012345678901234567890123456789012345678901234567890123", "'nginx:${TAG}'", "'x:${NONE:-1}'"}},
	{"services.web.command", append(words, "[a, 'b c', '']", "['$$HOME', '${TAG}']")},
	{"services.web.entrypoint", append(words, "[a, 'b c', '']", "['$$HOME', '${TAG}']")},
	{"services.web.environment", []string{
		"{B: 1, A: x, C: 1.50, D: , SET: , UNSET: , EMPTY: , Q: '', E: 'a=b', F: 010, G: 1e3, H: 0x1f, I: 123456789012, J: yes, K: ~, L: '${TAG}', M: 'a$$b', N: 1_000, O: .5}",
		"[B=1, A=x, SET, UNSET, EMPTY, 'Q=', 'E=a=b', 'A=y', 'D=${TAG:-1}']", "{}", "[]", "{a.b-c: x, 'x y': z, ü: ü}", "{x-real-ip: a, B: c, x-none: }",
		"{A: \"multi\\nline\", B: '  spaces  ', C: '\"quoted\"', D: 2001-01-01x}",
	}},
	{"services.web.env_file", []string{"a.env", "[a.env]", "[a.env, dir/b.env]", "./dir/b.env", "[]"}},
	{"services.web.labels", labels},
	{"services.web.hostname", []string{"h", "'{{.Node.Hostname}}-{{.Task.Slot}}'", "''", "a.b"}},
	{"services.web.user", []string{"root", "'1000:1000'", "''"}},
	{"services.web.working_dir", []string{"/x", "x/../y", "''"}},
	{"services.web.stop_signal", []string{"SIGINT", "'9'", "''"}},
	{"services.web.stop_grace_period", []string{"1m30s", "0s", "1h", "1.5s", "100ms"}},
	{"services.web.isolation", []string{"default", "hyperv", "''"}},
	{"services.web.init", bools},
	{"services.web.read_only", bools},
	{"services.web.tty", bools},
	{"services.web.stdin_open", bools},
	{"services.web.cap_add", capabilities},
	{"services.web.cap_drop", capabilities},
	{"services.web.dns", []string{"8.8.8.8", "[8.8.8.8, 1.1.1.1]", "[]"}},
	{"services.web.dns_search", []string{"a.b", "[b, a]", "[]"}},
	{"services.web.extra_hosts", []string{
		"{b: 1.1.1.1, a: '::1'}", "['b:1.1.1.1', 'a=2.2.2.2', 'c:[::1]', 'd:::1', 'a:3.3.3.3', 'e=[::2]']", "{}", "[]", "{a: '[::1]', 'x.y': host-gateway}",
	}},
	{"services.web.sysctls", []string{"{net.core.somaxconn: 1024, a.b: '0', c: }", "[net.core.somaxconn=1, a.b]", "{}", "[]"}},
	{"services.web.ulimits", []string{"{nofile: 1024}", "{nproc: {soft: 1, hard: 2}, nofile: 0, core: -1}", "{}", "{nofile: {soft: 0, hard: 0}}", "{cpu: '${COUNT}', nofile: {soft: '${COUNT}', hard: '${COUNT}'}}"}},
	{"services.web.restart", []string{"'no'", "always", "unless-stopped", "on-failure", "'on-failure:3'", "''"}},
	{"services.web.healthcheck", []string{
		"{test: 'curl -f http://localhost || exit 1'}", "{test: [CMD, curl, '-f', 'http://x']}", "{test: [CMD-SHELL, 'a b']}", "{test: [NONE]}", "{}", "{disable: true}", "{disable: false, test: x}",
		"{interval: 1m30s, timeout: 10s, retries: 3, start_period: 40s, start_interval: 5s}", "{test: []}", "{test: ['CMD']}", "{retries: 0, interval: 0s}", "{retries: '${COUNT}', disable: '${NO}'}",
	}},
	{"services.web.healthcheck.test", []string{"x", "''", "['CMD-SHELL', '$$PWD ${TAG}']"}},
	{"services.web.healthcheck.interval", durations},
	{"services.web.healthcheck.timeout", durations},
	{"services.web.healthcheck.retries", []string{"3", "0"}},
	{"services.web.healthcheck.start_period", durations},
	{"services.web.healthcheck.start_interval", durations},
	{"services.web.logging", []string{"{driver: syslog}", "{driver: json-file, options: {max-size: 10m, max-file: 3, x: , y: 1.50, z: ''}}", "{options: {a: b}}", "{}", "{driver: none, options: {}}"}},
	{"services.web.credential_spec", []string{"{config: c1}", "{file: spec.json}", "{registry: key}", "{}", "{config: outside}"}},
	{"services.web.networks", []string{
		"[n1]", "[n2, n1, default]", "{n1: }", "{n1: {aliases: [b, a]}, n2: }", "{n1: {aliases: []}}", "{n1: {}}", "[outside]", "[host]", "{host: {aliases: [x]}}", "[]", "{}",
		"{n1: {driver_opts: {com.docker.network.endpoint.ifname: eth9, b: 1}}}", "{n1: {driver_opts: {}}}", "[default]", "{default: {aliases: [d]}}",
	}},
	{"services.web.ports", ports},
	{"services.web.volumes", append(shortVolumes, longVolumes...)},
	{"services.web.secrets", append(references("s"), "[outside, s1]")},
	{"services.web.configs", append(references("c"), "[outside, c1]")},

	{"services.web.deploy", []string{"{}", "~"}},
	{"services.web.deploy.mode", []string{"replicated", "global", "replicated-job", "global-job", "''"}},
	{"services.web.deploy.replicas", []string{"0", "1", "5", "'${COUNT}'"}},
	{"services.web.deploy.labels", labels},
	{"services.web.deploy.endpoint_mode", []string{"vip", "dnsrr", "VIP", "''"}},
	{"services.web.deploy.update_config", updates},
	{"services.web.deploy.rollback_config", updates},
	{"services.web.deploy.update_config.failure_action", []string{"rollback", "pause", "''"}},
	{"services.web.deploy.restart_policy", []string{
		"{}", "{condition: none}", "{condition: on-failure, delay: 5s, max_attempts: 3, window: 120s}", "{condition: any, max_attempts: 0, delay: 0s, window: 0s}", "{max_attempts: '${COUNT}'}", "{condition: ''}",
	}},
	{"services.web.deploy.resources", []string{"{}", "{limits: {}}", "{reservations: {}}"}},
	{"services.web.deploy.resources.limits.cpus", cpus},
	{"services.web.deploy.resources.limits.memory", sizes},
	{"services.web.deploy.resources.limits.pids", []string{"0", "100", "-1"}},
	{"services.web.deploy.resources.reservations.cpus", cpus},
	{"services.web.deploy.resources.reservations.memory", sizes},
	{"services.web.deploy.resources.reservations.generic_resources", []string{
		"[]", "[{discrete_resource_spec: {kind: gpu, value: 2}}, {discrete_resource_spec: {kind: ssd, value: 1}}]", "[{}]", "[{discrete_resource_spec: {kind: a}}]", "[{discrete_resource_spec: {}}]",
	}},
	{"services.web.deploy.placement", []string{"{}", "{constraints: [], preferences: []}"}},
	{"services.web.deploy.placement.constraints", []string{"['node.role==manager', ' node.labels.a != b ']", "['node.hostname == ${TAG}', 'engine.labels.x==y']"}},
	{"services.web.deploy.placement.preferences", []string{"[{spread: node.labels.zone}, {spread: node.labels.rack}]", "[{}]"}},
	{"services.web.deploy.placement.max_replicas_per_node", []string{"0", "2", "'${COUNT}'"}},

	{"networks.n1.name", []string{"given1", "'with.dot-and_dash'", "'x-${TAG}'"}},
	{"networks.n1.driver", []string{"overlay", "weave", "''"}},
	{"networks.n1.driver_opts", options},
	{"networks.n1.ipam", []string{"{}", "{driver: default}", "{config: [{subnet: 10.0.0.0/24}, {subnet: 'fd00::/64'}]}", "{driver: d, config: []}", "{config: [{}]}"}},
	{"networks.n1.external", []string{"true", "false", "{name: elsewhere}", "'${YES}'"}},
	{"networks.n1.internal", bools},
	{"networks.n1.attachable", bools},
	{"networks.n1.labels", labels},
	{"networks.default", []string{"~", "{}", "{driver: weave}", "{external: true}", "{name: given2}", "{attachable: true}"}},

	{"volumes.v1.name", []string{"given", "'{{.Service.Name}}-data'", "'v-${TAG}'"}},
	{"volumes.v1.driver", []string{"local", "rexray", "''"}},
	{"volumes.v1.driver_opts", options},
	{"volumes.v1.external", []string{"true", "false", "{name: elsewhere}"}},
	{"volumes.v1.labels", labels},

	{"secrets.s1.name", []string{"given2", "'s-${TAG}'"}},
	{"secrets.s1.file", []string{"data.txt", "./other.txt", "dir/../data.txt"}},
	{"secrets.s1.external", []string{"true", "false", "{name: elsewhere}"}},
	{"secrets.s1.labels", labels},
	{"secrets.s1.template_driver", []string{"golang", "''"}},
	{"secrets.s3", []string{"{driver: vault}", "{driver: vault, driver_opts: {a: b, c: 1}, labels: {x: y}, name: given3, template_driver: golang}", "{driver: vault, driver_opts: {}}"}},
	{"configs.c1.name", []string{"given2"}},
	{"configs.c1.file", []string{"data.txt", "./other.txt"}},
	{"configs.c1.external", []string{"true", "{name: elsewhere}"}},
	{"configs.c1.labels", labels},
	{"configs.c1.template_driver", []string{"golang", "''"}},
}

var (
	bools     = []string{"true", "false"}
	durations = []string{"1s", "0s", "1m30s", "1.5h", "10ms", "1us"}
	cpus      = []string{"'0.5'", "'0.1'", "'2'", "'0.333333333'", "'1e-3'", "'1/4'", "'${COUNT}'", "'.5'", "'0'"}
	sizes     = []string{"50M", "1gb", "'1073741824'", "5000k", "1.5g", "'0'", "20MiB"}
	labels    = []string{
		"{a: b, c: 1, d: 1.50, e: , f: '', g: 1e3, h: 0x1f, i: 010, j: 123456789012, k: yes, l: ~, m: 'x=y', n: '${TAG}', o: 'a$$b', p: 1234567.5}",
		"[a=b, c, 'd=', 'e=f=g', 'h=${TAG}', 'i=$$x']", "{}", "[]", "{com.docker.stack.namespace: mine, com.docker.stack.image: mine}",
		"{traefik.http.routers.r.rule: \"Host(`a.b`) && PathPrefix(`/x`)\"}", "[a=1, a=2]",
	}
	options      = []string{"{a: b, c: 1, d: 1.50, e: ''}", "{}", "{encrypted: '', com.docker.network.driver.mtu: 1450}"}
	capabilities = []string{"[NET_ADMIN]", "[net_admin, CAP_SYS_ADMIN, sys_time, SYS_TIME]", "[all, NET_ADMIN]", "[]", "[ALL]", "[' net_raw ']", "[CAP_ALL]", "[RESET]"}
	words        = []string{
		"'sh -c \"echo hi && sleep 1\"'", "\"echo 'a b' c\\\\ d # e\"", "'a && b; c | d > e $$(f) `g`'", "''", "[]", "'  a   b  '", "|\n  a b\n  c", "\"'' \\\"\\\" x\"",
		"'a$$b ${TAG} \"$$X\"'", "'a#b #c'", "'\"a\\\"b\" \"c\\d\"'", "'\"x\"yz'", "\"a\\tb\"", "'é \"ü x\"'",
	}
	updates = []string{
		"{}", "{parallelism: 0}", "{parallelism: 2, delay: 10s, failure_action: pause, monitor: 5s, max_failure_ratio: 0.3, order: start-first}",
		"{failure_action: continue, order: stop-first}", "{max_failure_ratio: 1}", "{parallelism: '${COUNT}', max_failure_ratio: '${COUNT}'}", "{delay: 0s, monitor: 0s}",
	}
	ports = []string{
		"['80']", "[80]", "['8080:80']", "['8080:80/udp']", "['3000-3005']", "['9090-9092:8080-8082']", "['9090-9092:8080']", "['53:53/udp', '53:53/tcp']",
		"['443:443', '80:80', '8000']", "['80/TCP']", "['1-3:1-3/sctp', 5]", "[]", "['0.0.0.0:81:81']", "['[::]:82:82']", "['9:9', '8:8', '7:7', '6', '5', '4:4']",
		"[{target: 80}]", "[{target: 80, published: 8080}]", "[{target: 80, published: 8080, protocol: udp, mode: host}, {target: 81, published: 79, protocol: tcp, mode: ingress}]",
		"[{target: 80, published: 0}]", "[{target: 53, published: 53, protocol: udp}, {target: 53, published: 53, protocol: tcp}, {target: 54, published: 53, mode: host}]", "[{target: '${COUNT}', published: '${COUNT}'}]",
		"['${COUNT}:80']", "['15:15', '14:14', '13:13', '12:12', '11:11', '10:10', '9', '8', '7', '6', '5', '4', '3', '2', '1']", "['100-101:200-201/udp', {target: 5}]", "['2222:22', '10:10']",
	}
	shortVolumes = []string{
		"['v1:/data']", "['/anonymous']", "['/a:/b']", "['./rel:/b:ro']", "['../up/x:/b']", "['~/x:/b']", "['~:/b']", "['.:/b']", "['v1:/data:ro,nocopy']", "['v1:/d:nocopy', 'v2:/e', 'outside:/f:ro']", "['/a:/b:rshared']",
		"['/a:/b:ro,rslave']", "['/a:/b:rw']", "['v1:/data/']", "['/a/:/b/']", "['/a/../c:/b']", "['./a//b:/c']", "['v1:/data:unknown']", "['/a']", "['v1:data']", "[]", "['v1:/b', 'v1:/a']",
		"['C:\\x:/b']", "['/x:/y:private']", "['v1:/x/../y']", "['/${TAG}:/y']", "['v1:/d:rw']", "['/a:/']",
	}
	longVolumes = []string{
		"[{type: volume, source: v1, target: /d}]", "[{type: volume, target: /d}]", "[{type: volume, source: v1, target: /d, read_only: true, volume: {nocopy: true}}]", "[{type: volume, source: v1, target: /d, volume: {}}]",
		"[{type: volume, source: v1, target: /d, volume: {subpath: x}}]", "[{type: volume, source: outside, target: /d, volume: {nocopy: false}}]", "[{type: volume, source: v2, target: /d/}]",
		"[{type: bind, source: /a, target: /b}]", "[{type: bind, source: ./a, target: /b, read_only: true}]", "[{type: bind, source: /a/, target: /b/, consistency: cached}]", "[{type: bind, source: a, target: /b, bind: {propagation: rslave}}]",
		"[{type: bind, source: '~/x', target: /b}]", "[{type: bind, source: /a/../b, target: /b/../c}]", "[{type: bind, source: /a, target: /b, bind: {}}]", "[{type: bind, source: /a, target: /b, bind: {create_host_path: false}}]",
		"[{type: tmpfs, target: /t}]", "[{type: tmpfs, target: /t, tmpfs: {size: 1000}}]", "[{type: tmpfs, target: /t, tmpfs: {}}]", "[{type: tmpfs, target: /t, read_only: true}]",
		"[{type: npipe, source: '\\\\.\\pipe\\x', target: '\\\\.\\pipe\\y'}]", "[{type: npipe, source: '\\\\.\\pipe\\x', target: '\\\\.\\pipe\\y', read_only: true}]",
		"[{type: cluster, source: v1, target: /c}]", "[{type: cluster, source: 'group:g', target: /c}]", "[{type: cluster, source: v2, target: /c, read_only: true}]", "[{type: image, source: 'tools:1', target: /i}]",
		"['v1:/a', {type: bind, source: /x, target: /c}, '/anon']", "[{type: volume, source: v1, target: /d, read_only: '${YES}', volume: {nocopy: '${YES}'}}]",
	}
)

// ignored are fields that docker/cli loads and makes nothing of. Only a file
// written for docker stack deploy may have them: see deliberate.
var ignored = []field{
	{"services.web.build", []string{".", "{context: ., dockerfile: D, args: {a: b}, labels: [a=b], cache_from: [x], extra_hosts: ['a:1.1.1.1'], network: host, target: t, shm_size: 1g}"}},
	{"services.web.cgroup_parent", []string{"x"}},
	{"services.web.cgroupns_mode", []string{"private"}},
	{"services.web.container_name", []string{"xy"}},
	{"services.web.depends_on", []string{"[other]", "[]"}},
	{"services.web.devices", []string{"['/dev/a:/dev/b']"}},
	{"services.web.domainname", []string{"a.b"}},
	{"services.web.expose", []string{"['80', 81]"}},
	{"services.web.external_links", []string{"['a:b']"}},
	{"services.web.ipc", []string{"host"}},
	{"services.web.links", []string{"['other:b']", "[other]"}},
	{"services.web.mac_address", []string{"'02:42:ac:11:65:43'"}},
	{"services.web.network_mode", []string{"bridge", "host"}},
	{"services.web.pid", []string{"host", "~"}},
	{"services.web.privileged", bools},
	{"services.web.security_opt", []string{"['label:x']"}},
	{"services.web.shm_size", []string{"64M"}},
	{"services.web.tmpfs", []string{"/run", "[/run, '/tmp:size=1m']"}},
	{"services.web.oom_score_adj", []string{"5", "-100"}},
	{"services.web.userns_mode", []string{"host"}},
	{"services.web.networks.n1", []string{"{ipv4_address: 10.0.0.5, ipv6_address: 'fd00::5'}"}},
	{"services.web.x-extra", []string{"{a: b}"}},
	{"volumes.v1.x-cluster-spec", []string{`{group: g, availability: active, access_mode: {scope: single, sharing: none, mount_volume: {fs_type: ext4, mount_flags: [ro]}, block_volume: {}},
  accessibility_requirements: {requisite: [{segments: {region: a}}], preferred: [{segments: [zone=b]}]}, capacity_range: {required_bytes: 1G, limit_bytes: 2G}, secrets: [{key: k, secret: s1}]}`}},
	{"volumes.v1.x-extra", []string{"1"}},
	{"networks.n1.x-extra", []string{"[a]"}},
	{"secrets.s1.x-extra", []string{"a"}},
	{"x-top", []string{"{a: b}"}},
}

// references are the forms in which a service names its secrets or configs,
// of which base has KIND1 and KIND2.
func references(kind string) []string {
	one, two := kind+"1", kind+"2"
	return []string{
		"[" + one + "]", "[" + two + ", " + one + "]", "[{source: " + one + "}]", "[{source: " + one + ", target: /run/x/y, uid: '103', gid: '104', mode: 0440}, " + two + "]",
		"[{source: " + one + ", uid: '', gid: ''}]", "[{source: " + one + ", mode: 0}]", "[{source: " + one + ", mode: 288}]", "[{source: " + one + ", mode: 0o400}]", "[]",
		"[{source: " + one + ", target: b}, {source: " + one + ", target: a}]", "[{source: " + one + ", mode: '${COUNT}'}]", "[{source: " + one + ", target: ''}]",
	}
}
