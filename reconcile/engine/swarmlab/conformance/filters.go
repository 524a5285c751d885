package conformance

import (
	"slices"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

const filterSection = "9 filters"

// services lists the trial's services by filters, as their names in order.
func (t *trial) services(args ...filters.KeyValuePair) string {
	t.Helper()
	list, err := t.ServiceList(t.Context(), swarm.ServiceListOptions{Filters: filters.NewArgs(args...)})
	if err != nil {
		return t.outcome(err)
	}
	var names []string
	for _, s := range list {
		names = append(names, s.Spec.Name)
	}
	return t.mine(names)
}

// mine are those of the names that are the trial's, in order.
func (t *trial) mine(names []string) string {
	var out []string
	for _, n := range names {
		if n, ok := strings.CutPrefix(n, t.key+"-"); ok {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func filterRows() []Row {
	row := func(name, want string, try func(*trial) string) Row {
		return Row{Section: filterSection, Name: name, Want: is(want), try: try}
	}
	// service is a row over three services: a, ab and b, with labels.
	service := func(name, want string, args func(*trial) []filters.KeyValuePair) Row {
		return row(name, want, func(t *trial) string {
			t.create("a", at("Labels", `{"x":"1","y":"1"}`))
			t.create("ab", at("Labels", `{"x":"1"}`))
			t.create("b", at("Labels", `{"x":"2"}`), at("Mode.Replicated", "null"), at("Mode.Global", "{}"), nowhere)
			return t.services(args(t)...)
		})
	}
	arg := filters.Arg
	list := func(args ...filters.KeyValuePair) func(*trial) []filters.KeyValuePair {
		return func(*trial) []filters.KeyValuePair { return args }
	}
	return []Row{
		service("a service's name is a prefix", "a ab", func(t *trial) []filters.KeyValuePair { return []filters.KeyValuePair{arg("name", t.name("a"))} }),
		service("two names are an or", "a ab b", func(t *trial) []filters.KeyValuePair {
			return []filters.KeyValuePair{arg("name", t.name("a")), arg("name", t.name("b"))}
		}),
		service("a label", "a ab", list(arg("label", "x=1"))),
		service("a label without a value", "a ab b", list(arg("label", "x"))),
		service("two labels are an and", "a", list(arg("label", "x=1"), arg("label", "y=1"))),
		row("one label key twice is one of the two", "one", func(t *trial) string {
			t.create("a", at("Labels", `{"x":"1"}`))
			t.create("b", at("Labels", `{"x":"2"}`))
			switch found := t.services(arg("label", "x=1"), arg("label", "x=2")); found {
			case "a", "b":
				return "one"
			default:
				return found
			}
		}),
		service("name and label are an and", "ab", func(t *trial) []filters.KeyValuePair {
			return []filters.KeyValuePair{arg("name", t.name("ab")), arg("label", "x=1")}
		}),
		service("mode", "b", list(arg("mode", "global"))),
		service("an unknown filter", "", list(arg("bogus", "1"))).wants(is("400 InvalidArgument: invalid filter 'bogus'").before("1.44", "400 InvalidArgument: Invalid filter 'bogus'")),
		row("a service's id is a prefix", "a", func(t *trial) string {
			return t.services(arg("id", t.create("a").ID[:15]))
		}),
		row("inspect takes the beginning of an id", "a", func(t *trial) string {
			s, _, err := t.ServiceInspectWithRaw(t.Context(), t.create("a").ID[:15], swarm.ServiceInspectOptions{})
			t.must(err)
			return s.Spec.Name
		}),
		row("inspect takes no beginning of a name", "404 NotFound: service a not found", func(t *trial) string {
			t.create("ab")
			_, _, err := t.ServiceInspectWithRaw(t.Context(), t.name("a"), swarm.ServiceInspectOptions{})
			return t.outcome(err)
		}),
		row("a secret's name is a prefix", "s st", func(t *trial) string {
			t.secret("s")
			t.secret("st")
			found, err := t.SecretList(t.Context(), swarm.SecretListOptions{Filters: byName(t.name("s"))})
			t.must(err)
			var names []string
			for _, s := range found {
				names = append(names, s.Spec.Name)
			}
			return t.mine(names)
		}),
		row("a config's name is a prefix", "c cd", func(t *trial) string {
			t.config("c")
			t.config("cd")
			found, err := t.ConfigList(t.Context(), swarm.ConfigListOptions{Filters: byName(t.name("c"))})
			t.must(err)
			var names []string
			for _, c := range found {
				names = append(names, c.Spec.Name)
			}
			return t.mine(names)
		}),
		row("configs by label", "c", func(t *trial) string {
			t.config("c")
			s := t.configSpec("d", []byte("x"))
			t.config("e")
			s.Labels = map[string]string{"only": t.key}
			_, err := t.ConfigCreate(t.Context(), s)
			t.must(err)
			found, err := t.ConfigList(t.Context(), swarm.ConfigListOptions{Filters: filters.NewArgs(arg("label", "only="+t.key))})
			t.must(err)
			if len(found) == 1 && found[0].Spec.Name == s.Name {
				return "c"
			}
			return count(len(found))
		}),
		row("a Swarm network's name is exact", "n", func(t *trial) string {
			t.network("n")
			t.network("nm")
			return t.networks(byName(t.name("n")))
		}),
		row("networks of the Swarm's scope, tasks or not", "n", func(t *trial) string {
			t.network("n")
			return t.networks(filters.NewArgs(arg("scope", "swarm")))
		}),
		row("networks by driver", "n", func(t *trial) string {
			t.allocated(t.network("n"))
			return t.networks(filters.NewArgs(arg("driver", "overlay")))
		}),
		row("networks by label", "n", func(t *trial) string {
			_, err := t.tryNetwork(t.name("n"), network.CreateOptions{Driver: "overlay", Labels: map[string]string{"only": t.key}})
			t.must(err)
			t.network("m")
			return t.networks(filters.NewArgs(arg("label", "only="+t.key)))
		}),
		row("tasks by their service's name: a prefix", "2", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"), nowhere)
			t.create("ab", at("Mode.Replicated.Replicas", "1"), nowhere)
			t.sure("two tasks", func() bool { return len(t.tasks("a")) == 2 })
			return count(len(t.tasks("a")))
		}),
		row("tasks by their service", "1", func(t *trial) string {
			id := t.create("a", at("Mode.Replicated.Replicas", "1"), nowhere).ID
			t.create("ab", at("Mode.Replicated.Replicas", "1"), nowhere)
			t.sure("two tasks", func() bool { return len(t.tasks("a")) == 2 })
			return count(len(t.tasks("a", arg("service", id))))
		}),
		row("tasks by the service's label when they were made", "1 old, 0 new", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"), nowhere, at("Labels", `{"n":"old"}`))
			t.sure("a task", func() bool { return len(t.tasks("a")) == 1 })
			t.update("a", at("Labels", `{"n":"new"}`))
			return count(len(t.tasks("a", arg("label", "n=old")))) + " old, " + count(len(t.tasks("a", arg("label", "n=new")))) + " new"
		}),
		row("tasks by desired state", "1 running, 0 shutdown", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"), nowhere)
			t.sure("a task", func() bool { return len(t.tasks("a")) == 1 })
			return count(len(t.tasks("a", arg("desired-state", "running")))) + " running, " + count(len(t.tasks("a", arg("desired-state", "shutdown")))) + " shutdown"
		}),
		row("tasks by a bogus state", "500 Internal: Invalid desired-state filter: 'bogus'", func(t *trial) string {
			_, err := t.TaskList(t.Context(), swarm.TaskListOptions{Filters: filters.NewArgs(arg("desired-state", "bogus"))})
			return t.outcome(err)
		}),
		row("tasks by node", "1", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"))
			return count(len(t.tasks("a", arg("node", t.awaitRunning("a").NodeID))))
		}),
		row("nodes by role", "1 manager, 0 worker", func(t *trial) string {
			managers, err := t.NodeList(t.Context(), swarm.NodeListOptions{Filters: filters.NewArgs(arg("role", "manager"))})
			t.must(err)
			workers, err := t.NodeList(t.Context(), swarm.NodeListOptions{Filters: filters.NewArgs(arg("role", "worker"))})
			t.must(err)
			return count(len(managers)) + " manager, " + count(len(workers)) + " worker"
		}),
		row("a list has a status when asked", "0 of 2 running", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "2"), nowhere)
			return t.statusCounts("a")
		}),
		row("a list has no status otherwise", "absent", func(t *trial) string {
			t.create("a")
			found, err := t.ServiceList(t.Context(), swarm.ServiceListOptions{Filters: byName(t.name("a"))})
			t.must(err)
			if found[0].ServiceStatus == nil {
				return "absent"
			}
			return "present"
		}),
		row("an empty list is no null", "true", func(t *trial) string {
			found, err := t.ServiceList(t.Context(), swarm.ServiceListOptions{Filters: byName(t.name("a"))})
			t.must(err)
			return compact(found != nil && len(found) == 0)
		}),
		row("defaults are inserted when asked", `grace 10s, restart any 5s 0, DNS true, resources true, update 1 pause 5s, rollback 1 pause 5s, endpoint false`, func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "0"))
			s, _, err := t.ServiceInspectWithRaw(t.Context(), t.name("a"), swarm.ServiceInspectOptions{InsertDefaults: true})
			t.must(err)
			return inserted(s.Spec)
		}),
	}
}

