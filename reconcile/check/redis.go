package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/swarmward/swarmward/spec"
)

const (
	defaultRedisKey = "redis-health-check"
	redisTTL        = 30 * time.Second
)

func redisKey(c spec.RedisCheck) string {
	if c.Key == "" {
		return defaultRedisKey
	}
	return c.Key
}

// redis writes a fresh value under the test key and reads it back.
func (t *try) redis(ctx context.Context, c spec.RedisCheck) finding {
	password, problem := t.credential(c.Password)
	if problem != nil {
		return *problem
	}
	conn, problem := t.connect(ctx, nil)
	if problem != nil {
		return *problem
	}
	first := &listener{Conn: conn}
	retrieved, err := t.roundTrip(ctx, first, c, password)
	t.evidence.Retrieved = retrieved
	if err != nil {
		return t.redisFailure(ctx, c, first.heard(), err)
	}
	if retrieved == nil || *retrieved != t.evidence.TestValue {
		return failed(ReasonMismatch,
			fmt.Sprintf("Redis at %s took a value for %s and gave another one back.", t.way.Address, redisKey(c)),
			"Make sure that this is one Redis server and not several behind one address.")
	}
	t.evidence.TestPassed = true
	if password != "" && t.anybodyMay(ctx, c) {
		t.evidence.TestPassed = false
		return failed(ReasonNoPasswordRequired,
			fmt.Sprintf("Redis at %s works, but takes anybody: it answers without the password of secret %s.",
				t.way.Address, c.Password.Secret),
			"Make the server require the password (requirepass), and close its port until it does.")
	}
	return passed(fmt.Sprintf("Redis stored %s under %s and gave it back.", t.evidence.TestValue, redisKey(c)))
}

// roundTrip does SET, GET and DEL in one transaction: checkers that run at the
// same moment use the same key, and none may read or delete another's value.
// The TTL is for a server that dies before it gets to the DEL.
func (t *try) roundTrip(ctx context.Context, conn net.Conn, c spec.RedisCheck, password string) (*string, error) {
	var connected atomic.Bool
	client := t.redisClient(conn, c, password, &connected)
	defer func() { _ = client.Close() }()

	key := redisKey(c)
	var set *redis.StatusCmd
	var get *redis.StringCmd
	_, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		set = p.Set(ctx, key, t.evidence.TestValue, redisTTL)
		get = p.Get(ctx, key)
		p.Del(ctx, key)
		return nil
	})
	t.evidence.Connected = connected.Load()
	// Every replica refuses SET; that it has lost its master, GET alone says.
	if redis.IsMasterDownError(get.Err()) {
		return nil, get.Err()
	}
	// The first refused command says why; the transaction's own error only that.
	for _, e := range []error{set.Err(), get.Err(), err} {
		if e != nil && !errors.Is(e, redis.Nil) {
			return nil, e
		}
	}
	if get.Err() != nil {
		return nil, nil
	}
	value := get.Val()
	return &value, nil
}

// anybodyMay tells whether a client without credentials may read the test key.
// Only a plain success counts: that login works was proved before.
func (t *try) anybodyMay(ctx context.Context, c spec.RedisCheck) bool {
	conn, err := t.dial(ctx, t.way)
	if err != nil {
		return false
	}
	c.Username = ""
	client := t.redisClient(conn, c, "", &atomic.Bool{})
	defer func() { _ = client.Close() }()
	err = client.Get(ctx, redisKey(c)).Err()
	return err == nil || errors.Is(err, redis.Nil)
}

// redisClient speaks over conn alone: one connection, no retry, no command but
// the login and those asked for. It sets connected when the server has let it in.
func (t *try) redisClient(conn net.Conn, c spec.RedisCheck, password string, connected *atomic.Bool) *redis.Client {
	redis.SetLogger(silent{}) // what it would log is in the result
	var once sync.Once
	dial := func(context.Context, string, string) (net.Conn, error) {
		given := net.Conn(nil)
		once.Do(func() { given = conn })
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
			connected.Store(true)
			return nil
		},
	})
}

// speaksTLS tells whether the way leads to a TLS server. Nothing is sent over
// the session, so nobody needs to be trusted.
func (t *try) speaksTLS(ctx context.Context) bool {
	conn, err := t.dial(ctx, t.way)
	if err != nil {
		return false
	}
	var alert tls.AlertError
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	return err == nil || errors.As(err, &alert)
}

// silent is a log that nobody reads.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

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

func (l *listener) heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.first)
}
