package engine

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the Engine says about a log is not what the task wrote.
func TestLogs(t *testing.T) {
	frame := func(stream byte, text string) string {
		return string([]byte{stream, 0, 0, 0, 0, 0, 0, byte(len(text))}) + text
	}
	const none = "Error grabbing logs: task x has not been scheduled"
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"nothing", "", nil},
		{"both streams", frame(1, "out\n") + frame(2, "err\n"), []string{"out", "err"}},
		{"a task that no node has", frame(3, none), nil},
		{"a log that breaks off", frame(1, "out\n") + frame(3, none), []string{"out"}},
		{"a terminal", "out\r\nerr\r\n", []string{"out\r", "err\r"}},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/_ping") {
				w.Header().Set("Api-Version", "1.41")
				return
			}
			_, _ = io.WriteString(w, c.body)
		}))
		e, err := NewAt("tcp://"+server.Listener.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.logs(t.Context(), "x", 10)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", c.name, err, diff)
		}
		_ = e.Close()
		server.Close()
	}
}
