package check

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/swarmward/swarmward/spec"
)

const websocketPath = "/connection/websocket"

// What Centrifugo closes a connection with, or answers, over a token.
const (
	closeInvalidToken = 3500
	errorTokenExpired = 109
)

// tokenLife is long enough for clocks that differ by minutes.
const tokenLife = 5 * time.Minute

// sockets are the connections of two clients.
type sockets struct {
	asked  bool
	token  bool    // whether they had tokens, or only tried to get a websocket
	good   session // with a token signed with the secret
	forged session // with a token signed with another
}

// session is how far a client got.
type session struct {
	upgrade int   // the status that came instead of a websocket
	in      bool  // whether it was let in
	code    int   // of the error or of the close that kept it out
	err     error // of the connection
}

// useWebsocket connects as a browser with a token of the application's does,
// and as one that has made its token up.
func (t *try) useWebsocket(ctx context.Context, c spec.CentrifugoCheck, secret string) sockets {
	s := sockets{asked: !c.SkipWebsocket && (secret != "" || c.Origin != ""), token: secret != ""}
	switch {
	case !s.asked:
	case !s.token:
		s.good = t.session(ctx, c.Origin, "")
	default:
		together(
			func() { s.good = t.session(ctx, c.Origin, secret) },
			func() { s.forged = t.session(ctx, c.Origin, rand.Text()) },
		)
	}
	return s
}

// session opens a websocket and, with a secret, connects with a token that is
// signed with it.
func (t *try) session(ctx context.Context, origin, secret string) session {
	dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return t.dial(ctx, t.way) }}
	header := http.Header{"User-Agent": {"swarmward"}}
	if origin != "" {
		header.Set("Origin", origin)
	}
	conn, response, err := dialer.DialContext(ctx, "ws://"+t.way.Address+websocketPath, header)
	switch {
	case errors.Is(err, websocket.ErrBadHandshake) && response != nil:
		return session{upgrade: response.StatusCode}
	case err != nil:
		return session{err: err}
	}
	defer func() { _ = conn.Close() }()
	if secret == "" {
		return session{in: true}
	}
	// The library has taken the deadline away that the connection had.
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.NetConn().SetDeadline(deadline)
	}
	conn.SetReadLimit(maxAnswer)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "swarmward", "exp": t.prober.now().Add(tokenLife).Unix(),
	}).SignedString([]byte(secret))
	if err != nil {
		return session{err: err}
	}
	if err := conn.WriteJSON(map[string]any{"id": 1, "connect": map[string]string{"token": token, "name": "swarmward"}}); err != nil {
		return session{err: err}
	}
	return readSession(conn)
}

func readSession(conn *websocket.Conn) session {
	_, data, err := conn.ReadMessage()
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		return session{code: closed.Code}
	case err != nil:
		return session{err: err}
	}
	var got struct {
		ID      int
		Connect *struct{}
		Error   *struct{ Code int }
	}
	// Several replies in one message have a line each.
	first, _, _ := bytes.Cut(data, []byte("\n"))
	switch err := json.Unmarshal(first, &got); {
	case err != nil, got.ID != 1, got.Connect == nil && got.Error == nil:
		return session{err: errNotHTTP}
	case got.Error != nil:
		return session{code: got.Error.Code}
	}
	_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	return session{in: true}
}

// judgeWebsocket is the verdict over the clients; first match wins.
func (t *try) judgeWebsocket(ctx context.Context, c spec.CentrifugoCheck, s sockets) *finding {
	var f finding
	at, secret := "Centrifugo at "+t.way.Address, c.TokenSecret.Secret
	switch {
	case s.good.err != nil:
		f = t.exchangeFailure(ctx, "Centrifugo", ReasonNotCentrifugo, s.good.err)
	case s.good.upgrade == http.StatusForbidden && c.Origin != "":
		f = failed(ReasonOriginRefused, fmt.Sprintf("%s opens no websocket to pages of %s.", at, c.Origin),
			"Add it to client.allowed_origins, or to allowed_origins before version 6, exactly as the browser sends it.")
	case s.good.upgrade != 0:
		f = failed(ReasonNoWebsocket, fmt.Sprintf("%s answered %s with %d instead of opening a websocket.", at, websocketPath, s.good.upgrade),
			"Let Centrifugo's websocket be on and at its usual path; websocket: false in the check leaves it out.")
	case !s.token:
		return nil
	case s.good.code == errorTokenExpired:
		f = failed(ReasonClocksDiffer, fmt.Sprintf("%s calls a token expired that is valid for %s more.", at, tokenLife),
			"Set the clocks of this machine and of Centrifugo's node: they differ.")
	case !s.good.in:
		f = failed(ReasonTokenRefused, fmt.Sprintf("%s refuses a token signed with secret %s, with %s.", at, secret, refusal(s.good.code)),
			fmt.Sprintf("Give Centrifugo (client.token.hmac_secret_key) and secret %s the same value, and restart the service; a token's audience and issuer must not be asked for.", secret))
	case s.forged.err != nil:
		f = t.exchangeFailure(ctx, "Centrifugo", ReasonNotCentrifugo, s.forged.err)
	case s.forged.in:
		f = failed(ReasonAcceptsBadToken, fmt.Sprintf("%s lets in whoever makes up a token: one signed with another secret was taken.", at),
			"Switch client.insecure_skip_token_signature_verify off (client_insecure_skip_token_signature_verify before version 6).")
	default:
		return nil
	}
	return &f
}

func refusal(code int) string {
	if code == closeInvalidToken {
		return "invalid token (3500)"
	}
	return fmt.Sprintf("code %d", code)
}
