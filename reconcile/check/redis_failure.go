package check

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// redisFailure turns what went wrong into a finding. heard is how the server's
// first answer began. Error replies are never quoted: an old server repeats the
// login it did not understand, password included.
func (t *try) redisFailure(ctx context.Context, c spec.RedisCheck, heard string, err error) finding {
	reply, isReply := redisReply(heard, err)
	switch {
	case isReply:
		reason := replyReason(reply)
		switch reason {
		case ReasonAuthRequired, ReasonAuthFailed, ReasonMaxClients, ReasonProtectedMode:
			t.evidence.Connected = false
		}
		message, remedy := t.explainReply(c, reason, reply)
		return failed(reason, message, remedy)
	case heard == "" && ctx.Err() == nil && isClosed(err):
		if t.speaksTLS(ctx) {
			return failed(ReasonTLSMismatch,
				fmt.Sprintf("The server at %s expects TLS and closed the plain connection.", t.way.Address),
				"Point the check at Redis' plain port.")
		}
		return t.broken(ctx, "Redis", err)
	case heard != "" && !strings.ContainsAny(heard[:1], "+-:$*%_#,"):
		return t.notRedis(heard)
	case strings.Contains(err.Error(), "redis: invalid reply"), strings.Contains(err.Error(), "redis: can't parse"):
		return t.notRedis(heard)
	}
	return t.broken(ctx, "Redis", err)
}

func (t *try) notRedis(heard string) finding {
	t.evidence.Connected = false
	what := "answers, but not as Redis does"
	if strings.HasPrefix(heard, "HTTP/") {
		what = "is an HTTP server, not Redis"
	}
	return failed(ReasonNotRedis, fmt.Sprintf("What listens at %s %s.", t.way.Address, what),
		"Check the service and the port of the check, and which task has published that port.")
}

// redisReply is the error reply of the server, if that is what failed.
func redisReply(heard string, err error) (string, bool) {
	for _, refusal := range []string{"-ERR max number of clients", "-DENIED "} {
		if strings.HasPrefix(heard, refusal) {
			return heard[1:], true
		}
	}
	var reply redis.Error
	if errors.As(err, &reply) && !errors.Is(err, redis.Nil) && !errors.Is(err, redis.ErrClosed) {
		return reply.Error(), true
	}
	return "", false
}

func replyReason(reply string) reconcile.Reason {
	for _, r := range redisReplies() {
		if strings.HasPrefix(reply, r.prefix) {
			return r.reason
		}
	}
	return ReasonRedisError
}

// explainReply is the message and the remedy for an error reply.
func (t *try) explainReply(c spec.RedisCheck, reason reconcile.Reason, reply string) (message, remedy string) {
	at := "Redis at " + t.way.Address + " "
	user := c.Username
	if user == "" {
		user = "default"
	}
	secret := c.Password.Secret
	switch reason {
	case ReasonAuthRequired:
		return at + "requires a password, and the check gives none.",
			"Name the password's secret in the check: password: {secret: …}."
	case ReasonAuthFailed:
		return fmt.Sprintf("%srefuses the password of secret %s for user %s.", at, secret, user),
			fmt.Sprintf("Give secret %s the password that the server runs with, or restart the server with the new one.", secret)
	case ReasonNoPasswordRequired:
		return fmt.Sprintf("%shas no password set, though secret %s gives one.", at, secret),
			"Make the server require the password (requirepass), and close its port until it does."
	case ReasonPermission:
		return fmt.Sprintf("%slets user %s log in, but not run SET, GET and DEL on %s in a transaction.", at, user, redisKey(c)),
			fmt.Sprintf("Allow it: ACL SETUSER %s ~%s +multi +exec +select +set +get +del", user, redisKey(c))
	case ReasonReadOnly:
		return at + "is a read-only replica.",
			"Point the check at the master, or promote this server: REPLICAOF NO ONE."
	case ReasonLoading:
		return at + "is still loading its data from disk.",
			"Wait; if it lasts longer than usual, see the server's log and raise the check's grace."
	case ReasonOutOfMemory:
		return at + "is out of memory and takes no more writes.",
			"Raise maxmemory and the service's memory limit, or free keys, or choose an eviction policy."
	case ReasonMisconf:
		return at + "takes no writes because it cannot save its data to disk.",
			"Free disk space and check the permissions of its data directory; its log has the cause."
	case ReasonMasterDown:
		return at + "is a replica that has lost its master.",
			"Bring the master back, or promote this server: REPLICAOF NO ONE."
	case ReasonNoReplicas:
		return at + "takes no writes because too few replicas follow it.",
			"Bring the replicas back, or lower min-replicas-to-write."
	case ReasonMaxClients:
		return at + "has no connection left for another client.",
			"Find the client that leaks connections with CLIENT LIST, or raise maxclients."
	case ReasonProtectedMode:
		return at + "runs in protected mode and serves its own machine alone.",
			"Set a password (requirepass) or an address to bind."
	}
	if c.Database > 0 {
		return fmt.Sprintf("%srefused the round trip in database %d with the error %s.", at, c.Database, replyCode(reply)),
			fmt.Sprintf("See whether the server has a database %d, and its log.", c.Database)
	}
	return fmt.Sprintf("%srefused the round trip with the error %s.", at, replyCode(reply)),
		"See the server's log and try the same with redis-cli."
}

// replyCode is the first word of an error reply, which is a code; the rest of
// it may quote what the client sent.
func replyCode(reply string) string {
	code, _, _ := strings.Cut(reply, " ")
	if code == "" || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || len(code) > 32 {
		return "of no known kind"
	}
	return code
}

// redisReplies classifies error replies by how they begin; first match wins.
func redisReplies() []redisPrefix {
	return []redisPrefix{
		{"LOADING ", ReasonLoading},
		{"NOAUTH ", ReasonAuthRequired},
		{"ERR operation not permitted", ReasonAuthRequired}, // before Redis 3
		{"WRONGPASS ", ReasonAuthFailed},
		{"ERR invalid password", ReasonAuthFailed}, // before Redis 6
		{"ERR Client sent AUTH, but no password is set", ReasonNoPasswordRequired},
		{"ERR AUTH <password> called without any password", ReasonNoPasswordRequired},
		{"NOPERM ", ReasonPermission},
		{"READONLY ", ReasonReadOnly},
		{"OOM ", ReasonOutOfMemory},
		{"MISCONF ", ReasonMisconf},
		{"MASTERDOWN ", ReasonMasterDown},
		{"NOREPLICAS ", ReasonNoReplicas},
		{"ERR max number of clients", ReasonMaxClients},
		{"DENIED ", ReasonProtectedMode},
	}
}

type redisPrefix struct {
	prefix string
	reason reconcile.Reason
}
