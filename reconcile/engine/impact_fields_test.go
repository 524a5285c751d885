package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// fieldChange gives one field of a service another value, one that a person
// might write. What it needs around the field it makes as well.
type fieldChange struct {
	field string // in Go's words
	// sim: only the simulated Swarm takes it; the real one is API 1.41, has one
	// node, and starts what it is told to.
	sim bool
	do  func(r *rand.Rand, w *wanted)
}

// wanted is the stack under test and its one service.
type wanted struct {
	stack *spec.Stack
	spec  *swarm.ServiceSpec
	port  uint32 // the first of ports that are this stack's
}

func (w *wanted) container() *swarm.ContainerSpec { return w.spec.TaskTemplate.ContainerSpec }

func (w *wanted) health() *container.HealthConfig {
	return need(&w.container().Healthcheck, container.HealthConfig{Test: []string{"CMD", "true"}, Interval: time.Second})
}

func (w *wanted) update() *swarm.UpdateConfig {
	return need(&w.spec.UpdateConfig, swarm.UpdateConfig{})
}

func (w *wanted) rollback() *swarm.UpdateConfig {
	return need(&w.spec.RollbackConfig, swarm.UpdateConfig{})
}

func (w *wanted) restart() *swarm.RestartPolicy {
	return need(&w.spec.TaskTemplate.RestartPolicy, swarm.RestartPolicy{})
}

func (w *wanted) limits() *swarm.Limit {
	return need(&need(&w.spec.TaskTemplate.Resources, swarm.ResourceRequirements{}).Limits, swarm.Limit{})
}

func (w *wanted) reservations() *swarm.Resources {
	return need(&need(&w.spec.TaskTemplate.Resources, swarm.ResourceRequirements{}).Reservations, swarm.Resources{})
}

func (w *wanted) privileges() *swarm.Privileges {
	return need(&w.container().Privileges, swarm.Privileges{})
}

func (w *wanted) dns() *swarm.DNSConfig { return need(&w.container().DNSConfig, swarm.DNSConfig{}) }

func (w *wanted) endpoint() *swarm.EndpointSpec {
	return need(&w.spec.EndpointSpec, swarm.EndpointSpec{})
}

func (w *wanted) published() *swarm.PortConfig {
	e := w.endpoint()
	if len(e.Ports) == 0 {
		e.Ports = []swarm.PortConfig{{TargetPort: 80, PublishedPort: w.port, Protocol: swarm.PortConfigProtocolTCP, PublishMode: swarm.PortConfigPublishModeHost}}
	}
	return &e.Ports[0]
}

func (w *wanted) mount(kind mount.Type) *mount.Mount {
	c := w.container()
	for i := range c.Mounts {
		if c.Mounts[i].Type == kind {
			return &c.Mounts[i]
		}
	}
	m := mount.Mount{Type: kind, Target: "/" + string(kind)}
	switch kind {
	case mount.TypeVolume:
		m.Source = w.stack.Name + "_data"
	case mount.TypeBind:
		m.Source = "/proc" // there on every node
	}
	c.Mounts = append(c.Mounts, m)
	return &c.Mounts[len(c.Mounts)-1]
}

func (w *wanted) volume() *mount.VolumeOptions {
	return need(&w.mount(mount.TypeVolume).VolumeOptions, mount.VolumeOptions{})
}

func (w *wanted) tmpfs() *mount.TmpfsOptions {
	return need(&w.mount(mount.TypeTmpfs).TmpfsOptions, mount.TmpfsOptions{})
}

// need is the struct behind a pointer, made when there is none.
func need[T any](p **T, zero T) *T {
	if *p == nil {
		*p = &zero
	}
	return *p
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func maybe[T any](r *rand.Rand, from ...T) *T {
	if r.IntN(3) == 0 {
		return nil
	}
	return new(pick(r, from...))
}

// some is a few of the texts, in their order.
func some(r *rand.Rand, from ...string) []string {
	return slices.DeleteFunc(slices.Clone(from), func(string) bool { return r.IntN(2) == 0 })
}

func words(r *rand.Rand) map[string]string {
	m := map[string]string{}
	for _, k := range some(r, "a.b", "tier", "note") {
		m[k] = pick(r, "1", "two", "")
	}
	return m
}

func setLabels(own *map[string]string, r *rand.Rand) {
	fresh := words(r)
	for k, v := range *own {
		if strings.HasPrefix(k, "com.docker.") {
			fresh[k] = v
		}
	}
	*own = fresh
}

func fieldChanges() []fieldChange {
	return slices.Concat(serviceChanges(), containerChanges(), mountChanges(), referenceChanges(), taskChanges(), placementChanges())
}

// notChanged are fields that no plan changes, and why.
var notChanged = map[string]string{
	"Annotations.Name":                                                     "a service cannot be renamed",
	"Networks":                                                             "deprecated: TaskTemplate.Networks holds them",
	"TaskTemplate.PluginSpec":                                              "not a container",
	"TaskTemplate.NetworkAttachmentSpec":                                   "not a container",
	"TaskTemplate.Runtime":                                                 "always a container",
	"TaskTemplate.ForceUpdate":                                             "a counter for `docker service update --force`",
	"TaskTemplate.Placement.Platforms":                                     "written from the image's manifest",
	"Mode.Global":                                                          "has no fields; the mode cannot change",
	"Mode.GlobalJob":                                                       "has no fields; the mode cannot change",
	"Mode.ReplicatedJob":                                                   "TestImpactOfJobs",
	"TaskTemplate.ContainerSpec.Secrets.SecretID":                          "the name is what people mean",
	"TaskTemplate.ContainerSpec.Configs.ConfigID":                          "the name is what people mean",
	"TaskTemplate.ContainerSpec.Configs.Runtime":                           "goes with Privileges.CredentialSpec.Config",
	"TaskTemplate.ContainerSpec.Mounts.ImageOptions":                       "mounts of images cannot be asked of Swarm",
	"TaskTemplate.ContainerSpec.Mounts.Consistency":                        "dropped by the Engine",
	"TaskTemplate.ContainerSpec.Mounts.ClusterOptions":                     "has no fields",
	"TaskTemplate.ContainerSpec.Mounts.BindOptions.CreateMountpoint":       "dropped by the Engine",
	"TaskTemplate.ContainerSpec.Mounts.BindOptions.ReadOnlyNonRecursive":   "dropped by the Engine",
	"TaskTemplate.ContainerSpec.Mounts.BindOptions.ReadOnlyForceRecursive": "dropped by the Engine",
}

// Every field of a service is changed by the tests of impact, or there is a
// reason why not.
func TestImpactFieldsAreAllFields(t *testing.T) {
	have := map[string]bool{}
	for _, c := range fieldChanges() {
		have[c.field] = true
	}
	seen := map[string]bool{}
	var visit func(path string, typ reflect.Type)
	visit = func(path string, typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice && !have[path] {
			typ = typ.Elem()
		}
		seen[path] = true
		switch {
		case notChanged[path] != "" || have[path]:
		case typ.Kind() == reflect.Struct:
			for f := range typ.NumField() {
				visit(strings.TrimPrefix(path+"."+typ.Field(f).Name, "."), typ.Field(f).Type)
			}
		default:
			t.Errorf("nothing changes %s", path)
		}
	}
	visit("", reflect.TypeFor[swarm.ServiceSpec]())
	for path := range notChanged {
		if !seen[path] {
			t.Errorf("no field is %s", path)
		}
	}
	fmt.Printf("%d fields are changed, %d have a reason not to\n", len(have), len(notChanged))
}
