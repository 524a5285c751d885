package engine

import (
	"context"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
)

const (
	// linger is how long the own container stays on a network that nobody needs
	// any more: the next try of a check would join it again. It is short, since
	// a network that has a container on it cannot be removed.
	linger = 5 * time.Second
	// leaveTimeout bounds leaving, which also happens on the way out.
	leaveTimeout = 5 * time.Second
)

// guests are the networks that the own container was joined to by this process,
// by their id.
type guests struct {
	mu   sync.Mutex // held over the calls too: one join at a time
	stay map[string]*stay
}

// stay on one network.
type stay struct {
	container string
	users     int
	leave     *time.Timer // set while nobody uses it
}

// visit makes the own container a member of a network of the task, and returns
// how to say that it need not be any longer. It is false when the container can
// be on none: it is not one of this Engine's, or no network is attachable, or
// joining is not allowed.
func (e *Engine) visit(ctx context.Context, attachments []swarm.NetworkAttachment) (leave func(), ok bool) {
	if !e.MayJoin {
		return nil, false
	}
	for _, a := range attachments {
		n := a.Network
		if n.Spec.Ingress || !n.Spec.Attachable {
			continue
		}
		switch joined, err := e.join(ctx, n.ID); {
		case err != nil:
			e.log.Warn("cannot join the network", "network", n.Spec.Name, "error", err)
		case joined:
			return sync.OnceFunc(func() { e.release(n.ID) }), true
		}
	}
	return nil, false
}

// join counts one more user of the network. It is false when this process runs
// in no container of the Engine.
func (e *Engine) join(ctx context.Context, network string) (bool, error) {
	e.guests.mu.Lock()
	defer e.guests.mu.Unlock()
	// Only now, since others of this process may have joined it or left it.
	me := e.self(ctx)
	if me.id == "" {
		return false, nil
	}
	s := e.guests.stay[network]
	if !me.networks[network] {
		if err := e.api.NetworkConnect(ctx, network, me.id, nil); err != nil {
			e.disconnect(network, me.id) // the Engine may have done it all the same
			return false, err
		}
		if s == nil {
			s = &stay{container: me.id}
			e.guests.stay[network] = s
		}
	}
	if s == nil {
		return true, nil // somebody else's doing, and not ours to undo
	}
	if s.leave != nil {
		s.leave.Stop()
		s.leave = nil
	}
	s.users++
	return true, nil
}

// release counts one user less, and leaves when there is none for a while.
func (e *Engine) release(network string) {
	e.guests.mu.Lock()
	defer e.guests.mu.Unlock()
	s := e.guests.stay[network]
	if s == nil {
		return
	}
	if s.users--; s.users == 0 {
		s.leave = time.AfterFunc(linger, func() {
			e.guests.mu.Lock()
			defer e.guests.mu.Unlock()
			// A timer that fired while somebody joined again finds a user.
			if e.guests.stay[network] == s && s.users == 0 {
				e.depart(network)
			}
		})
	}
}

// quit ends the stay on a network at once, before the network is removed.
func (e *Engine) quit(network string) {
	e.guests.mu.Lock()
	defer e.guests.mu.Unlock()
	e.depart(network)
}

// leaveAll ends every stay.
func (e *Engine) leaveAll() {
	e.guests.mu.Lock()
	defer e.guests.mu.Unlock()
	for network := range e.guests.stay {
		e.depart(network)
	}
}

func (e *Engine) depart(network string) {
	s := e.guests.stay[network]
	if s == nil {
		return
	}
	delete(e.guests.stay, network)
	if s.leave != nil {
		s.leave.Stop()
	}
	e.disconnect(network, s.container)
}

// disconnect has a time of its own: it also happens after the caller's context
// has ended.
func (e *Engine) disconnect(network, container string) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := e.api.NetworkDisconnect(ctx, network, container, false); err != nil && !errdefs.IsNotFound(err) {
		e.log.Debug("cannot leave the network", "network", network, "error", err)
	}
}
