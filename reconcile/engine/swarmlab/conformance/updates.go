package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

const (
	factSection   = "0 writes"
	updateSection = "3 updates"
	statusSection = "3 update status"
)

// factRows: every write has consequences, also one that changes nothing.
func factRows() []Row {
	fact := func(name string, want Want, try func(*trial) string) Row {
		return Row{Section: factSection, Name: name, Want: want, try: try}
	}
	return []Row{
		fact("an identical update moves the version", is("moved"), func(t *trial) string {
			s := t.create("a")
			t.must(t.write(s, s.Spec))
			if t.live("a").Version.Index > s.Version.Index {
				return "moved"
			}
			return "stayed"
		}),
		fact("a read moves nothing", is("stayed"), func(t *trial) string {
			s := t.create("a")
			if t.live("a").Version == s.Version {
				return "stayed"
			}
			return "moved"
		}),
		fact("a new service has no previous spec", is("none"), func(t *trial) string {
			return previousLabel(t.create("a"))
		}),
		fact("an update keeps what was before", is("1"), func(t *trial) string {
			t.create("a", at("Labels", `{"n":"1"}`))
			t.update("a", at("Labels", `{"n":"2"}`))
			return previousLabel(t.live("a"))
		}),
		fact("an identical update forgets what was before", is("2"), func(t *trial) string {
			t.create("a", at("Labels", `{"n":"1"}`))
			t.update("a", at("Labels", `{"n":"2"}`))
			t.update("a")
			return previousLabel(t.live("a"))
		}),
		fact("an identical update forgets the update status", is("none"), func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"), nowhere, quick("pause"))
			t.update("a", at(inContainer+"Env", `["a=b"]`))
			t.sure("an update status", func() bool { return t.live("a").UpdateStatus != nil })
			t.update("a", at(inContainer+"Env", `["a=b"]`))
			// Whatever the update left undone goes on under the new version.
			s := t.live("a")
			if s.UpdateStatus == nil || s.UpdateStatus.State == swarm.UpdateStateUpdating {
				return "none"
			}
			return string(s.UpdateStatus.State)
		}),
		// Whether the update then goes on depends on how far it had got.
		fact("an identical update takes the pause from a paused one", is("paused, then not"), func(t *trial) string {
			t.course(upTo(swarm.UpdateStatePaused), func() { t.failingUpdate("pause") })
			t.update("a")
			if t.state(t.live("a")) == string(swarm.UpdateStatePaused) {
				return "paused still"
			}
			return "paused, then not"
		}),
		fact("an update without placement is refused, because it can end the leader", is("500 Internal: … send an empty Placement"), func(t *trial) string {
			s := t.create("a")
			s.Spec.TaskTemplate.Placement = nil
			return t.outcome(t.write(s, s.Spec))
		}).on(Simulated, "it crashes a real Swarm for good"),
		fact("the allocator moves the version of a service with a port", is("moved"), func(t *trial) string {
			s := t.create("a", at("EndpointSpec", `{"Ports":[{"TargetPort":80}]}`))
			t.sure("a port is allocated", func() bool { return len(t.live("a").Endpoint.Ports) > 0 })
			if live := t.live("a"); live.Version.Index > s.Version.Index || len(s.Endpoint.Ports) > 0 {
				return "moved"
			}
			return "stayed"
		}),
	}
}

// on is for a behaviour that only one Engine has.
func (r Row) on(kind, why string) Row {
	r.only, r.why = kind, why
	return r
}

func previousLabel(s swarm.Service) string {
	if s.PreviousSpec == nil {
		return "none"
	}
	return s.PreviousSpec.Labels["n"]
}

// quick is an update config that looks after an update for a moment where the
// update ends with that, and otherwise for long enough to see a task fail.
func quick(action string) edit {
	monitor := "60000000000"
	if action == "continue" {
		monitor = "1000000000"
	}
	return at("UpdateConfig", `{"Parallelism":1,"Monitor":`+monitor+`,"FailureAction":"`+action+`"}`)
}

// failingUpdate is one whose task exits.
func (t *trial) failingUpdate(action string) {
	t.Helper()
	t.create("a", at("Mode.Replicated.Replicas", "1"), quick(action), at("RollbackConfig", `{"Parallelism":1,"Monitor":1000000000}`), at("Labels", `{"n":"1"}`))
	t.awaitRunning("a")
	t.update("a", at(inContainer+"Command", `["sh","-c","exit 3"]`), at("Labels", `{"n":"2"}`))
}

