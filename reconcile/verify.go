package reconcile

import (
	"context"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// CheckStatus is the outcome of a check.
type CheckStatus string

// Unknown means that the check could not be tried; it is neither success nor
// failure.
const (
	CheckPassed  CheckStatus = "passed"
	CheckFailed  CheckStatus = "failed"
	CheckUnknown CheckStatus = "unknown"
)

// Reason says why a check did not pass, as one of a closed set.
type Reason string

// Reasons common to all checks. The redis and centrifugo probes add theirs.
const (
	ReasonNone        Reason = ""
	ReasonNoPath      Reason = "no_path"     // unknown: no way from here to the target
	ReasonNotRunning  Reason = "not_running" // no task of the service runs
	ReasonRefused     Reason = "refused"     // nothing listens
	ReasonTimeout     Reason = "timeout"     // no answer in time
	ReasonUnreachable Reason = "unreachable" // any other network failure
	ReasonPanic       Reason = "panic"       // the probe itself broke
)

// CheckResult is what one try of a check found.
type CheckResult struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`
	Status  CheckStatus   `json:"status"`
	Reason  Reason        `json:"reason,omitempty"`
	Message string        `json:"message"`          // a sentence: what was found
	Remedy  string        `json:"remedy,omitempty"` // what to do about it
	Via     string        `json:"via,omitempty"`    // the way it took: published 10.0.0.1:6379
	Latency time.Duration `json:"latencyNanoseconds"`
	At      time.Time     `json:"at"`
	Redis   *RoundTrip    `json:"redis,omitempty"` // evidence of a redis check
}

// RoundTrip is the evidence of a redis check, in the shape of whatrack's own
// health endpoint.
type RoundTrip struct {
	Connected  bool    `json:"connected"`
	TestPassed bool    `json:"testPassed"`
	TestKey    string  `json:"testKey"`
	TestValue  string  `json:"testValue"`
	Retrieved  *string `json:"retrieved"` // null when disconnected
}

// Prober tries a check once, within the check's timeout. It never panics and
// reports every failure as a result.
type Prober interface {
	Probe(ctx context.Context, stack *spec.Stack, check spec.Check) CheckResult
}
