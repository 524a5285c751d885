package main

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// forwarder hands connections to an address on to another one, which it asks
// for anew each time.
type forwarder struct {
	address string
	target  func() string // "" when there is none

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
}

// Open listens; an open one stays as it is.
func (f *forwarder) Open() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", f.address)
	if err != nil {
		return fmt.Errorf("port %s: %w", f.address, err)
	}
	f.listener, f.conns = l, map[net.Conn]bool{}
	go f.accept(l)
	return nil
}

// Close stops listening and ends every connection. It can be opened again.
func (f *forwarder) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listener == nil {
		return
	}
	_ = f.listener.Close()
	for c := range f.conns {
		_ = c.Close()
	}
	f.listener, f.conns = nil, nil
}

func (f *forwarder) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if !f.keep(l, c) {
			_ = c.Close()
			continue
		}
		go f.forward(c)
	}
}

// keep notes a connection, unless the forwarder was closed meanwhile.
func (f *forwarder) keep(l net.Listener, c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listener != l {
		return false
	}
	f.conns[c] = true
	return true
}

func (f *forwarder) forward(c net.Conn) {
	defer func() {
		_ = c.Close()
		f.mu.Lock()
		delete(f.conns, c)
		f.mu.Unlock()
	}()
	target := f.target()
	if target == "" {
		return
	}
	out, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	done := make(chan struct{}, 2)
	copying := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go copying(out, c)
	go copying(c, out)
	<-done
}
