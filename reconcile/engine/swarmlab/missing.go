package swarmlab

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// RequireVariable is the environment variable that turns a test which cannot
// have its Engine from a skip into a failure.
const RequireVariable = "SWARMWARD_REQUIRE_ENGINE"

// Missing says what a lab needs and this machine lacks, as a phrase for a
// message; it is empty when a lab can run.
func Missing() string {
	if os.Geteuid() != 0 {
		return "root"
	}
	var missing []string
	for _, tool := range []string{
		"dockerd", "containerd", "docker", "ip", "iptables",
		"nsenter", "unshare", "hostname", "mount",
	} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return strings.Join(missing, ", ")
	}
	// Root in a container is often not allowed to make namespaces.
	if exec.Command("unshare", "--net", "--uts", "--mount", "true").Run() != nil {
		return "the permission to make namespaces"
	}
	return ""
}

// Require skips tb where no lab can run, naming what is missing. Where
// RequireVariable is set, tb fails instead.
func Require(tb testing.TB) {
	tb.Helper()
	missing := Missing()
	switch {
	case missing == "":
	case os.Getenv(RequireVariable) != "":
		tb.Fatalf("swarmlab: no Docker Engine for this test: this machine lacks %s, and %s is set",
			missing, RequireVariable)
	default:
		tb.Skipf("swarmlab: no Docker Engine for this test: this machine lacks %s", missing)
	}
}
