package swarmlab

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// Fault is what becomes of one call.
type Fault string

// A call is one HTTP request, reads and pings included. One that is said to be
// made is carried out by the Engine to its end, whatever its client does.
const (
	Pass  Fault = "pass"  // made, and answered as it is
	Fail  Fault = "fail"  // answered with 500; the Engine never hears of it
	Drop  Fault = "drop"  // the connection is closed; the Engine never hears of it
	Cut   Fault = "cut"   // made, and the connection is closed after half of the answer
	Delay Fault = "delay" // made, and not answered before the client has given up
)

// Call is a call that came in.
type Call struct {
	Method string
	Path   string // with the API version, without the query
	Status int    // the Engine's answer; 0 where it gave none
}

// Write says whether the call may change something.
func (c Call) Write() bool { return c.Method != http.MethodGet && c.Method != http.MethodHead }

// Faults is a socket before an Engine's own, on which a call can be made to go
// wrong. Without a fault everything passes, streams and upgraded connections
// too. It is safe for concurrent use.
type Faults struct {
	Host string // a value for DOCKER_HOST: unix://…
	// Ahead is how far the Engine's clock seems to be ahead of its tasks': one
	// that has just begun to run seems to have done so for as long. Set it before
	// the first call.
	Ahead time.Duration

	upstream http.RoundTripper
	proxy    *httputil.ReverseProxy

	mu    sync.Mutex
	calls []*Call
	at    int
	fault Fault
	then  func()
}

// NewFaults opens such a socket before the Engine at host, and closes it when tb
// ends.
func NewFaults(tb testing.TB, host string) *Faults {
	tb.Helper()
	engine, err := client.NewClientWithOpts(client.WithHost(host))
	if err != nil {
		tb.Fatalf("swarmlab: faults: %v", err)
	}
	dir, err := os.MkdirTemp("", "faults-") // short: a socket's path has at most 108 characters
	if err != nil {
		tb.Fatalf("swarmlab: faults: %v", err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "docker.sock"))
	if err != nil {
		tb.Fatalf("swarmlab: faults: %v", err)
	}
	dial := engine.Dialer()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	f := &Faults{Host: "unix://" + l.Addr().String()}
	f.upstream = clock{transport, f}
	f.proxy = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { aim(r.Out) },
		Transport:      f.upstream,
		FlushInterval:  -1, // events and logs, as they come
		ModifyResponse: func(r *http.Response) error { f.answered(r.Request.Context(), r.StatusCode); return nil },
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	server := &http.Server{Handler: f, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() { _ = server.Serve(l); close(done) }()
	tb.Cleanup(func() {
		_ = server.Close()
		<-done
		transport.CloseIdleConnections()
		_ = engine.Close()
		_ = os.RemoveAll(dir)
	})
	return f
}

// Arm begins a new count, and gives the k-th call from now on the fault; with k
// less than 1 no call has one. If then is set, it is called once at that call:
// after the Engine has carried it out if the fault is Cut or Delay, else before
// that, and always before there is an answer.
func (f *Faults) Arm(k int, fault Fault, then func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.at, f.fault, f.then = nil, k, fault, then
}

// Calls are those that came in since the count began.
func (f *Faults) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Call, len(f.calls))
	for i, c := range f.calls {
		out[i] = *c
	}
	return out
}

// logged is the context key of a request's place in the log.
type logged struct{}

// ServeHTTP lets a call pass or go wrong.
func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, fault, then := f.arrived(r)
	r = r.WithContext(context.WithValue(r.Context(), logged{}, c))
	var answer []byte
	if fault == Cut || fault == Delay {
		answer = f.made(r)
	}
	if then != nil {
		then()
	}
	switch fault {
	case Fail:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"message":"the Engine stumbled"}`)
	case Pass:
		f.proxy.ServeHTTP(w, r)
	case Cut:
		finish(w, answer[:len(answer)/2])
	case Drop:
		finish(w, nil)
	case Delay:
		<-r.Context().Done()
	}
}

func (f *Faults) arrived(r *http.Request) (*Call, Fault, func()) {
	c := &Call{Method: r.Method, Path: r.URL.Path}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	if len(f.calls) == f.at {
		return c, f.fault, f.then
	}
	return c, Pass, nil
}

func (f *Faults) answered(ctx context.Context, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx.Value(logged{}).(*Call).Status = status
}

// made has the Engine carry a call out, whatever becomes of the client, and
// returns its whole answer as it goes over the wire; of a stream, which has no
// end, the head alone.
func (f *Faults) made(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.RequestURI, out.Body = "", io.NopCloser(bytes.NewReader(body))
	aim(out)
	answer, err := f.upstream.RoundTrip(out)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	f.answered(out.Context(), answer.StatusCode)
	raw, _ := httputil.DumpResponse(answer, !streams(r, answer))
	return raw
}

func streams(r *http.Request, answer *http.Response) bool {
	follow := r.URL.Query().Get("follow")
	return answer.StatusCode == http.StatusSwitchingProtocols || strings.HasSuffix(r.URL.Path, "/events") ||
		follow != "" && follow != "0" && follow != "false"
}

// aim sends a request to the Engine, whose socket is dialed whatever its name.
func aim(r *http.Request) { r.URL.Scheme, r.URL.Host = "http", "docker" }

// finish writes the bytes, and closes the connection.
func finish(w http.ResponseWriter, raw []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the client has gone
	}
	_, _ = conn.Write(raw)
	_ = conn.Close()
}

// clock is the Engine with its clock set ahead.
type clock struct {
	http.RoundTripper
	f *Faults
}

func (c clock) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := c.RoundTripper.RoundTrip(r)
	if err != nil || c.f.Ahead == 0 || !strings.HasSuffix(r.URL.Path, "/info") {
		return answer, err
	}
	defer answer.Body.Close()
	var info map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&info); err != nil {
		return nil, err
	}
	said, _ := info["SystemTime"].(string)
	if now, err := time.Parse(time.RFC3339Nano, said); err == nil {
		info["SystemTime"] = now.Add(c.f.Ahead).Format(time.RFC3339Nano)
	}
	body, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.TransferEncoding = nil
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return answer, nil
}
