package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// Stacks that cannot work: apply says why and what to do, exits with 4, and
// does not take its five minutes for it.
func TestStacksThatCannotRun(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	for _, c := range []struct {
		name, spec string
		texts      []string
	}{
		{"missing", `
name: missing
services:
  web: {image: "no-such-image:1.0"}
`, []string{"No such image: no-such-image:1.0", "node-1 has no no-such-image:1.0 and cannot pull it; no node runs a task of it", "to do: check the name, the tag and the registry: docker pull no-such-image:1.0 on node-1"}},
		{"crash", `
name: crash
services:
  web:
    image: busybox:lab
    command: [sh, -c, "echo there is no door; exit 3"]
    deploy: {restart_policy: {condition: any, delay: 500ms}}
`, []string{"non-zero exit (3)", "there is no door", "docker service logs crash_web"}},
		{"port", `
name: port
services:
  one: &service
    image: busybox:lab
    command: [sleep, "1000"]
    ports: [{target: 80, published: 18080, mode: host}]
    deploy: {endpoint_mode: dnsrr}
  two: *service
`, []string{"host-mode port already in use", "publish another one"}},
		{"nowhere", `
name: nowhere
services:
  web:
    image: busybox:lab
    command: [sleep, "1000"]
    deploy: {placement: {constraints: [node.hostname==mars]}}
`, []string{"no suitable node", "scheduling constraints", "no node meets node.hostname==mars", "docker node update --label-add"}},
		{"greedy", `
name: greedy
services:
  web:
    image: busybox:lab
    command: [sleep, "1000"]
    deploy: {resources: {reservations: {memory: 9000G}}}
`, []string{"insufficient resources", "each task reserves 8.789TiB of memory where a node has", "to do: lower deploy.resources.reservations"}},
		{"hungry", `
name: hungry
services:
  web:
    image: busybox:lab
    command: [tail, /dev/zero]
    deploy: {resources: {limits: {memory: 16M}}, restart_policy: {condition: any, delay: 500ms}}
`, []string{"non-zero exit (137)", "the kernel killed it for want of memory (limit: 16MiB)", "to do: raise deploy.resources.limits.memory"}},
		{"ill", `
name: ill
services:
  web:
    image: busybox:lab
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    healthcheck: {test: [CMD-SHELL, "echo the tank is empty; exit 1"], interval: 1s, timeout: 5s, retries: 1}
    deploy: {restart_policy: {condition: any, delay: 500ms}}
`, []string{"unhealthy container", "its health check said: the tank is empty", "to do: see why its health check fails"}},
		{"bind", `
name: bind
services:
  web:
    image: busybox:lab
    command: [sleep, "1000"]
    volumes: [{type: bind, source: /no/such/path, target: /data}]
    deploy: {restart_policy: {condition: any, delay: 500ms}}
`, []string{"bind source path does not exist: /no/such/path", "to do: create the path on that node"}},
		{"typo", `
name: typo
services:
  web:
    image: busybox:lab
    command: [slep, "1000"]
    deploy: {restart_policy: {condition: any, delay: 500ms}}
`, []string{"executable file not found", "to do: correct the command or entrypoint"}},
		{"templated", `
name: templated
services:
  web:
    image: busybox:lab
    command: [sleep, "1000"]
    configs: [conf]
    deploy: {restart_policy: {condition: any, delay: 500ms}}
configs:
  conf: {template_driver: golang, content: '{{ secret "password" }}'}
`, []string{"secret target password not found", "to do: a templated config reads a secret"}},
		{"subnets", `
name: subnets
services:
  one: {image: "busybox:lab", command: [sleep, "1000"], stop_signal: SIGKILL, networks: [a]}
  two: {image: "busybox:lab", command: [sleep, "1000"], stop_signal: SIGKILL, networks: [b]}
networks:
  a: {ipam: {config: [{subnet: 10.201.0.0/24}]}}
  b: {ipam: {config: [{subnet: 10.201.0.0/24}]}}
`, []string{"Swarm has no address or port to give it", "to do: compare the subnets"}},
		{"task", `
name: task
services:
  work:
    image: busybox:lab
    command: [sh, -c, "echo half way; exit 4"]
    deploy: {mode: replicated-job, restart_policy: {condition: none}}
  after: {image: "busybox:lab", command: [sleep, "1000"], depends_on: {work: {condition: service_completed_successfully}}}
`, []string{"the job ended with 0 of 1 completed", "half way", "after", "not started"}},
		{"once", `
name: once
services:
  web:
    image: busybox:lab
    command: [sh, -c, "echo that was all"]
    deploy: {restart_policy: {condition: none}}
`, []string{"the restart policy allows no more", "that was all", "deploy.mode: replicated-job"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOperator(t, lab.Nodes[0])
			o.write("desired-state.yaml", c.spec)
			t.Cleanup(func() { o.clear(c.name) })
			r := o.want(4, []string{"apply"}, append(c.texts, "not converged")...)
			if strings.Contains(r.stdout, "not converged within") {
				t.Errorf("it took all its time to say so:\n%s", r)
			}
			if strings.Contains(r.stdout, "not started") {
				return
			}
			// Nothing is half-written: the next pass finds all as it should be.
			o.want(0, []string{"plan"}, "nothing to do")
		})
	}
}

