package main

import (
	"context"
	"runtime"
	"strconv"
	"time"

	dockerapi "github.com/docker/docker/api"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/backend"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"
)

// systemBackend is what the Engine tells about itself.
type systemBackend struct {
	eventLog
	engine *Engine
}

// SystemInfo is /info without the Swarm's part.
func (b systemBackend) SystemInfo(context.Context) (*system.Info, error) {
	info := &system.Info{
		ID: b.engine.local().id, Name: b.engine.local().hostname, ServerVersion: engineVersion, SystemTime: time.Now().Format(time.RFC3339Nano),
		Driver: "overlay2", LoggingDriver: "json-file", CgroupDriver: "none", CgroupVersion: "2", KernelVersion: "simulated",
		OperatingSystem: "swarmsim", OSType: "linux", Architecture: "x86_64", IndexServerAddress: "https://index.docker.io/v1/",
		RegistryConfig: &registry.ServiceConfig{IndexConfigs: map[string]*registry.IndexInfo{}},
		NCPU:           nodeCPUs, MemTotal: nodeMemory, DockerRootDir: b.engine.dir, Labels: []string{},
		MemoryLimit: true, SwapLimit: true, CPUCfsPeriod: true, CPUCfsQuota: true, CPUShares: true, CPUSet: true, PidsLimit: true,
		IPv4Forwarding: true, NGoroutines: runtime.NumGoroutine(), SecurityOptions: []string{}, CDISpecDirs: []string{},
		Runtimes:       map[string]system.RuntimeWithStatus{"runc": {Runtime: system.Runtime{Path: "runc"}}},
		DefaultRuntime: "runc", InitBinary: "docker-init", Warnings: []string{},
	}
	for _, p := range plugins28() {
		switch p.kind {
		case "Log":
			info.Plugins.Log = p.names
		case "Network":
			info.Plugins.Network = p.names
		case "Volume":
			info.Plugins.Volume = p.names
		}
	}
	for _, c := range b.engine.agent.all() {
		switch state := c.status(); {
		case c.node != b.engine.local() || state == "":
		case state == container.StateRunning:
			info.Containers++
			info.ContainersRunning++
		default:
			info.Containers++
			info.ContainersStopped++
		}
	}
	return info, nil
}

// SystemVersion is /version.
func (b systemBackend) SystemVersion(context.Context) (types.Version, error) {
	v := types.Version{
		Version: engineVersion, APIVersion: dockerapi.DefaultVersion, MinAPIVersion: dockerapi.MinSupportedAPIVersion, GitCommit: "swarmsim",
		GoVersion: runtime.Version(), Os: "linux", Arch: runtime.GOARCH, KernelVersion: "simulated", BuildTime: "2025-01-01T00:00:00.000000000+00:00",
	}
	v.Platform.Name = "swarmsim: a simulated Docker Engine"
	v.Components = []types.ComponentVersion{{Name: "Engine", Version: v.Version, Details: map[string]string{
		"ApiVersion": v.APIVersion, "MinAPIVersion": v.MinAPIVersion, "GitCommit": v.GitCommit, "GoVersion": v.GoVersion,
		"Os": v.Os, "Arch": v.Arch, "BuildTime": v.BuildTime, "KernelVersion": v.KernelVersion, "Experimental": strconv.FormatBool(false),
	}}}
	return v, nil
}

// SystemDiskUsage is not simulated.
func (b systemBackend) SystemDiskUsage(context.Context, backend.DiskUsageOptions) (*backend.DiskUsage, error) {
	return nil, notSimulated("GET /system/df")
}

// AuthenticateToRegistry lets everybody in.
func (b systemBackend) AuthenticateToRegistry(context.Context, *registry.AuthConfig) (string, string, error) {
	return "Login Succeeded", "", nil
}

// DiskUsage of a builder is not simulated.
func (b systemBackend) DiskUsage(context.Context) ([]*build.CacheRecord, error) {
	return nil, notSimulated("GET /system/df")
}