// awaitStatus waits for an update's state.
func (t *trial) awaitStatus(suffix string, state swarm.UpdateState) {
	t.Helper()
	var last *swarm.UpdateStatus
	t.eventually(func() bool {
		last = t.live(suffix).UpdateStatus
		return last != nil && last.State == state
	}, func() string { return fmt.Sprintf("update status %+v, want %s", last, state) })
}

// course are the states that an update goes through while and after act is
// done, from the Swarm's own events, until they are enough.
func (t *trial) course(enough func(states []string) bool, act func()) string {
	t.Helper()
	var states []string
	t.watch(act, func(m message) bool {
		state := m.attributes["updatestate.new"]
		if m.kind != "service" || state == "" {
			return false
		}
		states = append(states, strings.ReplaceAll(state, " ", "_"))
		return enough(states)
	})
	return strings.Join(states, " ")
}

// upTo ends a course at a state.
func upTo(last swarm.UpdateState) func([]string) bool {
	return func(states []string) bool { return states[len(states)-1] == string(last) }
}

func statusRows() []Row {
	status := func(name, want string, try func(*trial) string) Row {
		return Row{Section: statusSection, Name: name, Want: is(want), try: try}
	}
	ends := func(name, action string, last swarm.UpdateState, want string) Row {
		return status(name, want, func(t *trial) string {
			course := t.course(upTo(last), func() { t.failingUpdate(action) })
			s := t.live("a")
			out := course + "; previous " + previousLabel(s) + "; now " + s.Spec.Labels["n"]
			if s.UpdateStatus != nil {
				out += "; " + s.UpdateStatus.Message
			}
			return out
		})
	}
	return []Row{
		status("none after create", "none", func(t *trial) string { return t.state(t.create("a")) }),
		status("none after an update that replaces nothing", "none", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"))
			t.awaitRunning("a")
			t.update("a", at("Labels", `{"a":"b"}`))
			t.update("a", at("Mode.Replicated.Replicas", "2"))
			t.sure("two tasks", func() bool { return len(t.tasks("a")) == 2 })
			return t.state(t.live("a"))
		}),
		status("updating, then completed", "updating completed; previous 1; update completed", func(t *trial) string {
			course := t.course(upTo(swarm.UpdateStateCompleted), func() {
				t.create("a", at("Mode.Replicated.Replicas", "1"), quick("continue"), at("Labels", `{"n":"1"}`))
				t.awaitRunning("a")
				t.update("a", at(inContainer+"Env", `["a=b"]`), at("Labels", `{"n":"2"}`))
			})
			s := t.live("a")
			return course + "; previous " + previousLabel(s) + "; " + s.UpdateStatus.Message
		}),
		ends("a failing update is paused", "pause", swarm.UpdateStatePaused,
			"updating paused; previous 1; now 2; update paused due to failure or early termination of task <id>"),
		ends("a failing update is rolled back, and what was before is forgotten", "rollback", swarm.UpdateStateRollbackCompleted,
			"updating rollback_started rollback_completed; previous none; now 1; rollback completed"),
		ends("a failing update that goes on is completed", "continue", swarm.UpdateStateCompleted,
			"updating completed; previous 1; now 2; update completed"),
		status("a rollback that fails is paused", "rollback_paused, after rollback_started", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"), at(inContainer+"Command", `["sh","-c","exit 3"]`), nowhere,
				at("UpdateConfig", `{"Parallelism":1}`), at("RollbackConfig", `{"Parallelism":1,"Monitor":60000000000,"FailureAction":"pause"}`))
			t.update("a", at(inContainer+"Command", `["sleep","1000"]`))
			t.update("a", at(inTask+"Placement", `{}`))
			t.awaitRunning("a")
			t.update("a", at(inContainer+"Command", `["sh","-c","exit 3"]`))
			t.update("a", at(inContainer+"Command", `["sleep","1000"]`), at(inContainer+"Env", `["a=b"]`))
			course := t.course(upTo(swarm.UpdateStateRollbackPaused), func() {
				t.sure("the update goes on no more, or lets itself be overtaken", func() bool {
					s := t.live("a")
					_, err := t.ServiceUpdate(t.Context(), s.ID, s.Version, s.Spec, swarm.ServiceUpdateOptions{Rollback: "previous"})
					return err == nil
				})
			})
			// The update before it may have begun meanwhile.
			if strings.HasSuffix(course, "rollback_started rollback_paused") {
				return "rollback_paused, after rollback_started"
			}
			return course
		}),
		status("an identical update ends the failure handling of the one under way", "none, now 2", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"), at("Labels", `{"n":"1"}`), at("RollbackConfig", `{}`),
				at("UpdateConfig", `{"Parallelism":1,"Monitor":60000000000,"FailureAction":"rollback"}`), at(inTask+"RestartPolicy", `{"Delay":1000000}`))
			t.awaitRunning("a")
			t.update("a", at(inContainer+"Command", `["sh","-c","sleep 2; exit 3"]`), at("Labels", `{"n":"2"}`))
			t.awaitStatus("a", swarm.UpdateStateUpdating)
			t.sure("the old task is gone", func() bool {
				tasks := t.running("a")
				return len(tasks) == 1 && tasks[0].Spec.ContainerSpec.Command[0] == "sh"
			})
			t.update("a")
			failures := func() (n int) {
				for _, task := range t.tasks("a") {
					if task.Status.State == swarm.TaskStateFailed {
						n++
					}
				}
				return n
			}
			t.sure("it has failed and was started again", func() bool { return failures() > 0 && len(t.running("a")) == 1 })
			s := t.live("a")
			return t.state(s) + ", now " + s.Spec.Labels["n"]
		}),
		status("attempts end after the limit", "3 tasks, 0 of 1 running", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"), at(inContainer+"Command", `["sh","-c","exit 3"]`),
				at(inTask+"RestartPolicy", `{"Condition":"any","Delay":1000000,"MaxAttempts":2}`))
			t.sure("three tasks failed", func() bool {
				failed := 0
				for _, task := range t.tasks("a") {
					if task.Status.State == swarm.TaskStateFailed {
						failed++
					}
				}
				return failed == 3
			})
			return count(len(t.tasks("a"))) + " tasks, " + t.statusCounts("a")
		}),
	}
}

