package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

// trial is one row being tried on one Engine.
type trial struct {
	testing.TB
	*client.Client
	engine *Engine
	key    string // begins the name of every object of this trial
	port   uint32 // the first of ten ports that no other trial publishes
	last   *lastStatus
}

// Try does what the row says and returns what it wants and what it saw.
func (r Row) Try(tb testing.TB, e *Engine, number int) (want, got string) {
	tb.Helper()
	t := &trial{TB: tb, engine: e, key: fmt.Sprintf("k%03d", number), port: 20000 + 10*uint32(number)}
	t.last = &lastStatus{next: e.transport}
	t.Client = t.dial(clientVersion(e))
	return r.Want.of(e.Kind, e.API), t.plain(r.try(t))
}

// clientVersion fixes what was negotiated once.
func clientVersion(e *Engine) client.Opt { return client.WithVersion(e.API) }

// plain leaves out of a text what differs from trial to trial.
func (t *trial) plain(text string) string {
	text = strings.ReplaceAll(text, t.key+"-", "")
	return ids.ReplaceAllString(text, "<id>")
}

// dial is a client of its own, whose answers' statuses are noted.
func (t *trial) dial(version client.Opt) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(t.engine.Host),
		client.WithHTTPClient(&http.Client{Transport: t.last}), version)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lastStatus notes the HTTP status of the last answer, which the client's
// errors do not tell.
type lastStatus struct {
	next   http.RoundTripper
	status atomic.Int64
}

func (l *lastStatus) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err == nil {
		l.status.Store(int64(resp.StatusCode))
	}
	return resp, err
}

// outcome is how a call ended: ok, or the status, the class and the text of
// its error.
func (t *trial) outcome(err error) string {
	if err == nil {
		return "ok"
	}
	text := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	return fmt.Sprintf("%d %s: %s", t.last.status.Load(), class(err), strings.TrimSpace(text))
}

func class(err error) string {
	for _, c := range []struct {
		name string
		is   func(error) bool
	}{
		{"NotFound", errdefs.IsNotFound}, {"Conflict", errdefs.IsConflict}, {"InvalidArgument", errdefs.IsInvalidArgument},
		{"NotImplemented", errdefs.IsNotImplemented}, {"PermissionDenied", errdefs.IsPermissionDenied},
		{"Unavailable", errdefs.IsUnavailable}, {"AlreadyExists", errdefs.IsAlreadyExists},
		{"FailedPrecondition", errdefs.IsFailedPrecondition}, {"Internal", errdefs.IsInternal},
	} {
		if c.is(err) {
			return c.name
		}
	}
	return "unclassified"
}

// name is an object's name that is this trial's own, and suffix in what it saw.
func (t *trial) name(suffix string) string { return t.key + "-" + suffix }

// must ends a trial whose preparation failed.
func (t *trial) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(t.plain(err.Error()))
	}
}

// spec is a service without tasks, changed by edits.
func (t *trial) spec(suffix string, edits ...edit) swarm.ServiceSpec {
	t.Helper()
	none := uint64(0)
	s := swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: t.name(suffix)},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{
				Image: t.engine.Image, Command: []string{"sleep", "1000"}, StopSignal: "SIGKILL",
			},
			Placement: &swarm.Placement{},
		},
		Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &none}},
	}
	t.edit(&s, edits...)
	return s
}

// tryCreate makes a service that goes when the trial ends.
func (t *trial) tryCreate(s swarm.ServiceSpec) error {
	_, err := t.ServiceCreate(t.Context(), s, swarm.ServiceCreateOptions{})
	if err == nil {
		t.Cleanup(func() {
			if err := t.ServiceRemove(context.Background(), s.Name); err != nil && !errdefs.IsNotFound(err) {
				t.Errorf("remove %s: %v", s.Name, err)
			}
		})
	}
	return err
}

// create makes a service and gives it as it came out.
func (t *trial) create(suffix string, edits ...edit) swarm.Service {
	t.Helper()
	t.must(t.tryCreate(t.spec(suffix, edits...)))
	return t.live(suffix)
}

func (t *trial) live(suffix string) swarm.Service {
	t.Helper()
	s, _, err := t.ServiceInspectWithRaw(t.Context(), t.name(suffix), swarm.ServiceInspectOptions{})
	t.must(err)
	return s
}

// update changes a service as it is now.
func (t *trial) update(suffix string, edits ...edit) {
	t.Helper()
	for {
		s := t.live(suffix)
		t.edit(&s.Spec, edits...)
		err := t.write(s, s.Spec)
		// The Swarm itself writes to a service that was just made.
		if err == nil || !strings.Contains(err.Error(), "update out of sequence") {
			t.must(err)
			return
		}
	}
}

func (t *trial) write(s swarm.Service, spec swarm.ServiceSpec) error {
	_, err := t.ServiceUpdate(t.Context(), s.ID, s.Version, spec, swarm.ServiceUpdateOptions{})
	return err
}

// tasks of a service, by its name, newest first not promised.
func (t *trial) tasks(suffix string, more ...filters.KeyValuePair) []swarm.Task {
	t.Helper()
	list, err := t.TaskList(t.Context(), swarm.TaskListOptions{
		Filters: filters.NewArgs(append(more, filters.Arg("name", t.name(suffix)))...),
	})
	t.must(err)
	return list
}

// awaitTask waits for a task of which is true.
func (t *trial) awaitTask(suffix, what string, is func(swarm.Task) bool) swarm.Task {
	t.Helper()
	var found swarm.Task
	var last string
	t.eventually(func() bool {
		last = ""
		for _, task := range t.tasks(suffix) {
			if is(task) {
				found = task
				return true
			}
			last += fmt.Sprintf(" %s %s %s %s;", task.Status.State, task.DesiredState, task.Status.Message, task.Status.Err)
		}
		return false
	}, func() string { return "no task " + what + ":" + last })
	return found
}

func (t *trial) awaitRunning(suffix string) swarm.Task {
	t.Helper()
	return t.awaitTask(suffix, "runs", runs)
}

// running are the tasks that run and are to run.
func (t *trial) running(suffix string) []swarm.Task {
	t.Helper()
	return slices.DeleteFunc(t.tasks(suffix), func(task swarm.Task) bool { return !runs(task) })
}

func runs(task swarm.Task) bool {
	return task.Status.State == swarm.TaskStateRunning && task.DesiredState == swarm.TaskStateRunning
}

// patience is for a machine that is busy too.
const patience = 90 * time.Second

// eventually polls until the condition holds.
func (t *trial) eventually(condition func() bool, complaint func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatal(t.plain(complaint()))
		case <-tick.C:
		}
	}
}

// sure is for a condition without more to say about it.
func (t *trial) sure(what string, condition func() bool) {
	t.Helper()
	t.eventually(condition, func() string { return "not in time: " + what })
}
