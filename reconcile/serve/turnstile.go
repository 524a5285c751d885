package serve

import (
	"net"
	"net/http"
	"sync"
)

// turnstile bounds how many requests are inside at a time, in all and of one
// client. It never lets anybody wait.
type turnstile struct {
	most, each int

	mu      sync.Mutex
	inside  int
	clients map[string]int
}

// enter lets a client in, who has to leave; otherwise it says with which status
// the client is sent away.
func (t *turnstile) enter(client string) (leave func(), code int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.inside >= t.most:
		return nil, http.StatusServiceUnavailable
	case t.clients[client] >= t.each:
		return nil, http.StatusTooManyRequests
	}
	if t.clients == nil {
		t.clients = map[string]int{}
	}
	t.inside++
	t.clients[client]++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.inside--
		if t.clients[client]--; t.clients[client] == 0 {
			delete(t.clients, client)
		}
	}), 0
}

// guard lets a request in to the handler, or sends it away for a moment.
func (t *turnstile) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, code := t.enter(client(r))
		if leave == nil {
			w.Header().Set("Retry-After", "1")
			fail(w, code, "too many requests are being answered; try again in a second")
			return
		}
		defer leave()
		h.ServeHTTP(w, r)
	})
}

// client of a request is an address: what a header says of it anybody can write.
func client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// limited is a listener with so many connections at most; further ones wait in
// the kernel until another ends.
type limited struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func limit(l net.Listener, most int) net.Listener {
	return &limited{Listener: l, slots: make(chan struct{}, most), done: make(chan struct{})}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	case l.slots <- struct{}{}:
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slot{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// slot is a connection that counts.
type slot struct {
	net.Conn
	free func()
}

func (s *slot) Close() error {
	defer s.free()
	return s.Conn.Close()
}
