package check

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/swarmward/swarmward/reconcile"
)

// maxAnswer bounds what is read of an answer, head and body together.
const maxAnswer = 1 << 20

// answer is an HTTP response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// errNotHTTP means that what answered does not speak HTTP.
var errNotHTTP = errors.New("the answer is not HTTP")

// exchange sends one request over conn and reads the answer. It follows no
// redirect, uses no proxy and never dials: the connection is the way that the
// result names.
func exchange(conn net.Conn, r *http.Request) (answer, error) {
	r.Close = true
	r.Header.Set("User-Agent", "swarmward")
	if err := r.Write(conn); err != nil {
		return answer{}, err
	}
	reader := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	begin, err := reader.Peek(len("HTTP/"))
	if err != nil {
		return answer{}, err
	}
	if string(begin) != "HTTP/" {
		return answer{}, errNotHTTP
	}
	response, err := http.ReadResponse(reader, r)
	if err != nil {
		if isNetwork(err) {
			return answer{}, err
		}
		return answer{}, errNotHTTP
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{response.StatusCode, response.Header, string(body)}, nil
}

// isNetwork tells an error of the connection from one of what came over it.
func isNetwork(err error) bool {
	var netErr net.Error
	return isClosed(err) || errors.As(err, &netErr)
}

// exchangeFailure is the finding for a request without an answer; notHTTP is
// the reason when something else answered.
func (t *try) exchangeFailure(ctx context.Context, what string, notHTTP reconcile.Reason, err error) finding {
	if errors.Is(err, errNotHTTP) {
		return failed(notHTTP, fmt.Sprintf("What listens at %s does not speak HTTP.", t.way.Address),
			"Check the service and the port of the check, and whether that port wants https.")
	}
	return t.broken(ctx, what, err)
}

// brief is the beginning of an answer's body, fit for a message.
func (t *try) brief(body string) string {
	text := redact(t.stack, strings.TrimSpace(body))
	if text == "" {
		return "an empty body"
	}
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text))
	if len(runes) > 60 {
		return fmt.Sprintf("%q and so on, %d bytes", string(runes[:60]), len(body))
	}
	return fmt.Sprintf("%q", string(runes))
}

// plainURL is a URL without what may be secret in it.
func plainURL(u *url.URL) string {
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return plain.String()
}
