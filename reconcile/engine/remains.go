package engine

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/swarmward/swarmward/reconcile"
)

// logsTimeout bounds the reading of a log: it is a courtesy in an error.
const logsTimeout = 5 * time.Second

// Remains makes two read-only calls. A container on another node cannot be
// inspected from here.
func (e *Engine) Remains(ctx context.Context, task swarm.Task, lines int) reconcile.Remains {
	var out reconcile.Remains
	if log, err := e.logs(ctx, task.ID, lines); err == nil {
		out.Log = log
	}
	if task.Status.ContainerStatus == nil || task.Status.ContainerStatus.ContainerID == "" {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, logsTimeout)
	defer cancel()
	c, err := e.api.ContainerInspect(ctx, task.Status.ContainerStatus.ContainerID)
	if err != nil || c.State == nil {
		return out
	}
	out.OOMKilled = c.State.OOMKilled
	if h := c.State.Health; h != nil && len(h.Log) > 0 {
		if last := h.Log[len(h.Log)-1]; last.ExitCode != 0 {
			out.Health = strings.Join(strings.Fields(last.Output), " ")
			if out.Health == "" {
				out.Health = "exit code " + strconv.Itoa(last.ExitCode)
			}
			out.Health = out.Health[:min(len(out.Health), 300)]
		}
	}
	return out
}

// logs returns the last lines of a task's log, stdout and stderr as they come.
func (e *Engine) logs(ctx context.Context, taskID string, lines int) ([]string, error) {
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
	// A terminal's stream has no frames. One with frames may end in the Engine's
	// word that there is no more, for a task that no node has yet; it is no log.
	if _, err := stdcopy.StdCopy(&out, &out, bytes.NewReader(raw)); err != nil && !framed(raw) {
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

func framed(raw []byte) bool {
	return len(raw) > 3 && raw[0] <= byte(stdcopy.Systemerr) && raw[1] == 0 && raw[2] == 0 && raw[3] == 0
}
