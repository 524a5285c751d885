package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

var ownTemplate = template.Must(template.New("own").Funcs(template.FuncMap{"q": quote, "list": quoteList}).Parse(
	`# swarmward's own service, written by swarmward install.
name: {{q .Name}}
services:
  controller:
    image: {{q .Image}}
    command: {{list .Command}}
    environment:
{{- range $name, $value := .Environment}}
      {{$name}}: {{q $value}}
{{- end}}
{{- with .User}}
    user: {{q .}}  # nobody{{if $.Socket}}, in the group of the socket{{end}}
{{- end}}
    read_only: true
{{- with .Socket}}
    volumes: [{{q (print . ":" .)}}]
{{- end}}
{{- with .Networks}}
    networks: {{list .}}  # so that checks reach what is not published
{{- end}}
{{- with .Publish}}
    ports: [{target: {{$.Target}}, published: {{.}}, protocol: tcp, mode: ingress}]
{{- end}}
{{- with .Configs}}
    configs:
{{- range .}}
      - {source: {{q .Key}}, target: {{q .Target}}}
{{- end}}
{{- end}}
{{- with .Secrets}}
    secrets:
{{- range .}}
      - {source: {{q .Key}}, target: {{q .Target}}, uid: "{{$.UID}}", gid: "{{$.UID}}", mode: 0400}
{{- end}}
{{- end}}
    healthcheck: {test: [CMD, /swarmward, health], interval: 10s, timeout: 5s, start_period: 20s, retries: 3}
    stop_grace_period: 20s  # what is being written is finished in 10 s
    logging: {driver: json-file, options: {max-size: 10m, max-file: "3"}}
    deploy:
      replicas: {{.Replicas}}{{if gt .Replicas 1}}  # one works on a stack, another takes over when it dies{{end}}
      placement:
        constraints: [node.role == manager]
        preferences: [{spread: node.id}]
      resources:
        limits: {memory: {{q .Memory}}}
        reservations: {memory: 32M}
      restart_policy: {condition: any, delay: 5s}
      update_config: {order: start-first, parallelism: 1, failure_action: rollback, monitor: 15s}
{{- with .Networks}}
networks:
{{- range .}}
  {{q .}}: {name: {{q .}}, external: true}
{{- end}}
{{- end}}
{{- with .Configs}}
configs:
{{- range .}}
  {{q .Key}}: {file: {{q .File}}}
{{- end}}
{{- end}}
{{- with .Secrets}}
secrets:
{{- range .}}
  {{q .Key}}: {file: {{q .File}}}
{{- end}}
{{- end}}
`))

// text of the service as a Compose file.
func (o *own) text() (string, error) {
	uid, _, _ := strings.Cut(o.user, ":")
	if uid == "" {
		uid = "0"
	}
	networks := slices.Concat(o.reach, o.networks)
	slices.Sort(networks)
	var out strings.Builder
	err := ownTemplate.Execute(&out, map[string]any{
		"Name": o.name, "Image": o.image, "Command": o.command, "Environment": o.environment,
		"User": o.user, "UID": uid, "Socket": o.socket, "Networks": slices.Compact(networks),
		"Publish": o.publish, "Target": o.target, "Configs": o.seen(o.configs), "Secrets": o.seen(o.secrets),
		"Replicas": o.replicas, "Memory": o.memory,
	})
	return out.String(), err
}

// seen from the folder here, files have shorter names.
func (o *own) seen(files []carried) []carried {
	out := slices.Clone(files)
	for i := range out {
		if rel, err := filepath.Rel(o.here, out[i].File); err == nil && o.here != "" {
			if out[i].File = rel; !strings.HasPrefix(rel, "..") {
				out[i].File = "./" + rel
			}
		}
	}
	return out
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
