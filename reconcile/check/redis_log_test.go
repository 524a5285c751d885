package check

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/spec"
)

// replyError is an error reply, as the Redis client has them.
type replyError string

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

// A line of the Redis client's log holds neither a secret of the stack nor what
// an error reply quotes.
func TestRedisLogIsClean(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	stack := &spec.Stack{Secrets: []spec.Secret{{Key: "a", Data: spec.Sensitive("hunter2")}}}
	redisLog{log, stack}.Printf(t.Context(), "login of %s failed: %v", "hunter2", replyError("ERR unknown command 'HELLO' with args hunter3"))
	if got := out.String(); !strings.Contains(got, `level=DEBUG msg="login of (sensitive) failed: ERR" by=go-redis`) {
		t.Errorf("log %s", got)
	}
	redisLog{}.Printf(t.Context(), "nobody reads %s", "this")
}
