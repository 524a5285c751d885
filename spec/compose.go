package spec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/transform"
	"github.com/compose-spec/compose-go/v2/types"
	"gopkg.in/yaml.v3"
)

// model is what compose-go makes of the files: merged, with variables filled
// in, and short forms written out.
type model struct {
	project *types.Project
	raw     map[string]any // where the project's types have lost something
}

// service is the raw form of a service.
func (m *model) service(name string) map[string]any { return mapping(m.raw, "services", name) }

// mapping is the mapping at a path of the raw form; nil when there is none.
func mapping(from map[string]any, path ...string) map[string]any {
	for _, step := range path {
		next, ok := from[step].(map[string]any)
		if !ok {
			return nil
		}
		from = next
	}
	return from
}

// adaptLoader tells compose-go, which has such things once for all, about a
// format of env files that docker compose brings itself, and to add no
// defaults, which it forgets for included files.
var adaptLoader = sync.OnceFunc(func() {
	clear(transform.DefaultValues)
	dotenv.RegisterFormat("raw", func(from io.Reader, _ string, into map[string]string, get func(string) (string, bool)) error {
		read, err := parseRawEnv(from, get)
		maps.Copy(into, read)
		return err
	})
})

// compose loads the files with compose-go. After an error it tries again
// without compose-go's own checks, so that ours can say more: then both a
// model and the error are returned.
func (l *loading) compose(ctx context.Context) (*model, error) {
	adaptLoader()
	if l.report.failed() || l.sealed.unread {
		m, err := l.composeOnce(ctx, true)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	if m, err := l.composeParts(runtime.GOMAXPROCS(0), leastPart); err == nil {
		return m, nil
	}
	m, err := l.composeOnce(ctx, false)
	if err == nil {
		return m, nil
	}
	m, again := l.composeOnce(ctx, true)
	if again != nil {
		return nil, err
	}
	return m, err
}

func (l *loading) composeOnce(ctx context.Context, lenient bool) (m *model, err error) {
	// compose-go converts without looking in places; a file that makes it
	// panic must not stop the controller.
	defer func() {
		if v := recover(); v != nil {
			m, err = nil, fmt.Errorf("the Compose loader cannot handle this file: %v", v)
		}
	}()
	details := types.ConfigDetails{WorkingDir: l.main[0].dir, Environment: types.Mapping(maps.Clone(l.env))}
	for _, d := range l.main {
		content, err := d.without(l.report.bad)
		if err != nil {
			return nil, err
		}
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: d.path, Content: content})
	}
	set := func(o *loader.Options) { l.composeOptions(o, lenient) }
	options := loader.ToOptions(&details, []func(*loader.Options){set})
	raw, err := loader.LoadModelWithContext(ctx, details, set)
	if err != nil {
		return nil, err
	}
	if err := resolvePaths(raw, details.WorkingDir); err != nil {
		return nil, err
	}
	l.adaptRaw(raw)
	project, err := loader.ModelToProject(raw, options, details)
	if err != nil {
		return nil, err
	}
	return &model{project: project, raw: raw}, nil
}

func (l *loading) composeOptions(o *loader.Options, lenient bool) {
	// The name may be one that Compose refuses and Swarm takes; it serves for
	// COMPOSE_PROJECT_NAME only, which substitute answers.
	placeholder := loader.NormalizeProjectName(l.stack)
	if placeholder == "" {
		placeholder = "stack"
	}
	o.SetProjectName(placeholder, true)
	o.Interpolate.Substitute = l.substitute
	o.Interpolate.TypeCastMapping = l.casts(o.Interpolate.TypeCastMapping)
	// docker stack deploy has no such normalisation: see adaptLoader too.
	o.SkipNormalization = true
	o.SkipDefaultValues = true
	o.SkipConsistencyCheck = true
	o.ResolvePaths = false // see resolvePaths
	// Env and label files are looked at first: see resolve.
	o.SkipResolveEnvironment = true
	o.SkipResolveLabels = true
	o.SkipValidation = lenient
	if profiles := l.env["COMPOSE_PROFILES"]; profiles != "" {
		for _, p := range strings.Split(profiles, ",") {
			o.Profiles = append(o.Profiles, strings.TrimSpace(p))
		}
	}
}

