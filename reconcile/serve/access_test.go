package serve

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile"
)

const (
	fullToken = "full-0123456789abcdef"
	readToken = "read-0123456789abcdef"
)

func tokenFile(t *testing.T, tokens ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(strings.Join(tokens, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// ask a handler as somebody with that Authorization header.
func ask(h http.Handler, method, path, authorization string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func TestWhoMayDoWhat(t *testing.T) {
	none, open := Access{}, Access{TokenFile: tokenFile(t, fullToken)}
	protected := Access{TokenFile: open.TokenFile, ProtectReads: true}
	both := Access{TokenFile: open.TokenFile, ReadTokenFile: tokenFile(t, readToken)}
	const get, post = "GET /api/v1/status", "POST /api/v1/reconcile"
	basic := func(password string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth("anybody", password)
		return r.Header.Get("Authorization")
	}
	for _, c := range []struct {
		name          string
		access        Access
		call          string
		authorization string
		want          int
	}{
		{"reads are open", none, get, "", 200},
		{"nobody writes without a token file", none, post, "Bearer " + fullToken, 403},
		{"no token", open, post, "", 401},
		{"a wrong one", open, post, "Bearer " + readToken, 401},
		{"the beginning of it", open, post, "Bearer " + fullToken[:18], 401},
		{"more than it", open, post, "Bearer " + fullToken + "0", 401},
		{"nothing after Bearer", open, post, "Bearer ", 401},
		{"the right one", open, post, "Bearer " + fullToken, 202},
		{"the scheme in small letters", open, post, "bearer " + fullToken, 202},
		{"another scheme", open, post, "Token " + fullToken, 401},
		{"what a browser sends by itself does not write", open, post, basic(fullToken), 401},
		{"reads stay open beside a token", open, get, "", 200},
		{"a protected read without one", protected, get, "", 401},
		{"a protected read", protected, get, "Bearer " + fullToken, 200},
		{"a protected read by a browser", protected, get, basic(fullToken), 200},
		{"a protected read by a browser, wrong", protected, get, basic("x"), 401},
		{"a read token protects reads", both, get, "", 401},
		{"a read token reads", both, get, "Bearer " + readToken, 200},
		{"and so does the other", both, get, "Bearer " + fullToken, 200},
		{"a read token does not write", both, post, "Bearer " + readToken, 403},
		{"health is everybody's", both, "GET /healthz", "", 200},
		{"readiness too", both, "GET /readyz", "", 200},
		{"metrics are read", both, "GET /metrics", "", 401},
		{"metrics with the token", both, "GET /metrics", "Bearer " + readToken, 200},
		{"the page is read", both, "GET /", "", 401},
		{"checks are read", both, "GET /api/v1/health/redis", "", 401},
		{"a path that is not there is no secret", both, "GET /nowhere", "", 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testServer()
			s.Access, s.Metrics = c.access, NewMetrics(s.Board, "test")
			s.Reconcile = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
			s.Board.Post(whatrack(), &reconcile.Outcome{Stack: "whatrack"})
			method, path, _ := strings.Cut(c.call, " ")
			rec := ask(s.Handler(), method, path, c.authorization)
			if rec.Code != c.want {
				t.Errorf("%d, want %d: %s", rec.Code, c.want, rec.Body)
			}
			if challenge := rec.Header().Values("WWW-Authenticate"); (len(challenge) > 0) != (c.want == 401) {
				t.Errorf("%d with the challenge %v", rec.Code, challenge)
			} else if c.want == 401 && method == "POST" && len(challenge) != 1 {
				t.Errorf("a browser is asked for a password to write with: %v", challenge)
			}
			if body := rec.Body.String(); strings.Contains(body, fullToken) || strings.Contains(body, readToken) {
				t.Errorf("the answer tells a token: %s", body)
			}
		})
	}
}

// A token that is replaced holds no longer, and the new one at once; no token
// holds while the file has none.
func TestTokensAreReadAgain(t *testing.T) {
	file := tokenFile(t, fullToken)
	s := testServer()
	s.Access = Access{TokenFile: file}
	s.Reconcile = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h := s.Handler()
	expect := func(token string, want int) {
		t.Helper()
		if got := ask(h, "POST", "/api/v1/reconcile", "Bearer "+token).Code; got != want {
			t.Errorf("%q: %d, want %d", token, got, want)
		}
	}
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect(fullToken, 200)
	put(fullToken + "\n" + readToken + "\n") // both, while clients change over
	expect(fullToken, 200)
	expect(readToken, 200)
	put(readToken)
	expect(fullToken, 401)
	expect(readToken, 200)
	put("\n")
	expect("", 401)
	expect(readToken, 401)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	expect("", 401)
	expect(readToken, 401)
}

func TestAccessIsChecked(t *testing.T) {
	for _, c := range []struct {
		name   string
		access Access
		want   string
	}{
		{"nothing", Access{}, ""},
		{"a good one", Access{TokenFile: tokenFile(t, fullToken)}, ""},
		{"protected by nothing", Access{ProtectReads: true}, "no token"},
		{"empty", Access{TokenFile: tokenFile(t)}, "is empty"},
		{"short", Access{ReadTokenFile: tokenFile(t, fullToken, "secret")}, "can be guessed"},
		{"missing", Access{TokenFile: filepath.Join(t.TempDir(), "none")}, "no such file"},
	} {
		err := c.access.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") && c.name == "short" {
			t.Errorf("the error tells the token: %v", err)
		}
	}
}
