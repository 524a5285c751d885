package spec

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// The images of Redis and of what speaks its protocol with its options.
var redisImages = []string{"redis", "valkey", "redis-stack", "redis-stack-server", "keydb"}

// What gives Redis a password, in its configuration or on its command line.
var redisPassword = regexp.MustCompile(`(?im)requirepass|aclfile|^\s*(user|include)\s|--user\b`)

func (t linter) redis(name string, s types.ServiceConfig) {
	t.redisHealthCheck(name, s)
	base, _, _ := splitImage(s.Image)
	if !slices.Contains(redisImages, base) || len(s.Ports) == 0 || t.redisGuarded(s) {
		return
	}
	t.warn("redis-no-password", "Redis is published and asks for no password: whoever reaches the port reads and writes everything",
		"give it a config file with `requirepass {{ secret \"redis_password\" }}` and template_driver golang, and run redis-server with it",
		"services", name, "ports")
}

// redisGuarded reports whether a password is set, or may be set somewhere that
// the spec does not show.
func (t linter) redisGuarded(s types.ServiceConfig) bool {
	words := slices.Concat(s.Entrypoint, s.Command)
	if redisPassword.MatchString(strings.Join(words, " ")) {
		return true
	}
	for name, value := range s.Environment {
		if SoundsSecret(name) && !strings.Contains(name, "EMPTY") && (value == nil || *value != "") || value != nil && redisPassword.MatchString(*value) {
			return true
		}
	}
	if len(words) > 0 && !isRedisServer(words[0]) {
		return true // a script, which may do anything
	}
	for _, w := range words {
		if strings.HasPrefix(w, "/") && !isRedisServer(w) || strings.HasSuffix(w, ".conf") {
			return t.redisConfigGuarded(w, s)
		}
	}
	return false
}

// isRedisServer also says yes to an option, which the image's entrypoint gives
// to the server.
func isRedisServer(word string) bool {
	return strings.HasSuffix(path.Base(word), "-server") || strings.HasPrefix(word, "-") || strings.HasSuffix(word, ".conf")
}

// redisConfigGuarded looks into the config that is mounted at a path. A file
// that the spec does not hold gets the benefit of the doubt.
func (t linter) redisConfigGuarded(at string, s types.ServiceConfig) bool {
	for _, ref := range s.Configs {
		target := ref.Target
		if target == "" {
			target = ref.Source
		}
		if path.Base(target) != path.Base(at) {
			continue
		}
		for _, c := range t.stack.Configs {
			if c.Key == ref.Source && !c.External {
				return redisPassword.Match(withoutComments(c.Spec.Data))
			}
		}
	}
	return true
}

var confComment = regexp.MustCompile(`(?m)^\s*#.*$`)

func withoutComments(conf []byte) []byte { return confComment.ReplaceAll(conf, nil) }

var (
	redisCLI = regexp.MustCompile(`\b(redis|valkey)-cli\b`)
	// The answer is looked at: compared, searched, or turned into an exit code.
	answerRead = regexp.MustCompile(`\||PONG|grep|\[ |\btest\b|\bcase\b|\s-e\s`)
)

func (t linter) redisHealthCheck(name string, s types.ServiceConfig) {
	if s.HealthCheck == nil || s.HealthCheck.Disable {
		return
	}
	test := strings.ReplaceAll(strings.Join(s.HealthCheck.Test, " ")+" ", "||", "or")
	if redisCLI.MatchString(test) && !answerRead.MatchString(test) {
		t.warn("healthcheck-redis-cli", "redis-cli exits with 0 whatever Redis answers, NOAUTH and LOADING included",
			"look at the answer: redis-cli -e ping | grep -q PONG", "services", name, "healthcheck", "test")
	}
}
