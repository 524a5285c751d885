package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/spec"
)

// What was made from a spec does not differ from it, whatever the spec says:
// random Compose files are loaded, made and planned again.
func TestNoPhantoms(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		dir, stacks, services := b.TempDir(), 0, 0
		rapid.Check(b.T, func(t *rapid.T) {
			stacks++
			file := filepath.Join(dir, "stack.yaml")
			text, err := yaml.Marshal(anyCompose(t))
			b.must(err)
			b.must(os.WriteFile(file, text, 0o600))
			stack, err := spec.Load(b.Context(), spec.Options{Files: []string{file}, Name: fmt.Sprintf("p%d", stacks)})
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			b.apply(stack)
			if p := b.plan(stack); len(p.Changes) > 0 {
				t.Fatalf("the plan is not empty:\n%s\n%s", p, text)
			}
			services += len(stack.Services)
			for _, s := range stack.Services {
				b.must(b.api.ServiceRemove(b.Context(), s.Spec.Name))
			}
		})
		b.Logf("%d services of %d random stacks made, none differs from its spec", services, stacks)
	})
}

type obj = map[string]any

// anyCompose draws a stack whose tasks no node takes.
func anyCompose(t *rapid.T) obj {
	services := obj{}
	for i := range rapid.IntRange(1, 4).Draw(t, "services") {
		services[fmt.Sprint("s", i)] = anyService(t, i)
	}
	return obj{"services": services, "networks": obj{"one": nil, "two": obj{"attachable": true}}, "volumes": obj{"data": nil}}
}

func anyService(t *rapid.T, number int) obj {
	s := obj{"image": rapid.SampledFrom([]string{"redis", "redis:7", "docker.io/library/redis:7.4", "registry.example:5000/a/b:c"}).Draw(t, "image")}
	deploy := obj{"placement": obj{"constraints": []string{"node.labels.none == here"}}}
	for _, o := range options {
		if rapid.Bool().Draw(t, o.key) {
			s[o.key] = rapid.SampledFrom(o.values).Draw(t, o.key)
		}
	}
	for _, o := range deployOptions {
		if rapid.Bool().Draw(t, o.key) {
			deploy[o.key] = rapid.SampledFrom(o.values).Draw(t, o.key)
		}
	}
	if deploy["mode"] == "replicated-job" || deploy["mode"] == "global-job" {
		delete(deploy, "update_config")
		delete(deploy, "rollback_config")
		if p, ok := deploy["restart_policy"].(obj); ok && p["condition"] == "any" {
			delete(deploy, "restart_policy")
		}
	}
	if deploy["mode"] == "global" || deploy["mode"] == "global-job" {
		delete(deploy, "replicas")
	}
	if rapid.Bool().Draw(t, "ports") {
		port := 20000 + 10*number + 100*rapid.IntRange(0, 50).Draw(t, "port")
		ports := []any{obj{"target": 80, "published": fmt.Sprint(port), "mode": "host"}, obj{"target": 80, "published": fmt.Sprint(port + 1), "mode": "host"}, obj{"target": 53, "protocol": "udp", "mode": "host"}}
		s["ports"] = ports[:rapid.IntRange(1, 3).Draw(t, "ports")]
	}
	s["deploy"] = deploy
	return s
}

type option struct {
	key    string
	values []any
}

var options = []option{
	{"command", []any{"a b 'c d'", []string{"x", "y"}, []string{}}},
	{"entrypoint", []any{"/bin/true", []string{"/bin/sh", "-c"}}},
	{"environment", []any{[]string{"B=2", "A=1"}, obj{"A": "x=y", "EMPTY": "", "N": 5}, obj{}}},
	{"labels", []any{obj{"a.b": "c"}, []string{"x=y"}}},
	{"hostname", []any{"{{.Node.Hostname}}"}}, {"user", []any{"1000:1000", "redis"}}, {"working_dir", []any{"/srv"}},
	{"init", []any{true, false}}, {"tty", []any{true, false}}, {"stdin_open", []any{true}}, {"read_only", []any{true}},
	{"stop_signal", []any{"SIGINT"}}, {"stop_grace_period", []any{"0s", "10s", "1m30s"}},
	{"cap_add", []any{[]string{"net_admin", "SYS_TIME", "CAP_CHOWN"}, []string{"ALL"}}}, {"cap_drop", []any{[]string{"ALL"}, []string{"mknod"}}},
	{"sysctls", []any{obj{"net.core.somaxconn": 1024}}}, {"group_add", []any{[]string{"video", "audio"}}},
	{"ulimits", []any{obj{"nproc": 10, "nofile": obj{"soft": 1, "hard": 2}}}},
	{"extra_hosts", []any{[]string{"b:10.0.0.2", "a:10.0.0.1"}}}, {"dns", []any{"10.0.0.1", []string{"10.0.0.2", "10.0.0.1"}}},
	{"dns_search", []any{"example.org"}}, {"dns_opt", []any{[]string{"ndots:2"}}}, {"isolation", []any{"default", "process"}},
	{"healthcheck", []any{obj{"disable": true}, obj{"test": "true"}, obj{"test": []string{"CMD", "true"}, "interval": "1m", "timeout": "3s", "retries": 2, "start_period": "5s"}}},
	{"logging", []any{obj{"driver": "json-file", "options": obj{"max-size": "10m"}}, obj{"driver": "none"}}},
	{"networks", []any{[]string{"two", "one"}, obj{"one": obj{"aliases": []string{"z", "a"}}}}},
	{"volumes", []any{[]string{"data:/data", "/etc:/host/etc:ro"}, []any{obj{"type": "tmpfs", "target": "/t", "tmpfs": obj{"size": "64m"}}}, []any{obj{"type": "volume", "source": "data", "target": "/d", "volume": obj{"nocopy": true}}}, []any{obj{"type": "bind", "source": "/srv", "target": "/srv", "bind": obj{"propagation": "rslave"}}}}},
}

var deployOptions = []option{
	{"mode", []any{"replicated", "global", "replicated-job", "global-job"}}, {"replicas", []any{0, 1, 3}},
	{"endpoint_mode", []any{"vip", "dnsrr"}}, {"labels", []any{obj{"a.b": "c"}, obj{}}},
	{"restart_policy", []any{obj{}, obj{"condition": "any"}, obj{"condition": "on-failure", "delay": "0s", "max_attempts": 0, "window": "1m"}, obj{"condition": "none"}}},
	{"update_config", []any{obj{}, obj{"parallelism": 0, "delay": "5s", "failure_action": "rollback", "monitor": "10s", "max_failure_ratio": 0.3, "order": "start-first"}}},
	{"rollback_config", []any{obj{}, obj{"order": "stop-first"}}},
	{"resources", []any{obj{}, obj{"limits": obj{"cpus": "0.5", "memory": "64M", "pids": 10}}, obj{"limits": obj{}, "reservations": obj{"memory": "8M", "generic_resources": []any{obj{"discrete_resource_spec": obj{"kind": "gpu", "value": 2}}}}}}},
}
