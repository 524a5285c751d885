package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// try is one run of one check with the connections that it opened.
type try struct {
	prober   Prober
	stack    *spec.Stack
	check    spec.Check
	from     string // the one kind of way to take; empty: any
	timeout  time.Duration
	evidence *reconcile.RoundTrip // of a redis check

	way     reconcile.Way // the way taken; zero until one accepted a connection
	tried   []reconcile.Way
	running int        // tasks of the target that run; 0 where it was not located
	release func()     // ends what was made for the ways; may be nil
	mu      sync.Mutex // guards conns: parts of a probe dial side by side
	conns   []tracked
	found   finding
}

// tracked is a connection and how to stop watching its context.
type tracked struct {
	net.Conn
	stop func() bool
}

// together runs parts of a probe side by side. A panic of one is the probe's.
func together(parts ...func()) {
	panics := make([]any, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		wg.Go(func() {
			defer func() { panics[i] = recover() }()
			part()
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

func (t *try) via() string {
	if t.way == (reconcile.Way{}) {
		return ""
	}
	return t.way.String()
}

func (t *try) close() {
	for _, c := range t.conns {
		c.stop()
		_ = c.Close()
	}
	if t.release != nil {
		t.release()
	}
}

// connect opens the first connection, over the best way that accepts one, and
// returns why not otherwise. fallback is used by checks without a target.
func (t *try) connect(ctx context.Context, fallback *reconcile.Way) (net.Conn, *finding) {
	ways, problem := t.ways(ctx, fallback)
	if problem != nil {
		return nil, problem
	}
	return t.connectOver(ctx, ways)
}

// connectOver opens the first connection over the first way that accepts one.
func (t *try) connectOver(ctx context.Context, ways []reconcile.Way) (net.Conn, *finding) {
	errs := make([]error, len(ways))
	for i, w := range ways {
		t.tried = append(t.tried, w)
		conn, err := t.dialPart(ctx, w, len(ways)-i+1)
		if err == nil {
			t.way = w
			return conn, nil
		}
		errs[i] = err
		if ctx.Err() != nil {
			ways, errs = ways[:i+1], errs[:i+1]
			break
		}
	}
	f := t.unreached(ctx, ways, errs)
	return nil, &f
}

// dialPart dials with one of parts equal shares of the time that is left: a way
// that swallows packets must leave time for the next one and for the work.
func (t *try) dialPart(ctx context.Context, w reconcile.Way, parts int) (net.Conn, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return t.dial(ctx, w)
	}
	part, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(parts))
	defer cancel()
	return t.open(part, ctx, w)
}

// dial opens one more connection over a way.
func (t *try) dial(ctx context.Context, w reconcile.Way) (net.Conn, error) {
	return t.open(ctx, ctx, w)
}

// open connects within dialing and keeps the connection no longer than life.
func (t *try) open(dialing, life context.Context, w reconcile.Way) (net.Conn, error) {
	dial := t.prober.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(dialing, "tcp", w.Address)
	if err != nil {
		return nil, err
	}
	if deadline, ok := life.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	// Closing is what stops a read when the caller gives up early.
	stop := context.AfterFunc(life, func() { _ = conn.Close() })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns = append(t.conns, tracked{conn, stop})
	return conn, nil
}

// unreached says why no way accepted a connection.
func (t *try) unreached(ctx context.Context, ways []reconcile.Way, errs []error) finding {
	if errors.Is(ctx.Err(), context.Canceled) {
		return interrupted()
	}
	reasons := map[reconcile.Reason]int{}
	said := make([]string, len(ways))
	for i, err := range errs {
		reason, text := networkReason(err)
		reasons[reason]++
		said[i] = fmt.Sprintf("%s: %s", ways[i], text)
	}
	reason := reconcile.ReasonUnreachable
	remedy := "Check the address, and the firewall and the routes between here and that node."
	switch len(ways) {
	case reasons[reconcile.ReasonRefused]:
		reason = reconcile.ReasonRefused
		remedy = "See whether the server listens on that port, and its log with docker service logs."
	case reasons[reconcile.ReasonTimeout]:
		reason = reconcile.ReasonTimeout
		remedy = "See whether a firewall between here and that node swallows the packets."
	}
	return failed(reason, "No connection could be made: "+strings.Join(said, "; ")+".", remedy)
}

// networkReason classifies a network error and puts it in words.
func networkReason(err error) (reconcile.Reason, string) {
	var dns *net.DNSError
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return reconcile.ReasonRefused, "connection refused"
	case errors.As(err, &dns) && !dns.IsTimeout:
		return reconcile.ReasonUnreachable, fmt.Sprintf("the name %s cannot be resolved", dns.Name)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &netErr) && netErr.Timeout():
		return reconcile.ReasonTimeout, "no answer in time"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return reconcile.ReasonUnreachable, "no route to host"
	case errors.Is(err, syscall.ENETUNREACH):
		return reconcile.ReasonUnreachable, "network is unreachable"
	}
	return reconcile.ReasonUnreachable, err.Error()
}

func interrupted() finding {
	return unknown(ReasonInterrupted, "The check was interrupted before it had an answer.", "")
}

// broken is the finding for an error on an established connection; what is the
// server's name in the message.
func (t *try) broken(ctx context.Context, what string, err error) finding {
	if errors.Is(ctx.Err(), context.Canceled) {
		return interrupted()
	}
	reason, text := networkReason(err)
	if ctx.Err() != nil || reason == reconcile.ReasonTimeout {
		return failed(reconcile.ReasonTimeout,
			fmt.Sprintf("%s at %s takes connections but gave no answer within %s.", what, t.way.Address, t.timeout),
			"The server hangs, is overloaded, or the path loses packets: see its log, and restart it when it stays so.")
	}
	if isClosed(err) {
		return failed(ReasonClosed,
			fmt.Sprintf("%s at %s closed the connection without an answer.", what, t.way.Address),
			"Either nothing listens behind a forwarded port, or the server drops this client: see its log.")
	}
	return failed(reason, fmt.Sprintf("The connection to %s at %s broke: %s.", what, t.way.Address, text),
		"See the server's log and the network between here and its node.")
}

// hung tells whether an error on an open connection is that nothing came.
func (t *try) hung(ctx context.Context, err error) bool {
	reason, _ := networkReason(err)
	return errors.Is(ctx.Err(), context.DeadlineExceeded) || (ctx.Err() == nil && reason == reconcile.ReasonTimeout)
}

// isClosed tells whether the other side ended the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}
