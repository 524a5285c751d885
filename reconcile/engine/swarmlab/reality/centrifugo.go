package reality

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
)

// Centrifugo runs Centrifugo 6 with the stand-in's configuration, and returns
// its address.
func Centrifugo(tb testing.TB, c standin.Config) string {
	tb.Helper()
	address := func(at string) []string {
		host, port, _ := net.SplitHostPort(at)
		return []string{"CENTRIFUGO_HTTP_SERVER_ADDRESS=" + host, "CENTRIFUGO_HTTP_SERVER_PORT=" + port}
	}
	c.Fill()
	data, err := yaml.Marshal(c)
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "config.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return serve(tb, standin.Version, nil, address, "-c", file)
}

// CentrifugoWith runs Centrifugo of a generation, 5 or 6, with nothing but an
// environment, and returns its address.
func CentrifugoWith(tb testing.TB, generation int, env []string) string {
	tb.Helper()
	version, prefix := standin.Version, "CENTRIFUGO_HTTP_SERVER_"
	if generation == 5 {
		version, prefix = standin.Version5, "CENTRIFUGO_"
	}
	return serve(tb, version, env, func(at string) []string {
		host, port, _ := net.SplitHostPort(at)
		return []string{prefix + "ADDRESS=" + host, prefix + "PORT=" + port}
	})
}

func serve(tb testing.TB, version string, env []string, address func(string) []string, args ...string) string {
	tb.Helper()
	for range 5 {
		at := unused(tb)
		p := start(tb, standin.RealProgram("centrifugo", version), slices.Concat(env, address(at)), args...)
		err := p.until(func() bool { return listens(at) })
		if err == nil {
			return at
		}
		if !p.portTaken() {
			tb.Fatalf("reality: Centrifugo %s: %v:\n%s", version, err, p.said())
		}
	}
	tb.Fatal("reality: Centrifugo found no free port")
	return ""
}
