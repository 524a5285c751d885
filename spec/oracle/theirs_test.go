package oracle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/compose/convert"
	"github.com/docker/cli/cli/compose/loader"
	"github.com/docker/cli/cli/compose/schema"
	composetypes "github.com/docker/cli/cli/compose/types"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

const idPrefix = "id of "

// ids is a client whose Swarm holds every secret and config, which is all that
// docker/cli asks of it.
type ids struct{ client.APIClient }

func (ids) ClientVersion() string { return "1.51" }

func (ids) SecretList(_ context.Context, o swarm.SecretListOptions) ([]swarm.Secret, error) {
	var out []swarm.Secret
	for _, name := range o.Filters.Get("name") {
		out = append(out, swarm.Secret{ID: idPrefix + name, Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: name}}})
	}
	return out, nil
}

func (ids) ConfigList(_ context.Context, o swarm.ConfigListOptions) ([]swarm.Config, error) {
	var out []swarm.Config
	for _, name := range o.Filters.Get("name") {
		out = append(out, swarm.Config{ID: idPrefix + name, Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: name}}})
	}
	return out, nil
}

// loadTheirs reads the files as docker stack deploy does.
func loadTheirs(paths []string) (config *composetypes.Config, err error) {
	defer recovered(&err)
	details := composetypes.ConfigDetails{WorkingDir: filepath.Dir(paths[0]), Environment: environment}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		parsed, err := loader.ParseYAML(data)
		if err != nil {
			return nil, err
		}
		details.ConfigFiles = append(details.ConfigFiles, composetypes.ConfigFile{Filename: path, Config: parsed})
	}
	details.Version = schema.Version(details.ConfigFiles[0].Config)
	config, err = loader.Load(details)
	if err != nil {
		return nil, err
	}
	for _, s := range config.Services {
		if _, err := reference.ParseAnyReference(s.Image); err != nil {
			return nil, fmt.Errorf("service %s: %w", s.Name, err)
		}
	}
	return config, nil
}

// convertTheirs lowers a loaded stack in the steps of docker stack deploy. It
// changes the maps of config.
func convertTheirs(config *composetypes.Config) (out lowered, err error) {
	defer recovered(&err)
	namespace := convert.NewNamespace(stackName)
	used := map[string]struct{}{}
	for _, s := range config.Services {
		if len(s.Networks) == 0 {
			used["default"] = struct{}{}
		}
		for name := range s.Networks {
			used[name] = struct{}{}
		}
	}
	out.Networks, out.External = convert.Networks(namespace, config.Networks, used)
	for name, options := range out.Networks {
		if options.Driver == "" {
			options.Driver = "overlay"
			out.Networks[name] = options
		}
	}
	secrets, err := convert.Secrets(namespace, config.Secrets)
	if err != nil {
		return out, err
	}
	out.Secrets = map[string]swarm.SecretSpec{}
	for _, s := range secrets {
		out.Secrets[s.Name] = s
	}
	configs, err := convert.Configs(namespace, config.Configs)
	if err != nil {
		return out, err
	}
	out.Configs = map[string]swarm.ConfigSpec{}
	for _, c := range configs {
		out.Configs[c.Name] = c
	}
	out.Services, err = convert.Services(context.Background(), namespace, config, ids{})
	if err == nil {
		out.normalise()
	}
	return out, err
}

func theirs(paths []string) (lowered, error) {
	config, err := loadTheirs(paths)
	if err != nil {
		return lowered{}, err
	}
	return convertTheirs(config)
}

// recovered makes an error of a panic, of which docker/cli's loader has some.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic: %v", v)
	}
}
