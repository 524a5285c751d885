package oracle

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// A deliberate difference is a stack that docker/cli lowers and spec either
// lowers otherwise, on the paths of differs, or refuses under the rule refused.
type deliberateDifference struct {
	reason  string
	in      writing
	path    string // in base
	value   string
	then    string // what a second file says there
	with    [2]string
	differs []string
	refused string
}

// writing is for whom a file is written: the differences of a current Compose
// file end where a file says version:.
type writing int

const (
	both writing = iota
	current
	withVersion
)

const container = "Services.web.TaskTemplate.ContainerSpec."

// deliberate is every difference there is. A row that no longer differs fails.
var deliberate = []deliberateDifference{
	{reason: "Compose unquotes the values of an env_file and fills in variables", in: current,
		path: "services.web.env_file", value: "quoted.env", differs: []string{container + "Env.1", container + "Env.2"}},
	{reason: "in Compose an empty value is empty, and only a name alone takes the process's value", in: current,
		path: "services.web.environment", value: "{SET: ''}", differs: []string{container + "Env.0"}},
	{reason: "Compose has tmpfs, and Swarm can do it", in: current,
		path: "services.web.tmpfs", value: "/run", differs: []string{container + "Mounts.0"}},
	{reason: "docker/cli loses oom_score_adj to a missing struct tag", in: current,
		path: "services.web.oom_score_adj", value: "5", differs: []string{container + "OomScoreAdj"}},
	{reason: "docker/cli leaves a variable inside a default as it stands",
		path: "services.web.environment.A", value: "'${UNSET:-${TAG}}'", differs: []string{container + "Env.0"}},
	{reason: "a named pipe is not a path relative to the file",
		path: "services.web.volumes", value: `['\\.\pipe\a:\\.\pipe\b']`, differs: []string{container + "Mounts.0.Source"}},
	{reason: "compose-go's YAML keeps the sign of zero",
		path: "services.web.labels", value: "{a: -0}", differs: []string{container + "Labels.a"}},
	{reason: "create_host_path alone is what compose-go makes of a short form, and the Engine drops empty options",
		path: "services.web.volumes", value: "[{type: bind, source: /a, target: /b, bind: {create_host_path: true}}]", differs: []string{container + "Mounts.0.BindOptions"}},
	{reason: "docker/cli glues the home folder to what follows the tilde",
		path: "services.web.volumes", value: "['~x:/b']", differs: []string{container + "Mounts.0.Source"}},
	{reason: "an empty name server is none",
		path: "services.web.dns", value: "''", differs: []string{container + "DNSConfig.Nameservers.0"}},
	{reason: "the Engine refuses one port twice, which Compose takes as once",
		path: "services.web.ports", value: "['53:53', '53:53/tcp']", differs: []string{"Services.web.EndpointSpec.Ports.1"}},

	// Several files are merged as Compose does it.
	{reason: "a later file can say false", path: "services.web.tty", value: "true", then: "false", differs: []string{container + "TTY"}},
	{reason: "a later file can say nothing", path: "services.web.hostname", value: "h", then: "''", differs: []string{container + "Hostname"}},
	{reason: "a later file can say zero", path: "services.web.stop_grace_period", value: "1m", then: "0s", differs: []string{container + "StopGracePeriod"}},
	{reason: "mounts stay in the order of the files", path: "services.web.volumes", value: "['v1:/b']", then: "['v1:/a']",
		differs: []string{container + "Mounts.0.Target", container + "Mounts.1.Target"}},
	{reason: "one published port can have two protocols", path: "services.web.ports", value: "['53:53']", then: "['53:53/udp']",
		differs: []string{"Services.web.EndpointSpec.Ports.0.Protocol", "Services.web.EndpointSpec.Ports.1"}},
	{reason: "a later test is another, not more words", path: "services.web.healthcheck.test", value: "[CMD, a]", then: "[CMD, b]",
		differs: []string{container + "Healthcheck.Test.1", container + "Healthcheck.Test.2", container + "Healthcheck.Test.3"}},
	{reason: "a name server is asked once", path: "services.web.dns", value: "[8.8.8.8]", then: "[8.8.8.8]", differs: []string{container + "DNSConfig.Nameservers.1"}},
	{reason: "one secret can be at two targets", path: "services.web.secrets", value: "[s1]", then: "[{source: s1, target: x}]", differs: []string{container + "Secrets.0.File.Name", container + "Secrets.1"}},
	{reason: "a later file keeps what it does not mention", path: "secrets.s1", value: "{file: data.txt, labels: {a: b}}", then: "{file: data.txt}", differs: []string{"Secrets.st_s1.Annotations.Labels.a"}},

	{reason: "the Engine refuses less than 4 MiB",
		path: "services.web.deploy.resources.limits.memory", value: "100k", refused: "resources"},
	{reason: "docker/cli drops a host without an address",
		path: "services.web.extra_hosts", value: "[only]", refused: "compose"},
	{reason: "docker/cli drops a host without an address",
		path: "services.web.extra_hosts", value: "{only: }", refused: "wrong-type"},
	{reason: "compose-go takes no variable whose name ends with a space",
		path: "services.web.environment", value: "['A =x']", refused: "compose"},
	{reason: "a volume's name of one letter is read as a drive, and the task is rejected",
		path: "services.web.volumes", value: "['v:/data']", refused: "mount", with: [2]string{"volumes.v", "{}"}},
	{reason: "the Engine refuses empty secrets",
		path: "secrets.s1.file", value: "empty.txt", refused: "empty-content"},
	{reason: "a variable that is not set is more often a mistake than meant", in: current,
		path: "services.web.image", value: "'nginx:x${UNSET}'", refused: "undefined-variable"},
	{reason: "leaving it out would change what the service may do", in: current,
		path: "services.web.privileged", value: "true", refused: "unsupported"},
}

