package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/serve"
	"github.com/swarmward/swarmward/reconcile/trigger"
	"github.com/swarmward/swarmward/spec"
	"github.com/swarmward/swarmward/spec/source"
)

// triggerFlags are those of run that say what starts a pass.
type triggerFlags struct {
	schedule      string
	poll          time.Duration
	webhookSecret string
}

func (f *triggerFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.schedule, "schedule", "@every 1m", "cron `SCHEDULE` of the passes: five fields, six with seconds, or @every 1m")
	flags.DurationVar(&f.poll, "git-poll", time.Minute, "how often a git repository is looked at; 0: only after a webhook")
	flags.StringVar(&f.webhookSecret, "webhook-secret-file", "", "`FILE` with the secrets, one a line, that POST /webhook/git may be signed with (default: none is taken)")
}

func (f *triggerFlags) check() error {
	if f.poll < 0 || f.poll > 0 && f.poll < time.Second {
		return fmt.Errorf("--git-poll %s: give 1s at least, or 0 for never", f.poll)
	}
	if f.webhookSecret == "" {
		return nil
	}
	_, err := webhookSecrets(f.webhookSecret)
	return err
}

// webhookSecrets of a file, which is read each time: a new one holds at once.
func webhookSecrets(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--webhook-secret-file: %w", err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	if len(out) == 0 || slices.ContainsFunc(out, func(s string) bool { return len(s) < 16 }) {
		return nil, fmt.Errorf("--webhook-secret-file %s: a secret has at least 16 characters and is a line of its own; `openssl rand -hex 32` makes a good one", file)
	}
	return out, nil
}

// triggers begins to nudge. It waits a moment for the Engine's events: what
// happens once they are heard of, no first pass has to look for again.
func (c *controller) triggers(ctx context.Context) {
	heard := make(chan struct{})
	stream := trigger.Stream{Log: c.log, Lost: func() { c.fleet.Nudge(nil) }, Follow: c.follow}
	c.running.Go(func() { stream.Run(ctx, func() { close(heard) }) })
	c.running.Go(func() { c.schedule.Run(ctx, c.due) })
	c.running.Go(func() { c.hangups(ctx) })
	c.running.Go(func() { c.heed(ctx) })
	poll := trigger.Poll{Do: c.stacks.refresh}
	if !c.local() {
		poll.Every = c.flags.poll
	}
	c.running.Go(func() { poll.Run(ctx, c.poll) })
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
	anew := func() { c.words.hear(""); connected() }
	return c.engine.Follow(ctx, anew, func(kind reconcile.Kind, name string) {
		if kind == reconcile.KindConfig && reconcile.IsMemory("", name) {
			c.words.hear(name)
			return
		}
		if s := c.others.Load(); s != nil && kind == reconcile.KindConfig && s.Hear(name) {
			return
		}
		n := c.fleet.Happened(func(_ string, s *spec.Stack) bool { return reconcile.Concerns(s, kind, name) })
		if n > 0 {
			c.log.Debug("event", "kind", string(kind), "name", name, "stacks", n)
		}
	})
}

// local says whether the specs are files, which cost nothing to look for.
func (c *controller) local() bool {
	_, is := c.stacks.source.(source.Files)
	return is
}

// due is the schedule's: everybody makes a pass.
func (c *controller) due() {
	if c.local() {
		c.poll.Now()
	}
	c.fleet.Nudge(nil)
}

// asked is for a person who wants a pass now, of one stack or, without a name,
// of all.
func (c *controller) asked(stack string) int { return c.wish(reconcile.Wish{Stack: stack}) }

// wish is granted here, and by the other controllers: one of them may lead.
func (c *controller) wish(w reconcile.Wish) int {
	if s := c.others.Load(); s != nil {
		s.Ask(w)
	}
	return c.granted(w)
}

func (c *controller) grant(w reconcile.Wish) { c.granted(w) }

func (c *controller) granted(w reconcile.Wish) int {
	c.poll.Now()
	if w.Source {
		return 0
	}
	return c.fleet.Nudge(func(_ string, s *spec.Stack) bool { return w.Stack == "" || s != nil && s.Name == w.Stack })
}

// webhook takes what the forges send; nil: it takes nothing.
func (c *controller) webhook() http.Handler {
	file := c.flags.webhookSecret
	if file == "" {
		return nil
	}
	return &trigger.Webhook{Secrets: func() ([]string, error) { return webhookSecrets(file) }, Pushed: c.pushed, Log: c.log}
}

// pushed to a repository: what it holds is looked at if it may be another
// commit now. Files may be somebody's checkout of it.
func (c *controller) pushed(ref string) {
	if c.local() {
		c.asked("")
	} else if follows := c.stacks.follows(); trigger.SameRef(ref, follows) {
		c.wish(reconcile.Wish{Source: true})
	} else {
		c.log.Debug("a push to something else", "ref", ref, "follows", follows)
	}
}

// source tells how the source of the specs is.
func (c *controller) source(seen time.Time, err error) {
	state := serve.SourceState{Seen: seen}
	if err != nil {
		state.Error = err.Error()
	}
	c.board.Source(c.place(), state)
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
			c.asked("")
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
