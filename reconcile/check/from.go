package check

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// places are the kinds of way in a sentence.
var places = map[string]string{
	"overlay": "the overlay", "published": "a published port", "bridge": "the node's bridge", "explicit": "the explicit address",
}

// fromEach tries the check by each way that it asks for. It fails if one of
// them does, and is unknown if none does and one could not be tried.
func (p Prober) fromEach(ctx context.Context, stack *spec.Stack, c spec.Check) reconcile.CheckResult {
	start := p.now()
	if p.Locator != nil {
		shared := &oneLook{Locator: p.Locator}
		defer shared.release()
		p.Locator = shared
	}
	results := make([]reconcile.CheckResult, len(c.From))
	var wg sync.WaitGroup
	for i, from := range c.From {
		wg.Go(func() { results[i] = p.probe(ctx, stack, c, from) })
	}
	wg.Wait()
	out := sumUp(c, results)
	out.At, out.Latency = start, p.now().Sub(start)
	return out
}

// sumUp makes one result of those by way: the worst, and where the service
// answers by another way, which tells a closed way from a dead service.
func sumUp(c spec.Check, results []reconcile.CheckResult) reconcile.CheckResult {
	by := map[reconcile.CheckStatus][]int{}
	var ways []reconcile.WayResult
	var via []string
	var tried []reconcile.Way
	for i, r := range results {
		by[r.Status] = append(by[r.Status], i)
		ways = append(ways, reconcile.WayResult{From: c.From[i], Status: r.Status, Reason: r.Reason, Message: r.Message, Via: r.Via, Latency: r.Latency})
		tried = append(tried, r.Tried...)
		if r.Via != "" {
			via = append(via, r.Via)
		}
	}
	passed, unknown := by[reconcile.CheckPassed], by[reconcile.CheckUnknown]
	worst := slices.Concat(by[reconcile.CheckFailed], unknown, passed)[0]
	out := results[worst]
	switch {
	case len(passed) == 0 || len(passed) == len(results):
	case out.Status == reconcile.CheckFailed && unconnected(out):
		out.Reason, out.Message, out.Remedy = closedWay(c, results[passed[0]], out, c.From[worst])
	default:
		out.Message = answers(c, results[passed[0]]) + " but not by every way that was asked for: " + out.Message
	}
	out.Ways, out.Via, out.Tried = ways, strings.Join(via, ", "), tried
	return out
}

// unconnected: no connection was made, or one that something in between closed
// at once, as opposed to one over which the service gave a wrong answer.
func unconnected(r reconcile.CheckResult) bool {
	network := []reconcile.Reason{reconcile.ReasonRefused, reconcile.ReasonTimeout, reconcile.ReasonUnreachable}
	return r.Reason == ReasonClosed || r.Via == "" && slices.Contains(network, r.Reason)
}

// closedWay is what to say when the service answers by one way and nothing
// does by another.
func closedWay(c spec.Check, good, bad reconcile.CheckResult, from string) (reconcile.Reason, string, string) {
	var at []string
	nc := "nc -zv"
	for _, w := range bad.Tried {
		at = append(at, where(w))
		host, port, _ := net.SplitHostPort(w.Address)
		nc = "nc -zv " + host + " " + port
	}
	reason, why, remedy := reconcile.ReasonWayClosed, "something between here and there keeps it away", "See what is between: "+nc
	switch from {
	case "published":
		reason = reconcile.ReasonPortClosed
		why = "a firewall is between, or the port is not published"
		remedy = "Open the port in that node's firewall for those who need it, and see from where they are: " + nc
	case "overlay":
		reason = reconcile.ReasonOverlayClosed
		why = "the nodes do not reach each other over the overlay"
		remedy = "Between the nodes, open 7946 (tcp and udp) and 4789 (udp), and see that the network's encryption and MTU fit."
	}
	return reason, fmt.Sprintf("%s and not on %s: %s.", answers(c, good), strings.Join(at, " or "), why), remedy
}

// answers begins a sentence with what works.
func answers(c spec.Check, good reconcile.CheckResult) string {
	who := map[string]string{"redis": "Redis", "centrifugo": "Centrifugo"}[c.Kind()]
	if who == "" {
		who = "The server"
	}
	on := "the way that works"
	if len(good.Tried) > 0 {
		on = where(good.Tried[len(good.Tried)-1])
	}
	return fmt.Sprintf("%s answers on %s,", who, on)
}

func where(w reconcile.Way) string {
	switch w.Kind {
	case "overlay":
		return "the overlay"
	case "published":
		if w.Node != "" {
			return fmt.Sprintf("the published port %s on %s", w.Address, w.Node)
		}
		return "the published port " + w.Address
	case "bridge":
		return "the bridge of its node"
	}
	return w.Address
}

// oneLook asks once where the service is, for all the ways of one check, and
// keeps the way there open until all are done.
type oneLook struct {
	Locator
	once  sync.Once
	found reconcile.Location
	err   error
}

// Locate answers every caller with what the first one found.
func (l *oneLook) Locate(ctx context.Context, service string, port int) (reconcile.Location, error) {
	l.once.Do(func() { l.found, l.err = l.Locator.Locate(ctx, service, port) })
	mine := l.found
	mine.Release = nil
	return mine, l.err
}

func (l *oneLook) release() {
	if l.found.Release != nil {
		l.found.Release()
	}
}
