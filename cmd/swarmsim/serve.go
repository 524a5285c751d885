package main

import (
	"errors"
	"net"
	"strconv"
	"sync"

	"github.com/alicebob/miniredis/v2"
)

// served is a program in a container that really answers. It listens on an
// address of its own, behind a forwarder for each port by which others know it.
type served struct {
	port  int    // that it believes to listen on
	inner string // where it does
	close func()
	redis *miniredis.Miniredis // nil for other programs

	mu     sync.Mutex
	fronts []*forwarder
}

// serve starts the program of a container if it is one that is really served;
// otherwise it returns nil. An error is one that ends the program.
func (c *simulated) serve(argv []string, files fileset) (*served, error) {
	switch repository(c.spec.Image) {
	case "redis", "valkey":
		return c.serveRedis(argv, files)
	case "centrifugo":
		return c.serveCentrifugo(argv, files)
	}
	return nil, nil
}

// front adds an address at which the program can be reached.
func (s *served) front(host string, port int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fronts = append(s.fronts, &forwarder{
		address: net.JoinHostPort(host, strconv.Itoa(port)),
		target:  func() string { return s.inner },
	})
}

// pause makes connections to the program fail, as if it were dead.
func (s *served) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.fronts {
		f.Close()
	}
}

// resume undoes pause.
func (s *served) resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failures []error
	for _, f := range s.fronts {
		failures = append(failures, f.Open())
	}
	return errors.Join(failures...)
}
