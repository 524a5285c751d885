package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"

	"github.com/swarmward/swarmward/spec"
)

// fakeSwarm is an Engine in memory, for the order of things: its tasks start
// after start and it refuses references to what it does not have.
type fakeSwarm struct {
	mu     sync.Mutex
	seen   Observed
	writes []string
	kept   []string // writes of what swarmward keeps for itself, which are not in writes
	index  uint64
	start  time.Duration
	leave  time.Duration // how long a removed service's tasks take to go
	left   map[string]time.Time
	// foreign is who else is on every network.
	foreign Attached
	// fail is asked before every write.
	fail func(w Write) error
	// crash makes a service's tasks fail.
	crash map[string]bool
}

func newFake() *fakeSwarm {
	return &fakeSwarm{crash: map[string]bool{}, left: map[string]time.Time{}, seen: Observed{
		Node: Self{ID: "n1", Name: "node-1"}, Services: map[string]ObservedService{}, Networks: map[string]network.Summary{},
		Volumes: map[string]*volume.Volume{}, Secrets: map[string]swarm.Secret{}, Configs: map[string]swarm.Config{},
		Tasks: map[string][]swarm.Task{}, UpToDate: map[string]bool{},
		Nodes: map[string]swarm.Node{"n1": {ID: "n1", Status: swarm.NodeStatus{State: swarm.NodeStateReady}, Description: swarm.NodeDescription{Hostname: "node-1"}}},
	}}
}

func (f *fakeSwarm) Observe(context.Context, *spec.Stack) (*Observed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.seen
	o.At = time.Now()
	o.Services, o.Networks, o.Secrets = maps.Clone(o.Services), maps.Clone(o.Networks), maps.Clone(o.Secrets)
	o.Configs, o.Volumes, o.UpToDate = maps.Clone(o.Configs), maps.Clone(o.Volumes), maps.Clone(o.UpToDate)
	o.Tasks = map[string][]swarm.Task{}
	for id, list := range f.seen.Tasks {
		if at, ok := f.left[id]; ok && o.At.Sub(at) >= f.leave {
			continue
		}
		for _, t := range list {
			switch age := o.At.Sub(t.CreatedAt); {
			case age < f.start:
				t.Status = swarm.TaskStatus{State: swarm.TaskStateStarting, Timestamp: t.CreatedAt}
			case f.crash[t.Name]:
				t.Status = swarm.TaskStatus{State: swarm.TaskStateFailed, Err: "task: non-zero exit (1)", Timestamp: t.CreatedAt.Add(f.start)}
				t.DesiredState = swarm.TaskStateShutdown
			default:
				t.Status = swarm.TaskStatus{State: swarm.TaskStateRunning, Timestamp: t.CreatedAt.Add(f.start)}
			}
			o.Tasks[id] = append(o.Tasks[id], t)
		}
	}
	return &o, nil
}

func (f *fakeSwarm) Progress(ctx context.Context, s *spec.Stack) (*Observed, error) {
	return f.Observe(ctx, s)
}

