package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// text of the service as a Compose file.
func (o *own) text() string {
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	line("# swarmward's own service, written by swarmward install.")
	line("name: %s\nservices:\n  controller:", quote(o.name))
	line("    image: %s", quote(o.image))
	line("    command: %s", quoteList(o.command))
	line("    environment:")
	for _, name := range slices.Sorted(maps.Keys(o.environment)) {
		line("      %s: %s", name, quote(o.environment[name]))
	}
	o.runtime(line)
	o.objects(line)
	line("    healthcheck: {test: [CMD, /swarmward, health], interval: 10s, timeout: 5s, start_period: 20s, retries: 3}")
	line("    stop_grace_period: 20s  # what is being written is finished in 10 s")
	line("    logging: {driver: json-file, options: {max-size: 10m, max-file: \"3\"}}")
	o.deploy(line)
	o.topLevel(line)
	return out.String()
}

func (o *own) runtime(line func(string, ...any)) {
	switch {
	case o.user != "" && o.mounted != "":
		line("    user: %s  # nobody, in the group of the socket", quote(o.user))
	case o.user != "":
		line("    user: %s  # nobody", quote(o.user))
	}
	line("    read_only: true")
	var volumes []string
	if o.mounted != "" {
		volumes = append(volumes, o.mounted+":"+dockerSocket)
	}
	if o.cached {
		volumes = append(volumes, "cache:"+gitCache)
	}
	if len(volumes) > 0 {
		line("    volumes: %s", quoteList(volumes))
	}
	if all := o.allNetworks(); len(all) > 0 {
		line("    networks: %s  # so that checks reach what is not published", quoteList(all))
	}
	if o.publish != "" {
		line("    ports: [{target: %d, published: %s, protocol: tcp, mode: ingress}]", o.target, o.publish)
	}
}

func (o *own) objects(line func(string, ...any)) {
	if len(o.configs) > 0 {
		line("    configs:")
	}
	for _, c := range o.configs {
		line("      - {source: %s, target: %s}", quote(c.Key), quote(c.Target))
	}
	uid, _, _ := strings.Cut(o.user, ":")
	if uid == "" {
		uid = "0"
	}
	if len(o.secrets) > 0 {
		line("    secrets:")
	}
	for _, s := range o.secrets {
		line("      - {source: %s, target: %s, uid: %q, gid: %q, mode: 0400}", quote(s.Key), quote(s.Target), uid, uid)
	}
}

func (o *own) deploy(line func(string, ...any)) {
	why := ""
	if o.replicas > 1 {
		why = "  # one works on a stack, another takes over when it dies"
	}
	line("    deploy:")
	line("      replicas: %d%s", o.replicas, why)
	line("      placement:\n        constraints: [node.role == manager]\n        preferences: [{spread: node.id}]")
	line("      resources:\n        limits: {memory: %s}\n        reservations: {memory: 32M}", quote(o.memory))
	line("      restart_policy: {condition: any, delay: 5s}")
	line("      update_config: {order: start-first, parallelism: 1, failure_action: rollback, monitor: 15s}")
}

func (o *own) topLevel(line func(string, ...any)) {
	for i, n := range o.allNetworks() {
		if i == 0 {
			line("networks:")
		}
		line("  %s: {name: %s, external: true}", quote(n), quote(n))
	}
	if o.cached {
		line("volumes:\n  cache: {}  # what was fetched from git")
	}
	for _, kind := range []struct {
		name  string
		files []carried
	}{{"configs", o.configs}, {"secrets", o.secrets}} {
		for i, c := range kind.files {
			if i == 0 {
				line("%s:", kind.name)
			}
			line("  %s: {file: %s}", quote(c.Key), quote(o.seen(c.File)))
		}
	}
}

func (o *own) allNetworks() []string {
	all := slices.Concat(o.reach, o.networks)
	slices.Sort(all)
	return slices.Compact(all)
}

// seen from the folder here, a file has a shorter name.
func (o *own) seen(file string) string {
	rel, err := filepath.Rel(o.here, file)
	switch {
	case err != nil || o.here == "":
		return file
	case strings.HasPrefix(rel, ".."):
		return rel
	}
	return "./" + rel
}

// plain is text that YAML takes as it is, wherever it stands, for itself.
var plain = regexp.MustCompile(`^[A-Za-z@/.][A-Za-z0-9_./@-]*(:[A-Za-z0-9_./@-]+)*$|^--?[a-z][a-z-]*$`)

// quote a text for YAML and for Compose, which replaces variables.
func quote(text string) string {
	text = strings.ReplaceAll(text, "$", "$$")
	if plain.MatchString(text) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	b, err := json.Marshal(text)
	if err != nil {
		return fmt.Sprintf("%q", text)
	}
	return string(b)
}

func quoteList(list []string) string {
	var out []string
	for _, x := range list {
		out = append(out, quote(x))
	}
	return "[" + strings.Join(out, ", ") + "]"
}
