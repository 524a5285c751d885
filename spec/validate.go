package spec

import (
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
)

// validator checks what one part of the spec says about another, and what
// Swarm would refuse.
type validator struct {
	l       *loading
	project *types.Project
	raw     map[string]any
}

func validate(l *loading, m *model, settings Settings) {
	v := validator{l, m.project, m.raw}
	if len(m.project.Services) == 0 && !l.condemned("services") {
		l.report.fail("no-services", l.index.find("services"), "services", "the spec has no services", "describe at least one under `services:`")
	}
	for _, name := range slices.Sorted(maps.Keys(m.project.Services)) {
		s := m.project.Services[name]
		v.service(name, s)
		v.references(name, s)
		v.dependsOn(name, s, settings)
		v.files(name, s)
		v.deploy(name, s)
		v.mounts(name, s)
	}
	v.cycles()
	v.ports()
	v.objects()
	v.checks(settings)
}

// condemned reports whether an error was found at a path or below it already,
// so that what follows from it need not be told.
func (l *loading) condemned(path ...string) bool {
	at := dotted(path)
	return slices.ContainsFunc(slices.Concat(l.report.errors, l.report.left), func(f Finding) bool {
		return f.Path == at || strings.HasPrefix(f.Path, at+".")
	})
}

func (v validator) fail(rule, message, remedy string, path ...string) {
	v.l.report.fail(rule, v.l.index.find(path...), dotted(path), message, remedy)
}

// order reports a problem with depends_on, which docker stack deploy ignores.
func (v validator) order(rule, message, remedy string, path ...string) {
	if v.l.legacy {
		v.l.report.warn(rule, v.l.index.find(path...), dotted(path), message, remedy)
		return
	}
	v.fail(rule, message, remedy, path...)
}

// Swarm's rules for names.
var (
	serviceName = regexp.MustCompile(`^[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*$`)
	objectName  = regexp.MustCompile(`^[a-zA-Z0-9]+(?:[a-zA-Z0-9-_.]*[a-zA-Z0-9])?$`)
)

func (v validator) service(name string, s types.ServiceConfig) {
	full := v.l.stack + "_" + name
	switch {
	case v.l.condemned("name") || !stackName.MatchString(v.l.stack):
	case len(full) > 63:
		v.fail("service-name", fmt.Sprintf("the service's name would be %s, %d characters long; Swarm takes 63", full, len(full)), "shorten it", "services", name)
	case !serviceName.MatchString(full):
		v.fail("service-name", "the service's name is not one that Swarm accepts", "use letters, digits, dashes and underscores, and end with a letter or digit", "services", name)
	}
	if s.Image == "" && !v.l.condemned("services", name, "image") {
		remedy := "name one with image:"
		if s.Build != nil {
			remedy = "Swarm does not build images: build and push it, and name it with image:"
		}
		v.fail("no-image", "the service has no image", remedy, "services", name)
	}
	// An empty variable can make any reference wrong; that is said already.
	if s.Image != "" && !v.l.report.has("undefined-variable") {
		if _, err := reference.ParseAnyReference(s.Image); err != nil {
			v.fail("image", "this is not an image reference", "write REPOSITORY:TAG, the repository in lower case", "services", name, "image")
		}
	}
	if h := s.HealthCheck; h != nil && len(h.Test) > 0 {
		switch h.Test[0] {
		case "CMD", "CMD-SHELL", "NONE":
		default:
			v.fail("healthcheck", "the test does not begin with CMD, CMD-SHELL or NONE", "put one of them first", "services", name, "healthcheck", "test")
		}
		if h.Disable {
			v.fail("healthcheck", "the check has a test and is disabled", "remove one of them", "services", name, "healthcheck", "disable")
		}
	}
}

