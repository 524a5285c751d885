package serve

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// While checks hang, no client has more than its share of those who wait, and
// they not more than theirs of the server, which answers for itself all the same.
func TestProbesAreLimited(t *testing.T) {
	s := testServer()
	release, entered := make(chan struct{}), make(chan string)
	s.Prober = prober(func(c spec.Check) reconcile.CheckResult {
		entered <- c.Name
		<-release
		return reconcile.CheckResult{Name: c.Name, Status: reconcile.CheckPassed}
	})
	stack := &spec.Stack{Name: "many"}
	for i := range 20 {
		stack.Settings.Checks = append(stack.Settings.Checks, spec.Check{Name: fmt.Sprint("c", i), TCP: &spec.TCPCheck{}})
	}
	s.Board.Post(stack, &reconcile.Outcome{Stack: "many"})
	h := s.Handler()
	from := func(client string, path string) int {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = client + ":1234"
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code == 429 || rec.Code == 503 {
			if rec.Header().Get("Retry-After") != "1" {
				t.Errorf("%d without Retry-After", rec.Code)
			}
		}
		return rec.Code
	}
	var waiting sync.WaitGroup
	for i := range 16 { // four from each of four clients, each for a check of its own
		waiting.Go(func() {
			if code := from(fmt.Sprint("10.0.0.", i/4), fmt.Sprint("/api/v1/health/c", i)); code != 200 {
				t.Errorf("one that was let in: %d", code)
			}
		})
		<-entered
		if i == 3 {
			if code := from("10.0.0.0", "/api/v1/health/c19"); code != 429 {
				t.Errorf("the fifth of one client: %d", code)
			}
			if code := from("10.0.0.0", "/api/v1/status"); code != 200 {
				t.Errorf("what tries nothing: %d", code)
			}
		}
	}
	if code := from("10.0.0.9", "/api/v1/health/c19"); code != 503 {
		t.Errorf("the seventeenth: %d", code)
	}
	if code := from("10.0.0.9", "/healthz"); code != 200 {
		t.Errorf("health: %d", code)
	}
	close(release)
	waiting.Wait()
	go func() { <-entered }()
	if code := from("10.0.0.0", "/api/v1/health/c19"); code != 200 {
		t.Errorf("after the others have left: %d", code)
	}
}

// A client that leaves while a check is tried does not wait for it.
func TestProbesEndWithTheirClient(t *testing.T) {
	s := testServer()
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	s.Prober = prober(func(spec.Check) reconcile.CheckResult {
		close(entered)
		<-release
		return reconcile.CheckResult{}
	})
	s.Board.Post(whatrack(), &reconcile.Outcome{Stack: "whatrack"})
	ctx, leave := testContext(t)
	go func() { <-entered; leave() }()
	r := httptest.NewRequestWithContext(ctx, "GET", "/api/v1/health/redis", nil)
	s.Handler().ServeHTTP(httptest.NewRecorder(), r) // it returns
}

// Of more connections than are let in, the next is answered when one has ended.
func TestConnectionsAreLimited(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 1)
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	defer dial().Close()
	first := <-accepted
	defer dial().Close()
	select {
	case <-accepted:
		t.Fatal("a second connection was let in")
	default:
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	_ = first.Close() // twice frees one place
	second := <-accepted
	if len(l.(*limited).slots) != 1 {
		t.Errorf("%d connections count", len(l.(*limited).slots))
	}
	_ = l.Close()
	_ = second.Close()
	if _, more := <-accepted; more {
		t.Error("a connection was taken after the listener was closed")
	}
}

// Headers have a size.
func TestLargeHeadersAreRefused(t *testing.T) {
	s := testServer()
	addr := serving(t, s)
	req, err := http.NewRequest("GET", "http://"+addr+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Much", strings.Repeat("x", 64<<10))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s", res.Status)
	}
}
