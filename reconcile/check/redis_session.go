package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// redisSession is one connection to one server, with a client on it.
type redisSession struct {
	client    *redis.Client
	heard     *listener
	secure    *tls.Config // nil: plain TCP
	connected atomic.Bool // the server has let the client in
}

func (s *redisSession) close() { _ = s.client.Close() }

// redisServer opens a session with the server that the check is about, which
// Sentinel may have to be asked for.
func (t *try) redisServer(ctx context.Context, c spec.RedisCheck, password string) (*redisSession, *finding) {
	if c.Sentinel != nil {
		return t.redisMaster(ctx, c, password)
	}
	conn, problem := t.connectFirst(ctx, "cluster", c.Cluster)
	if problem != nil {
		return nil, problem
	}
	return t.redisOver(ctx, conn, c, password)
}

// connectFirst connects to the check's target or, without one, to the first of
// the addresses that takes connections.
func (t *try) connectFirst(ctx context.Context, kind string, addresses []string) (net.Conn, *finding) {
	target := t.check.Target()
	if len(addresses) == 0 || target.Service != "" || target.Connect != "" {
		return t.connect(ctx, nil)
	}
	var ways []reconcile.Way
	for _, address := range addresses {
		ways = append(ways, reconcile.Way{Kind: kind, Address: address})
	}
	return t.connectOver(ctx, ways)
}

// redisAt opens a session with a server that another one has named.
func (t *try) redisAt(ctx context.Context, c spec.RedisCheck, password, kind, address string) (*redisSession, *finding) {
	way := t.way
	if way.Address != address {
		way = reconcile.Way{Kind: kind, Address: address}
	}
	conn, err := t.dial(ctx, way)
	if err != nil {
		f := t.unreached(ctx, []reconcile.Way{way}, []error{err})
		return nil, &f
	}
	t.way = way
	return t.redisOver(ctx, conn, c, password)
}

func (t *try) redisOver(ctx context.Context, conn net.Conn, c spec.RedisCheck, password string) (*redisSession, *finding) {
	s := &redisSession{}
	if c.TLS != nil {
		config, problem := t.tlsConfig(c.TLS, t.redisName(c))
		if problem != nil {
			return nil, problem
		}
		secure, err := t.handshake(ctx, conn, config)
		if err != nil {
			f := t.redisTLSFailure(ctx, t.hungUp(ctx, config, err))
			return nil, &f
		}
		conn, s.secure = secure, config
	}
	s.heard = &listener{Conn: conn}
	s.client = t.redisClient(s, c, password)
	return s, nil
}

// redisName is the name that the server's certificate must be for, unless the
// check gives one: what a client would connect to.
func (t *try) redisName(c spec.RedisCheck) string {
	if c.Target.Service != "" && c.Target.Connect == "" && t.way.Kind != "sentinel" && t.way.Kind != "cluster" {
		return c.Target.Service
	}
	host, _, _ := net.SplitHostPort(t.way.Address)
	return host
}

// redisClient speaks over the session's connection alone: no second one, no
// retry, no command but the login and those asked for.
func (t *try) redisClient(s *redisSession, c spec.RedisCheck, password string) *redis.Client {
	redis.SetLogger(redisLog{t.prober.Log, t.stack})
	var once sync.Once
	dial := func(context.Context, string, string) (net.Conn, error) {
		given := net.Conn(nil)
		once.Do(func() { given = s.heard })
		if given == nil {
			return nil, net.ErrClosed
		}
		return given, nil
	}
	return redis.NewClient(&redis.Options{
		Addr:                     t.way.Address,
		Dialer:                   dial,
		Protocol:                 2,
		Username:                 c.Username,
		Password:                 password,
		DB:                       c.Database,
		MaxRetries:               -1,
		DialerRetries:            1,
		DialTimeout:              t.timeout,
		ReadTimeout:              t.timeout,
		WriteTimeout:             t.timeout,
		ContextTimeoutEnabled:    true,
		PoolSize:                 1,
		PipelinePoolSize:         -1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		OnConnect: func(context.Context, *redis.Conn) error {
			s.connected.Store(true)
			return nil
		},
	})
}

// redisLog passes go-redis' own log on: what matters of it is in the result.
type redisLog struct {
	log   *slog.Logger // nil: nobody reads it
	stack *spec.Stack
}

// Printf logs a line. Of error replies it keeps the code: they may quote what
// the client sent.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	if l.log == nil {
		return
	}
	for i, a := range args {
		var reply redis.Error
		if err, ok := a.(error); ok && errors.As(err, &reply) {
			args[i] = replyCode(reply.Error())
		}
	}
	l.log.DebugContext(ctx, redact(l.stack, fmt.Sprintf(format, args...)), "by", "go-redis")
}

// listener remembers the first bytes that the server sent: a server that
// refuses a connection says why once and closes it, and what the client reports
// is the broken connection.
type listener struct {
	net.Conn
	mu    sync.Mutex
	first []byte
}

func (l *listener) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := 64 - len(l.first); room > 0 {
		l.first = append(l.first, p[:min(n, room)]...)
	}
	return n, err
}

func (l *listener) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.first)
}
