// Command centrifugo stands in for Centrifugo in test images; see package
// standin.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "version" {
		_, _ = fmt.Fprintf(stdout, "Centrifugo v%s (Go version: %s)\n", standin.Version, runtime.Version())
		return 0
	}
	flags := flag.NewFlagSet("centrifugo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("c", "config.json", "path to config file")
	flags.StringVar(file, "config", *file, "path to config file")
	if err := flags.Parse(args); err != nil {
		return 1
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{ReplaceAttr: centrifugoKeys}))
	if err := serve(ctx, *file, log); err != nil {
		log.Error("error running", "error", err.Error())
		return 1
	}
	return 0
}

// centrifugoKeys gives log lines the keys and levels that Centrifugo's have.
func centrifugoKeys(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		a.Value = slog.StringValue(strings.ToLower(a.Value.String()))
	}
	return a
}

func serve(ctx context.Context, file string, log *slog.Logger) error {
	config, found, err := standin.Load(file, os.Getenv)
	if err != nil {
		return err
	}
	if !found {
		log.Warn("config file not found", "path", file)
	}
	log.Info("starting Centrifugo", "version", standin.Version, "engine", config.Engine.Type, "pid", os.Getpid())
	node, err := standin.New(config, log)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(config.HTTPServer.Address, strconv.Itoa(config.HTTPServer.Port))
	server := &http.Server{Addr: address, Handler: node, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Info("serving on " + address)

	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", address, err)
	case <-ctx.Done():
	}
	log.Info("shutting down")
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(node.Close(ending), server.Shutdown(ending))
}
