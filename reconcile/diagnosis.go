package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// Diagnosis is what a person would look up next when a check has failed.
type Diagnosis struct {
	At       time.Time  `json:"at"`                 // of the look at the Swarm
	Service  string     `json:"service,omitempty"`  // full name; empty where the check names none
	Verdict  string     `json:"verdict,omitempty"`  // how far the service is, in a sentence
	Tasks    []TaskNote `json:"tasks,omitempty"`    // those that should run, then those that failed; newest first
	Restarts int        `json:"restarts"`           // tasks that failed in the last ten minutes, as far as Swarm remembers
	LogOf    string     `json:"logOf,omitempty"`    // the task whose log it is
	Log      []string   `json:"log,omitempty"`      // its last lines
	Changes  []Recent   `json:"changes,omitempty"`  // newest first
	Commands []string   `json:"commands,omitempty"` // to look closer
}

// TaskNote is a task of the service.
type TaskNote struct {
	Name  string    `json:"name"` // whatrack_redis.1
	Node  string    `json:"node,omitempty"`
	State string    `json:"state"`
	Since time.Time `json:"since"`
	Error string    `json:"error,omitempty"`
}

const (
	restartWindow = 10 * time.Minute
	changeWindow  = time.Hour
	notedTasks    = 4
	notedChanges  = 3
	logLines      = 5
)

// Diagnose puts together what is known around a failed check. plan is what
// still differs, nil where nobody has compared; written, what swarmward did to
// the service. The log is filled in by whoever can read it.
func Diagnose(stack *spec.Stack, c spec.Check, res CheckResult, seen *Observed, plan *Plan, written []Recent) *Diagnosis {
	d := &Diagnosis{At: res.At}
	s, ok := stack.Service(c.Target().Service)
	if !ok || seen == nil {
		d.Commands = commands(stack, c, res, seen, s.Spec.Name)
		return d
	}
	d.At, d.Service = seen.At, s.Spec.Name
	d.Verdict = Judge(seen, d.Service, time.Time{}, seen.At).Message
	for _, t := range tasksOf(seen, d.Service) {
		if failed(t) && seen.At.Sub(t.Status.Timestamp) < restartWindow {
			d.Restarts++
		}
		if len(d.Tasks) < notedTasks {
			d.Tasks = append(d.Tasks, noteTask(seen, d.Service, t))
		}
	}
	d.Changes = changes(seen, d.Service, plan, written)
	d.Commands = commands(stack, c, res, seen, d.Service)
	return d
}

// tasksOf a service that say something: those that should run, and those that
// failed.
func tasksOf(seen *Observed, service string) []swarm.Task {
	var live, dead []swarm.Task
	for _, t := range seen.Tasks[seen.Services[service].ID] {
		switch {
		case failed(t):
			dead = append(dead, t)
		case t.DesiredState == swarm.TaskStateRunning && !ended(t.Status.State):
			live = append(live, t)
		}
	}
	newestFirst(live)
	newestFirst(dead)
	return slices.Concat(live, dead)
}

func noteTask(seen *Observed, service string, t swarm.Task) TaskNote {
	slot := t.NodeID
	if t.Slot > 0 {
		slot = fmt.Sprint(t.Slot)
	}
	n := TaskNote{
		Name: service + "." + slot, Node: seen.Nodes[t.NodeID].Description.Hostname,
		State: string(t.Status.State), Since: t.Status.Timestamp, Error: t.Status.Err,
	}
	if failed(t) {
		n.Error = taskError(t)
	}
	return n
}

// suspect is the task whose log tells most: one that failed lately, or else one
// that runs, or else the last that failed.
func suspect(seen *Observed, service string) (swarm.Task, bool) {
	tasks := tasksOf(seen, service)
	for _, t := range tasks {
		if failed(t) && seen.At.Sub(t.Status.Timestamp) < restartWindow {
			return t, true
		}
	}
	for _, t := range tasks {
		if t.Status.State == swarm.TaskStateRunning || failed(t) {
			return t, true
		}
	}
	return swarm.Task{}, false
}

// changes to the service that are not long ago, and those that the plan still
// has to make: by hand, or by a spec that is not applied yet.
func changes(seen *Observed, service string, plan *Plan, written []Recent) []Recent {
	var out []Recent
	live := seen.Services[service]
	if plan != nil {
		if c, ok := plan.find(KindService, service); ok && c.Write != nil {
			r := Recent{By: "spec", What: "not applied yet: " + c.Cause + fieldPaths(c)}
			if strings.Contains(c.Cause, "by hand") {
				r = Recent{At: live.UpdatedAt, By: "hand", What: c.Cause + fieldPaths(c)}
			}
			out = append(out, r)
		}
	}
	for _, r := range slices.Backward(written) {
		if seen.At.Sub(r.At) < changeWindow {
			out = append(out, r)
		}
	}
	if len(out) == 0 && seen.At.Sub(live.UpdatedAt) < changeWindow {
		out = append(out, Recent{At: live.UpdatedAt, What: "the service was updated"})
	}
	return out[:min(len(out), notedChanges)]
}

// fieldPaths lists the fields of a change as seen from its object.
func fieldPaths(c Change) string {
	const most = 3
	var paths []string
	for _, f := range c.Fields {
		paths = append(paths, strings.TrimPrefix(f.Path, string(c.Kind)+"s."+c.Name+"."))
	}
	more := ""
	if n := len(paths) - most; n > 0 {
		paths, more = paths[:most], fmt.Sprintf(" and %d more", n)
	}
	if len(paths) == 0 {
		return ""
	}
	return ": " + strings.Join(paths, ", ") + more
}

// GraceLeft is how much of the grace of a check is left to a service whose
// youngest running task is younger than that. One that keeps failing
// is no slow starter, and gets none.
func GraceLeft(seen *Observed, service string, grace time.Duration) time.Duration {
	s, ok := seen.Services[service]
	if !ok || Judge(seen, service, time.Time{}, seen.At).State == Failed {
		return 0
	}
	var youngest time.Time
	for _, t := range seen.Tasks[s.ID] {
		if t.DesiredState == swarm.TaskStateRunning && t.Status.State == swarm.TaskStateRunning && t.Status.Timestamp.After(youngest) {
			youngest = t.Status.Timestamp
		}
	}
	return max(0, grace-seen.At.Sub(youngest))
}

// mask takes the stack's secrets out of everything that others wrote.
func (d *Diagnosis) mask(redact func(string) (string, bool)) {
	hide := func(s *string) { *s, _ = redact(*s) }
	hide(&d.Verdict)
	for i := range d.Tasks {
		hide(&d.Tasks[i].Error)
	}
	for i := range d.Log {
		hide(&d.Log[i])
	}
	for i := range d.Changes {
		hide(&d.Changes[i].What)
	}
	for i := range d.Commands {
		hide(&d.Commands[i])
	}
}
