package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"
)

// dockerByHand does what the docker CLI does, as far as the sessions need it,
// on machines that have none.
func dockerByHand() {
	h := hand{ctx: context.Background()}
	err := h.run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "docker:", err)
		os.Exit(1)
	}
}

// standIn is its name beside a docker CLI.
const standIn = "docker-by-hand"

// The stand-in and the docker CLI, where there is one, answer alike.
func TestDockerByHand(t *testing.T) {
	for _, docker := range []string{"docker", standIn} {
		t.Run(docker, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir: "testdata/docker",
				Setup: func(e *testscript.Env) error {
					e.Setenv("DOCKER", docker)
					return ownSwarm(e)
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"until": until},
			})
		})
	}
}

// dockerCLI says whether docker is the real one.
func dockerCLI(cond string) (bool, error) {
	if cond != "docker-cli" {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	path, err := exec.LookPath("docker")
	return err == nil && !strings.HasPrefix(path, os.TempDir()), nil
}

// hand is a command line that is being obeyed.
type hand struct {
	*client.Client
	ctx  context.Context
	args []string

	format                  string
	quiet, internal         bool
	name, filter            string
	replicas                uint64
	label, opt, labels, env []string
}

func (h hand) run(args []string) error {
	f := pflag.NewFlagSet("docker", pflag.ContinueOnError)
	f.Bool("detach", false, "")
	f.String("driver", "", "")
	f.StringVar(&h.format, "format", "", "")
	f.BoolVarP(&h.quiet, "quiet", "q", false, "")
	f.BoolVar(&h.internal, "internal", false, "")
	f.StringVar(&h.name, "name", "", "")
	f.StringVar(&h.filter, "filter", "", "")
	f.Uint64Var(&h.replicas, "replicas", 0, "")
	f.StringArrayVar(&h.label, "label", nil, "")
	f.StringArrayVar(&h.opt, "opt", nil, "")
	f.StringArrayVar(&h.labels, "label-add", nil, "")
	f.StringArrayVar(&h.env, "env-add", nil, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	if h.args = f.Args(); len(h.args) < 2 {
		return errors.New("it takes a command")
	}
	command := h.args[0] + " " + h.args[1]
	verb, known := map[string]func(hand) error{
		"service create": hand.create, "service update": hand.update, "service scale": hand.scale, "service rm": hand.remove, "service ps": hand.tasks,
		"network create": hand.createNetwork, "network rm": hand.remove, "volume create": hand.createVolume,
		"service ls": hand.list, "network ls": hand.list, "volume ls": hand.list, "secret ls": hand.list, "config ls": hand.list,
		"service inspect": hand.inspect, "network inspect": hand.inspect, "secret inspect": hand.inspect,
	}[command]
	if !known {
		return fmt.Errorf("%s: the stand-in cannot do that", command)
	}
	var err error
	if h.Client, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation()); err != nil {
		return err
	}
	defer func() { _ = h.Close() }()
	kind := h.args[0]
	h.args = append([]string{kind}, h.args[2:]...)
	return verb(h)
}

func pairs(list []string) map[string]string {
	out := map[string]string{}
	for _, kv := range list {
		k, v, _ := strings.Cut(kv, "=")
		out[k] = v
	}
	return out
}

func (h hand) create() error {
	r, err := h.ServiceCreate(h.ctx, swarm.ServiceSpec{
		Annotations:  swarm.Annotations{Name: h.name, Labels: pairs(h.label)},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: h.args[1]}, Placement: &swarm.Placement{}},
	}, swarm.ServiceCreateOptions{QueryRegistry: true})
	fmt.Println(r.ID)
	return err
}

// change reads a service, and writes it back changed.
func (h hand) change(name string, with func(*swarm.ServiceSpec)) error {
	s, _, err := h.ServiceInspectWithRaw(h.ctx, name, swarm.ServiceInspectOptions{})
	if err != nil {
		return err
	}
	with(&s.Spec)
	_, err = h.ServiceUpdate(h.ctx, s.ID, s.Version, s.Spec, swarm.ServiceUpdateOptions{})
	return err
}

func (h hand) update() error {
	return h.change(h.args[1], func(s *swarm.ServiceSpec) {
		for k, v := range pairs(h.labels) {
			s.Labels[k] = v
		}
		c := s.TaskTemplate.ContainerSpec
		for _, kv := range h.env {
			k, _, _ := strings.Cut(kv, "=")
			c.Env = append(slices.DeleteFunc(c.Env, func(s string) bool { return strings.HasPrefix(s, k+"=") }), kv)
		}
		if h.replicas > 0 {
			s.Mode.Replicated.Replicas = &h.replicas
		}
	})
}

