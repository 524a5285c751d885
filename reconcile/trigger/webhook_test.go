package trigger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	secret = "It's a Secret to Everybody"
	push   = `{"before": {"ref": "refs/heads/not-this-one"}, "ref": "refs/heads/main", "after": "0123"}`
)

// taker is a webhook that writes down what was pushed.
type taker struct {
	Webhook
	pushed []string
}

func newTaker(secrets ...string) *taker {
	w := &taker{}
	w.Secrets = func() ([]string, error) { return secrets, nil }
	w.Pushed = func(ref string) { w.pushed = append(w.pushed, ref) }
	w.Log = slog.New(slog.DiscardHandler)
	return w
}

// send a body with headers, NAME: VALUE, and return the status.
func (w *taker) send(body io.Reader, headers ...string) int {
	r := httptest.NewRequest(http.MethodPost, "/webhook/git", body)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	r.Body = http.MaxBytesReader(answer, r.Body, 26<<20)
	w.ServeHTTP(answer, r)
	return answer.Code
}

func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, strings.Join(parts, ""))
	return h.Sum(nil)
}

func hexMac(parts ...string) string { return hex.EncodeToString(mac([]byte(secret), parts...)) }

func TestWebhookSignatures(t *testing.T) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	old := strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)
	key := []byte("0123456789abcdef0123456789abcdef")
	gitlab := "whsec_" + base64.StdEncoding.EncodeToString(key)
	standard := func(id, at string) string {
		return "v1," + base64.StdEncoding.EncodeToString(mac(key, id, ".", at, ".", push))
	}
	for _, c := range []struct {
		name, body string
		headers    []string
		want       int
	}{
		// The example in GitHub's own documentation.
		{"github's example", "Hello, World!", []string{"X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}, 202},
		{"github", push, []string{"X-GitHub-Event: push", "X-Hub-Signature-256: sha256=" + hexMac(push)}, 202},
		{"github, another body", push + " ", []string{"X-Hub-Signature-256: sha256=" + hexMac(push)}, 401},
		{"github, another secret", push, []string{"X-Hub-Signature-256: sha256=" + hex.EncodeToString(mac([]byte("other"), push))}, 401},
		{"github, no secret", push, []string{"X-Hub-Signature-256: sha256=" + hex.EncodeToString(mac(nil, push))}, 401},
		{"github, a piece of it", push, []string{"X-Hub-Signature-256: sha256=" + hexMac(push)[:8]}, 401},
		{"github, nothing of it", push, []string{"X-Hub-Signature-256: sha256="}, 401},
		{"github, no hexadecimal", push, []string{"X-Hub-Signature-256: sha256=zz"}, 401},
		{"github's old one alone", push, []string{"X-Hub-Signature: sha1=0123"}, 401},
		{"gitea", push, []string{"X-Gitea-Event: push", "X-Gitea-Signature: " + hexMac(push)}, 202},
		{"gitea, wrong", push, []string{"X-Gitea-Event: push", "X-Gitea-Signature: " + hexMac("x")}, 401},
		{"forgejo", push, []string{"X-Forgejo-Event: push", "X-Forgejo-Signature: " + hexMac(push)}, 202},
		{"forgejo, a good one of gitea's does not help", push, []string{"X-Forgejo-Signature: " + hexMac("x"), "X-Gitea-Signature: " + hexMac(push)}, 401},
		{"gitlab's token", push, []string{"X-Gitlab-Event: Push Hook", "X-Gitlab-Token: " + secret}, 202},
		{"gitlab's token, wrong", push, []string{"X-Gitlab-Token: " + secret + "x"}, 401},
		{"gitlab's signature", push, []string{"webhook-id: 7", "webhook-timestamp: " + now, "webhook-signature: v1,AAAA " + standard("7", now)}, 202},
		{"gitlab's signature, another id", push, []string{"webhook-id: 8", "webhook-timestamp: " + now, "webhook-signature: " + standard("7", now)}, 401},
		{"gitlab's signature, old", push, []string{"webhook-id: 7", "webhook-timestamp: " + old, "webhook-signature: " + standard("7", old)}, 401},
		{"gitlab's signature, made young", push, []string{"webhook-id: 7", "webhook-timestamp: " + now, "webhook-signature: " + standard("7", old)}, 401},
		{"plain", push, []string{"X-Swarmward-Timestamp: " + now, "X-Swarmward-Signature: sha256=" + hexMac(now, ".", push)}, 202},
		{"plain, old", push, []string{"X-Swarmward-Timestamp: " + old, "X-Swarmward-Signature: sha256=" + hexMac(old, ".", push)}, 401},
		{"plain, made young", push, []string{"X-Swarmward-Timestamp: " + now, "X-Swarmward-Signature: sha256=" + hexMac(old, ".", push)}, 401},
		{"plain, without a time", push, []string{"X-Swarmward-Signature: sha256=" + hexMac(".", push)}, 401},
		{"not signed", push, nil, 401},
	} {
		w := newTaker("of old", secret, gitlab)
		if got := w.send(strings.NewReader(c.body), c.headers...); got != c.want || (len(w.pushed) > 0) != (c.want == 202) {
			t.Errorf("%s: %d, pushed %q", c.name, got, w.pushed)
		}
	}
	good := []string{"X-Hub-Signature-256: sha256=" + hexMac(push)}
	if got := newTaker().send(strings.NewReader(push), good...); got != 403 {
		t.Errorf("without a secret: %d", got)
	}
	empty := "X-Hub-Signature-256: sha256=" + hex.EncodeToString(mac(nil, push))
	if got := newTaker("").send(strings.NewReader(push), empty); got != 403 {
		t.Errorf("with an empty secret: %d", got)
	}
	broken := newTaker()
	broken.Secrets = func() ([]string, error) { return nil, errors.New("no such file") }
	if got := broken.send(strings.NewReader(push), good...); got != 403 {
		t.Errorf("with a secret that cannot be read: %d", got)
	}
}

// A delivery is taken once, whatever headers that nobody signs come with it.
func TestWebhookReplays(t *testing.T) {
	w := newTaker(secret)
	good := "X-Hub-Signature-256: sha256=" + hexMac(push)
	for i, want := range []int{202, 409, 409} {
		if got := w.send(strings.NewReader(push), good, fmt.Sprint("X-GitHub-Delivery: ", i)); got != want {
			t.Errorf("delivery %d: %d, want %d", i, got, want)
		}
	}
	if got := w.send(strings.NewReader(push), "X-Gitea-Signature: "+hexMac(push)); got != 409 {
		t.Errorf("as another forge's: %d", got)
	}
	// One that was refused is not taken for the good one.
	other := push + "\n"
	if got := w.send(strings.NewReader(other), good); got != 401 {
		t.Errorf("not signed: %d", got)
	}
	if got := w.send(strings.NewReader(other), "X-Hub-Signature-256: sha256="+hexMac(other)); got != 202 {
		t.Errorf("signed then: %d", got)
	}
	// Two pushes of GitLab's, whose token says nothing of what is in them.
	for i := range 2 {
		if got := w.send(strings.NewReader(push), "X-Gitlab-Token: "+secret, fmt.Sprint("Idempotency-Key: ", i)); got != 202 {
			t.Errorf("push %d: %d", i, got)
		}
	}
	for i := range remembered {
		body := fmt.Sprintf(`{"n": %d}`, i)
		if got := w.send(strings.NewReader(body), "X-Hub-Signature-256: sha256="+hexMac(body)); got != 202 {
			t.Fatalf("delivery %d: %d", i, got)
		}
	}
	if len(w.seen.known) != remembered || len(w.seen.order) != remembered {
		t.Errorf("%d deliveries are remembered, %d in order", len(w.seen.known), len(w.seen.order))
	}
}

// A timestamp in the window is good for one delivery.
func TestWebhookWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaker(secret)
		at := strconv.FormatInt(time.Now().Unix(), 10)
		headers := []string{"X-Swarmward-Timestamp: " + at, "X-Swarmward-Signature: sha256=" + hexMac(at, ".", push)}
		time.Sleep(window - time.Second)
		for _, want := range []int{202, 409} {
			if got := w.send(strings.NewReader(push), headers...); got != want {
				t.Errorf("%d, want %d", got, want)
			}
		}
		time.Sleep(2 * time.Second)
		if got := newTaker(secret).send(strings.NewReader(push), headers...); got != 401 {
			t.Errorf("after the window: %d", got)
		}
		at = strconv.FormatInt(time.Now().Add(window+time.Second).Unix(), 10)
		headers = []string{"X-Swarmward-Timestamp: " + at, "X-Swarmward-Signature: sha256=" + hexMac(at, ".", push)}
		if got := w.send(strings.NewReader(push), headers...); got != 401 {
			t.Errorf("before the window: %d", got)
		}
	})
}

