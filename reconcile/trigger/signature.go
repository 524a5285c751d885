package trigger

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The ways to prove that a sender knows the secret, each with HMAC-SHA256 but
// for GitLab's token, which is the secret itself:
//
//	X-Swarmward-Signature: sha256=HEX     of X-Swarmward-Timestamp, a dot and the body
//	webhook-signature: v1,BASE64          of webhook-id, webhook-timestamp and the body, dots between (GitLab's signing token)
//	X-Hub-Signature-256: sha256=HEX       of the body (GitHub)
//	X-Forgejo-Signature: HEX              of the body
//	X-Gitea-Signature: HEX                of the body
//	X-Gitlab-Token: SECRET
//
// The first that is there is the one that counts.

// claim is what the headers say.
type claim struct {
	event  string // in lower case; empty: it is not said
	before string // what is signed before the body
	macs   [][]byte
	token  string // instead of a signature
	key    func(secret string) []byte
	id     string // of the delivery, where a token says nothing about the body
}

// window is how far a timestamp may be from now.
const window = 5 * time.Minute

var errUnsigned = errors.New("the request is not signed: send X-Hub-Signature-256, X-Gitlab-Token, webhook-signature, X-Gitea-Signature, or X-Swarmward-Signature with X-Swarmward-Timestamp")

func claimed(h http.Header, now time.Time) (claim, error) {
	c := claim{key: func(secret string) []byte { return []byte(secret) }}
	for _, name := range []string{"X-Github-Event", "X-Gitlab-Event", "X-Forgejo-Event", "X-Gitea-Event"} {
		if c.event == "" {
			c.event = strings.ToLower(h.Get(name))
		}
	}
	var err error
	switch {
	case h.Get("X-Swarmward-Signature") != "":
		c.before = h.Get("X-Swarmward-Timestamp") + "."
		c.hex(strings.TrimPrefix(h.Get("X-Swarmward-Signature"), "sha256="))
		err = recent("X-Swarmward-Timestamp", h, now)
	case h.Get("Webhook-Signature") != "":
		c.before = h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + "."
		for _, signature := range strings.Fields(h.Get("Webhook-Signature")) {
			text, _ := strings.CutPrefix(signature, "v1,")
			if mac, err := base64.StdEncoding.DecodeString(text); err == nil {
				c.macs = append(c.macs, mac)
			}
		}
		c.key = signingKey
		err = recent("Webhook-Timestamp", h, now)
	case h.Get("X-Hub-Signature-256") != "":
		c.hex(strings.TrimPrefix(h.Get("X-Hub-Signature-256"), "sha256="))
	case h.Get("X-Forgejo-Signature") != "":
		c.hex(h.Get("X-Forgejo-Signature"))
	case h.Get("X-Gitea-Signature") != "":
		c.hex(h.Get("X-Gitea-Signature"))
	case h.Get("X-Gitlab-Token") != "":
		c.token = h.Get("X-Gitlab-Token")
		c.id = h.Get("Idempotency-Key") + h.Get("X-Gitlab-Event-Uuid")
	default:
		err = errUnsigned
	}
	return c, err
}

func (c *claim) hex(text string) {
	if mac, err := hex.DecodeString(text); err == nil {
		c.macs = append(c.macs, mac)
	}
}

// signingKey is what a token of GitLab's stands for.
func signingKey(secret string) []byte {
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if key, err := base64.StdEncoding.DecodeString(text); err == nil {
			return key
		}
	}
	return []byte(secret)
}

func recent(header string, h http.Header, now time.Time) error {
	seconds, err := strconv.ParseInt(h.Get(header), 10, 64)
	if err != nil {
		return fmt.Errorf("%s must be the time in seconds since 1970", header)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > window || age < -window {
		return fmt.Errorf("%s is more than %s away from the time here", header, window)
	}
	return nil
}

// sums of a body, with each secret.
type sums struct {
	claim   claim
	secrets []string
	hmacs   []hash.Hash
	body    hash.Hash
}

func (c claim) sums(secrets []string) *sums {
	s := &sums{claim: c, secrets: secrets, body: sha256.New()}
	if c.token == "" {
		for _, secret := range secrets {
			s.hmacs = append(s.hmacs, hmac.New(sha256.New, c.key(secret)))
		}
	}
	_, _ = s.Write([]byte(c.before))
	return s
}

func (s *sums) Write(p []byte) (int, error) {
	_, _ = s.body.Write(p)
	for _, h := range s.hmacs {
		_, _ = h.Write(p)
	}
	return len(p), nil
}

// proved takes the same time whatever is wrong.
func (s *sums) proved() bool {
	ok := false
	for _, h := range s.hmacs {
		sum := h.Sum(nil)
		for _, mac := range s.claim.macs {
			ok = hmac.Equal(mac, sum) || ok
		}
	}
	if s.claim.token != "" {
		given := sha256.Sum256([]byte(s.claim.token))
		for _, secret := range s.secrets {
			want := sha256.Sum256([]byte(secret))
			ok = hmac.Equal(given[:], want[:]) || ok
		}
	}
	return ok
}

// identity is the same for the same delivery. A signed one cannot change its own:
// it is what was signed, and no header that anybody may set.
func (s *sums) identity() string { return s.claim.id + string(s.body.Sum(nil)) }

// deliveries are the last that were taken.
type deliveries struct {
	mu    sync.Mutex
	known map[string]bool
	order []string // the oldest first
}

// remembered is how many deliveries are: a day of a busy repository.
const remembered = 4096

// first says whether the delivery is new, and remembers it.
func (d *deliveries) first(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[id] {
		return false
	}
	if d.known == nil {
		d.known = map[string]bool{}
	}
	if len(d.order) == remembered {
		delete(d.known, d.order[0])
		d.order = append(d.order[:0], d.order[1:]...)
	}
	d.known[id], d.order = true, append(d.order, id)
	return true
}

// refOf finds the ref of a push in the beginning of its body, which is JSON, or
// a form with JSON in it. Empty: it is not there.
func refOf(head []byte) string {
	if form, ok := bytes.CutPrefix(head, []byte("payload=")); ok {
		form, _, _ = bytes.Cut(form, []byte("&"))
		if i := bytes.LastIndexByte(form, '%'); i > len(form)-3 && i >= 0 {
			form = form[:i] // cut off in the middle
		}
		text, err := url.QueryUnescape(string(form))
		if err != nil {
			return ""
		}
		head = []byte(text)
	}
	d := json.NewDecoder(bytes.NewReader(head))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return ""
		}
		if key == "ref" {
			ref, _ := d.Token()
			text, _ := ref.(string)
			return text
		}
		var skipped json.RawMessage
		if d.Decode(&skipped) != nil {
			return ""
		}
	}
	return ""
}
