package serve

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// route is a path and who may do what there.
type route struct {
	path    string // a pattern of http.ServeMux, without a method
	method  string // GET answers HEAD too
	need    right
	body    int64 // bytes that a request may carry
	probing bool  // it has somebody else work
	always  bool  // it is answered however many are here
	handler http.Handler
}

// What a request may carry. Forges send at most 25 MB.
const (
	someBody = 64 << 10
	hookBody = 26 << 20
)

func (s *Server) routes() []route {
	get := func(path string, need right, h http.HandlerFunc) route {
		return route{path: path, method: http.MethodGet, need: need, body: someBody, handler: h}
	}
	working := func(path string, h http.HandlerFunc) route {
		r := get(path, rightRead, h)
		r.probing = true
		return r
	}
	out := []route{
		get("/{$}", rightRead, s.page),
		{path: "/healthz", method: http.MethodGet, always: true, handler: http.HandlerFunc(s.alive)},
		{path: "/readyz", method: http.MethodGet, always: true, handler: http.HandlerFunc(s.ready)},
		get("/api/v1/status", rightRead, s.status),
		get("/api/v1/plan", rightRead, s.plan),
		working("/api/v1/history", s.history),
		working("/api/v1/health/redis", s.redis),
		working("/api/v1/health/{check}", s.check),
		{path: "/api/v1/reconcile", method: http.MethodPost, need: rightWrite, body: someBody, handler: or(s.Reconcile, http.StatusNotImplemented, "no pass can be asked for here")},
		// What it is signed with is the webhook's own.
		{path: "/webhook/git", method: http.MethodPost, body: hookBody, handler: or(s.Webhook, http.StatusForbidden, "no webhook is taken: swarmward runs without a webhook secret")},
	}
	if s.Metrics != nil {
		out = append(out, route{path: "/metrics", method: http.MethodGet, need: rightRead, body: someBody, handler: s.Metrics.Handler()})
	}
	return out
}

// or a handler that says why there is none.
func or(h http.Handler, code int, why string) http.Handler {
	if h != nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fail(w, code, why) })
}

// Handler routes the requests, and says no in JSON.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	all, probing := &turnstile{most: 256, each: 64}, &turnstile{most: 16, each: 4}
	for _, r := range s.routes() {
		if r.probing {
			r.handler = probing.guard(r.handler)
		}
		h := s.guard(r)
		if !r.always {
			h = all.guard(h)
		}
		mux.Handle(r.path, h)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.Metrics.request("other", http.StatusNotFound)
		fail(w, http.StatusNotFound, "there is nothing at "+r.URL.Path)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		mux.ServeHTTP(w, r)
	})
}

func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

// guard a route: its method, who may, and how much.
func (s *Server) guard(r route) http.Handler {
	methods := []string{r.method}
	if r.method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		answer := &answer{ResponseWriter: w}
		defer func() { s.Metrics.request(r.path, answer.status()) }()
		if !slices.Contains(methods, req.Method) {
			answer.Header().Set("Allow", strings.Join(methods, ", "))
			fail(answer, http.StatusMethodNotAllowed, req.URL.Path+" takes "+strings.Join(methods, " and "))
			return
		}
		if no := s.Access.refuse(req, r.need); no != nil {
			s.sendAway(answer, req, no)
			return
		}
		req.Body = http.MaxBytesReader(answer, req.Body, r.body)
		r.handler.ServeHTTP(answer, req)
	})
}

func (s *Server) sendAway(w http.ResponseWriter, r *http.Request, no *refusal) {
	if no.code == http.StatusUnauthorized {
		w.Header().Add("WWW-Authenticate", `Bearer realm="swarmward"`)
		if r.Method != http.MethodPost {
			w.Header().Add("WWW-Authenticate", `Basic realm="swarmward", charset="UTF-8"`)
		}
	}
	if no.err != nil {
		s.Log.Error("no token is taken", "error", no.err.Error())
	}
	fail(w, no.code, no.message)
}

// answer remembers the status.
type answer struct {
	http.ResponseWriter
	code int
}

func (a *answer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) status() int {
	if a.code == 0 {
		return http.StatusOK
	}
	return a.code
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func fail(w http.ResponseWriter, code int, why string) {
	reply(w, code, map[string]string{"error": why})
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// patience lets an answer take so long from now.
func patience(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}