func TestWebhookRefs(t *testing.T) {
	long := `{"commits": [` + strings.Repeat(`"x",`, headLength) + `"x"], "ref": "refs/heads/main"}`
	for body, want := range map[string]string{
		push:                               "refs/heads/main",
		`{"ref": "v1", "ref_type": "tag"}`: "v1",
		`payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fmain%22%7D`:                                            "refs/heads/main",
		`payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fmain%22%2C` + long + strings.Repeat("%20", headLength): "refs/heads/main",
		`{"ref": 5}`: "",
		`[1]`:        "",
		"":           "",
		`payload=%`:  "",
		`{"a": {`:    "",
		long:         "",
	} {
		w := newTaker(secret)
		if got := w.send(strings.NewReader(body), "X-Hub-Signature-256: sha256="+hexMac(body)); got != 202 || !cmp.Equal(w.pushed, []string{want}) {
			t.Errorf("%.60s: %d, pushed %q, want %q", body, got, w.pushed, want)
		}
	}
	for _, c := range []struct {
		event string
		want  int
	}{{"X-GitHub-Event: ping", 0}, {"X-GitHub-Event: issues", 0}, {"X-Gitlab-Event: Tag Push Hook", 1}, {"X-Gitea-Event: create", 1}} {
		w := newTaker(secret)
		if got := w.send(strings.NewReader(push), "X-Hub-Signature-256: sha256="+hexMac(push), c.event); got != 202 || len(w.pushed) != c.want {
			t.Errorf("%s: %d, pushed %q", c.event, got, w.pushed)
		}
	}
}