func (h hand) scale() error {
	name, n, _ := strings.Cut(h.args[1], "=")
	replicas, err := strconv.ParseUint(n, 10, 64)
	if err != nil {
		return err
	}
	return h.change(name, func(s *swarm.ServiceSpec) { s.Mode.Replicated.Replicas = &replicas })
}

func (h hand) remove() error {
	if h.args[0] == "network" {
		return h.NetworkRemove(h.ctx, h.args[1])
	}
	return h.ServiceRemove(h.ctx, h.args[1])
}

func (h hand) createNetwork() error {
	r, err := h.NetworkCreate(h.ctx, h.args[1], network.CreateOptions{Driver: "overlay", Internal: h.internal})
	fmt.Println(r.ID)
	return err
}

func (h hand) createVolume() error {
	v, err := h.VolumeCreate(h.ctx, volume.CreateOptions{Name: h.args[1], Driver: "local", DriverOpts: pairs(h.opt), Labels: pairs(h.label)})
	fmt.Println(v.Name)
	return err
}

// row of a list.
type row struct{ ID, Name, Replicas string }

func (h hand) list() error {
	rows, err := h.rows()
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.Name, b.Name) })
	format := "{{.Name}}"
	if h.quiet && h.args[0] != "volume" {
		format = "{{.ID}}"
	} else if h.format != "" {
		format = h.format
	}
	for _, r := range rows {
		if _, name, _ := strings.Cut(h.filter, "name="); !strings.HasPrefix(r.Name, name) {
			continue
		}
		if err := print(format, r); err != nil {
			return err
		}
	}
	return nil
}

func (h hand) rows() ([]row, error) {
	var out []row
	switch h.args[0] {
	case "service":
		list, err := h.ServiceList(h.ctx, swarm.ServiceListOptions{Status: true})
		for _, s := range list {
			out = append(out, row{s.ID, s.Spec.Name, fmt.Sprintf("%d/%d", s.ServiceStatus.RunningTasks, s.ServiceStatus.DesiredTasks)})
		}
		return out, err
	case "network":
		list, err := h.NetworkList(h.ctx, network.ListOptions{})
		for _, n := range list {
			out = append(out, row{ID: n.ID, Name: n.Name})
		}
		return out, err
	case "volume":
		list, err := h.VolumeList(h.ctx, volume.ListOptions{})
		for _, v := range list.Volumes {
			out = append(out, row{Name: v.Name})
		}
		return out, err
	case "secret":
		list, err := h.SecretList(h.ctx, swarm.SecretListOptions{})
		for _, s := range list {
			out = append(out, row{ID: s.ID, Name: s.Spec.Name})
		}
		return out, err
	}
	list, err := h.ConfigList(h.ctx, swarm.ConfigListOptions{})
	for _, c := range list {
		out = append(out, row{ID: c.ID, Name: c.Spec.Name})
	}
	return out, err
}

func (h hand) tasks() error {
	list, err := h.TaskList(h.ctx, swarm.TaskListOptions{})
	for _, name := range h.args[1:] {
		s, _, err := h.ServiceInspectWithRaw(h.ctx, name, swarm.ServiceInspectOptions{})
		if err != nil {
			return err
		}
		for _, t := range list {
			if t.ServiceID == s.ID {
				fmt.Println(t.ID)
			}
		}
	}
	return err
}

func (h hand) inspect() error {
	for _, name := range h.args[1:] {
		var v any
		var err error
		switch h.args[0] {
		case "service":
			v, _, err = h.ServiceInspectWithRaw(h.ctx, name, swarm.ServiceInspectOptions{})
		case "network":
			v, err = h.NetworkInspect(h.ctx, name, network.InspectOptions{})
		default:
			v, _, err = h.SecretInspectWithRaw(h.ctx, name)
		}
		if err != nil {
			return err
		}
		format := h.format
		if format == "" {
			format = "{{printf \"%+v\" .}}"
		}
		if err := print(format, v); err != nil {
			return err
		}
	}
	return nil
}

func print(format string, v any) error {
	t, err := template.New("").Parse(format + "\n")
	if err != nil {
		return err
	}
	return t.Execute(os.Stdout, v)
}