func (t *trial) state(s swarm.Service) string {
	if s.UpdateStatus == nil {
		return "none"
	}
	return string(s.UpdateStatus.State)
}

// statusCounts is what a list with status says of a service.
func (t *trial) statusCounts(suffix string) string {
	t.Helper()
	list, err := t.ServiceList(t.Context(), swarm.ServiceListOptions{Status: true, Filters: filters.NewArgs(filters.Arg("name", t.name(suffix)))})
	t.must(err)
	if len(list) != 1 || list[0].ServiceStatus == nil {
		return "no status"
	}
	return fmt.Sprintf("%d of %d running", list[0].ServiceStatus.RunningTasks, list[0].ServiceStatus.DesiredTasks)
}

// updateRows: who wins, what cannot be changed, how to go back.
func updateRows() []Row {
	update := func(name, want string, try func(*trial) string) Row {
		return Row{Section: updateSection, Name: name, Want: is(want), try: try}
	}
	const stale = "500 Internal: rpc error: code = Unknown desc = update out of sequence"
	back := func(t *trial, rollback string) error {
		s := t.live("a")
		_, err := t.ServiceUpdate(t.Context(), s.ID, s.Version, s.Spec, swarm.ServiceUpdateOptions{Rollback: rollback})
		return err
	}
	return []Row{
		update("a version that is too old", stale, func(t *trial) string {
			s := t.create("a")
			t.must(t.write(s, s.Spec))
			return t.outcome(t.write(s, s.Spec))
		}),
		update("a version that is too new", stale, func(t *trial) string {
			s := t.create("a")
			s.Version.Index += 100000
			return t.outcome(t.write(s, s.Spec))
		}),
		update("20 updates of one version", "1 × ok, 19 × "+stale, func(t *trial) string {
			s := t.create("a")
			return tally(20, func(int) string { return t.alone(func(t *trial) error { return t.write(s, s.Spec) }) })
		}),
		update("10 creates of one name", "1 × ok, 9 × 409 Conflict: rpc error: code = AlreadyExists desc = name conflicts with an existing object: service a already exists", func(t *trial) string {
			return tally(10, func(int) string { return t.alone(func(t *trial) error { return t.tryCreate(t.spec("a")) }) })
		}),
		update("a rename", "501 NotImplemented: rpc error: code = Unimplemented desc = renaming services is not supported", func(t *trial) string {
			s := t.create("a")
			s.Spec.Name = t.name("b")
			return t.outcome(t.write(s, s.Spec))
		}),
		update("no name in an update", "501 NotImplemented: rpc error: code = Unimplemented desc = renaming services is not supported", func(t *trial) string {
			s := t.create("a")
			s.Spec.Name = ""
			return t.outcome(t.write(s, s.Spec))
		}),
		update("another mode", "501 NotImplemented: rpc error: code = Unimplemented desc = service mode change is not allowed", func(t *trial) string {
			s := t.create("a")
			t.edit(&s.Spec, at("Mode.Replicated", `null`), at("Mode.Global", `{}`))
			return t.outcome(t.write(s, s.Spec))
		}),
		update("rollback to what was before", "1, before that 2", func(t *trial) string {
			t.create("a", at("Labels", `{"n":"1"}`))
			t.update("a", at("Labels", `{"n":"2"}`))
			t.must(back(t, "previous"))
			s := t.live("a")
			return s.Spec.Labels["n"] + ", before that " + previousLabel(s)
		}),
		update("rollback to nothing", "400 InvalidArgument: rpc error: code = FailedPrecondition desc = service <id> does not have a previous spec", func(t *trial) string {
			t.create("a")
			return t.outcome(back(t, "previous"))
		}),
		update("rollback to a secret that is gone", "ok", func(t *trial) string {
			t.create("a", at(inContainer+"Secrets", t.secretRef(t.secret("s"), "s")))
			t.update("a", at(inContainer+"Secrets", `null`))
			t.must(t.SecretRemove(t.Context(), t.name("s")))
			return t.outcome(back(t, "previous"))
		}),
		update("a service without tasks is gone at once", "404 NotFound: service a not found", func(t *trial) string {
			t.create("a")
			t.must(t.ServiceRemove(t.Context(), t.name("a")))
			_, _, err := t.ServiceInspectWithRaw(t.Context(), t.name("a"), swarm.ServiceInspectOptions{})
			return t.outcome(err)
		}),
		update("the tasks of a removed service cannot be filtered by it", "404 NotFound: service <id> not found", func(t *trial) string {
			s := t.create("a")
			t.must(t.ServiceRemove(t.Context(), s.ID))
			_, err := t.TaskList(t.Context(), swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", s.ID))})
			return t.outcome(err)
		}),
		update("the tasks of a removed service end", "none", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"))
			t.awaitRunning("a")
			t.must(t.ServiceRemove(t.Context(), t.name("a")))
			t.sure("no task", func() bool { return len(t.tasks("a")) == 0 })
			return "none"
		}),
		update("removing what is not there", "404 NotFound: service a not found", func(t *trial) string {
			return t.outcome(t.ServiceRemove(t.Context(), t.name("a")))
		}),
		update("a removed service's name is free at once", "ok", func(t *trial) string {
			s := t.create("a")
			t.must(t.ServiceRemove(t.Context(), s.ID))
			return t.outcome(t.tryCreate(t.spec("a")))
		}),
		update("PreviousSpec does not keep registry auth from the reader", "no auth", func(t *trial) string {
			s := t.spec("a")
			_, err := t.ServiceCreate(t.Context(), s, swarm.ServiceCreateOptions{EncodedRegistryAuth: "e30="})
			t.must(err)
			_, raw, err := t.ServiceInspectWithRaw(t.Context(), s.Name, swarm.ServiceInspectOptions{})
			t.must(err)
			if strings.Contains(string(raw), "e30=") {
				return "auth"
			}
			return "no auth"
		}),
	}
}

// alone makes a call with a client of its own, so that its status is known
// while others call too.
func (t *trial) alone(call func(*trial) error) string {
	t.Helper()
	own := *t
	own.last = &lastStatus{next: t.engine.transport}
	own.Client = own.dial(clientVersion(t.engine))
	return own.plain(own.outcome(call(&own)))
}

// tally does something n times at once and counts the outcomes.
func tally(n int, do func(int) string) string {
	outcomes := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { outcomes[i] = do(i) })
	}
	wg.Wait()
	counts := map[string]int{}
	for _, o := range outcomes {
		counts[o]++
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return counts[a] - counts[b] })
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%d × %s", counts[k], k)
	}
	return strings.Join(kinds, ", ")
}
