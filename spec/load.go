package spec

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/sirupsen/logrus"
)

// Options say what to load.
type Options struct {
	// Files are one stack, merged in order as Compose does. Relative paths in
	// them are relative to the folder of the first.
	Files []string
	// Name of the stack. It wins over the name: of the file, as docker compose
	// -p does, and is needed where the file has none.
	Name string
	// EnvFiles give variables. None means .env beside the first file over
	// .env.age, where they are.
	EnvFiles []string
	// Environ gives variables as os.Environ does, and wins over the env files.
	Environ []string
	// Lint fills in the stack's Lint, which only some have a use for.
	Lint bool
	// Commit that the files are of; nil: none that is known.
	Commit *Commit
	// Root is the folder that Files are relative to. For them nothing outside of
	// it is read, neither by a path nor by way of a link, and nothing inside may
	// be mounted: no node has it. Env files and identities are the caller's own
	// and lie anywhere. Empty: Files are relative to the working directory, and
	// there are no bounds.
	Root string
	// Provide makes sure that what lies at a path relative to Root, with slashes,
	// is there, if there is such a thing. It is called before anything is looked
	// at, and its error refuses the file; a *Refused says best why. Nil: all is
	// there.
	Provide func(path string) error
	// Identities are files of age identities, or SSH private keys, that open
	// encrypted env files and secrets.
	Identities []string
	// SkipSealed makes it a warning that something is encrypted and there are no
	// Identities. What depends on it is not looked at, and the stack is good for
	// nothing but to be counted.
	SkipSealed bool
}

// Load reads, checks and lowers one stack. The error is an *Invalid with
// everything that is wrong with the spec, or another error when a file that
// was asked for cannot be read. No message holds the value of a variable or a
// secret. Load prints nothing.
func Load(ctx context.Context, o Options) (*Stack, error) {
	stack, _, err := load(ctx, o)
	return stack, err
}

// load also tells the files that the stack was made from.
func load(ctx context.Context, o Options) (*Stack, []string, error) {
	l, m, err := check(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	stack := lower(l, m)
	stack.Settings = l.settings
	stack.Hash = l.hash(m)
	stack.Warnings = l.report.warnings(l.index.docs)
	stack.Sensitive = l.sealed.sensitive()
	if o.Lint {
		stack.Lint = lint(l, m, stack)
	}
	return stack.at(o.Commit), l.inputs(m), nil
}

// check is Load up to where only lowering is left, which cannot fail.
func check(ctx context.Context, o Options) (*loading, *model, error) {
	// compose-go logs some of what is reported here as findings.
	logrus.SetOutput(io.Discard)
	l := &loading{options: o, report: newReport(), contents: map[string][]byte{}}
	if err := l.read(); err != nil {
		return nil, nil, err
	}
	// compose-go would read what is refused.
	if l.report.has(ruleRefused) || slices.ContainsFunc(l.index.docs, func(d *document) bool { return d.broken }) {
		return nil, nil, l.report.invalid(l.index.docs)
	}
	l.checkFiles()
	l.name()
	l.settings = readSettings(l.index.docs, l.report)
	l.report.off = l.settings.Lint.Off

	m, err := l.compose(ctx)
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("spec %s: %w", o.Files[0], ctx.Err())
	}
	if m != nil {
		before := len(l.report.errors)
		checkUnsupported(l, m)
		validate(l, m, l.settings)
		if len(l.report.errors) > before {
			err = nil // what compose-go stopped at is among them, and better said
		}
	}
	if err != nil && !l.report.failed() {
		l.composeError(err)
	}
	if !l.report.failed() {
		l.resolve(m)
	}
	if l.report.failed() {
		return nil, nil, l.report.invalid(l.index.docs)
	}
	return l, m, nil
}

// loading is the state of one Load.
type loading struct {
	options   Options
	report    *report
	main      []*document
	index     index
	env       environment
	legacy    bool // the spec has version:, so it was written for docker stack deploy
	circular  bool // services wait for each other, which a legacy spec may say: then none waits
	variables interpolation
	settings  Settings
	stack     string
	contents  map[string][]byte // of secrets and configs, by secrets.KEY
	files     []string          // that gave variables, or would have
	// decoded is the one file as compose-go decodes it.
	decoded func() (map[string]any, error)
	access  *access
	sealed  sealedVariables
}

