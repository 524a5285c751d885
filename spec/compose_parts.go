package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	compose "github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/override"
	composeschema "github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/transform"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/compose-spec/compose-go/v2/validation"
	composeyaml "go.yaml.in/yaml/v4"
	"golang.org/x/sync/errgroup"
	"gopkg.in/yaml.v3"
)

// compose-go compares the place of every value with all places that it knows
// a short form or a rule for, and takes most of its time for that. What
// follows does with a plain file what the loader does with any, step by step,
// and shows each step only what it has to do with; services, which have
// nothing to do with each other by then, go in parts side by side.

// errNotPlain is that a file needs all of compose-go's loader.
var errNotPlain = errors.New("not a plain file")

// leastPart is how many services are worth a part of their own.
const leastPart = 32

// The parts of a service that compose-go has rules for: in any form, and where
// they are lists.
var (
	composeKeys  = []string{"configs", "depends_on", "devices", "dns", "env_file", "label_file", "networks", "ports", "secrets", "ulimits", "volumes"}
	composeLists = []string{"annotations", "cap_add", "cap_drop", "dns_opt", "dns_search", "environment", "expose", "labels", "links", "profiles", "sysctls", "tmpfs"}
)

// What a plain file does not have: more files, and what Swarm has nothing for.
var (
	plainSections = []string{"configs", "name", "networks", "secrets", "services", "version", "volumes"}
	notPlainKeys  = []string{"build", "develop", "extends", "gpus", "models", "pre_start", "x-develop"}
)

// plain reports whether the spec is one file that composeParts reads as
// compose-go's loader does.
func (l *loading) plain() bool {
	if len(l.index.docs) != 1 || len(l.main) != 1 || len(l.main[0].roots) != 1 || len(l.report.bad) > 0 {
		return false
	}
	d := l.main[0]
	if ownTags(d.roots[0]) {
		return false
	}
	for _, e := range entries(d.roots[0]) {
		if !slices.Contains(plainSections, e.key.Value) && !strings.HasPrefix(e.key.Value, "x-") {
			return false
		}
	}
	return true
}

// ownTags reports whether there is a tag that is not YAML's own, as !reset is.
func ownTags(n *yaml.Node) bool {
	return strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") || slices.ContainsFunc(n.Content, ownTags)
}