// resolve reads the env and label files of the services. It goes by one
// service at a time, so that a file that is not valid has a place; the error
// itself quotes the file, which may hold secrets. compose-go copies the whole
// project each time, so it is given no more of one than it looks at.
func (l *loading) resolve(m *model) {
	for _, name := range slices.Sorted(maps.Keys(m.project.Services)) {
		service := m.project.Services[name]
		if !l.legacy && resolved(service) {
			continue
		}
		one := types.Project{Environment: m.project.Environment, Services: types.Services{name: service}}
		key, err := "env_file", error(nil)
		resolved := &one
		switch {
		case l.legacy:
			err = l.resolveLegacy(resolved, name)
		case hasSealed(service):
			err = l.resolveSealed(resolved, name)
		default:
			resolved, err = one.WithServicesEnvironmentResolved(false)
		}
		if err == nil && len(service.LabelFiles)+len(service.PreStart) > 0 {
			key = "label_file"
			resolved, err = resolved.WithServicesLabelsResolved(false)
		}
		if errors.Is(err, errUnread) {
			validator{l: l}.unread("a file", "services", name, key)
			continue
		}
		if err != nil {
			rule, message, remedy := refusal(err, "env-file", "is not valid: expected lines of the form NAME=value", "correct the file")
			l.report.fail(rule, l.index.find("services", name, key), "services."+name+"."+key, "a file "+message, remedy)
			continue
		}
		m.project.Services[name] = resolved.Services[name]
	}
}

// resolved reports whether a service says all of its environment and labels
// itself, so that there is nothing to look up.
func resolved(s types.ServiceConfig) bool {
	if len(s.EnvFiles) > 0 || len(s.LabelFiles) > 0 || len(s.PreStart) > 0 {
		return false
	}
	for _, value := range s.Environment {
		if value == nil {
			return false
		}
	}
	return true
}

func (l *loading) resolveLegacy(p *types.Project, name string) error {
	s := p.Services[name]
	var files []map[string]string
	for _, f := range s.EnvFiles {
		data, err := l.access.read(f.Path)
		if err != nil && (bool(f.Required) || !errors.Is(err, os.ErrNotExist)) {
			return err
		}
		read, err := parseRawEnv(bytes.NewReader(data), l.env.get)
		if err != nil {
			return err
		}
		files = append(files, read)
	}
	s.Environment = legacyEnvironment(files, s.Environment, l.env.get)
	p.Services[name] = s
	return nil
}

// substitute fills in variables; what is missing has been reported already.
func (l *loading) substitute(text string, get template.Mapping) (string, error) {
	value, _ := expand(text, func(name string) (string, bool) {
		if name == projectName {
			return l.stack, true
		}
		return get(name)
	})
	return value, nil
}

// adaptRaw takes out of compose-go's hands what it reads otherwise than docker
// stack deploy.
func (l *loading) adaptRaw(raw map[string]any) {
	for name := range mapping(raw, "services") {
		service := mapping(raw, "services", name)
		l.splitCommands(name, service)
		for _, kind := range []string{"limits", "reservations"} {
			decimalCPUs(mapping(service, "deploy", "resources", kind))
		}
		listExtensionLike(service, "environment", "labels", "sysctls", "annotations")
		listExtensionLike(mapping(service, "deploy"), "labels")
	}
	for _, section := range []string{"networks", "volumes", "secrets", "configs"} {
		for name := range mapping(raw, section) {
			listExtensionLike(mapping(raw, section, name), "labels")
		}
	}
}

// listExtensionLike writes mappings as lists where compose-go would take a key
// for an extension, although any name may stand there: a label x-real-ip.
func listExtensionLike(of map[string]any, keys ...string) {
	for _, key := range keys {
		m, _ := of[key].(map[string]any)
		var list []any
		odd := false
		for _, name := range slices.Sorted(maps.Keys(m)) {
			odd = odd || strings.HasPrefix(name, "x-")
			if m[name] == nil {
				list = append(list, name)
			} else {
				list = append(list, fmt.Sprintf("%s=%v", name, m[name]))
			}
		}
		if odd {
			of[key] = list
		}
	}
}

