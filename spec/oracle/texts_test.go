package oracle

import (
	"errors"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/spec"
)

// text is a random short text of the given runes, quoted for YAML, with no
// variable in it.
func text(runes string, n int) *rapid.Generator[string] {
	return rapid.Map(rapid.StringOfN(rapid.SampledFrom([]rune(runes)), 1, n, -1), strconv.Quote)
}

// written are the places whose single text has a grammar of its own.
var written = []struct {
	path    string
	list    bool
	texts   *rapid.Generator[string]
	refused string // why spec refuses some that docker/cli takes
}{
	{"services.web.command", false, text("ab '\"\\#\n\t;&|>*é", 12), ""},
	{"services.web.ports", true, text("12380:-/tcpud.", 9), "no container listens on port 0"},
	{"services.web.volumes", true, text("ab/.:,ro ", 12), "a volume that nothing declares, a target twice"},
	{"services.web.extra_hosts", true, text("ab1.:=[]", 9), "a host without an address"},
	{"services.web.environment", true, text("AB= \"'\\#", 6), "a name that ends with a space"},
	{"services.web.healthcheck.interval", false, text("0159.hmsun-+", 6), "a negative duration"},
	{"services.web.deploy.resources.limits.memory", false, text("0159.kKmMgGbBi ", 7), "the Engine wants 4 MiB"},
	{"services.web.deploy.resources.limits.cpus", false, text("0159./e-+", 6), "the Engine wants 0.001 CPUs"},
	{"services.web.deploy.labels", true, text("ab.= \"'", 6), ""},
	{"services.web.cap_add", true, text("alAL_CP net", 7), ""},
}

// TestTexts lowers random texts: what both take, they take for the same.
func TestTexts(t *testing.T) {
	same, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		w := written[rapid.IntRange(0, len(written)-1).Draw(rt, "place")]
		value := w.texts.Draw(rt, "text")
		if w.list {
			value = "[" + value + "]"
		}
		s, err := generated("text", [2]string{w.path, value}, [2]string{"volumes.ab", "{}"}, [2]string{"volumes.aa", "{}"})
		if err != nil {
			rt.Fatal(err)
		}
		paths := s.unpack(t)
		want, err := theirs(paths)
		if err != nil {
			return
		}
		got, err := ours(paths)
		var invalid *spec.Invalid
		switch {
		case errors.As(err, &invalid) && w.refused != "":
			refused++
			return
		case err != nil:
			rt.Fatalf("%s: spec refuses %s: %v", w.path, value, err)
		}
		for _, d := range differences(want, got) {
			rt.Errorf("%s: %s: %s", w.path, value, d)
		}
		same++
	})
	t.Logf("counted: %d random texts are lowered to the same, %d were refused", same, refused)
}
