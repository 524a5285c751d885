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

// readEnvironment is the process environment over the env files. Without
// explicit files it reads .env in dir when there is one, except for a file
// that was written for docker stack deploy, which knows no .env.
func readEnvironment(o Options, dir string, legacy bool, r *report) (environment, error) {
	env := newEnvironment(o.Environ)
	files := o.EnvFiles
	if len(files) == 0 {
		implicit := filepath.Join(filepath.Dir(o.Files[0]), ".env")
		if info, err := os.Stat(filepath.Join(dir, ".env")); err != nil || info.IsDir() {
			return env, nil
		}
		if legacy {
			r.warn("env-file-ignored", position{file: implicit}, "",
				"not read, because the spec has `version:` and docker stack deploy reads no .env",
				"name it with --env-file, or remove `version:`")
			return env, nil
		}
		files = []string{implicit}
	}
	fromFiles := environment{}
	for _, file := range files {
		if err := fromFiles.read(file, env); err != nil {
			return nil, err
		}
	}
	maps.Copy(fromFiles, env)
	return fromFiles, nil
}

// read adds the variables of an env file; their values may refer to over and
// to what was read before. Its errors quote nothing of the file, which may
// hold secrets.
func (e environment) read(file string, over environment) error {
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("env file %s: no such file: %w", file, os.ErrNotExist)
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
