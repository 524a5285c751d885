package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile"
)

func testServer() *Server {
	return &Server{Board: &Board{}, Log: slog.New(slog.DiscardHandler), Prober: redis(new("ok-1234567890"), reconcile.CheckPassed)}
}

// Programs are told in JSON what is wrong with a request.
func TestRefusals(t *testing.T) {
	s := testServer()
	s.Metrics = NewMetrics(s.Board, "test")
	h := s.Handler()
	for call, want := range map[string]struct {
		code  int
		says  string
		allow string
	}{
		"GET /nowhere":                 {404, "nothing at /nowhere", ""},
		"GET /api/v1/":                 {404, "nothing at", ""},
		"GET /api/v1/health/":          {404, "nothing at", ""},
		"DELETE /nowhere":              {404, "nothing at", ""},
		"POST /":                       {405, "takes GET and HEAD", "GET, HEAD"},
		"POST /healthz":                {405, "takes GET and HEAD", "GET, HEAD"},
		"POST /metrics":                {405, "takes GET", "GET, HEAD"},
		"PUT /api/v1/status":           {405, "takes GET", "GET, HEAD"},
		"DELETE /api/v1/health/redis":  {405, "takes GET", "GET, HEAD"},
		"GET /api/v1/reconcile":        {405, "takes POST", "POST"},
		"GET /webhook/git":             {405, "takes POST", "POST"},
		"POST /api/v1/reconcile":       {403, "--token-file", ""},
		"POST /webhook/git":            {403, "webhook secret", ""},
		"GET /api/v1/plan":             {404, "no plan", ""},
		"GET /api/v1/history?stack=no": {404, "no pass", ""},
	} {
		t.Run(call, func(t *testing.T) {
			method, path, _ := strings.Cut(call, " ")
			rec := ask(h, method, path, "")
			var body struct{ Error string }
			if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || rec.Header().Get("Content-Type") != "application/json" {
				t.Fatalf("%v: %s: %s", err, rec.Header(), rec.Body)
			}
			if rec.Code != want.code || !strings.Contains(body.Error, want.says) || rec.Header().Get("Allow") != want.allow {
				t.Errorf("%d %q, Allow %q", rec.Code, body.Error, rec.Header().Get("Allow"))
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	h := testServer().Handler()
	for _, path := range []string{"/", "/healthz", "/api/v1/status", "/nowhere"} {
		rec := ask(h, "GET", path, "")
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := rec.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if policy := rec.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if head := ask(h, "HEAD", path, ""); head.Code != rec.Code {
			t.Errorf("HEAD %s: %d, and GET %d", path, head.Code, rec.Code)
		}
	}
}

// Who has the token is handed on, with as much as a request may carry; a
// webhook is its handler's own business, and may carry more.
func TestHandedOn(t *testing.T) {
	s := testServer()
	s.Access = Access{TokenFile: tokenFile(t, fullToken)}
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_ = json.NewEncoder(w).Encode(n)
	})
	s.Reconcile, s.Webhook = read, read
	for _, c := range []struct {
		path string
		size int
		want int
	}{
		{"/api/v1/reconcile", 100, 200}, {"/api/v1/reconcile", someBody + 1, 413},
		{"/webhook/git", someBody + 1, 200}, {"/webhook/git", hookBody + 1, 413},
	} {
		r := httptest.NewRequest("POST", c.path, bytes.NewReader(make([]byte, c.size)))
		r.Header.Set("Authorization", "Bearer "+fullToken)
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, r)
		if rec.Code != c.want {
			t.Errorf("%d bytes to %s: %d, want %d", c.size, c.path, rec.Code, c.want)
		}
	}
}

func TestHistory(t *testing.T) {
	s := testServer()
	stack := whatrack()
	for i := range remembered + 5 {
		o := &reconcile.Outcome{Stack: "whatrack", Revision: string(rune('a' + i)), Plan: &reconcile.Plan{}}
		if i == remembered+4 {
			o.Plan, o.Err = nil, errors.New("docker: no answer")
		}
		s.Board.Post(stack, o)
	}
	var got struct {
		SchemaVersion int
		Stacks        []struct {
			Stack   string
			Passes  []PassNote
			Records any
			Error   string
		}
	}
	read := func() {
		t.Helper()
		rec := ask(s.Handler(), "GET", "/api/v1/history?stack=whatrack", "")
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || got.SchemaVersion != 1 || len(got.Stacks) != 1 || got.Stacks[0].Stack != "whatrack" {
			t.Fatalf("%v: %s", err, rec.Body)
		}
	}
	read()
	passes := got.Stacks[0].Passes
	if len(passes) != remembered {
		t.Fatalf("%d passes", len(passes))
	}
	if p := passes[0]; p.Result != "error" || p.ExitCode != 1 || p.Error != "docker: no answer" || p.Revision != string(rune('a'+remembered+4)) {
		t.Errorf("the newest: %+v", p)
	}
	if p := passes[1]; p.Result != "ok" || p.Error != "" || p.Revision != string(rune('a'+remembered+3)) {
		t.Errorf("the one before: %+v", p)
	}
}
