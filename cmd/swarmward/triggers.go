package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/trigger"
	"github.com/swarmward/swarmward/spec"
)

// triggers begins to nudge. It waits a moment for the Engine's events: what
// happens once they are heard of, no first pass has to look for again.
func (c *controller) triggers(ctx context.Context) {
	heard := make(chan struct{})
	stream := trigger.Stream{Log: c.log, Lost: func() { c.fleet.Nudge(nil) }, Follow: c.follow}
	c.running.Go(func() { stream.Run(ctx, func() { close(heard) }) })
	c.running.Go(func() { c.schedule.Run(ctx, func() { c.everybody(ctx) }) })
	c.running.Go(func() { c.hangups(ctx) })
	if files := c.stacks.files; files != nil {
		c.watchFolders()
		c.running.Go(func() { files.Run(ctx, func(keys []string) { c.changed(ctx, keys) }) })
	}
	select {
	case <-heard:
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
}

// follow the Engine's events, and nudge whom they concern.
func (c *controller) follow(ctx context.Context, connected func()) error {
	return c.engine.Follow(ctx, connected, func(kind reconcile.Kind, name string) {
		n := c.fleet.Nudge(func(_ string, s *spec.Stack) bool { return reconcile.Concerns(s, kind, name) })
		if n > 0 {
			c.log.Debug("event", "kind", string(kind), "name", name, "stacks", n)
		}
	})
}

// everybody looks at the source and makes a pass.
func (c *controller) everybody(ctx context.Context) {
	c.stacks.refresh(ctx)
	c.fleet.Nudge(nil)
}

// hangups are answered as other daemons answer them: by looking again.
func (c *controller) hangups(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			c.log.Info("asked for a pass of every stack by SIGHUP")
			c.everybody(ctx)
		}
	}
}

// folders is the key of the folders that hold a spec in each file. No stack has
// it.
const folders = ""

func (c *controller) watchFolders() {
	var dirs []string
	for _, path := range c.app.files {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			if abs, err := filepath.Abs(path); err == nil {
				dirs = append(dirs, abs)
			}
		}
	}
	if len(dirs) > 0 {
		c.stacks.files.Watch(folders, dirs)
	}
}

// changed files make passes of the stacks that are read from them.
func (c *controller) changed(ctx context.Context, keys []string) {
	if slices.Contains(keys, folders) {
		c.stacks.refresh(ctx)
	}
	n := c.fleet.Nudge(func(key string, _ *spec.Stack) bool { return slices.Contains(keys, key) })
	c.log.Debug("files have changed", "stacks", n)
}
