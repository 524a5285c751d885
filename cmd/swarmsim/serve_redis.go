package main

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/moby/swarmkit/v2/api"
)

// redisConfig is the part of a Redis server's configuration that is followed.
type redisConfig struct {
	port     int
	password string
}

// serveRedis answers as the Redis server that the container's command line
// starts; nil when it starts something else.
func (c *simulated) serveRedis(argv []string, files fileset) (*served, error) {
	options, ok := redisOptions(argv, environment(c.spec.Env), files)
	if !ok {
		return nil, nil
	}
	config, err := readRedisConfig(options, files)
	if err != nil {
		return nil, err
	}
	redis, done := c.engine.datasets.open(c)
	if redis.Server() == nil {
		if err := redis.StartAddr(c.engine.addresses.node(0) + ":0"); err != nil {
			done()
			return nil, fmt.Errorf("redis: %w", err)
		}
		redis.ClockTTL(true)
	}
	redis.RequireAuth(config.password)
	redis.Server().SetPreHook(redisHook(""))
	c.logs.add("stdout", "1:M * Running mode=standalone, port="+strconv.Itoa(config.port)+".")
	c.logs.add("stdout", "1:M * Ready to accept connections tcp")
	return &served{port: config.port, inner: redis.Addr(), close: done, redis: redis}, nil
}

// redisHook answers every command with an error, if it has a text, and otherwise
// refuses the commands of a cluster: clients would take the server for one and
// connect to the address behind its ports.
func redisHook(fault string) server.Hook {
	return func(c *server.Peer, command string, _ ...string) bool {
		switch {
		case fault != "":
			c.WriteError(fault)
		case strings.EqualFold(command, "CLUSTER"):
			c.WriteError("ERR This instance has cluster support disabled")
		default:
			return false
		}
		return true
	}
}

// redisOptions are the arguments of redis-server on a command line.
func redisOptions(argv []string, env map[string]string, files fileset) ([]string, bool) {
	if line, ok := shellLine(argv); ok {
		argv = shellWords(line, env, files)
		argv = argv[max(0, slices.IndexFunc(argv, isRedisServer)):]
		if i := slices.Index(argv, ";"); i >= 0 {
			argv = argv[:i]
		}
	}
	if len(argv) > 0 && path.Base(argv[0]) == "docker-entrypoint.sh" {
		argv = argv[1:]
	}
	switch {
	case len(argv) == 0:
		return nil, true
	case isRedisServer(argv[0]):
		return argv[1:], true
	case strings.HasPrefix(argv[0], "-") || strings.HasSuffix(argv[0], ".conf"):
		return argv, true // the image's entrypoint puts redis-server before these
	}
	return nil, false
}

func isRedisServer(word string) bool {
	return path.Base(word) == "redis-server" || path.Base(word) == "valkey-server"
}

// readRedisConfig reads options and the file that they name.
func readRedisConfig(options []string, files fileset) (redisConfig, error) {
	c := redisConfig{port: 6379}
	if len(options) > 0 && !strings.HasPrefix(options[0], "-") {
		file := absolute("/data", options[0])
		content, ok := files[file]
		if !ok {
			return c, verbatim("Fatal error, can't open config file '%s': No such file or directory", file)
		}
		for _, line := range strings.Split(string(content), "\n") {
			fields := strings.Fields(line)
			if len(fields) == 2 {
				c.set(fields[0], strings.Trim(fields[1], `"'`))
			}
		}
		options = options[1:]
	}
	for i := 0; i+1 < len(options); i++ {
		if key, ok := strings.CutPrefix(options[i], "--"); ok {
			c.set(key, options[i+1])
		}
	}
	return c, nil
}

func (c *redisConfig) set(key, value string) {
	switch strings.ToLower(key) {
	case "requirepass":
		c.password = value
	case "port":
		if port, err := strconv.Atoi(value); err == nil {
			c.port = port
		}
	}
}

// datasets keeps the data of Redis servers that keep it on a volume, so that
// the next server on the same volume of the same node finds it.
type datasets struct {
	mu   sync.Mutex
	kept map[string]*dataset // node and volume
}

type dataset struct {
	server *miniredis.Miniredis
	inUse  bool
}

func newDatasets() *datasets { return &datasets{kept: map[string]*dataset{}} }

// open gives a container its server, and what is to be called when it stops.
func (d *datasets) open(c *simulated) (*miniredis.Miniredis, func()) {
	volume := slices.IndexFunc(c.spec.Mounts, func(m api.Mount) bool {
		return m.Type == api.MountTypeVolume && m.Source != "" && strings.HasPrefix(m.Target, "/data")
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if volume >= 0 {
		key := c.node.id + "/" + c.spec.Mounts[volume].Source
		kept := d.kept[key]
		if kept == nil {
			kept = &dataset{server: miniredis.NewMiniRedis()}
			d.kept[key] = kept
		}
		if !kept.inUse {
			kept.inUse = true
			return kept.server, func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				kept.inUse = false
			}
		}
	}
	fresh := miniredis.NewMiniRedis()
	return fresh, fresh.Close
}

// drop forgets what was on a volume.
func (d *datasets) drop(n *node, volume string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := n.id + "/" + volume
	if kept := d.kept[key]; kept != nil {
		kept.server.Close()
		delete(d.kept, key)
	}
}
