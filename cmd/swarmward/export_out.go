package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// save writes the spec and its files; all of them or, where one exists, none.
func (x export) save(stdout *os.File, out *spec.Exported) error {
	files := map[string][]byte{}
	for name, data := range out.Files {
		files[filepath.Join(x.dir, name)] = data
	}
	if x.write != "" {
		files[x.write] = out.YAML
	}
	names := slices.Sorted(maps.Keys(files))
	for _, file := range names {
		if err := absent(file); err != nil && !x.force {
			return err
		}
	}
	if len(out.Files) > 0 {
		if err := os.MkdirAll(x.dir, 0o755); err != nil {
			return err
		}
	}
	for _, file := range names {
		// Readable by nobody else: passwords are in many a spec.
		if err := os.WriteFile(file, files[file], 0o600); err != nil {
			return err
		}
	}
	if x.write == "" {
		_, err := stdout.Write(out.YAML)
		return err
	}
	return nil
}

// mind tells what to look at, on stderr.
func (a *app) mind(live spec.Live, out *spec.Exported, invalid *spec.Invalid) {
	for _, n := range out.Notes {
		fmt.Fprintf(a.err, "warning: %s\n", n)
	}
	if len(out.Variables) > 0 {
		fmt.Fprintf(a.err, "set these variables to the contents of the secrets: %s\n", strings.Join(out.Variables, ", "))
	}
	for _, s := range live.Services {
		for _, name := range inTheClear(s.TaskTemplate.ContainerSpec) {
			fmt.Fprintf(a.err, "warning: service %s: the variable %s looks like a secret, and the spec has it in the clear as the Swarm does\n", s.Name, name)
		}
	}
	if invalid != nil {
		for _, f := range invalid.Findings {
			fmt.Fprintf(a.err, "%s: %s: %s\n", f.Severity, f.Path, f.Message)
		}
		fmt.Fprintln(a.err, "swarmward: the Swarm runs what a spec cannot be: correct what is named above")
	}
}

// inTheClear are the variables of a container that look like secrets; one that
// names a file holds none.
func inTheClear(c *swarm.ContainerSpec) []string {
	if c == nil {
		return nil
	}
	var out []string
	for _, line := range c.Env {
		name, value, _ := strings.Cut(line, "=")
		_, inURL := spec.HideURLPasswords(value)
		if inURL || value != "" && spec.SoundsSecret(name) && !strings.HasSuffix(name, "_FILE") {
			out = append(out, name)
		}
	}
	return out
}