func (f *fakeSwarm) Kept(_ context.Context, prefix string) ([]swarm.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []swarm.Config
	for name, c := range f.seen.Configs {
		if strings.HasPrefix(name, prefix) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (f *fakeSwarm) Remains(context.Context, swarm.Task, int) Remains {
	return Remains{Log: []string{"cannot open the door"}}
}

func (f *fakeSwarm) Attached(_ context.Context, name string) (Attached, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	on := Attached{Services: slices.Clone(f.foreign.Services), Containers: f.foreign.Containers}
	for full, s := range f.seen.Services {
		for _, n := range s.Spec.TaskTemplate.Networks {
			if n.Target == name {
				on.Services = append(on.Services, full)
			}
		}
	}
	slices.Sort(on.Services)
	return on, nil
}

func (f *fakeSwarm) Do(_ context.Context, w Write) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(w); err != nil {
			return err
		}
	}
	f.index++
	v := swarm.Version{Index: f.index}
	switch w := w.(type) {
	case CreateNetwork:
		f.note("create network %s", w.Name)
		f.seen.Networks[w.Name] = network.Summary{ID: "id-" + w.Name, Name: w.Name, Driver: w.Options.Driver, Attachable: w.Options.Attachable, Labels: w.Options.Labels, Options: w.Options.Options}
	case CreateVolume:
		f.note("create volume %s", w.Options.Name)
		f.seen.Volumes[w.Options.Name] = &volume.Volume{Name: w.Options.Name, Driver: w.Options.Driver, Labels: w.Options.Labels, Options: w.Options.DriverOpts}
	case CreateSecret:
		f.note("create secret %s", w.Spec.Name)
		w.Spec.Data = nil // Swarm does not give it back
		f.seen.Secrets[w.Spec.Name] = swarm.Secret{ID: "id-" + w.Spec.Name, Meta: swarm.Meta{Version: v}, Spec: w.Spec}
	case LabelSecret:
		f.note("label secret %s", w.Spec.Name)
		f.seen.Secrets[w.Spec.Name] = swarm.Secret{ID: w.ID, Meta: swarm.Meta{Version: v}, Spec: w.Spec}
	case CreateConfig:
		if _, ok := f.seen.Configs[w.Spec.Name]; ok {
			return fmt.Errorf("create: %w", ErrStale)
		}
		f.noteConfig("create config %s", w.Spec)
		f.seen.Configs[w.Spec.Name] = swarm.Config{ID: "id-" + w.Spec.Name, Meta: swarm.Meta{Version: v}, Spec: w.Spec}
	case LabelConfig:
		if f.seen.Configs[w.Spec.Name].Version != w.Version {
			return fmt.Errorf("update: %w", ErrStale)
		}
		f.noteConfig("label config %s", w.Spec)
		f.seen.Configs[w.Spec.Name] = swarm.Config{ID: w.ID, Meta: swarm.Meta{Version: v}, Spec: w.Spec}
	case CreateService:
		f.note("create service %s", w.Spec.Name)
		return f.run("id-"+w.Spec.Name, v, w.Spec, true)
	case UpdateService:
		if f.seen.Services[w.Spec.Name].Version != w.Version {
			return fmt.Errorf("update: %w", ErrStale)
		}
		f.note("update service %s", w.Spec.Name)
		was := f.seen.Services[w.Spec.Name].Spec
		replaced := !sameOnWire(was.TaskTemplate, w.Spec.TaskTemplate) || !sameOnWire(was.EndpointSpec, w.Spec.EndpointSpec)
		return f.run(w.ID, v, w.Spec, replaced)
	case Remove:
		if w.Kind == KindConfig {
			f.noteConfig("remove config %s", f.seen.Configs[w.Name].Spec)
		} else {
			f.note("remove %s %s", w.Kind, w.Name)
		}
		if w.Kind == KindService {
			f.left[w.ID] = time.Now()
		}
		for id, at := range f.left {
			if w.Kind == KindNetwork && time.Since(at) < f.leave {
				return fmt.Errorf("network %s goes while %s stops", w.Name, id)
			}
		}
		delete(f.seen.Services, w.Name)
		delete(f.seen.Secrets, w.Name)
		delete(f.seen.Configs, w.Name)
		delete(f.seen.Networks, w.Name)
	default:
		return fmt.Errorf("the fake knows no %T", w)
	}
	return nil
}

func (f *fakeSwarm) note(format string, args ...any) {
	f.writes = append(f.writes, fmt.Sprintf(format, args...))
}

func (f *fakeSwarm) noteConfig(format string, c swarm.ConfigSpec) {
	if c.Labels[LabelKept] != "" {
		f.kept = append(f.kept, fmt.Sprintf(format, c.Name))
		return
	}
	f.note(format, c.Name)
}