// networks lists the trial's networks by filters, as their names in order.
func (t *trial) networks(f filters.Args) string {
	t.Helper()
	list, err := t.NetworkList(t.Context(), network.ListOptions{Filters: f})
	t.must(err)
	var names []string
	for _, n := range list {
		names = append(names, n.Name)
	}
	return t.mine(names)
}

func inserted(s swarm.ServiceSpec) string {
	c, r := s.TaskTemplate.ContainerSpec, s.TaskTemplate.RestartPolicy
	if c.StopGracePeriod == nil || r == nil || r.Delay == nil || r.MaxAttempts == nil || s.UpdateConfig == nil || s.RollbackConfig == nil {
		return compact(s)
	}
	return "grace " + c.StopGracePeriod.String() +
		", restart " + joined(r.Condition, r.Delay, *r.MaxAttempts) +
		", DNS " + compact(c.DNSConfig != nil) + ", resources " + compact(s.TaskTemplate.Resources != nil) +
		", update " + joined(s.UpdateConfig.Parallelism, s.UpdateConfig.FailureAction, s.UpdateConfig.Monitor) +
		", rollback " + joined(s.RollbackConfig.Parallelism, s.RollbackConfig.FailureAction, s.RollbackConfig.Monitor) +
		", endpoint " + compact(s.EndpointSpec != nil)
}
