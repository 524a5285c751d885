package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// redisFailure turns what went wrong in a session into a finding. Error replies
// are never quoted: an old server repeats the login it did not understand,
// password included.
func (t *try) redisFailure(ctx context.Context, c spec.RedisCheck, s *redisSession, err error) finding {
	heard := s.heard.text()
	if d := denied(err); d != nil {
		return t.notAllowed(c, d)
	}
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
	case s.secure != nil && heard == "":
		return t.redisTLSFailure(ctx, t.hungUp(ctx, s.secure, err))
	case heard == "" && ctx.Err() == nil && isClosed(err):
		if t.speaksTLS(ctx) {
			return failed(ReasonTLSMismatch,
				fmt.Sprintf("The server at %s expects TLS and closed the plain connection.", t.way.Address),
				"Add tls: to the check, or point it at Redis' plain port.")
		}
		return t.broken(ctx, "Redis", err)
	case heard != "" && !strings.ContainsAny(heard[:1], "+-:$*%_#,"):
		return t.notRedis(heard)
	case errors.Is(err, errNotRedis), strings.Contains(err.Error(), "redis: invalid reply"), strings.Contains(err.Error(), "redis: can't parse"):
		return t.notRedis(heard)
	}
	return t.broken(ctx, "Redis", err)
}

// errNotRedis means that what answered does not keep to Redis' protocol.
var errNotRedis = errors.New("the answer is not Redis'")

// redisTLSFailure is the finding for a TLS session that did not come about.
func (t *try) redisTLSFailure(ctx context.Context, err error) finding {
	var record tls.RecordHeaderError
	reason, what, isTLS := tlsFault(err)
	network, _ := networkReason(err)
	switch {
	case errors.As(err, &record), network == reconcile.ReasonTimeout && t.speaksPlain(ctx):
		return failed(ReasonTLSMismatch,
			fmt.Sprintf("The server at %s does not speak TLS on that port.", t.way.Address),
			"Remove tls: from the check or write redis:// in its url, or point it at Redis' TLS port.")
	case reason == ReasonClientCertificate:
		return failed(reason, fmt.Sprintf("Redis at %s: %s.", t.way.Address, what),
			"Give the check tls.cert and tls.key, signed by a CA that the server knows (tls-ca-cert-file).")
	case isTLS:
		return failed(reason, fmt.Sprintf("Redis at %s: %s.", t.way.Address, what),
			"Give the check the CA that signed the server's certificate (tls.ca) and the name that it is for (tls.server_name).")
	}
	return t.broken(ctx, "Redis", err)
}

// speaksPlain tells whether the way leads to a Redis that waits for plain
// commands; it answers PING, even with an error, to anybody.
func (t *try) speaksPlain(ctx context.Context) bool {
	conn, err := t.dial(ctx, t.way)
	if err != nil {
		return false
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	first := make([]byte, 1)
	_, err = conn.Read(first)
	return err == nil && (first[0] == '+' || first[0] == '-')
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
	case ReasonMoved:
		return at + "is a node of a Cluster and keeps the check's key on another one.",
			"Write redis-cluster:// in the check's url."
	case ReasonClusterDown:
		return at + "belongs to a Cluster that is down: some of its slots have no server.",
			"See which node is missing with CLUSTER NODES, and bring it or a replica of it back."
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
		{"MOVED ", ReasonMoved},
		{"CLUSTERDOWN ", ReasonClusterDown},
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
