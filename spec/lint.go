package spec

import (
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
)

// Rule is something that lint looks for.
type Rule struct {
	Name string
	Text string // what is wrong, in a sentence
}

// LintRules are what lint looks for in a spec that is valid: what Swarm,
// Traefik, Redis or Centrifugo accept in silence and then do not do.
func LintRules() []Rule { return slices.Clone(lintRules) }

// The table never changes.
var lintRules = []Rule{
	{"centrifugo-command", "a command of a Centrifugo image does not begin with `centrifugo`; the image has no entrypoint that would"},
	{"centrifugo-env", "Centrifugo 6 renamed its environment variables, and one of the other generation is ignored in silence"},
	{"centrifugo-exposed", "a router without an allow list leads everybody to Centrifugo's server API or admin panel"},
	{"centrifugo-ping", "a health check asks Centrifugo for `/api/ping`, which no version has"},
	{"constraint-unknown", "a placement constraint has a key, or a role, that no node can match"},
	{"healthcheck-redis-cli", "a health check calls `redis-cli` and does not look at the answer; it exits with 0 on errors too"},
	{"host-port-replicas", "several replicas are pinned to one node and want one port of it"},
	{"image-untagged", "an image has no tag, or `latest`: what runs depends on the day it was pulled"},
	{"mount-relative", "a mount's target is no absolute path, and its tasks are refused"},
	{"redis-no-password", "Redis is published and asks for no password"},
	{"secret-example", "a secret is one of the published examples of the setup guide"},
	{"secret-literal", "a password, key or token stands in the file, in `environment` or in a command"},
	{"subnet-overlap", "two networks have overlapping subnets; Swarm accepts both and never allocates one of them"},
	{"subnet-pinned", "a subnet is given by hand; when it overlaps with another in the Swarm, it is accepted and never allocated"},
	{"traefik-duplicate", "two services define one router, service or middleware of Traefik"},
	{"traefik-families", "`traefik.docker.*` and `traefik.swarm.*` stand side by side, and Traefik drops the service"},
	{"traefik-label", "Traefik does not know a label or cannot read its value, and drops the whole service"},
	{"traefik-labels-place", "labels for Traefik stand under `labels`, where Swarm puts them on the containers; Traefik reads those of the service"},
	{"traefik-middleware", "a router names a middleware that the stack does not have, but has one of nearly that name"},
	{"traefik-network", "`traefik.swarm.network` names a network that the service is not on"},
	{"traefik-port", "a service behind Traefik has no `loadbalancer.server.port`, and Traefik drops it"},
	{"traefik-rule", "a router's rule is not one that Traefik 3 takes, such as the syntax of version 2"},
	{"traefik-service", "a router does not say which of several services it leads to, or names none of them"},
	{"update-continue", "an update carries on past failing tasks, and is reported as completed"},
	{"update-start-first", "`start-first` starts the new task while the old one still has the port or the database"},
	{"volume-placement", "a volume lives on one node, and no constraint keeps the service there"},
}

// Warnings of the checks that come before lint, which can be silenced as well.
var otherWarnings = []string{
	"dependency-cycle", "env-file-ignored", "never-completes", "never-healthy", "profile", "undefined-variable", "unknown-service", "unsupported", "unused-network",
}

// SilenceableRules are the names that x-swarmward.lint.off takes, sorted.
// Errors are never silenced.
func SilenceableRules() []string {
	names := slices.Clone(otherWarnings)
	for _, r := range lintRules {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names
}

// linter looks at a spec that is valid. Its findings are warnings, and show
// the value of no variable and no secret.
type linter struct {
	l       *loading
	project *types.Project
	stack   *Stack
	report  *report
}

// lint returns what the rules find, in the order of the files.
func lint(l *loading, m *model, stack *Stack) []Finding {
	t := linter{l, m.project, stack, newReport()}
	t.report.off = l.report.off
	for _, name := range slices.Sorted(maps.Keys(m.project.Services)) {
		s := m.project.Services[name]
		t.image(name, s)
		t.redis(name, s)
		t.centrifugo(name, s)
		t.placement(name, s)
		t.mounts(name, s)
		t.update(name, s)
	}
	t.subnets()
	t.literals()
	t.examples()
	t.traefik()
	return t.report.warnings(l.index.docs)
}

// warn reports a finding at a path of the file.
func (t linter) warn(rule, message, remedy string, path ...string) {
	t.report.warn(rule, t.l.index.find(path...), dotted(path), message, remedy)
}
