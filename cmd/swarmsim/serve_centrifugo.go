package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
)

// serveCentrifugo answers as the Centrifugo that the container's command line
// starts; nil when it starts something else.
func (c *simulated) serveCentrifugo(argv []string, files fileset) (*served, error) {
	env := environment(c.spec.Env)
	options, ok := centrifugoOptions(argv, env, files)
	if !ok {
		return nil, nil
	}
	config, err := c.engine.loadCentrifugo(options, env, files)
	if err != nil {
		return nil, err
	}
	if config.Engine.Type == "redis" {
		if config.Engine.Redis.Address, err = c.reachable(config.Engine.Redis.Address); err != nil {
			return nil, fmt.Errorf("error connecting to Redis: %w", err)
		}
	}
	log := slog.New(slog.NewTextHandler(&c.logs, nil))
	node, err := standin.New(config, log)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", c.engine.addresses.node(0)+":0")
	if err != nil {
		return nil, fmt.Errorf("centrifugo: %w", err)
	}
	server := &http.Server{Handler: node, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	log.Info("serving websocket, api, health endpoints on :" + strconv.Itoa(config.HTTPServer.Port))
	return &served{port: config.HTTPServer.Port, inner: l.Addr().String(), close: func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = node.Close(ctx)
		_ = server.Close()
	}}, nil
}

// centrifugoOptions are the arguments of centrifugo on a command line. The image
// has no entrypoint: a command line that does not begin with the program cannot
// be run, which script finds out.
func centrifugoOptions(argv []string, env map[string]string, files fileset) ([]string, bool) {
	if line, ok := shellLine(argv); ok {
		argv = shellWords(line, env, files)
		argv = argv[max(0, slices.Index(argv, "centrifugo")):]
	}
	switch {
	case len(argv) == 0:
		return nil, true
	case path.Base(argv[0]) == "centrifugo":
		return argv[1:], true
	}
	return nil, false
}

// loadCentrifugo reads the configuration as Centrifugo would from the files of
// the container. The stand-in wants a file, so it gets one for a moment.
func (e *Engine) loadCentrifugo(options []string, env map[string]string, files fileset) (standin.Config, error) {
	name := "config.json"
	for i, o := range options {
		if key, value, ok := strings.Cut(o, "="); ok && (key == "-c" || key == "--config") {
			name = value
		} else if (o == "-c" || o == "--config") && i+1 < len(options) {
			name = options[i+1]
		}
	}
	dir, err := os.MkdirTemp(e.dir, "centrifugo")
	if err != nil {
		return standin.Config{}, fmt.Errorf("centrifugo: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, path.Base(name))
	if content, ok := files[absolute("/centrifugo", name)]; ok {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return standin.Config{}, fmt.Errorf("centrifugo: %w", err)
		}
	}
	config, _, err := standin.Load(file, func(name string) string { return env[name] })
	return config, err
}

// reachable replaces the host of a Redis address by where it really is.
func (c *simulated) reachable(address string) (string, error) {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		host, err := c.reachableHost(u.Host)
		u.Host = host
		return u.String(), err
	}
	return c.reachableHost(address)
}

func (c *simulated) reachableHost(address string) (string, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		host, text = address, "6379"
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return "", fmt.Errorf("address %s: no port number: %w", address, err)
	}
	return c.engine.names.reach(c, host, port)
}
