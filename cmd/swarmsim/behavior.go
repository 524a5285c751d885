package main

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
)

// behavior is how the containers of a service are told to behave.
type behavior struct {
	startDelay time.Duration // before the container starts
	runFor     time.Duration // after which it exits by itself
	exits      bool          // it does exit by itself
	exitCode   int
	unhealthy  bool
	oom        bool
	stopDelay  time.Duration // how long it takes to stop
	failing    bool          // this one is to fail
}

const (
	labelPrefix = "swarmsim."
	envPrefix   = "SWARMSIM_"
	// failAfter is how long a container lives that is told to fail.
	failAfter = 20 * time.Millisecond
)

// behaviorKeys are what can be told, as labels, variables and by ctl.
func behaviorKeys() []string {
	return []string{"start-delay", "run-for", "exit-code", "fail", "unhealthy", "oom", "stop-delay"}
}

// behaviors is what was told from outside, and how often which slot has failed.
type behaviors struct {
	mu       sync.Mutex
	told     map[string]map[string]string // service name -> key -> value
	failures map[string]int               // slot and version of the spec
}

func newBehaviors() *behaviors {
	return &behaviors{told: map[string]map[string]string{}, failures: map[string]int{}}
}

// tell sets the behaviour of the containers of a service that start from now
// on; no values at all takes back what was told before.
func (bs *behaviors) tell(service string, values map[string]string) error {
	if _, err := parseBehavior(values); err != nil {
		return err
	}
	bs.mu.Lock()
	defer bs.mu.Unlock()
	bs.failures = map[string]int{}
	if len(values) == 0 {
		delete(bs.told, service)
		return nil
	}
	bs.told[service] = maps.Clone(values)
	return nil
}

// of is how a container that starts now is to behave. What was told by ctl goes
// before labels, and labels before the environment. Values that mean nothing
// are as good as absent.
func (bs *behaviors) of(c *simulated) behavior {
	values := steering(c.spec)
	bs.mu.Lock()
	defer bs.mu.Unlock()
	maps.Copy(values, bs.told[c.task.ServiceAnnotations.Name])
	if len(values) == 0 {
		return behavior{}
	}
	b, err := parseBehavior(values)
	if err != nil {
		c.logs.add("stderr", "swarmsim: "+err.Error())
		return behavior{}
	}
	if limit, ok := values["fail"]; ok {
		n, _ := strconv.Atoi(limit)
		key := c.slot()
		if v := c.task.SpecVersion; v != nil {
			key += "@" + strconv.FormatUint(v.Index, 10)
		}
		bs.failures[key]++
		b.failing = bs.failures[key] <= n
		b.exits = b.failing
	}
	return b
}

// steering is what labels and environment say.
func steering(spec *api.ContainerSpec) map[string]string {
	values := map[string]string{}
	for _, kv := range spec.Env {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, envPrefix) {
			values[strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, envPrefix), "_", "-"))] = value
		}
	}
	for name, value := range spec.Labels {
		if key, ok := strings.CutPrefix(name, labelPrefix); ok {
			values[key] = value
		}
	}
	return values
}

// parseBehavior reads values; one that fails does so always unless fail says
// how often.
func parseBehavior(values map[string]string) (behavior, error) {
	var b behavior
	var fail int
	for key, value := range values {
		var err error
		switch key {
		case "start-delay":
			b.startDelay, err = time.ParseDuration(value)
		case "run-for":
			b.runFor, err = time.ParseDuration(value)
			b.exits = true
		case "stop-delay":
			b.stopDelay, err = time.ParseDuration(value)
		case "exit-code":
			b.exitCode, err = strconv.Atoi(value)
			b.exits = true
		case "fail":
			fail, err = strconv.Atoi(value)
		case "unhealthy":
			b.unhealthy, err = strconv.ParseBool(value)
		case "oom":
			b.oom, err = strconv.ParseBool(value)
		default:
			err = fmt.Errorf("unknown; known are %s", strings.Join(behaviorKeys(), ", "))
		}
		if err != nil {
			return behavior{}, errdefs.InvalidParameter(fmt.Errorf("behaviour %s: %w", key, err))
		}
	}
	b.failing = b.exits || b.unhealthy || b.oom
	if fail != 0 && !b.failing {
		b.exitCode = 1
	}
	return b, nil
}
