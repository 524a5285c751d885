package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

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

// redis writes a fresh value under the test key and reads it back, and then
// looks at what else the check expects of the server.
func (t *try) redis(ctx context.Context, c spec.RedisCheck) finding {
	password, problem := t.credential(c.Password)
	if problem != nil {
		return *problem
	}
	s, problem := t.redisServer(ctx, c, password)
	if problem != nil {
		return *problem
	}
	defer func() { s.close() }()
	if c.Expect.Role == "replica" {
		return t.replica(ctx, c, s)
	}
	retrieved, err := t.roundTrip(ctx, s, c)
	for hops := 0; err != nil && c.Cluster != nil && hops < maxMoves; hops++ {
		address := movedTo(t.way.Address, err)
		if address == "" {
			break
		}
		next, problem := t.redisAt(ctx, c, password, "cluster", address)
		if problem != nil {
			return *problem
		}
		s.close()
		s = next
		retrieved, err = t.roundTrip(ctx, s, c)
	}
	t.evidence.Retrieved = retrieved
	if err != nil {
		return t.redisFailure(ctx, c, s, err)
	}
	if retrieved == nil || *retrieved != t.evidence.TestValue {
		return failed(ReasonMismatch,
			fmt.Sprintf("Redis at %s took a value for %s and gave another one back.", t.way.Address, redisKey(c)),
			"Make sure that this is one Redis server and not several behind one address.")
	}
	if problem := t.redisExtras(ctx, c, s, password); problem != nil {
		return *problem
	}
	t.evidence.TestPassed = true
	return passed(fmt.Sprintf("Redis stored %s under %s and gave it back.", t.evidence.TestValue, redisKey(c)))
}

// replica reads, as a client of a replica does, and writes nothing.
func (t *try) replica(ctx context.Context, c spec.RedisCheck, s *redisSession) finding {
	err := s.client.Get(ctx, redisKey(c)).Err()
	t.evidence.Connected = s.connected.Load()
	if err != nil && !errors.Is(err, redis.Nil) {
		return t.redisFailure(ctx, c, s, err)
	}
	password, _ := t.credential(c.Password)
	if problem := t.redisExtras(ctx, c, s, password); problem != nil {
		return *problem
	}
	t.evidence.TestPassed = true
	return passed(fmt.Sprintf("Redis at %s is a replica that follows its master and can be read.", t.way.Address))
}

// redisExtras is what a Redis that answers may still lack.
func (t *try) redisExtras(ctx context.Context, c spec.RedisCheck, s *redisSession, password string) *finding {
	if c.Cluster != nil {
		if problem := t.clusterState(ctx, c, s); problem != nil {
			return problem
		}
	}
	if problem := t.redisExpect(ctx, c, s); problem != nil {
		return problem
	}
	if password != "" && !c.PasswordOptional && t.anybodyMay(ctx, c) {
		f := failed(ReasonNoPasswordRequired,
			fmt.Sprintf("Redis at %s works, but takes anybody: it answers without the password of secret %s.",
				t.way.Address, c.Password.Secret),
			"Make the server require the password (requirepass), and close its port until it does.")
		return &f
	}
	return nil
}

// roundTrip does SET, GET and DEL in one transaction: checkers that run at the
// same moment use the same key, and none may read or delete another's value.
// The TTL is for a server that dies before it gets to the DEL. Where an ACL
// forbids MULTI, the three run one after the other: they arrive together, and
// Redis lets nobody in between commands that do.
func (t *try) roundTrip(ctx context.Context, s *redisSession, c spec.RedisCheck) (*string, error) {
	key := redisKey(c)
	var multi, set, get, del, exec *redis.Cmd
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		multi = p.Do(ctx, "multi")
		set = p.Do(ctx, "set", key, t.evidence.TestValue, "ex", int(redisTTL/time.Second))
		get = p.Do(ctx, "get", key)
		del = p.Do(ctx, "del", key)
		exec = p.Do(ctx, "exec")
		return nil
	})
	t.evidence.Connected = s.connected.Load()
	// Every replica refuses SET; that it has lost its master, GET alone says.
	if redis.IsMasterDownError(get.Err()) {
		return nil, get.Err()
	}
	if redis.IsPermissionError(multi.Err()) && set.Err() == nil && del.Err() == nil && isValue(get.Err()) {
		return text(get.Val()), nil
	}
	if d := denied(multi.Err(), set.Err(), get.Err(), del.Err(), exec.Err(), err); d != nil {
		return nil, d
	}
	// The first refused command says why; EXEC only that.
	for _, cmd := range []*redis.Cmd{multi, set, get, del, exec} {
		if cmd.Err() != nil {
			return nil, cmd.Err()
		}
	}
	if err != nil { // no command was sent: the login was refused
		return nil, err
	}
	results, _ := exec.Val().([]any)
	for _, r := range results {
		if err, refused := r.(error); refused {
			return nil, err
		}
	}
	if len(results) != 3 {
		return nil, errNotRedis
	}
	return text(results[1]), nil
}

// isValue tells whether a GET with that error has found something or nothing.
func isValue(err error) bool { return err == nil || errors.Is(err, redis.Nil) }

func text(v any) *string {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	return &s
}

// anybodyMay tells whether a client without credentials may read the test key.
// Only a plain success counts: that login works was proved before.
func (t *try) anybodyMay(ctx context.Context, c spec.RedisCheck) bool {
	c.Username = ""
	s, problem := t.redisAt(ctx, c, "", t.way.Kind, t.way.Address)
	if problem != nil {
		return false
	}
	defer s.close()
	return isValue(s.client.Get(ctx, redisKey(c)).Err())
}