// composeParts makes of a plain file what composeOnce makes of it, and fails
// where that is in doubt: then composeOnce is to be asked. It makes at most so
// many parts, none of less services than least.
func (l *loading) composeParts(most, least int) (*model, error) {
	if !l.plain() {
		return nil, errNotPlain
	}
	raw, err := l.decoded()
	l.decoded = nil // what it holds is large
	if err != nil {
		return nil, err
	}
	details := types.ConfigDetails{WorkingDir: l.main[0].dir, Environment: types.Mapping(maps.Clone(l.env))}
	options := loader.ToOptions(&details, []func(*loader.Options){func(o *loader.Options) { l.composeOptions(o, false) }})
	details.Environment[projectName], _ = options.GetProjectName()
	parts := shares(raw, most, least)
	models := make([]*model, len(parts))
	err = sideBySide(len(parts), func(i int) (err error) {
		parts[i], err = composePart(parts[i], options, details)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		l.adaptRaw(part)
	}
	err = sideBySide(len(parts), func(i int) error {
		project, err := toProject(parts[i], options, details)
		models[i] = &model{project: project, raw: parts[i]}
		return err
	})
	if err != nil {
		return nil, err
	}
	return join(models), nil
}

// sideBySide calls f for each of n numbers. One that panics has failed.
func sideBySide(n int, f func(int) error) error {
	var g errgroup.Group
	for i := range n {
		g.Go(func() (err error) {
			defer func() {
				if v := recover(); v != nil {
					err = fmt.Errorf("%w: %v", errNotPlain, v)
				}
			}()
			return f(i)
		})
	}
	return g.Wait()
}

// decodeAhead begins to decode the only file of a spec, beside the work that
// comes before composeParts.
func (l *loading) decodeAhead(data []byte) {
	l.decoded = sync.OnceValues(func() (raw map[string]any, err error) {
		err = sideBySide(1, func(int) (err error) { raw, err = decodePlain(data); return err })
		return raw, err
	})
	go l.decoded()
	go compileSchema()
}

// compileSchema has compose-go do what it does at the first use of its schema.
var compileSchema = sync.OnceFunc(func() { _ = composeschema.Validate(map[string]any{}) })

// decodePlain reads a file as compose-go does where it has no tags of its own.
func decodePlain(data []byte) (map[string]any, error) {
	var n composeyaml.Node
	var raw map[string]any
	d := composeyaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&n); err != nil {
		return nil, err
	}
	if err := d.Decode(new(composeyaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errNotPlain
	}
	if err := n.Decode(&raw); err != nil {
		return nil, err
	}
	services, ok := raw["services"].(map[string]any)
	if !ok {
		return nil, errNotPlain
	}
	for _, service := range services {
		s, ok := service.(map[string]any)
		if !ok || slices.ContainsFunc(notPlainKeys, func(key string) bool { _, has := s[key]; return has }) {
			return nil, errNotPlain
		}
		if _, has := mapping(s, "deploy", "resources", "reservations")["devices"]; has {
			return nil, errNotPlain
		}
	}
	return raw, nil
}

// shares gives the first part everything but services, and each an equal share
// of those.
func shares(raw map[string]any, most, least int) []map[string]any {
	services := mapping(raw, "services")
	n := max(1, min(most, len(services)/least))
	parts := []map[string]any{raw}
	for range n - 1 {
		parts = append(parts, map[string]any{})
	}
	for i, name := range slices.Sorted(maps.Keys(services)) {
		if i < n {
			parts[i]["services"] = map[string]any{}
		}
		parts[i%n]["services"].(map[string]any)[name] = services[name]
	}
	return parts
}

// join is the reverse of shares.
func join(models []*model) *model {
	m := models[0]
	for _, other := range models[1:] {
		maps.Copy(mapping(m.raw, "services"), mapping(other.raw, "services"))
		maps.Copy(m.project.Services, other.project.Services)
		maps.Copy(m.project.DisabledServices, other.project.DisabledServices)
	}
	return m
}

// composePart takes a part as it was decoded to what loader.ModelToProject wants.
func composePart(part map[string]any, o *loader.Options, details types.ConfigDetails) (map[string]any, error) {
	part, err := compose.Interpolate(part, *o.Interpolate)
	if err != nil {
		return nil, err
	}
	shown := lists(part)
	if _, err := override.EnforceUnicity(shown); err != nil {
		return nil, err
	}
	giveBack(part, shown)
	if err := composeschema.Validate(part); err != nil {
		return nil, err
	}
	delete(part, "version")
	shown = shortForms(part)
	for _, step := range []func(map[string]any) (map[string]any, error){
		func(m map[string]any) (map[string]any, error) { return transform.Canonical(m, false) },
		func(m map[string]any) (map[string]any, error) { return loader.OmitEmpty(m), nil },
		override.EnforceUnicity,
	} {
		if shown, err = step(shown); err != nil {
			return nil, err
		}
	}
	giveBack(part, shown)
	if err := validation.Validate(ruled(part)); err != nil {
		return nil, err
	}
	loader.ResolveEnvironment(part, details.Environment)
	return part, resolvePaths(part, details.WorkingDir)
}

// lists are what may say the same thing twice.
func lists(part map[string]any) map[string]any {
	out := map[string]any{"services": services(part, func(service, shown map[string]any) {
		for _, key := range slices.Concat(composeKeys, composeLists) {
			if _, ok := service[key].([]any); ok || key == "networks" && service[key] != nil {
				shown[key] = service[key]
			}
		}
		if labels, ok := mapping(service, "deploy")["labels"].([]any); ok {
			shown["deploy"] = map[string]any{"labels": labels}
		}
	})}
	if networks, ok := part["networks"]; ok {
		out["networks"] = networks
	}
	return out
}

// shortForms are what may be written in another form.
func shortForms(part map[string]any) map[string]any {
	out := map[string]any{"services": services(part, func(service, shown map[string]any) {
		for _, key := range composeKeys {
			if v, ok := service[key]; ok {
				shown[key] = v
			}
		}
	})}
	for _, section := range []string{"configs", "networks", "secrets", "volumes"} {
		entries := map[string]any{}
		for name := range mapping(part, section) {
			if entry := mapping(part, section, name); mapping(entry, "external") != nil {
				entries[name] = entry
			}
		}
		out[section] = entries
	}
	return out
}

// ruled is what compose-go has rules for beside the schema.
func ruled(part map[string]any) map[string]any {
	out := map[string]any{"services": services(part, func(service, shown map[string]any) {
		if ports, ok := service["ports"]; ok {
			shown["ports"] = ports
		}
	})}
	for _, section := range []string{"configs", "secrets", "volumes"} {
		if v, ok := part[section]; ok {
			out[section] = v
		}
	}
	return out
}

// services are those of which show shows something.
func services(part map[string]any, show func(service, shown map[string]any)) map[string]any {
	out := map[string]any{}
	for name := range mapping(part, "services") {
		shown := map[string]any{}
		if show(mapping(part, "services", name), shown); len(shown) > 0 {
			out[name] = shown
		}
	}
	return out
}

// giveBack puts what became of services that were shown into part. The entries
// of other sections are changed in place.
func giveBack(part, shown map[string]any) {
	for name := range mapping(shown, "services") {
		service := mapping(part, "services", name)
		for key, v := range mapping(shown, "services", name) {
			if key == "deploy" {
				mapping(service, key)["labels"] = mapping(shown, "services", name, key)["labels"]
				continue
			}
			service[key] = v
		}
	}
}