// run stores a service and, when its tasks are replaced, starts one anew.
func (f *fakeSwarm) run(id string, v swarm.Version, s swarm.ServiceSpec, replaced bool) error {
	for _, n := range s.TaskTemplate.Networks {
		if _, ok := f.seen.Networks[n.Target]; !ok {
			return fmt.Errorf("network %s not found", n.Target)
		}
	}
	for _, r := range s.TaskTemplate.ContainerSpec.Secrets {
		if _, ok := f.seen.Secrets[r.SecretName]; !ok {
			return fmt.Errorf("secret not found: %s", r.SecretName)
		}
	}
	f.seen.Services[s.Name] = ObservedService{ID: id, Version: v, Spec: s}
	if replaced {
		task := swarm.Task{ID: fmt.Sprintf("task-%d", f.index), ServiceID: id, NodeID: "n1", DesiredState: swarm.TaskStateRunning, Spec: s.TaskTemplate}
		task.Name, task.CreatedAt = s.Name, time.Now()
		f.seen.Tasks[id] = []swarm.Task{task}
		f.seen.UpToDate[task.ID] = true
	}
	return nil
}

// pair is a stack of two services: back, and front, which waits for it.
func pair() *spec.Stack {
	service := func(key string) spec.Service {
		s := spec.Service{Key: key}
		s.Spec.Name, s.Spec.Labels = "app_"+key, map[string]string{spec.LabelNamespace: "app"}
		s.Spec.TaskTemplate = swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{
				Image: key + ":1", Env: []string{"LOG_LEVEL=info"},
				Secrets: []*swarm.SecretReference{{SecretName: "app_password", File: &swarm.SecretReferenceFileTarget{Name: "password", UID: "0", GID: "0", Mode: 0o400}}},
			},
			Placement: &swarm.Placement{},
			Networks:  []swarm.NetworkAttachmentConfig{{Target: "app_net", Aliases: []string{key}}},
		}
		s.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: new(uint64(1))}
		return s
	}
	back, front := service("back"), service("front")
	front.DependsOn = map[string]spec.Condition{"back": spec.ServiceHealthy}
	back.Spec.TaskTemplate.ContainerSpec.Configs = []*swarm.ConfigReference{{ConfigName: "app_conf", File: &swarm.ConfigReferenceFileTarget{Name: "/conf", UID: "0", GID: "0", Mode: 0o444}}}
	conf := spec.Config{Key: "conf", Name: "app_conf"}
	conf.Spec.Name, conf.Spec.Data, conf.Spec.Labels = "app_conf", []byte("one\ntwo\n"), map[string]string{spec.LabelNamespace: "app"}
	secret := spec.Secret{Key: "password", Name: "app_password", Data: spec.Sensitive("hunter2hunter2")}
	secret.Spec.Name, secret.Spec.Labels = "app_password", map[string]string{spec.LabelNamespace: "app"}
	return &spec.Stack{
		Name: "app", Revision: "r1", Services: []spec.Service{back, front},
		Networks: []spec.Network{{Key: "net", Name: "app_net", Create: network.CreateOptions{Driver: "overlay", Labels: map[string]string{spec.LabelNamespace: "app"}}}},
		Secrets:  []spec.Secret{secret},
		Configs:  []spec.Config{conf},
		Settings: spec.Settings{
			Prune: true, Timeout: 5 * time.Minute, Images: spec.Images{Resolve: "changed"},
			Checks: []spec.Check{{Name: "back", Timeout: time.Second, Retries: 1, Grace: 30 * time.Second, TCP: &spec.TCPCheck{Target: spec.Target{Service: "back", Port: 80}}}},
		},
	}
}

// fakeProber answers from a function.
type fakeProber func(spec.Check) CheckResult

func (f fakeProber) Probe(_ context.Context, _ *spec.Stack, c spec.Check) CheckResult { return f(c) }

func passing(c spec.Check) CheckResult { return CheckResult{Name: c.Name, Status: CheckPassed} }
func failing(c spec.Check) CheckResult {
	return CheckResult{Name: c.Name, Status: CheckFailed, Reason: ReasonRefused, Message: "nothing listens"}
}