// A Centrifugo that is told its settings in the names of the other generation
// starts happily, without a key and without health.
func TestCentrifugoOfTheWrongGeneration(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	o := newOperator(t, lab.Nodes[0])
	o.write(".env", "KEY=aKeyThatNobodyKnows\n")
	o.write("desired-state.yaml", `
name: generation
services:
  centrifugo:
    image: centrifugo/centrifugo:v6.9.1
    command: [centrifugo]
    environment: {CENTRIFUGO_API_KEY: "${KEY}", CENTRIFUGO_HEALTH: "true"}
    networks: [net]
networks:
  net: {driver: overlay}
secrets:
  key: {environment: KEY}
x-swarmward:
  checks:
    centrifugo:
      centrifugo: {service: centrifugo, port: 8000, api_key: {secret: key}}
      grace: 3s
`)
	t.Cleanup(func() { o.clear("generation") })
	o.want(3, []string{"apply"}, "reason: wrong_generation", "CENTRIFUGO_HTTP_API_KEY")
}

// Every kind of Engine that cannot be asked about a Swarm is told apart.
func TestNoManager(t *testing.T) {
	t.Parallel()
	swarmlab.Require(t)
	small := "name: small\nservices:\n  web: {image: busybox:lab}\n"
	for _, c := range []struct {
		name    string
		options swarmlab.Options
		node    int
		before  func(*testing.T, *swarmlab.Lab)
		texts   []string
	}{
		{"no swarm", swarmlab.Options{NoSwarm: true}, 0, nil, []string{"not in a Swarm", "docker swarm init"}},
		{"worker", swarmlab.Options{Workers: 1}, 1, nil, []string{"node-2 is a worker", "point DOCKER_HOST at a manager"}},
		{"locked", swarmlab.Options{Autolock: true}, 0, func(t *testing.T, l *swarmlab.Lab) {
			if err := l.Nodes[0].Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, []string{"is locked", "docker swarm unlock"}},
		{"no quorum", swarmlab.Options{Managers: 2}, 0, func(t *testing.T, l *swarmlab.Lab) {
			if err := l.Nodes[1].Kill(); err != nil {
				t.Fatal(err)
			}
			// The leader steps down when it has not heard of the others for a
			// while; until then it answers as ever.
			eventually(t, "the leader notices", func() bool {
				_, err := l.Nodes[0].Docker(t.Context(), "node", "ls")
				return err != nil
			})
		}, []string{"most managers must be up"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lab := swarmlab.Start(t, c.options)
			if c.before != nil {
				c.before(t, lab)
			}
			o := newOperator(t, lab.Nodes[c.node])
			o.write("desired-state.yaml", small)
			for _, verb := range []string{"plan", "apply"} {
				began := time.Now()
				o.want(1, []string{verb}, c.texts...)
				if took := time.Since(began); took > time.Minute {
					t.Errorf("%s took %s: a hang, not a deadline", verb, took)
				}
			}
		})
	}
}

// What was made by hand, as the setup guide does it, is used and not owned; a
// plan says so, and the data stays.
func TestMadeByHand(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	o := newOperator(t, lab.Nodes[0])
	o.docker("network", "create", "--driver", "overlay", "byhand")
	o.docker("volume", "create", "byhand_data")
	o.write("desired-state.yaml", `
name: hand
services:
  web:
    image: busybox:lab
    command: [sleep, "1000"]
    stop_grace_period: 1s
    networks: [net]
    volumes: ["data:/data"]
networks:
  net: {name: byhand, driver: overlay, attachable: true}
volumes:
  data: {name: byhand_data}
`)
	t.Cleanup(func() {
		o.clear("hand")
		o.docker("volume", "rm", "byhand_data")
	})
	o.want(2, []string{"plan"}, "1 to create", "made by somebody else and used as it is", "attachable  false -> true")
	o.want(0, []string{"apply"}, "converged")
	o.want(0, []string{"plan"})
	// A service that the spec no longer names goes, what it used stays.
	o.write("desired-state.yaml", "name: hand\nservices:\n  other: {image: \"busybox:lab\", command: [sleep, \"1000\"], stop_grace_period: 1s}\n")
	o.want(0, []string{"apply"}, "remove")
	if got := o.docker("service", "ls", "--format", "{{.Name}}", "--filter", "label=com.docker.stack.namespace=hand"); got != "hand_other" {
		t.Errorf("services: %s", got)
	}
	o.docker("network", "inspect", "byhand")
	o.docker("volume", "inspect", "byhand_data")
	o.docker("network", "rm", "byhand")
}

// Two hands in one service: docker stack deploy takes our mark away, and no
// task restarts in the hand-over, either way.
func TestStackDeployAndBack(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	o := newOperator(t, lab.Nodes[0])
	o.write("desired-state.yaml", `
version: "3.8"
services:
  web:
    image: busybox:lab
    command: [sleep, "1000"]
    stop_grace_period: 1s
    environment: {B: "2", A: "1"}
    ports: [{target: 80, published: 18081, mode: host}]
    healthcheck: {test: ["CMD", "true"], interval: 1s}
    networks: [net]
    deploy:
      replicas: 1
      resources: {limits: {memory: 64M}}
networks:
  net: {driver: overlay}
`)
	t.Cleanup(func() { o.clear("back") })
	o.docker("stack", "deploy", "--resolve-image", "never", "-c", o.dir+"/desired-state.yaml", "back")
	eventually(t, "the task runs", func() bool {
		return o.docker("service", "ls", "--format", "{{.Replicas}}", "--filter", "name=back_web") == "1/1"
	})
	tasks := o.docker("service", "ps", "-q", "back_web")
	o.want(2, []string{"plan", "--stack", "back"}, "adopt, no restart")
	o.want(0, []string{"apply", "--stack", "back"}, "1 written")
	o.docker("stack", "deploy", "--resolve-image", "never", "-c", o.dir+"/desired-state.yaml", "back")
	o.want(0, []string{"apply", "--stack", "back"}, "adopt, no restart")
	o.want(0, []string{"plan", "--stack", "back"})
	if after := o.docker("service", "ps", "-q", "back_web"); after != tasks {
		t.Errorf("tasks before %s, after %s", tasks, after)
	}
	fmt.Fprintln(t.Output(), "no task was replaced")
}

// A rollback by Swarm is a failed apply, and the next plan remembers it.
func TestRolledBackBySwarm(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	o := newOperator(t, lab.Nodes[0])
	spec := func(command string) string {
		return `
name: rollback
services:
  web:
    image: busybox:lab
    command: ` + command + `
    stop_grace_period: 1s
    deploy:
      update_config: {failure_action: rollback, monitor: 1s}
`
	}
	t.Cleanup(func() { o.clear("rollback") })
	o.write("desired-state.yaml", spec(`[sleep, "1000"]`))
	o.want(0, []string{"apply"})
	o.write("desired-state.yaml", spec(`[sh, -c, "echo the new one is broken; exit 4"]`))
	o.want(4, []string{"apply"}, "Swarm rolled the update back", "non-zero exit (4)", "the new one is broken")
	o.want(2, []string{"plan"}, "the spec changed", "Swarm rolled the last update back")
	o.write("desired-state.yaml", spec(`[sleep, "1000"]`))
	o.want(0, []string{"apply"}, "nothing was written")
}
