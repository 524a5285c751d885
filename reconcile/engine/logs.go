package engine

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// logsTimeout bounds the reading of a log: it is a courtesy in an error.
const logsTimeout = 5 * time.Second

// Logs returns the last lines of a task's log, stdout and stderr as they come.
func (e *Engine) Logs(ctx context.Context, taskID string, lines int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, logsTimeout)
	defer cancel()
	r, err := e.api.TaskLogs(ctx, taskID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines)})
	if err != nil {
		return nil, e.explain("logs", err)
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return nil, e.explain("logs", err)
	}
	var out bytes.Buffer
	// A terminal's stream has no frames.
	if _, err := stdcopy.StdCopy(&out, &out, bytes.NewReader(raw)); err != nil {
		out.Reset()
		out.Write(raw)
	}
	text := strings.TrimRight(out.String(), "\n")
	if text == "" {
		return nil, nil
	}
	all := strings.Split(text, "\n")
	return all[max(0, len(all)-lines):], nil
}
