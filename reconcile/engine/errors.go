package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/reconcile"
)

// notManager tells why a node cannot be asked about its Swarm; nil when it can.
func notManager(info system.Info) error {
	s := info.Swarm
	switch s.LocalNodeState {
	case swarm.LocalNodeStateInactive, "":
		return errors.New("docker: this Engine is not in a Swarm; run `docker swarm init` on it, or point DOCKER_HOST at a manager")
	case swarm.LocalNodeStateLocked:
		return errors.New("docker: the Swarm on this manager is locked; run `docker swarm unlock` on it")
	case swarm.LocalNodeStatePending:
		return errors.New("docker: this node is still joining its Swarm; try again in a moment")
	}
	if !s.ControlAvailable {
		return fmt.Errorf("docker: node %s is a worker, which cannot manage the Swarm; point DOCKER_HOST at a manager%s", info.Name, managers(s))
	}
	if s.Error != "" {
		return classed{explainText("docker: this manager cannot answer for the Swarm", s.Error), reconcile.ErrBrokenOff}
	}
	return nil
}

// unreachable is a connection that could not be made. The client's own text
// ends in a question that is ours to answer.
type unreachable struct {
	subject, host string
	cause         error
}

func (u *unreachable) Error() string {
	return fmt.Sprintf("%s: no Engine answers at %s; start it, point DOCKER_HOST at the right one, or let this user open the socket", u.subject, u.host)
}

func (u *unreachable) Unwrap() error { return u.cause }

// classed is an error with what it means to a pass, which its text does not say.
type classed struct {
	error
	class error
}

func (c classed) Unwrap() []error { return []error{c.error, c.class} }

func managers(s swarm.Info) string {
	var addrs []string
	for _, p := range s.RemoteManagers {
		host, _, err := net.SplitHostPort(p.Addr)
		if err != nil {
			host = p.Addr
		}
		addrs = append(addrs, host)
	}
	if len(addrs) == 0 {
		return ""
	}
	return " (" + strings.Join(addrs, ", ") + ")"
}

// explain puts the subject before an Engine's error and, where the cause is
// known, the remedy behind it. The matched texts are those of Engine 20.10 to
// 28; Swarm gives most of them the same status, 500.
func (e *Engine) explain(subject string, err error) error {
	switch {
	case err == nil:
		return nil
	case brokenOff(err):
		return classed{fmt.Errorf("%s: the Engine at %s closed the connection without a whole answer: %w", subject, e.api.DaemonHost(), err), reconcile.ErrBrokenOff}
	case client.IsErrConnectionFailed(err):
		return classed{&unreachable{subject, e.api.DaemonHost(), err}, reconcile.ErrUnreachable}
	case errors.Is(err, context.DeadlineExceeded):
		return classed{fmt.Errorf("%s: the Engine at %s did not answer within %s: %w", subject, e.api.DaemonHost(), e.timeout(), err), reconcile.ErrBrokenOff}
	case strings.Contains(err.Error(), "update out of sequence"):
		return fmt.Errorf("%s: %w", subject, reconcile.ErrStale)
	case errdefs.IsConflict(err) && strings.Contains(err.Error(), "already exists"):
		return fmt.Errorf("%s: %w: %w", subject, reconcile.ErrStale, err)
	}
	told := explainText(subject, err.Error(), err)
	if class := classOf(err); class != nil {
		return classed{told, class}
	}
	return told
}

// brokenOff: a connection was made, and ended before the answer did.
func brokenOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		strings.HasSuffix(err.Error(), "unexpected EOF") // Info hides its cause
}

// classOf an answer that is none of the known ones; nil for one that lasts.
func classOf(err error) error {
	text := err.Error()
	switch {
	case leaderless(text):
		return reconcile.ErrBrokenOff
	case errdefs.IsUnavailable(err):
		// What a node says that cannot manage its Swarm lasts. Anything else
		// comes from a proxy whose Engine is away.
		if !strings.Contains(text, "swarm manager") && !strings.Contains(text, "needs to be unlocked") {
			return reconcile.ErrBrokenOff
		}
	case strings.Contains(text, "is too new. Maximum supported API version"):
		return reconcile.ErrInternal // the versions were not negotiated, and will be
	case errdefs.IsInternal(err):
		return reconcile.ErrInternal
	}
	return nil
}

// leaderless is said by managers that have no quorum, or not yet again.
func leaderless(text string) bool {
	return strings.Contains(text, "does not have a leader") || strings.Contains(text, "context deadline exceeded") ||
		strings.Contains(text, "lost leader status") || strings.Contains(text, "too few managers are online")
}

func explainText(subject, text string, cause ...error) error {
	remedy := ""
	switch {
	case leaderless(text):
		remedy = "; most managers must be up and reach each other on port 2377: see `docker node ls` on another manager"
	case strings.Contains(text, "needs to be unlocked"):
		remedy = "; run `docker swarm unlock` on this manager"
	case strings.Contains(text, "is not a swarm manager"):
		remedy = "; point DOCKER_HOST at a manager"
	}
	if len(cause) > 0 {
		return fmt.Errorf("%s: %w%s", subject, cause[0], remedy)
	}
	return fmt.Errorf("%s: %s%s", subject, text, remedy)
}

// passes says whether an error that was explained may be gone in a moment.
func passes(err error) bool {
	return errors.Is(err, reconcile.ErrBrokenOff) || errors.Is(err, reconcile.ErrInternal) || errors.Is(err, reconcile.ErrUnreachable)
}
