package spec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

// environment is what variables are looked up in.
type environment map[string]string

func (e environment) get(name string) (string, bool) {
	v, ok := e[name]
	return v, ok
}

// newEnvironment reads KEY=value pairs as os.Environ gives them.
func newEnvironment(pairs []string) environment {
	e := environment{}
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			e[name] = value
		}
	}
	return e
}

// sealedVariables are those that stand in encrypted env files.
type sealedVariables struct {
	byName map[string]string
	values map[string]bool // those that sound secret
	files  [][]byte        // as they are, encrypted
	unread bool            // some are not known
}

func (s *sealedVariables) add(name, value string) {
	s.byName[name] = value
	s.hide(name, value)
}

// has says whether a variable has the value that it has in an encrypted file.
func (s *sealedVariables) has(name, value string) bool {
	v, ok := s.byName[name]
	return ok && v == value
}

func (s *sealedVariables) hide(name, value string) {
	if SoundsSecret(name) || hasURLPassword(value) {
		s.values[value] = true
	}
}

func (s *sealedVariables) sensitive() []Sensitive {
	var out []Sensitive
	for _, v := range slices.Sorted(maps.Keys(s.values)) {
		out = append(out, Sensitive(v))
	}
	return out
}

// environment is the process environment over the env files. Without explicit
// files it reads .env and .env.age beside the spec where they are, except for a
// file that was written for docker stack deploy, which knows no .env.
func (l *loading) environment() (environment, error) {
	env := newEnvironment(l.options.Environ)
	l.sealed.byName, l.sealed.values = map[string]string{}, map[string]bool{}
	fromFiles := environment{}
	for _, file := range l.options.EnvFiles {
		data, err := os.ReadFile(file)
		if err := l.variablesOf(file, data, err, fromFiles, env); err != nil {
			return nil, err
		}
	}
	if len(l.options.EnvFiles) == 0 {
		if err := l.besideTheSpec(fromFiles, env); err != nil {
			return nil, err
		}
	}
	maps.Copy(fromFiles, env)
	return fromFiles, nil
}

// besideTheSpec reads .env.age and then .env, which wins.
func (l *loading) besideTheSpec(into, over environment) error {
	for _, base := range []string{sealedEnvFile, ".env"} {
		name := filepath.Join(filepath.Dir(l.options.Files[0]), base)
		full := filepath.Join(l.main[0].dir, base)
		info, err := l.access.stat(full)
		var refused *Refused
		switch {
		case errors.As(err, &refused):
			return fmt.Errorf("env file %s: %w", name, err)
		case err != nil || info.IsDir():
			continue
		case l.legacy:
			l.report.warn("env-file-ignored", position{file: name}, "",
				"not read, because the spec has `version:` and docker stack deploy reads no .env",
				"name it with --env-file, or remove `version:`")
			continue
		}
		data, err := os.ReadFile(full)
		if err := l.variablesOf(name, data, err, into, over); err != nil {
			return err
		}
	}
	return nil
}

// variablesOf adds the variables of an env file that may be sealed.
func (l *loading) variablesOf(file string, data []byte, err error, into, over environment) error {
	if err != nil || !isSealed(data) {
		return into.add(file, data, err, over)
	}
	plain, err := l.access.keys.unseal(data)
	if errors.Is(err, errUnread) {
		l.sealed.unread = true
		l.report.warn(ruleSealed, position{file: file}, "", "encrypted, so its variables are not known and what uses them is not checked", unreadRemedy)
		return nil
	}
	here := environment{}
	if err := here.add(file, plain, err, merged(into, over)); err != nil {
		return err
	}
	l.sealed.files = append(l.sealed.files, data)
	for name, value := range here {
		into[name] = value
		l.sealed.add(name, value)
	}
	return nil
}

func merged(under, over environment) environment {
	out := maps.Clone(under)
	maps.Copy(out, over)
	return out
}

// add the variables of an env file that was read; their values may refer to
// over and to what was added before. Its errors quote nothing of the file,
// which may hold secrets.
func (e environment) add(file string, data []byte, err error, over environment) error {
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("env file %s: %w", file, err)
	case errors.Is(err, os.ErrNotExist):
		return missing("env file " + file)
	case err != nil:
		return fmt.Errorf("env file %s: cannot be read: %w", file, reason(err))
	}
	parsed, err := dotenv.ParseWithLookup(bytes.NewReader(data), func(name string) (string, bool) {
		if v, ok := over[name]; ok {
			return v, true
		}
		return e.get(name)
	})
	if err != nil {
		return fmt.Errorf("env file %s%s: expected lines of the form NAME=value", file, envLine(err))
	}
	maps.Copy(e, parsed)
	return nil
}

var envErrorLine = regexp.MustCompile(`^line (\d+):`)

func envLine(err error) string {
	if m := envErrorLine.FindStringSubmatch(err.Error()); m != nil {
		return ":" + m[1]
	}
	return ""
}

// parseRawEnv reads an env_file as docker stack deploy does, and Compose with
// `format: raw`: each line is NAME=value, quotes and dollar signs are part of
// the value, and a name alone has the process's value or is nothing.
func parseRawEnv(from io.Reader, get lookup) (map[string]string, error) {
	out := map[string]string{}
	scanner := bufio.NewScanner(from)
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimLeft(strings.TrimPrefix(scanner.Text(), "\ufeff"), " \t\v\f\r")
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("line %d is not NAME=value", n)
		}
		if !ok {
			value, ok = get(name)
		}
		if ok {
			out[name] = value
		}
	}
	return out, scanner.Err()
}

// legacyEnvironment is a service's environment as docker stack deploy gives
// it: a name without a value, or with an empty one, takes the process's value
// when that has one; the service's own entries win over its files.
func legacyEnvironment(files []map[string]string, own map[string]*string, get lookup) map[string]*string {
	fromFiles := map[string]*string{}
	for _, f := range files {
		for name, value := range f {
			fromFiles[name] = &value
		}
	}
	out := map[string]*string{}
	for _, source := range []map[string]*string{fromFiles, own} {
		for name, value := range source {
			if v, ok := get(name); ok && (value == nil || *value == "") {
				value = &v
			}
			out[name] = value
		}
	}
	return out
}