func TestSameRef(t *testing.T) {
	for _, c := range []struct {
		ref, follows string
		want         bool
	}{
		{"refs/heads/main", "main", true},
		{"refs/heads/main", "refs/heads/main", true},
		{"refs/heads/feature", "main", false},
		{"refs/heads/a/main", "main", false},
		{"refs/tags/v1", "v1", true},
		{"refs/tags/main", "refs/heads/main", false},
		{"v1", "refs/tags/v1", true},
		{"refs/heads/main", "", true},
		{"refs/heads/main", "HEAD", true},
		{"", "main", true},
		{"refs/heads/main", "0123456789012345678901234567890123456789", false},
	} {
		if got := SameRef(c.ref, c.follows); got != c.want {
			t.Errorf("a push to %q, %q followed: %v", c.ref, c.follows, got)
		}
	}
}

// zeros is a body of any length that takes no memory.
type zeros struct{ left int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.left)
	clear(p[:n])
	z.left -= n
	return n, nil
}

// A large body is hashed and not kept; a larger one is refused.
func TestWebhookBodies(t *testing.T) {
	const large = 25 << 20
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = io.Copy(h, &zeros{large})
	good := "X-Hub-Signature-256: sha256=" + hex.EncodeToString(h.Sum(nil))
	w := newTaker(secret)
	kept := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w.seen = deliveries{}
			if got := w.send(&zeros{large}, good); got != 202 {
				b.Fatal(got)
			}
		}
	}).AllocedBytesPerOp()
	if kept > 1<<20 {
		t.Errorf("a body of %d bytes takes %d", large, kept)
	}
	if got := w.send(&zeros{27 << 20}, good); got != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", got)
	}
	if got := w.send(io.MultiReader(strings.NewReader(push), errorReader{}), good); got != 400 {
		t.Errorf("broken off: %d", got)
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAsked(t *testing.T) {
	var asked []string
	h := Asked{Nudge: func(stack string) int {
		asked = append(asked, stack)
		return map[string]int{"": 3, "shop": 1}[stack]
	}}
	for _, c := range []struct {
		path string
		code int
		body string
	}{
		{"/api/v1/reconcile", 202, `{"nudged":3}`},
		{"/api/v1/reconcile?stack=shop", 202, `{"nudged":1}`},
		{"/api/v1/reconcile?stack=shpo", 404, `{"error":"no stack shpo is reconciled here"}`},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, c.path, nil))
		if w.Code != c.code || strings.TrimSpace(w.Body.String()) != c.body {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
	}
	if !cmp.Equal(asked, []string{"", "shop", "shpo"}) {
		t.Errorf("asked for %q", asked)
	}
}
