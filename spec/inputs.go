package spec

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Inputs is all that a stack is loaded from, for whoever has to take it
// somewhere else.
type Inputs struct {
	Folder string // absolute: what relative paths of the spec are relative to
	// Files are absolute paths, sorted. Those in Secret hold what secrets are made
	// of, or variables.
	Files, Secret []string
	// Variables are the names of those that the spec uses and that come from the
	// environment alone, or have another value there than in the env files.
	Variables []string
}

// InputsOf loads a stack and says what it was loaded from. The errors are those
// of Load.
func InputsOf(ctx context.Context, o Options) (*Inputs, error) {
	l, m, err := check(ctx, o)
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(l.main[0].dir)
	if err != nil {
		return nil, err
	}
	in := &Inputs{Folder: folder, Variables: l.fromEnvironment(o)}
	secret, err := l.envFiles(folder)
	if err != nil {
		return nil, err
	}
	for _, d := range l.index.docs {
		in.Files = append(in.Files, d.path)
		secret = append(secret, d.envFiles...)
	}
	for _, c := range m.project.Configs {
		in.Files = append(in.Files, c.File)
	}
	for _, s := range m.project.Secrets {
		secret = append(secret, s.File)
	}
	for _, s := range m.project.Services {
		in.Files = append(in.Files, s.LabelFiles...)
		for _, f := range s.EnvFiles {
			secret = append(secret, f.Path)
		}
	}
	for _, c := range l.settings.Checks {
		plain, hidden := c.files()
		in.Files, secret = append(in.Files, plain...), append(secret, hidden...)
	}
	in.Secret = present(folder, secret)
	in.Files = slices.DeleteFunc(present(folder, in.Files), func(f string) bool { return slices.Contains(in.Secret, f) })
	return in, nil
}

// envFiles are those that give variables to the whole spec.
func (l *loading) envFiles(folder string) ([]string, error) {
	if len(l.options.EnvFiles) == 0 {
		if l.legacy {
			return nil, nil // docker stack deploy reads none
		}
		return []string{filepath.Join(folder, ".env"), filepath.Join(folder, sealedEnvFile)}, nil
	}
	var out []string
	for _, f := range l.options.EnvFiles {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		out = append(out, abs)
	}
	return out, nil
}

// files of PEM that a check names: those that anybody may see, and the others.
func (c Check) files() (plain, secret []string) {
	if t := c.tls(); t != nil {
		plain, secret = []string{t.CA.File, t.Cert.File}, []string{t.Key.File}
	}
	if c.Route != nil {
		plain = append(plain, c.Route.CA.File)
	}
	return plain, secret
}

// present are the files that there are, as absolute paths, each once.
func present(folder string, files []string) []string {
	var out []string
	for _, f := range files {
		if f == "" {
			continue
		}
		if !filepath.IsAbs(f) {
			f = filepath.Join(folder, f)
		}
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
			out = append(out, filepath.Clean(f))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fromEnvironment are the variables that only the environment has, or in
// another way than the files.
func (l *loading) fromEnvironment(o Options) []string {
	used := maps.Clone(l.variables.used)
	maps.Copy(used, l.secretValues())
	given := newEnvironment(o.Environ)
	o.Environ = nil
	without := loading{options: o, access: l.access, main: l.main, legacy: l.legacy, report: newReport()}
	files, err := without.environment()
	if err != nil {
		files = environment{}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(used)) {
		v, ok := given[name]
		if other, same := files[name]; ok && name != projectName && (!same || other != v) {
			out = append(out, name)
		}
	}
	return out
}
