package trigger

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Webhook answers POST /webhook/git: what GitHub, GitLab, Gitea and Forgejo send
// after a push, and what anybody sends who signs it as signature.go says. It
// only nudges, so it answers at once. A body is hashed as it comes and not kept,
// however large it is; how large it may be is for the server to say.
type Webhook struct {
	// Secrets that a sender may prove to know. One that cannot be had lets nobody
	// in; none at all means that no webhook is taken.
	Secrets func() ([]string, error)
	// Pushed hears of a push, by the full name of its branch or tag, such as
	// refs/heads/main; empty where the sender did not say. It must not block.
	Pushed func(ref string)
	Log    *slog.Logger

	seen deliveries
}

// headLength is how much of a body is kept, to find the ref in: forges write it
// before everything that may be long.
const headLength = 64 << 10

func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	code, said := h.take(r)
	if code >= http.StatusBadRequest {
		h.Log.Warn("a webhook was refused", "from", r.RemoteAddr, "code", code, "reason", said)
		say(w, code, map[string]any{"error": said})
		return
	}
	say(w, code, map[string]any{"message": said})
}

// take a delivery, and say what has become of it.
func (h *Webhook) take(r *http.Request) (int, string) {
	secrets, err := h.Secrets()
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == "" }) // everybody knows that one
	switch {
	case err != nil:
		h.Log.Error("the webhook secret cannot be read", "error", err.Error())
		return http.StatusForbidden, "no webhook is taken: the webhook secret cannot be read"
	case len(secrets) == 0:
		return http.StatusForbidden, "no webhook is taken: swarmward runs without a webhook secret"
	}
	claim, err := claimed(r.Header, time.Now())
	if err != nil {
		return http.StatusUnauthorized, err.Error()
	}
	var head bytes.Buffer
	sums := claim.sums(secrets)
	if _, err := io.Copy(io.MultiWriter(sums, &capped{&head, headLength}), r.Body); err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return http.StatusRequestEntityTooLarge, "the body is too large"
		}
		return http.StatusBadRequest, "the body broke off"
	}
	if !sums.proved() {
		return http.StatusUnauthorized, "the signature is not one of this body with a secret that is known here"
	}
	if !h.seen.first(sums.identity()) {
		return http.StatusConflict, "this delivery has been taken before"
	}
	if event := claim.event; event != "" && !pushes[event] {
		return http.StatusAccepted, "taken; " + event + " is nothing to do anything about"
	}
	h.Pushed(refOf(head.Bytes()))
	return http.StatusAccepted, "taken"
}

// pushes are the events after which a branch or tag may be another one, as the
// forges name them.
var pushes = map[string]bool{"push": true, "create": true, "delete": true, "push hook": true, "tag push hook": true, "system hook": true}

// capped keeps the first bytes that are written.
type capped struct {
	to   *bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	c.to.Write(p[:n])
	return len(p), nil
}

// SameRef says whether a push to ref may have moved what a source is told to
// follow: a branch, a tag, a full name, or a commit, which nothing moves. Where
// one of them is not known, it may.
func SameRef(ref, follows string) bool {
	if ref == "" || follows == "" || follows == "HEAD" || ref == follows {
		return true
	}
	short, full := shortened(ref)
	shortFollows, fullFollows := shortened(follows)
	return short == shortFollows && !(full && fullFollows)
}

func shortened(ref string) (short string, was bool) {
	for _, kind := range []string{"refs/heads/", "refs/tags/"} {
		if short, ok := strings.CutPrefix(ref, kind); ok {
			return short, true
		}
	}
	return ref, false
}
