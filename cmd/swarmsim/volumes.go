package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/idtools"
	"github.com/docker/docker/pkg/plugingetter"
	"github.com/docker/docker/pkg/plugins"
	"github.com/docker/docker/volume/service"
	"github.com/docker/docker/volume/service/opts"
	"github.com/moby/swarmkit/v2/api"
)

// localVolumes are the volumes of the node whose Engine answers. They are the
// Engine's own code, in a directory that goes when the Swarm does.
type localVolumes struct {
	*service.VolumesService
	engine *Engine

	mu     sync.RWMutex // held while one is made
	closed bool
}

func newLocalVolumes(e *Engine, dir string) (*localVolumes, error) {
	v := &localVolumes{engine: e}
	var err error
	if v.VolumesService, err = service.NewVolumeService(dir, noPlugins{}, idtools.Identity{UID: os.Getuid(), GID: os.Getegid()}, v); err != nil {
		return nil, fmt.Errorf("volumes: %w", err)
	}
	return v, nil
}

// Create makes a volume, unless the Engine is about to remove them all: tasks
// start to the very end.
func (v *localVolumes) Create(ctx context.Context, name, driver string, options ...opts.CreateOption) (*volume.Volume, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, errors.New("the Engine is shutting down")
	}
	return v.VolumesService.Create(ctx, name, driver, options...)
}

// Shutdown returns when no volume is being made, and none will be.
func (v *localVolumes) Shutdown() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	return v.VolumesService.Shutdown()
}

// noPlugins is the store of plugins of an Engine that has none.
type noPlugins struct{}

// noPlugin is how the Engine says so.
func noPlugin(name string) error { return errdefs.NotFound(fmt.Errorf("plugin %q not found", name)) }

// Get finds none.
func (noPlugins) Get(name, _ string, _ int) (plugingetter.CompatPlugin, error) {
	return nil, noPlugin(name)
}

// GetAllByCap finds none.
func (noPlugins) GetAllByCap(string) ([]plugingetter.CompatPlugin, error) { return nil, nil }

// GetAllManagedPluginsByCap finds none.
func (noPlugins) GetAllManagedPluginsByCap(string) []plugingetter.CompatPlugin { return nil }

// Handle waits for none.
func (noPlugins) Handle(string, func(string, *plugins.Client)) {}

// LogVolumeEvent takes the events of the volumes.
func (v *localVolumes) LogVolumeEvent(id string, action events.Action, attributes map[string]string) {
	v.engine.events.Log(action, events.VolumeEventType, events.Actor{ID: id, Attributes: attributes})
}

// Remove also forgets what a Redis server kept there.
func (v *localVolumes) Remove(ctx context.Context, name string, options ...opts.RemoveOption) error {
	if err := v.VolumesService.Remove(ctx, name, options...); err != nil {
		return err
	}
	v.engine.datasets.drop(v.engine.local(), name)
	return nil
}

// createVolumes makes the volumes that a task mounts, where its node is the one
// whose Engine answers; those of other nodes cannot be seen by anybody.
func (c *simulated) createVolumes(ctx context.Context) error {
	if c.node != c.engine.local() {
		return nil
	}
	for _, m := range c.spec.Mounts {
		if m.Type != api.MountTypeVolume {
			continue
		}
		options := []opts.CreateOption{opts.WithCreateReference(c.id)}
		driver := ""
		if o := m.VolumeOptions; o != nil {
			options = append(options, opts.WithCreateLabels(o.Labels))
			if o.DriverConfig != nil {
				driver = o.DriverConfig.Name
				options = append(options, opts.WithCreateOptions(o.DriverConfig.Options))
			}
		}
		created, err := c.engine.volumes.Create(ctx, m.Source, driver, options...)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.volumes = append(c.volumes, created.Name)
		c.mu.Unlock()
	}
	return nil
}

func (c *simulated) releaseVolumes(ctx context.Context) {
	c.mu.Lock()
	names := c.volumes
	c.volumes = nil
	c.mu.Unlock()
	for _, name := range names {
		if err := c.engine.volumes.Release(ctx, name, c.id); err != nil {
			c.engine.log.Warn("volume is not released", "volume", name, "err", err)
		}
	}
}

// checkBinds refuses a bind whose source is in no directory that a machine with
// Linux has.
func checkBinds(mounts []api.Mount) error {
	known := []string{"", "bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"}
	for _, m := range mounts {
		first, _, _ := strings.Cut(strings.TrimPrefix(m.Source, "/"), "/")
		if m.Type == api.MountTypeBind && !slices.Contains(known, first) {
			return fmt.Errorf(`invalid mount config for type "bind": bind source path does not exist: %s`, m.Source)
		}
	}
	return nil
}
