package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docker is the docker CLI of the machine; a test that needs it is skipped
// where there is none, unless that is forbidden.
func docker(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("docker")
	if err == nil {
		return path
	}
	if os.Getenv("SWARMWARD_REQUIRE_ENGINE") != "" {
		t.Fatal("the docker CLI is missing: apt-get install docker-cli")
	}
	t.Skip("the docker CLI is missing: apt-get install docker-cli")
	return ""
}

func TestDockerCommandLine(t *testing.T) {
	cli := docker(t)
	s := start(t, "--nodes", "2")
	dir := t.TempDir()
	stack := filepath.Join(dir, "stack.yaml")
	if err := os.WriteFile(stack, []byte(stackFile), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("hidden"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range session() {
		command := strings.NewReplacer("FILE", secret, "STACK", stack).Replace(tt.command)
		var out []byte
		eventually(t, "docker "+tt.command+" says "+tt.want, func() bool {
			c := exec.Command(cli, strings.Fields(command)...)
			c.Env = append(os.Environ(), "DOCKER_HOST="+s.host)
			var err error
			out, err = c.CombinedOutput()
			if (err != nil) != tt.fails {
				t.Fatalf("docker %s: %v: %s", tt.command, err, out)
			}
			// Only what looks can be asked again until the Swarm is there.
			asks := regexp.MustCompile(`^(service (ls|ps|logs|inspect)|stack (ls|ps|services)|ps|node ps|info|events)\b`)
			if ok := regexp.MustCompile(tt.want).Match(out); ok || !asks.MatchString(command) {
				if !ok {
					t.Errorf("docker %s: %s, want %s", tt.command, out, tt.want)
				}
				return true
			}
			return false
		})
	}
}

type command struct {
	command string // FILE and STACK stand for the files
	want    string // a regular expression
	fails   bool
}

// session is one with two nodes, from the first look to the last event.
func session() []command {
	return []command{
		{"info", `(?s)Server Version: 28.5.2.*Swarm: active.*Is Manager: true.*Nodes: 2`, false},
		{"version", `API version: +1.51`, false},
		{"node ls", `(?s)node-1 +Ready +Active +Leader.*node-2 +Ready +Active`, false},
		{"node update --label-add disk=ssd node-2", `node-2`, false},
		{"node inspect --format {{.Spec.Labels.disk}} node-2", `ssd`, false},
		{"node inspect --pretty self", `Hostname:\s+node-1`, false},
		{"network create --driver overlay --attachable net", `^[a-z0-9]{25}\n$`, false},
		{"network ls --filter driver=overlay", `(?s)ingress.*net +overlay +swarm`, false},
		{"network inspect --format {{.Attachable}} net", `true`, false},
		{"network create --driver overlay net", `network with name net already exists`, true},
		{"volume create data", `^data\n$`, false},
		{"volume ls", `local +data`, false},
		{"volume inspect --format {{.Driver}} data", `local`, false},
		{"secret create pw FILE", `^[a-z0-9]{25}\n$`, false},
		{"secret ls", `pw`, false},
		{"secret inspect --pretty pw", `Name: +pw`, false},
		{"config create conf FILE", `^[a-z0-9]{25}\n$`, false},
		{"config inspect --pretty conf", `(?s)Data:.*hidden`, false},
		{"service create --detach --name web --network net --secret pw --config conf --mount type=volume,source=data,target=/d -p 18080:80 nginx:1.27", `^[a-z0-9]{25}\n$`, false},
		{"service create --detach --name web nginx:1.27", `name conflicts with an existing object: service web already exists`, true},
		{"service ls", `web +replicated +1/1 +nginx:1.27 +\*:18080->80/tcp`, false},
		{"service ps web", `web\.1 +nginx:1.27 +node-\d +Running +Running`, false},
		{"service inspect --pretty web", `(?s)Name:\s+web.*nginx:1.27@sha256:`, false},
		{"service scale --detach web=3", `web scaled to 3`, false},
		{"service ls", `web +replicated +3/3`, false},
		{"service update --detach --update-parallelism 0 --update-monitor 1ms --image nginx:1.28 web", `web`, false},
		{"service ps --filter desired-state=running web", `(?s)(web\.\d +nginx:1.28.*){3}`, false},
		{"service inspect --format {{.UpdateStatus.State}} web", `completed`, false},
		{"service rollback --detach web", `web`, false},
		{"service ps --filter desired-state=running web", `(?s)(web\.\d +nginx:1.27.*){3}`, false},
		{"service create --detach --name talk --restart-condition none busybox:1.37 echo hello", `.`, false},
		{"service logs talk", `talk\.1\.\w+@node-\d +\| hello`, false},
		{"node ps node-1 node-2", `web\.1`, false},
		{"inspect web --type service --format {{.Spec.Name}}", `web`, false},
		{"ps --filter name=web", `nginx:1.27`, false},
		{"network rm net", `is in use by service`, true},
		{"secret rm pw", `secret 'pw' is in use by the following service: web`, true},
		{"service rm web talk", `(?s)web.*talk`, false},
		{"service inspect web", `no such service: web`, true},
		{"network rm net", `net`, false},
		{"secret rm pw", `pw`, false},
		{"config rm conf", `conf`, false},
		{"stack deploy --detach --compose-file STACK st", `Creating service st_front`, false},
		{"stack ls", `st +2`, false},
		{"stack services st", `(?s)st_cache +replicated +1/1.*st_front +global +2/2`, false},
		{"stack ps st", `st_cache\.1`, false},
		{"stack deploy --detach --compose-file STACK st", `Updating service st_front`, false},
		{"stack rm st", `Removing network st_default`, false},
		{"stack ls", `^NAME +SERVICES\n$`, false},
		{"swarm join-token -q worker", `^SWMTKN-1-`, false},
		{"swarm init", `This node is already part of a swarm`, true},
		{"events --since 1h --until 0s --filter type=service --format {{.Action}}/{{.Actor.Attributes.name}}", `(?s)create/web.*remove/web`, false},
	}
}

const stackFile = `
services:
  front:
    image: nginx:1.27
    deploy: {mode: global, labels: {a: b}}
  cache:
    image: redis:7.4
    command: redis-server --requirepass x
    volumes: ["data:/data"]
    configs: [conf]
configs:
  conf: {file: ./secret}
volumes:
  data: {}
version: "3.8"
`
