// Package check proves that a stack works: it connects to a target the way a
// client would, does one real piece of work there and says in one of a closed
// set of reasons what it found.
package check

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

const defaultTimeout = 5 * time.Second

// Prober tries checks. It implements reconcile.Prober and is safe for
// concurrent use.
type Prober struct {
	// Locator finds the ways to a service. It is asked only by checks that name
	// a service and no explicit address.
	Locator Locator
	// Dial opens connections; nil means a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// RootCAs are trusted where a check names no CA; nil means the machine's.
	RootCAs *x509.CertPool
	// Log hears what the Redis client has to say, at debug; nil means nobody.
	Log *slog.Logger
}

// finding is what a probe found out.
type finding struct {
	status  reconcile.CheckStatus
	reason  reconcile.Reason
	message string
	remedy  string
}

func passed(message string) finding {
	return finding{status: reconcile.CheckPassed, message: message}
}

func failed(reason reconcile.Reason, message, remedy string) finding {
	return finding{reconcile.CheckFailed, reason, message, remedy}
}

func unknown(reason reconcile.Reason, message, remedy string) finding {
	return finding{reconcile.CheckUnknown, reason, message, remedy}
}

// Probe tries the check once and takes at most its timeout; where the check
// says from which ways, it tries each of them, side by side. It returns every
// failure as a result, a panic of its own included, leaves no connection open
// and writes no content of the stack's secrets into the result.
func (p Prober) Probe(ctx context.Context, stack *spec.Stack, c spec.Check) reconcile.CheckResult {
	if len(c.From) == 0 {
		return p.probe(ctx, stack, c, "")
	}
	return p.fromEach(ctx, stack, c)
}

// probe tries the check by one kind of way, or by the best with from empty.
func (p Prober) probe(ctx context.Context, stack *spec.Stack, c spec.Check, from string) (result reconcile.CheckResult) {
	start := p.now()
	result = reconcile.CheckResult{Name: c.Name, Kind: c.Kind(), At: start}
	if c.Redis != nil {
		result.Redis = &reconcile.RoundTrip{
			TestKey:   redisKey(*c.Redis),
			TestValue: fmt.Sprintf("ok-%d", start.UnixNano()),
		}
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	t := &try{prober: p, stack: stack, check: c, from: from, timeout: timeout, evidence: result.Redis}
	defer func() {
		if r := recover(); r != nil {
			t.found = failed(reconcile.ReasonPanic,
				fmt.Sprintf("The %s probe broke: %v.", c.Kind(), r),
				"Please report this as a bug of swarmward, with the spec of the check.")
		}
		t.close()
		result.Status, result.Reason = t.found.status, t.found.reason
		result.Message = redact(stack, t.found.message)
		result.Remedy = redact(stack, t.found.remedy)
		result.Via, result.Tried = redact(stack, t.via()), t.tried
		result.Latency = p.now().Sub(start)
	}()
	t.found = t.run(ctx)
	return result
}

func (p Prober) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// run dispatches to the probe of the check's kind.
func (t *try) run(ctx context.Context) finding {
	switch {
	case t.check.Withheld != "":
		return unknown(ReasonCredentialUnavailable,
			"A text of the check held a secret, which no record keeps, and the spec says something else by now.",
			"It is tried again once the spec has the check as it was, or another one.")
	case t.check.Redis != nil:
		return t.redis(ctx, *t.check.Redis)
	case t.check.Centrifugo != nil:
		return t.centrifugo(ctx, *t.check.Centrifugo)
	case t.check.Route != nil:
		return t.route(ctx, *t.check.Route)
	case t.check.HTTP != nil:
		return t.http(ctx, *t.check.HTTP)
	case t.check.TCP != nil:
		return t.tcp(ctx, *t.check.TCP)
	}
	return unknown(ReasonInvalid, "The check is of no known kind.",
		"Give it one of redis, centrifugo, route, http and tcp.")
}

// credential is the content of the secret that a check uses, without the line
// end that files have and that neither a config line nor a header can hold.
func (t *try) credential(c spec.Credential) (string, *finding) {
	if c.Secret == "" {
		return "", nil
	}
	data, ok := t.stack.SecretData(c.Secret)
	if !ok {
		f := unknown(ReasonCredentialUnavailable,
			fmt.Sprintf("The content of secret %s is not known here, so the check cannot log in.", c.Secret), t.howToGive("secret "+c.Secret))
		return "", &f
	}
	return string(bytes.TrimRight(data, "\r\n")), nil
}

// howToGive says what makes the content of a secret, config or file known here.
func (t *try) howToGive(what string) string {
	if t.stack.SecretsPrint != "" {
		return fmt.Sprintf("This is a revision of before, and the spec has another %s by now; a revision of the spec itself brings its own.", what)
	}
	return fmt.Sprintf("Give %s its content in the spec (environment or file); what is external cannot be read back.", what)
}

// redact is the last line of defence: no probe puts a secret into its text, but
// an address, a server's answer or a library's error could.
func redact(stack *spec.Stack, text string) string {
	if stack == nil {
		return text
	}
	for _, s := range stack.Secrets {
		if content := strings.TrimSpace(string([]byte(s.Data))); len(content) >= 4 {
			text = strings.ReplaceAll(text, content, "(sensitive)")
		}
	}
	return text
}
