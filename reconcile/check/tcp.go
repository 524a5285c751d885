package check

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/swarmward/swarmward/spec"
)

// tcp opens a connection and is content with that, unless the check asks for a
// TLS session, sends something or expects the server to say something.
func (t *try) tcp(ctx context.Context, c spec.TCPCheck) finding {
	conn, problem := t.connect(ctx, nil)
	if problem != nil {
		return *problem
	}
	said := "accepts connections"
	var config *tls.Config
	if c.TLS != nil {
		host, _, _ := net.SplitHostPort(t.way.Address)
		if c.Target.Service != "" && c.Target.Connect == "" {
			host = c.Target.Service
		}
		if config, problem = t.tlsConfig(c.TLS, host); problem != nil {
			return *problem
		}
		secure, err := t.handshake(ctx, conn, config)
		if err != nil {
			return t.tcpFailure(ctx, config, err)
		}
		conn, said = secure, "accepts TLS connections"
	}
	if c.Send != "" {
		if _, err := io.WriteString(conn, c.Send); err != nil {
			return t.tcpFailure(ctx, config, err)
		}
	}
	if c.Expect != "" {
		heard, err := listen(conn, c.Expect)
		if err != nil {
			return t.tcpFailure(ctx, config, err)
		}
		if !strings.HasPrefix(heard, c.Expect) {
			return failed(ReasonBadBanner,
				fmt.Sprintf("What listens at %s said %s instead of what the check expects.", t.way.Address, t.brief(heard)),
				"Check the service and the port of the check, and which task has published that port; or correct the check's expect.")
		}
		said += " and answers as expected"
	}
	return passed(fmt.Sprintf("%s %s.", t.way.Address, said))
}

// listen reads until the server has said what is expected, or something else.
func listen(conn net.Conn, want string) (string, error) {
	// More than is compared is read, so that no secret is cut out of recognition.
	got := make([]byte, 0, len(want)+4096)
	for {
		n, err := conn.Read(got[len(got):cap(got)])
		got = got[:len(got)+n]
		if len(got) >= len(want) || !strings.HasPrefix(want, string(got)) {
			return string(got), nil
		}
		if err != nil {
			return "", err
		}
	}
}

func (t *try) tcpFailure(ctx context.Context, config *tls.Config, err error) finding {
	if config != nil {
		err = t.hungUp(ctx, config, err)
	}
	reason, what, isTLS := tlsFault(err)
	if !isTLS {
		return t.broken(ctx, "The server", err)
	}
	return failed(reason, fmt.Sprintf("%s: %s.", t.way.Address, what),
		"Give the check the CA that signed the server's certificate (tls.ca), the name that it is for (tls.server_name) and, where the server asks for one, a client certificate.")
}