func (d deliberateDifference) samples(t *testing.T) []sample {
	t.Helper()
	set := [][2]string{{d.path, d.value}}
	if d.with[0] != "" {
		set = append(set, d.with)
	}
	s, err := generated(d.path+"="+d.value, set...)
	if err != nil {
		t.Fatal(err)
	}
	if d.then != "" {
		second, err := generated("", [2]string{d.path, d.then})
		if err != nil {
			t.Fatal(err)
		}
		s.name += "+" + d.then
		s.files["then.yaml"] = second.files["spec.yaml"]
		s.specs = append(s.specs, "then.yaml")
	}
	switch d.in {
	case current:
		return []sample{s}
	case withVersion:
		return []sample{s.legacy()}
	}
	return []sample{s, s.legacy()}
}

func TestDeliberate(t *testing.T) {
	for _, d := range deliberate {
		for _, s := range d.samples(t) {
			t.Run(s.name, func(t *testing.T) { d.check(t, s) })
		}
		if d.in == current {
			s := d.samples(t)[0].legacy()
			t.Run(s.name, func(t *testing.T) { equal(t, s) })
		}
	}
}

func (d deliberateDifference) check(t *testing.T, s sample) {
	t.Helper()
	paths := s.unpack(t)
	want, err := theirs(paths)
	if err != nil {
		t.Fatalf("docker/cli refuses it: %v", err)
	}
	got, err := ours(paths)
	var invalid *spec.Invalid
	if d.refused != "" {
		if !errors.As(err, &invalid) || !slices.ContainsFunc(invalid.Findings, func(f spec.Finding) bool {
			return f.Rule == d.refused && f.Severity == spec.SeverityError
		}) {
			t.Errorf("want it refused under %s, got %v", d.refused, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var differ []string
	for _, d := range differences(want, got) {
		differ = append(differ, d.path)
		t.Log(d)
	}
	if diff := cmp.Diff(d.differs, differ); diff != "" {
		t.Errorf("differing paths (-want +got):\n%s", diff)
	}
}
