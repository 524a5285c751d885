package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/backend"
	"github.com/docker/docker/api/types/container"
	timetypes "github.com/docker/docker/api/types/time"
)

// ServiceLogs gives the lines of all containers of services and tasks.
func (b *clusterBackend) ServiceLogs(ctx context.Context, selector *backend.LogSelector, options *container.LogsOptions) (<-chan *backend.LogMessage, error) {
	services, tasks := map[string]bool{}, map[string]bool{}
	for _, input := range selector.Services {
		s, err := b.service(input, false)
		if err != nil {
			return nil, fmt.Errorf("error making log selector: %w", err)
		}
		services[s.ID] = true
	}
	for _, input := range selector.Tasks {
		t, err := b.task(input)
		if err != nil {
			return nil, fmt.Errorf("error making log selector: %w", err)
		}
		tasks[t.ID] = true
	}
	return b.engine.follow(ctx, options, func(c *simulated) bool { return services[c.task.ServiceID] || tasks[c.task.ID] })
}

// logOptions are the parsed ones.
type logOptions struct {
	*container.LogsOptions
	tail  int // negative for all
	since time.Time
}

func parseLogOptions(o *container.LogsOptions) (logOptions, error) {
	out := logOptions{LogsOptions: o, tail: -1}
	if o.Tail != "" && o.Tail != "all" {
		n, err := strconv.Atoi(o.Tail)
		if err != nil {
			return out, errors.New(`tail value must be a positive integer or "all"`)
		}
		if n < 0 {
			return out, errors.New("negative tail values not supported")
		}
		out.tail = n
	}
	if o.Since != "" {
		s, ns, err := timetypes.ParseTimestamps(o.Since, 0)
		if err != nil {
			return out, fmt.Errorf("could not parse since timestamp: %w", err)
		}
		out.since = time.Unix(s, ns)
	}
	return out, nil
}

func (o logOptions) wants(e entry) bool {
	return (e.stream == "stdout" && o.ShowStdout || e.stream == "stderr" && o.ShowStderr) && !e.at.Before(o.since)
}

// follow gives the lines of containers; with options.Follow also those to come,
// until the context ends.
func (e *Engine) follow(ctx context.Context, options *container.LogsOptions, wanted func(*simulated) bool) (<-chan *backend.LogMessage, error) {
	o, err := parseLogOptions(options)
	if err != nil {
		return nil, err
	}
	out := make(chan *backend.LogMessage, 1)
	go func() {
		defer close(out)
		seen := map[string]int{} // by container
		for first := true; ; first = false {
			messages := e.collect(o, wanted, seen, first)
			for _, m := range messages {
				select {
				case out <- m:
				case <-ctx.Done():
					return
				}
			}
			if !o.Follow {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return out, nil
}

// collect takes the lines that were not seen yet, the oldest first.
func (e *Engine) collect(o logOptions, wanted func(*simulated) bool, seen map[string]int, first bool) []*backend.LogMessage {
	var out []*backend.LogMessage
	for _, c := range e.agent.all() {
		if !wanted(c) {
			continue
		}
		entries, n := c.logs.since(seen[c.id])
		seen[c.id] = n
		entries = slices.DeleteFunc(entries, func(e entry) bool { return !o.wants(e) })
		if first && o.tail >= 0 && len(entries) > o.tail {
			entries = entries[len(entries)-o.tail:]
		}
		for _, e := range entries {
			out = append(out, &backend.LogMessage{
				Line: []byte(e.line + "\n"), Source: e.stream, Timestamp: e.at, Attrs: []backend.LogAttr{
					{Key: "com.docker.swarm.node.id", Value: c.node.id},
					{Key: "com.docker.swarm.service.id", Value: c.task.ServiceID},
					{Key: "com.docker.swarm.task.id", Value: c.task.ID},
				},
			})
		}
	}
	slices.SortStableFunc(out, func(a, b *backend.LogMessage) int { return a.Timestamp.Compare(b.Timestamp) })
	return out
}
