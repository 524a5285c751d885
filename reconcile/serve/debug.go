package serve

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// debugTime is how long a profile may take.
const debugTime = 10 * time.Minute

// ListenDebug serves Go's profiles on addr until ctx ends. They show what the
// process has in memory, secrets as well, to whoever can reach the address:
// unless anywhere, one that others than this machine can reach is refused.
func ListenDebug(ctx context.Context, addr string, anywhere bool, log *slog.Logger) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	ip := net.ParseIP(host)
	if loopback := host == "localhost" || ip != nil && ip.IsLoopback(); !loopback && !anywhere {
		return fmt.Errorf("%s can be reached from other machines, and profiles show what is in memory, secrets too; use 127.0.0.1:PORT, or say --debug-anywhere", addr)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return listen(ctx, addr, &http.Server{Handler: mux, ReadTimeout: requestTime, WriteTimeout: debugTime}, log)
}
