package reconcile

import "strings"

// Location is where a port of a service can be reached from here.
type Location struct {
	Running int    // tasks of the service that run now
	Ways    []Way  // best first; empty: there is none from here
	Hint    string // when there is none: what would make one, as a sentence
	// Release, when it is set, ends what was made for the first of the ways. It
	// is called once the ways are no longer needed.
	Release func()
}

// Way is one way to a port of a service.
type Way struct {
	// Kind is overlay (this process is on the service's network), published
	// (a port of a node), bridge (the node's docker_gwbridge), explicit (the
	// spec says where to connect) or direct (the check's URL does).
	Kind    string
	Address string // host:port
	Node    string // hostname of the node, where known
}

// String is the way as a result names it: published 10.0.0.1:6379 on node-1.
func (w Way) String() string {
	s := strings.TrimSpace(w.Kind + " " + w.Address)
	if w.Node != "" {
		s += " on " + w.Node
	}
	return s
}