// read opens and parses all files and reads the environment.
func (l *loading) read() error {
	if len(l.options.Files) == 0 {
		return errors.New("no spec file given: name one with -f FILE")
	}
	var err error
	if l.access, err = newAccess(l.options); err != nil {
		return err
	}
	for _, file := range l.options.Files {
		dir := ""
		if len(l.main) > 0 {
			dir = l.main[0].dir
		}
		d, err := readDocument(file, dir, l.access)
		if err != nil {
			return err
		}
		d.main = true
		if len(l.options.Files) == 1 {
			l.decodeAhead(d.data)
		}
		d.parse(l.report)
		l.main = append(l.main, d)
	}
	l.index.docs = l.main
	for _, d := range l.main {
		for _, root := range d.roots {
			if _, n := child(root, "version"); n != nil {
				l.legacy = true
			}
		}
	}
	if l.env, err = l.environment(); err != nil {
		return err
	}
	l.files = append(l.files, l.options.EnvFiles...)
	l.files = append(l.files, l.options.Identities...)
	l.files = append(l.files, filepath.Join(l.main[0].dir, ".env"), filepath.Join(l.main[0].dir, sealedEnvFile))
	for _, d := range l.main {
		d.env = l.env
	}
	l.index.docs = gather(l.main, l.report)
	return nil
}

// checkFiles reports what is wrong with each file by itself.
func (l *loading) checkFiles() {
	l.resolveName()
	l.variables = interpolation{legacy: l.legacy, unread: l.sealed.unread, used: map[string]string{}, report: l.report}
	root, err := composeSchema()
	for _, d := range l.index.docs {
		d.env = withProjectName(d.env, l.stack)
		l.variables.check(d)
		if err != nil {
			continue
		}
		for _, n := range d.roots {
			c := structure{doc: d, report: l.report, override: len(l.index.docs) > 1 || len(d.roots) > 1, legacy: l.legacy, seen: map[visit]bool{}}
			c.check(n, root, []string{})
		}
	}
}

// projectName is the variable that Compose itself sets.
const projectName = "COMPOSE_PROJECT_NAME"

func withProjectName(env environment, name string) environment {
	out := environment{projectName: name}
	for k, v := range env {
		if k != projectName {
			out[k] = v
		}
	}
	return out
}

// resolveName takes the name from the options or the last file that has one.
func (l *loading) resolveName() {
	l.stack = l.options.Name
	if l.stack != "" {
		return
	}
	for _, d := range l.main {
		for _, root := range d.roots {
			if _, n := child(root, "name"); n != nil {
				if text, _ := d.text(n); text != "" {
					l.stack = text
				}
			}
		}
	}
}

// Swarm's rule for the names of services, which begin with the stack's.
var stackName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)

// name reports a stack name that is missing or cannot be used.
func (l *loading) name() {
	p := l.index.find("name")
	switch {
	case l.stack == "" && l.index.has("name"):
		if !slices.ContainsFunc(l.report.findings, func(f Finding) bool { return f.Path == "name" }) {
			l.report.fail("stack-name", p, "name", "the name is empty", "give the stack a name")
		}
	case l.stack == "":
		l.report.fail("stack-name", position{file: l.main[0].name}, "", "the stack has no name",
			"add `name: NAME` at the top of the file, or give --stack NAME")
	case !stackName.MatchString(l.stack):
		if l.options.Name != "" {
			p = position{}
		}
		l.report.fail("stack-name", p, "name", "the stack name is not one that Swarm accepts",
			"use letters, digits, dashes and underscores, and begin with a letter or digit")
	case len(l.stack) > 61:
		l.report.fail("stack-name", p, "name", "the stack name is too long: a service name has at most 63 characters with it", "shorten it")
	}
}

// hash is one over the files and the variables that were used. The
// content of secrets is left out: a weak one could be guessed from the hash.
func (l *loading) hash(m *model) string {
	h := sha256.New()
	part := func(name string, data []byte) {
		fmt.Fprintf(h, "%d:%s%d:", len(name), name, len(data))
		h.Write(data)
	}
	part("stack", []byte(l.stack))
	for _, d := range l.index.docs {
		rel, _ := filepath.Rel(l.main[0].dir, d.path)
		part("file "+filepath.ToSlash(rel), d.data)
	}
	secret := l.secretValues()
	for _, name := range slices.Sorted(maps.Keys(l.variables.used)) {
		value := l.variables.used[name]
		if _, ok := secret[name]; !ok && name != projectName && !l.sealed.has(name, value) {
			part("variable "+name, []byte(value))
		}
	}
	for _, data := range l.sealed.files {
		part("sealed variables", data)
	}
	for _, key := range slices.Sorted(maps.Keys(m.project.Configs)) {
		if m.project.Configs[key].File != "" {
			part("config "+key, l.contents["configs."+key])
		}
	}
	for _, c := range l.settings.Checks {
		if t := c.tls(); t != nil {
			part("check "+c.Name, slices.Concat(t.CA.Data, t.Cert.Data))
		}
		if c.Route != nil {
			part("check "+c.Name, c.Route.CA.Data)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.project.Services)) {
		for _, f := range m.project.Services[name].EnvFiles {
			if data, err := os.ReadFile(f.Path); err == nil {
				part("env file "+name, data)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}
