package spec

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// Renamed is an environment variable of Centrifugo under its name of version 5
// and under that of version 6.
type Renamed struct{ V5, V6 string }

// CentrifugoNames are the environment variables that Centrifugo 6 renamed. A
// server ignores the names of another version in silence.
var CentrifugoNames = []Renamed{
	{"CENTRIFUGO_API_KEY", "CENTRIFUGO_HTTP_API_KEY"},
	{"CENTRIFUGO_TOKEN_HMAC_SECRET_KEY", "CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY"},
	{"CENTRIFUGO_ALLOWED_ORIGINS", "CENTRIFUGO_CLIENT_ALLOWED_ORIGINS"},
	{"CENTRIFUGO_ADMIN", "CENTRIFUGO_ADMIN_ENABLED"},
	{"CENTRIFUGO_HEALTH", "CENTRIFUGO_HEALTH_ENABLED"},
	{"CENTRIFUGO_ENGINE", "CENTRIFUGO_ENGINE_TYPE"},
	{"CENTRIFUGO_REDIS_ADDRESS", "CENTRIFUGO_ENGINE_REDIS_ADDRESS"},
	{"CENTRIFUGO_REDIS_PASSWORD", "CENTRIFUGO_ENGINE_REDIS_PASSWORD"},
	{"CENTRIFUGO_PORT", "CENTRIFUGO_HTTP_SERVER_PORT"},
}

const centrifugoImage = "centrifugo"

// isCentrifugo goes by the image's name, or by the command where the image
// has another.
func isCentrifugo(s types.ServiceConfig) bool {
	if base, _, _ := splitImage(s.Image); base == centrifugoImage {
		return true
	}
	words := slices.Concat(s.Entrypoint, s.Command)
	return len(words) > 0 && path.Base(words[0]) == centrifugoImage
}

func (t linter) centrifugo(name string, s types.ServiceConfig) {
	if !isCentrifugo(s) {
		return
	}
	if len(s.Command) > 0 && len(s.Entrypoint) == 0 && runsNoProgram(s.Command[0]) {
		t.warn("centrifugo-command", "the command does not begin with centrifugo, and the image has no entrypoint: the tasks do not start",
			"put centrifugo first", "services", name, "command")
	}
	if h := s.HealthCheck; h != nil && !h.Disable && strings.Contains(strings.Join(h.Test, " "), "/api/ping") {
		t.warn("centrifugo-ping", "Centrifugo answers /api/ping with 404, in every version",
			"enable its health endpoint and ask /health, which answers {}", "services", name, "healthcheck", "test")
	}
	t.centrifugoEnv(name, s)
}

// runsNoProgram reports a word that can be meant for centrifugo alone: an
// option or one of its own commands.
func runsNoProgram(word string) bool {
	return strings.HasPrefix(word, "-") || slices.Contains([]string{"serve", "genconfig", "checkconfig", "gentoken", "gensubtoken"}, word)
}

var imageMajor = regexp.MustCompile(`^v?(\d+)(\.|-|$)`)

// centrifugoEnv reports names of the other generation. An image that does not
// tell its version is left alone.
func (t linter) centrifugoEnv(name string, s types.ServiceConfig) {
	_, tag, _ := splitImage(s.Image)
	m := imageMajor.FindStringSubmatch(tag)
	if m == nil {
		return
	}
	major, err := strconv.Atoi(m[1])
	if err != nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(s.Environment)) {
		for _, row := range CentrifugoNames {
			wrong, right, other := row.V5, row.V6, "before version 6"
			if major < 6 {
				wrong, right, other = row.V6, row.V5, "of version 6"
			}
			if key == wrong {
				t.warn("centrifugo-env", "Centrifugo "+m[1]+" ignores "+wrong+", which is a name "+other,
					"write "+right, t.environmentPath(name, key)...)
			}
		}
	}
}

// environmentPath is where a variable stands, which may be an env file.
func (t linter) environmentPath(service, key string) []string {
	at := []string{"services", service, "environment", key}
	if files := []string{"services", service, "env_file"}; !t.l.index.has(at...) && t.l.index.has(files...) {
		return files
	}
	return at
}
