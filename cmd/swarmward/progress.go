package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

// progress shows what a pass is doing: on a terminal that can, a line per subject that
// is rewritten in place, elsewhere a log line per event.
type progress struct {
	log *slog.Logger // nil on a terminal

	mu    sync.Mutex
	out   *os.File
	order []string
	lines map[string]string
	shown int
}

// progress goes to stderr: it is no result.
func (a *app) progress(s *spec.Stack) *progress {
	p := &progress{out: a.err, lines: map[string]string{}}
	if !isCapable(a.err) || a.logFormat != "" {
		p.log = a.logger("text").With("stack", s.Name)
	} else {
		fmt.Fprintln(p.out)
	}
	return p
}

func (p *progress) event(e reconcile.Event) {
	if p.log != nil {
		level := slog.LevelInfo
		if e.State == "failed" || e.State == "not started" {
			level = slog.LevelError
		}
		p.log.Log(context.Background(), level, string(e.Phase)+": "+e.State, "subject", e.Subject, "message", e.Message)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := string(e.Phase) + " " + e.Subject
	if _, ok := p.lines[key]; !ok {
		p.order = append(p.order, key)
	}
	first, _, _ := strings.Cut(e.Message, "\n")
	p.lines[key] = fmt.Sprintf("  %-8s %-24s %-11s %s", e.Phase, e.Subject, e.State, render.Printable(first))
	p.draw()
}

// heartbeat: a terminal shows the seconds pass, a log is not filled with them.
func (p *progress) heartbeat() time.Duration {
	if p.log != nil {
		return 0
	}
	return time.Second
}

// draw rewrites the block; lines are cut to the terminal's width, since a
// wrapped one would be counted as one and shown as two.
func (p *progress) draw() {
	width, _, err := term.GetSize(int(p.out.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	var b strings.Builder
	if p.shown > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.shown)
	}
	for _, k := range p.order {
		line := []rune(p.lines[k])
		b.WriteString(string(line[:min(len(line), width-1)]) + "\x1b[K\n")
	}
	p.shown = len(p.order)
	fmt.Fprint(p.out, b.String())
}

// end leaves the block as it is and stops rewriting it.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown, p.order, p.lines = 0, nil, map[string]string{}
}
