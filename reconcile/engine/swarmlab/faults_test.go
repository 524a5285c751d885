package swarmlab_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// standIn answers every call with some text, counts what it is asked to do, and
// has a stream and a connection to take over.
func standIn(t *testing.T) (host string, made *atomic.Int32) {
	t.Helper()
	made = &atomic.Int32{}
	m := http.NewServeMux()
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		made.Add(1)
		_, _ = io.WriteString(w, strings.Repeat("0123456789", 100))
	})
	m.HandleFunc("/info", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ID":"x","SystemTime":"2026-01-02T03:04:05.6Z"}`)
	})
	m.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	m.HandleFunc("/attach", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("you said " + line)
		_ = rw.Flush()
	})
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	return "tcp://" + s.Listener.Addr().String(), made
}

func dialer(f *swarmlab.Faults) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(f.Host, "unix://"))
	}}
}

func TestFaults(t *testing.T) {
	host, made := standIn(t)
	f := swarmlab.NewFaults(t, host)
	transport := dialer(f)
	defer transport.CloseIdleConnections()
	c := http.Client{Transport: transport}
	for _, tt := range []struct {
		fault swarmlab.Fault
		made  int32
		seen  func(status int, body string, err error) bool
	}{
		{swarmlab.Pass, 1, func(s int, b string, err error) bool { return s == 200 && len(b) == 1000 && err == nil }},
		{swarmlab.Fail, 0, func(s int, b string, err error) bool { return s == 500 && strings.Contains(b, "message") && err == nil }},
		{swarmlab.Drop, 0, func(_ int, _ string, err error) bool { return errors.Is(err, io.EOF) }},
		{swarmlab.Cut, 1, func(s int, b string, err error) bool {
			return s == 200 && len(b) > 100 && len(b) < 900 && errors.Is(err, io.ErrUnexpectedEOF)
		}},
		{swarmlab.Delay, 1, func(_ int, _ string, err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	} {
		t.Run(string(tt.fault), func(t *testing.T) {
			transport.CloseIdleConnections() // a GET on a used one would be made again by net/http
			made.Store(0)
			told := 0
			f.Arm(2, tt.fault, func() { told++ })
			get := func(path string) (int, string, error) {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://docker"+path, strings.NewReader("in"))
				if err != nil {
					t.Fatal(err)
				}
				answer, err := c.Do(r)
				if err != nil {
					return 0, "", err
				}
				defer answer.Body.Close()
				body, err := io.ReadAll(answer.Body)
				return answer.StatusCode, string(body), err
			}
			for k, path := range []string{"/one", "/two", "/three"} {
				status, body, err := get(path)
				if k == 1 {
					if !tt.seen(status, body, err) {
						t.Errorf("%d, %d bytes, %v", status, len(body), err)
					}
				} else if status != 200 || err != nil {
					t.Errorf("%s: %d %v", path, status, err)
				}
			}
			if made.Load() != 2+tt.made || told != 1 {
				t.Errorf("%d calls made, told %d times", made.Load(), told)
			}
			want := []swarmlab.Call{{Method: "POST", Path: "/one", Status: 200}, {Method: "POST", Path: "/two", Status: int(200 * tt.made)}, {Method: "POST", Path: "/three", Status: 200}}
			if d := cmp.Diff(want, f.Calls()); d != "" {
				t.Error(d)
			}
		})
	}
}

// Streams come as they are written, and end with their head when they are cut;
// a connection can be taken over.
func TestFaultsStreams(t *testing.T) {
	host, _ := standIn(t)
	f := swarmlab.NewFaults(t, host)
	transport := dialer(f)
	defer transport.CloseIdleConnections()
	for _, fault := range []swarmlab.Fault{swarmlab.Pass, swarmlab.Cut} {
		f.Arm(1, fault, nil)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://docker/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := transport.RoundTrip(r)
		if fault == swarmlab.Cut {
			if err == nil {
				_, err = io.ReadAll(answer.Body)
			}
			if err == nil {
				t.Error("a stream that was cut ends well")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(answer.Body).ReadString('\n'); line != "first\n" || err != nil {
			t.Errorf("%q, %v", line, err)
		}
		_ = answer.Body.Close()
	}
	conn, err := net.Dial("unix", strings.TrimPrefix(f.Host, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /attach HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	in := bufio.NewReader(conn)
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", answer, err)
	}
	_, _ = io.WriteString(conn, "hello\n")
	if line, err := in.ReadString('\n'); line != "you said hello\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
}

func TestFaultsClock(t *testing.T) {
	host, _ := standIn(t)
	f := swarmlab.NewFaults(t, host)
	f.Ahead = time.Minute
	transport := dialer(f)
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get("http://docker/info")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); string(body) != `{"ID":"x","SystemTime":"2026-01-02T03:05:05.6Z"}` || err != nil {
		t.Errorf("%s %v", body, err)
	}
}
