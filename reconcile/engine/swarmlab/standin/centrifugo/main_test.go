package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), []string{"version"}, &out, io.Discard); code != 0 || !strings.HasPrefix(out.String(), "Centrifugo v6.9.1 ") {
		t.Errorf("exit %d, %q", code, out.String())
	}
}

// config writes a config file and returns its path.
func config(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExitsAtOnceWithoutRedis(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	var out bytes.Buffer
	code := run(t.Context(), []string{"-c", config(t, `{"engine":{"type":"redis","redis":{"address":"`+l.Addr().String()+`"}}}`)}, io.Discard, &out)
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	last := strings.Split(strings.TrimSpace(out.String()), "\n")
	var line struct{ Level, Message, Error string }
	if err := json.Unmarshal([]byte(last[len(last)-1]), &line); err != nil || line.Level != "error" || !strings.Contains(line.Error, "redis engine: ") {
		t.Errorf("last line %+v, %v", line, err)
	}
}

func TestServesUntilStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	file := config(t, `{"http_server":{"address":"127.0.0.1","port":`+port+`},"health":{"enabled":true}}`)

	logs, stderr := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"-c", file}, io.Discard, stderr)
		_ = stderr.Close()
	}()
	answered := false
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		if !strings.Contains(lines.Text(), "serving on") {
			continue
		}
		answered = health(t, address)
		stop()
	}
	if code := <-ended; code != 0 || !answered {
		t.Errorf("exit %d, answered %v", code, answered)
	}
}

// health asks until the server listens.
func health(t *testing.T, address string) bool {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		if response, err := http.Get("http://" + address + "/health"); err == nil {
			_ = response.Body.Close()
			return response.StatusCode == http.StatusOK
		}
		select {
		case <-deadline:
			return false
		case <-tick.C:
		}
	}
}