// references reports what a service names and the top level does not have.
func (v validator) references(name string, s types.ServiceConfig) {
	unknown := func(kind, key string, known iter.Seq[string]) {
		if v.l.index.has(kind, key) {
			return // it is there, and something else is wrong with it
		}
		singular := strings.TrimSuffix(kind, "s")
		v.fail("unknown-"+singular, "there is no "+singular+" "+key+" in the spec",
			didYouMean(key, slices.Sorted(known), "declare it under `"+kind+":` at the top level"), "services", name, kind, key)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Networks)) {
		if _, ok := v.project.Networks[key]; !ok && key != "default" {
			unknown("networks", key, maps.Keys(v.project.Networks))
		}
	}
	for _, ref := range s.Secrets {
		if _, ok := v.project.Secrets[ref.Source]; !ok {
			unknown("secrets", ref.Source, maps.Keys(v.project.Secrets))
		}
	}
	for _, ref := range s.Configs {
		if _, ok := v.project.Configs[ref.Source]; !ok {
			unknown("configs", ref.Source, maps.Keys(v.project.Configs))
		}
	}
	for i, ref := range s.Volumes {
		named := ref.Type == "" || ref.Type == types.VolumeTypeVolume ||
			ref.Type == types.VolumeTypeCluster && !strings.HasPrefix(ref.Source, "group:")
		if _, ok := v.project.Volumes[ref.Source]; named && ref.Source != "" && !ok && !v.l.index.has("volumes", ref.Source) {
			v.fail("unknown-volume", "there is no volume "+ref.Source+" in the spec",
				didYouMean(ref.Source, slices.Sorted(maps.Keys(v.project.Volumes)), "declare it under `volumes:` at the top level"), v.l.item(i, len(s.Volumes), "services", name, "volumes")...)
		}
	}
	if c := s.CredentialSpec; c != nil && c.Config != "" {
		if _, ok := v.project.Configs[c.Config]; !ok {
			v.fail("unknown-config", "there is no config "+c.Config+" in the spec",
				didYouMean(c.Config, slices.Sorted(maps.Keys(v.project.Configs)), "declare it under `configs:` at the top level"), "services", name, "credential_spec", "config")
		}
	}
}

func (v validator) dependsOn(name string, s types.ServiceConfig, settings Settings) {
	for _, key := range slices.Sorted(maps.Keys(s.DependsOn)) {
		if on, ok := v.project.Services[key]; ok && s.DependsOn[key].Condition == types.ServiceConditionHealthy && !canBeHealthy(key, on, settings) {
			v.order("never-healthy", "service "+key+" has neither a health check in the file nor a check of swarmward's, so nothing says when it is healthy",
				"give it a healthcheck: (repeat the image's own, which cannot be seen here) or a check under "+settingsKey+".checks, or wait for service_started",
				"services", name, "depends_on", key, "condition")
		}
		if on, ok := v.project.Services[key]; ok && s.DependsOn[key].Condition == types.ServiceConditionCompletedSuccessfully && (on.Deploy == nil || !strings.HasSuffix(on.Deploy.Mode, "-job")) {
			v.order("never-completes", "service "+key+" is no job, so Swarm starts its tasks anew when they end and it never completes",
				"write `mode: replicated-job` under its deploy:, or wait for service_started", "services", name, "depends_on", key, "condition")
		}
		if _, ok := v.project.Services[key]; ok || !s.DependsOn[key].Required || v.l.condemned("services", key) {
			continue
		}
		remedy := didYouMean(key, slices.Sorted(maps.Keys(v.project.Services)), "add the service, or remove the dependency")
		if _, ok := v.project.DisabledServices[key]; ok {
			remedy = "none of its profiles is active; name one in COMPOSE_PROFILES"
		}
		v.order("unknown-service", "there is no service "+key+" in the spec", remedy, "services", name, "depends_on", key)
	}
}

// canBeHealthy reports whether something can say that a service is healthy.
func canBeHealthy(name string, s types.ServiceConfig, settings Settings) bool {
	h := s.HealthCheck
	tested := h != nil && !h.Disable && len(h.Test) > 0 && h.Test[0] != "NONE"
	return tested || slices.ContainsFunc(settings.Checks, func(c Check) bool { return c.Target().Service == name })
}

// cycles reports each circle of dependencies once.
func (v validator) cycles() {
	const (
		open = 1
		done = 2
	)
	state := map[string]int{}
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		state[name] = open
		path = append(path, name)
		for _, next := range slices.Sorted(maps.Keys(v.project.Services[name].DependsOn)) {
			if _, ok := v.project.Services[next]; !ok {
				continue
			}
			switch state[next] {
			case open:
				v.l.circular = true
				circle := append(slices.Clone(path[slices.Index(path, next):]), next)
				v.order("dependency-cycle", "the services wait for each other: "+strings.Join(circle, " -> "),
					"remove one of the dependencies", "services", name, "depends_on", next)
			case done:
			default:
				visit(next, path)
			}
		}
		state[name] = done
	}
	for _, name := range slices.Sorted(maps.Keys(v.project.Services)) {
		if state[name] == 0 {
			visit(name, nil)
		}
	}
}
