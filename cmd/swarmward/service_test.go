package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile"
)

// swarmward runs as a service in the Swarm, makes a stack from inside, and
// checks a Redis that publishes no port over the network that both are on.
func TestAsService(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	o := newOperator(t, lab.Nodes[0])
	if err := lab.LoadImage(t.Context(), "swarmward:lab", map[string]string{"/swarmward": builtBinary(t)}, `ENTRYPOINT ["/swarmward"]`,
		"ENV SWARMWARD_LISTEN=:8080", `HEALTHCHECK --interval=1s --start-period=5s CMD ["/swarmward", "health"]`); err != nil {
		t.Fatal(err)
	}
	o.write("desired-state.yaml", `
name: inside
services:
  redis:
    image: redis:7.4.6
    command: [redis-server, --requirepass, "${PASSWORD}"]
    stop_grace_period: 1s
    networks: [net]
networks:
  net: {external: true, name: inside}
secrets:
  password: {environment: PASSWORD}
x-swarmward:
  checks:
    redis: {redis: {service: redis, port: 6379, password: {secret: password}}}
`)
	o.write("env", "PASSWORD=aPasswordForInside\n")
	o.docker("network", "create", "--driver", "overlay", "inside")
	o.docker("config", "create", "inside-spec", o.dir+"/desired-state.yaml")
	o.docker("secret", "create", "inside-env", o.dir+"/env")
	t.Cleanup(func() {
		o.docker("service", "rm", "swarmward")
		// While it lives it makes again what is removed.
		eventually(t, "swarmward's container is gone", func() bool { return o.docker("ps", "-aq", "--filter", "name=swarmward") == "" })
		o.clear("inside")
		o.docker("network", "rm", "inside")
		o.docker("config", "rm", "inside-spec")
		o.docker("secret", "rm", "inside-env")
	})
	socket := strings.TrimPrefix(o.node.Host, "unix://")
	o.docker("service", "create", "--quiet", "--detach", "--name", "swarmward", "--constraint", "node.role==manager", "--network", "inside",
		"--mount", "type=bind,source="+socket+",target=/var/run/docker.sock",
		"--config", "source=inside-spec,target=/etc/swarmward/desired-state.yaml", "--secret", "source=inside-env,target=env",
		"swarmward:lab", "run", "-f", "/etc/swarmward/desired-state.yaml", "--env-file", "/run/secrets/env", "--schedule", "@every 2s")
	container := func() string {
		return o.docker("ps", "-q", "--filter", "name=swarmward", "--filter", "health=healthy")
	}
	logs := func() string { // on stderr
		out, err := o.node.Command(t.Context(), "docker", "service", "logs", "swarmward").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	eventually(t, "swarmward is healthy", func() bool { return container() != "" })
	eventually(t, "it has made the stack and verified it", func() bool {
		return strings.Contains(logs(), `"msg":"pass done","stack":"inside"`) && strings.Contains(logs(), `"exit":0`)
	})
	var report struct{ Checks []reconcile.CheckResult }
	out := o.docker("exec", container(), "/swarmward", "check", "-f", "/etc/swarmward/desired-state.yaml", "--env-file", "/run/secrets/env", "-o", "json")
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Checks) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	if c := report.Checks[0]; c.Status != reconcile.CheckPassed || !strings.HasPrefix(c.Via, "overlay ") {
		t.Errorf("%s via %q: %s", c.Status, c.Via, c.Message)
	}
	if strings.Contains(logs(), "aPasswordForInside") {
		t.Error("the password is in the logs")
	}
	// From the node itself there is another way, on the same Redis.
	o.write(".env", "PASSWORD=aPasswordForInside\n")
	o.want(0, []string{"check"}, "via bridge ")
}
