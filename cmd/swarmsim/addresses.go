package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// space is a /16 of the loopback network that no other swarmsim uses. Linux
// accepts connections to every address in 127.0.0.0/8 without any set-up, so
// each simulated node and container has an address of its own.
type space struct {
	second int // 127.second.0.0/16
	next   atomic.Uint32
	claim  net.Listener
}

// claimSpace takes a free /16 and keeps it until Close.
func claimSpace() (*space, error) {
	const first, last = 64, 250 // what lies outside is more likely to be in use
	var failure error
	for i := range last - first {
		second := first + (os.Getpid()+i)%(last-first)
		l, err := net.Listen("tcp", fmt.Sprintf("127.%d.255.254:2377", second))
		if err == nil {
			return &space{second: second, claim: l}, nil
		}
		failure = errors.Join(failure, err)
	}
	return nil, fmt.Errorf("loopback addresses: none of 127.%d.0.0 to 127.%d.0.0 is free: %w", first, last-1, failure)
}

// Close lets others have the addresses.
func (s *space) Close() error { return s.claim.Close() }

// node is the address of the i-th node, from 0.
func (s *space) node(i int) string { return fmt.Sprintf("127.%d.0.%d", s.second, i+1) }

// allot is the next address for a container or a name. After some 60,000 they
// begin anew.
func (s *space) allot() string {
	n := (s.next.Add(1) - 1) % (254 * 254)
	return fmt.Sprintf("127.%d.%d.%d", s.second, 1+n/254, 1+n%254)
}
