package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/log"
	"github.com/sirupsen/logrus"
)

// options of the command line.
type options struct {
	nodes    int
	listen   string
	logLevel string
	images   []string
	command  []string
}

// run is the program; it returns its exit code.
func run(ctx context.Context, args []string) (int, error) {
	if len(args) > 0 && args[0] == "ctl" {
		return ctl(ctx, args[1:], os.Stdout)
	}
	if len(args) > 0 && args[0] == "demo" {
		return demoCommand(ctx, args[1:], os.Stdout)
	}
	o, err := parseOptions(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = fmt.Print(usage)
		return 0, err
	case err != nil:
		return 2, fmt.Errorf("%w; see swarmsim --help", err)
	}
	logger, err := useLogLevel(o.logLevel)
	if err != nil {
		return 2, err
	}
	// A command that is told to stop may still need the Swarm to clean up.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	e, err := StartEngine(life, Config{Nodes: o.nodes, Known: o.images, Log: logger})
	if err != nil {
		return 1, err
	}
	code, err := serveSwarm(ctx, life, e, o)
	return code, errors.Join(err, e.Close())
}

// serveSwarm answers for as long as life lasts, and returns when the command has
// ended or ctx has.
func serveSwarm(ctx, life context.Context, e *Engine, o options) (int, error) {
	if o.listen == "" {
		o.listen = "unix://" + filepath.Join(e.dir, "docker.sock")
	}
	l, host, err := listen(o.listen)
	if err != nil {
		return 1, err
	}
	handler, err := e.Handler(life)
	if err != nil {
		return 1, err
	}
	failed := make(chan error, 1)
	go func() { failed <- serveHTTP(life, l, handler, e.log) }()
	if len(o.command) > 0 {
		return runCommand(ctx, o.command, host)
	}
	if _, err := fmt.Println("DOCKER_HOST=" + host); err != nil {
		return 1, err
	}
	select {
	case err := <-failed:
		return 1, err
	case <-ctx.Done():
		return 0, nil
	}
}

// runCommand runs a command against the Swarm and gives back its exit code.
// When the context ends the command is asked to, and killed when it does not.
func runCommand(ctx context.Context, argv []string, host string) (int, error) {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 30 * time.Second
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	// Nothing that belongs to the user's own Engine must get in the way.
	c.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"}, name)
	}), "DOCKER_HOST="+host)
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode(), nil
	case errors.As(err, &exit):
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal()), nil
	case err != nil:
		return 127, fmt.Errorf("command %s: %w", argv[0], err)
	}
	return 0, nil
}

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("swarmsim", flag.ContinueOnError)
	f.SetOutput(discard{})
	f.Usage = func() {}
	f.IntVar(&o.nodes, "nodes", 1, "")
	f.StringVar(&o.listen, "listen", "", "")
	f.StringVar(&o.logLevel, "log-level", "fatal", "")
	f.Func("image", "", func(name string) error { o.images = append(o.images, name); return nil })
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.command = f.Args()
	return o, nil
}

// discard takes what the flag package prints; the error says it already.
type discard struct{}

// Write takes everything.
func (discard) Write(p []byte) (int, error) { return len(p), nil }

// useLogLevel sets how much Swarm's code, which logs by itself, and ours tell.
func useLogLevel(level string) (*slog.Logger, error) {
	if err := log.SetLevel(level); err != nil {
		return nil, fmt.Errorf("log level %s: it is none of panic, fatal, error, warn, info, debug, trace", level)
	}
	levels := map[string]slog.Level{"warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug, "trace": slog.LevelDebug}
	own, ok := levels[strings.ToLower(level)]
	if !ok {
		own = slog.LevelError
	}
	if logrus.GetLevel() < logrus.ErrorLevel {
		return slog.New(slog.DiscardHandler), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: own})), nil
}
