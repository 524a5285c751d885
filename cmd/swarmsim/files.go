package main

import (
	"fmt"
	"path"
	"strconv"

	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/state/store"
	"github.com/moby/swarmkit/v2/template"
	"github.com/pkg/errors"
)

// fileset is the files that Swarm puts into a container, by path.
type fileset map[string][]byte

// files are a container's secrets and configs with their templates filled in by
// Swarm's own code. The errors are the Engine's.
func (c *simulated) files() (fileset, error) {
	if len(c.spec.Secrets)+len(c.spec.Configs) == 0 {
		return nil, nil
	}
	dependencies := template.NewTemplatedDependencyGetter(stored{c.engine.store}, c.task, c.engine.describe(c.node))
	out := fileset{}
	for _, ref := range c.spec.Secrets {
		file := ref.GetFile()
		if file == nil {
			continue
		}
		secret, err := dependencies.Secrets().Get(ref.SecretID)
		if err != nil {
			return nil, errors.Wrap(err, "unable to get secret from secret store")
		}
		if err := checkOwner(file); err != nil {
			return nil, err
		}
		out[absolute("/run/secrets", file.Name)] = secret.Spec.Data
	}
	for _, ref := range c.spec.Configs {
		file := ref.GetFile()
		if file == nil {
			continue
		}
		config, err := dependencies.Configs().Get(ref.ConfigID)
		if err != nil {
			return nil, errors.Wrap(err, "unable to get config from config store")
		}
		if err := checkOwner(file); err != nil {
			return nil, err
		}
		out[absolute("/", file.Name)] = config.Spec.Data
	}
	return out, nil
}

func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(dir, name)
}

func checkOwner(file *api.FileTarget) error {
	if _, err := strconv.Atoi(file.UID); err != nil {
		return err
	}
	_, err := strconv.Atoi(file.GID)
	return err
}

// stored hands out secrets and configs as they are in the store.
type stored struct{ store *store.MemoryStore }

// Secrets by id.
func (s stored) Secrets() exec.SecretGetter { return storedSecrets(s) }

// Configs by id.
func (s stored) Configs() exec.ConfigGetter { return storedConfigs(s) }

// Volumes are not simulated: cluster volumes need a CSI driver.
func (s stored) Volumes() exec.VolumeGetter { return nil }

type storedSecrets stored

// Get is an error when there is no such secret.
func (s storedSecrets) Get(id string) (secret *api.Secret, err error) {
	s.store.View(func(tx store.ReadTx) { secret = store.GetSecret(tx, id) })
	if secret == nil {
		return nil, fmt.Errorf("secret %s not found", id)
	}
	return secret, nil
}

type storedConfigs stored

// Get is an error when there is no such config.
func (s storedConfigs) Get(id string) (config *api.Config, err error) {
	s.store.View(func(tx store.ReadTx) { config = store.GetConfig(tx, id) })
	if config == nil {
		return nil, fmt.Errorf("config %s not found", id)
	}
	return config, nil
}

// describe is a node's description, which templates may use.
func (e *Engine) describe(n *node) (description *api.NodeDescription) {
	e.store.View(func(tx store.ReadTx) {
		if found := store.GetNode(tx, n.id); found != nil {
			description = found.Description
		}
	})
	return description
}