// splitCommands goes before compose-go's splitter, which drops everything
// after a shell operator.
func (l *loading) splitCommands(name string, service map[string]any) {
	for _, key := range []string{"command", "entrypoint"} {
		text, ok := service[key].(string)
		if !ok {
			continue
		}
		words, err := splitWords(text)
		if err != nil {
			l.report.fail("wrong-value", l.index.find("services", name, key), "services."+name+"."+key,
				err.Error(), "close the quote, or write a list of words")
			words = nil
		}
		list := make([]any, len(words))
		for i, w := range words {
			list[i] = w
		}
		service[key] = list
	}
}

// decimalCPUs writes a fraction such as 1/4, which compose-go cannot read, as
// a decimal number.
func decimalCPUs(resources map[string]any) {
	text, _ := resources["cpus"].(string)
	if n, err := nanoCPUs(text); err == nil && strings.Contains(text, "/") {
		resources["cpus"] = fmt.Sprintf("%d.%09d", n/1e9, n%1e9)
	}
}

var (
	composePath    = regexp.MustCompile(`\b(services|networks|volumes|secrets|configs|include)((\.[A-Za-z0-9_-]+|\[[A-Za-z0-9_.-]+\])+)`)
	decoderPath    = regexp.MustCompile(`^'[^']*' `)
	composeService = regexp.MustCompile(`service "([^"]+)"`)
)

// composeError reports an error of compose-go that none of our own checks
// foresaw, at the best position that its text gives.
func (l *loading) composeError(err error) {
	text := err.Error()
	// The decoder's own heading says nothing.
	if _, after, ok := strings.Cut(text, "error(s):"); ok {
		text, _, _ = strings.Cut(strings.TrimSpace(after), "\n")
	}
	p, path := position{file: l.main[0].name}, ""
	if m := composePath.FindStringSubmatch(text); m != nil {
		steps := append([]string{m[1]}, strings.FieldsFunc(m[2], func(r rune) bool { return strings.ContainsRune(".[]", r) })...)
		p, path = l.index.find(steps...), dotted(steps)
	} else if m := composeService.FindStringSubmatch(text); m != nil {
		p, path = l.index.find("services", m[1]), "services."+m[1]
	}
	for _, d := range l.index.docs {
		text = strings.ReplaceAll(text, d.path, d.name)
	}
	text = strings.ReplaceAll(text, l.main[0].dir+string(filepath.Separator), "")
	text = strings.TrimPrefix(text, path+": ")
	text = decoderPath.ReplaceAllString(text, "")
	l.report.fail("compose", p, path, l.redact(text), "")
}

// redact takes the values of variables out of a text that is not ours.
func (l *loading) redact(text string) string {
	for _, values := range []iter.Seq[string]{maps.Values(l.variables.used), maps.Values(l.secretValues())} {
		for value := range values {
			switch {
			case len(value) > 3:
				text = strings.ReplaceAll(text, value, "(value)")
			case value != "":
				text = strings.ReplaceAll(text, strconv.Quote(value), "(value)")
			}
		}
	}
	return text
}

// without is the content of the file with condemned keys and values left out;
// the very bytes when there are none.
func (d *document) without(bad map[*yaml.Node]bool) ([]byte, error) {
	clean := true
	for n := range bad {
		if d.holds(n) {
			clean = false
			break
		}
	}
	if clean {
		return d.data, nil
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	for _, root := range d.roots {
		if err := enc.Encode(prune(root, bad)); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return out.Bytes(), enc.Close()
}

func (d *document) holds(n *yaml.Node) bool {
	for _, root := range d.roots {
		if pathTo(root, n, 0) != nil || holdsKey(root, n) {
			return true
		}
	}
	return false
}

func holdsKey(from, n *yaml.Node) bool {
	for _, item := range from.Content {
		if item == n || holdsKey(item, n) {
			return true
		}
	}
	return false
}

func prune(n *yaml.Node, bad map[*yaml.Node]bool) *yaml.Node {
	out := *n
	out.Content = nil
	for i := 0; i < len(n.Content); i++ {
		if n.Kind != yaml.MappingNode {
			if item := n.Content[i]; !bad[item] {
				out.Content = append(out.Content, prune(item, bad))
			}
			continue
		}
		key, value := n.Content[i], n.Content[i+1]
		if !bad[key] && !bad[value] && !bad[deref(value)] {
			out.Content = append(out.Content, key, prune(value, bad))
		}
		i++
	}
	return &out
}
