package spec

import (
	"github.com/compose-spec/compose-go/v2/paths"
)

// The parts of a service that compose-go looks for paths in.
var pathKeys = []string{"build", "develop", "env_file", "extends", "label_file", "pre_start", "volumes"}

// resolvePaths makes relative paths absolute. compose-go compares the place of
// every value with all places of paths; so it is shown nothing else.
func resolvePaths(raw map[string]any, dir string) error {
	shown := map[string]any{}
	for _, section := range []string{"configs", "secrets", "volumes"} {
		if v, ok := raw[section]; ok {
			shown[section] = v
		}
	}
	for _, section := range []string{"services", "jobs"} {
		parts := map[string]any{}
		for name := range mapping(raw, section) {
			part := map[string]any{}
			for _, key := range pathKeys {
				if v, ok := mapping(raw, section, name)[key]; ok {
					part[key] = v
				}
			}
			if len(part) > 0 {
				parts[name] = part
			}
		}
		shown[section] = parts
	}
	if err := paths.ResolveRelativePaths(shown, dir, nil); err != nil {
		return err
	}
	for _, section := range []string{"services", "jobs"} {
		for name := range mapping(shown, section) {
			for key, v := range mapping(shown, section, name) {
				mapping(raw, section, name)[key] = v
			}
		}
	}
	return nil
}
