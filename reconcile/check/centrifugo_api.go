package check

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/swarmward/swarmward/spec"
)

// goNotFound is how Centrifugo answers where it has no route. Every server
// written with Go's router does, Traefik too, so it proves nothing by itself.
const goNotFound = "404 page not found"

// reply is an answer, or why there is none.
type reply struct {
	answer
	err error
}

// apiAnswers are those of Centrifugo's server API.
type apiAnswers struct {
	asked     bool
	info      reply
	stranger  reply // to whoever has no key
	published bool  // whether it was tried
	publish   reply
}

// useAPI asks what nodes there are, with the key and without it, and publishes
// to a channel that nobody can be on. skip_history keeps it out of a history
// that is switched on for all channels.
func (t *try) useAPI(ctx context.Context, c spec.CentrifugoCheck, key string) apiAnswers {
	a := apiAnswers{asked: key != "", published: key != "" && !c.SkipPublish}
	if !a.asked {
		return a
	}
	publication := fmt.Sprintf(`{"channel":"swarmward-check-%s","data":{},"skip_history":true}`, rand.Text())
	together(
		func() { a.info = t.post(ctx, "/api/info", key, "{}") },
		func() { a.stranger = t.post(ctx, "/api/info", "", "{}") },
		func() {
			if a.published {
				a.publish = t.post(ctx, "/api/publish", key, publication)
			}
		},
	)
	return a
}

// post asks over a connection of its own.
func (t *try) post(ctx context.Context, path, key, body string) reply {
	conn, err := t.dial(ctx, t.way)
	if err != nil {
		return reply{err: err}
	}
	return t.ask(ctx, conn, http.MethodPost, path, key, body)
}

func (t *try) ask(ctx context.Context, conn net.Conn, method, path, key, body string) reply {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+t.way.Address+path, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
		// Errors as a status, and not as 200.
		request.Header.Set("X-Centrifugo-Error-Mode", "transport")
	}
	if key != "" {
		request.Header.Set("X-API-Key", key)
	}
	a, err := exchange(conn, request)
	return reply{a, err}
}

// notHealth is the finding when the answer to /health is none that Centrifugo
// gives, switched on or off.
func (t *try) notHealth(health answer) *finding {
	var f finding
	body := strings.TrimSpace(health.body)
	switch {
	case health.status == http.StatusOK && body == "{}", health.status == http.StatusNotFound && body == goNotFound:
		return nil
	case health.status == http.StatusOK, health.status == http.StatusNotFound:
		f = t.notCentrifugo(fmt.Sprintf("answers /health with %d and %s", health.status, t.brief(health.body)))
	default:
		f = failed(ReasonBadStatus, fmt.Sprintf("%s answered /health with %d instead of 200.", t.way.Address, health.status),
			"See Centrifugo's log, and what stands between here and its port.")
	}
	return &f
}

// judgeAPI is the verdict over what the API answered, first match wins, and the
// nodes in words.
func (t *try) judgeAPI(ctx context.Context, c spec.CentrifugoCheck, health answer, a apiAnswers) (string, *finding) {
	if !a.asked {
		return "", nil
	}
	if f := t.judgeInfo(ctx, c, health, a.info); f != nil {
		return "", f
	}
	info, f := t.readInfo(a.info.body)
	if f != nil {
		return "", f
	}
	if a.stranger.err == nil && a.stranger.status == http.StatusOK {
		f := failed(ReasonAcceptsAnyKey, fmt.Sprintf("Centrifugo at %s works, but its API takes anybody: it answers without a key.", t.way.Address),
			"Switch http_api.insecure off (api_insecure before version 6), and let no router lead to /api until then.")
		return "", &f
	}
	if f := t.judgePublish(ctx, a); f != nil {
		return "", f
	}
	if len(info.nodes) < t.running {
		f := t.misnamedOr(c, failed(ReasonNodesMissing,
			fmt.Sprintf("%d tasks of service %s run, and Centrifugo at %s knows of %s: clients of one do not hear what is published to another.",
				t.running, t.serviceName(), t.way.Address, info.count()),
			"Give all of them one Redis engine: engine.type redis, the same address and prefix. A task that has just started joins within seconds."))
		return "", &f
	}
	return info.String(t.running), nil
}

func (t *try) judgeInfo(ctx context.Context, c spec.CentrifugoCheck, health answer, info reply) *finding {
	var f finding
	at := "at " + t.way.Address
	switch {
	case info.err != nil:
		f = t.exchangeFailure(ctx, "Centrifugo", ReasonNotCentrifugo, info.err)
	case info.status == http.StatusUnauthorized:
		f = t.misnamedOr(c, t.unauthorized(c))
	case info.status == http.StatusNotFound && health.status == http.StatusNotFound:
		f = t.notCentrifugo("answers 404 everywhere, as other servers do too")
	case info.status == http.StatusNotFound:
		f = failed(ReasonAPIError, fmt.Sprintf("Centrifugo %s has no server API at /api/info.", at),
			"Switch the HTTP API on, and let it keep its prefix /api.")
	case info.status >= 500:
		f = failed(ReasonAPIError, fmt.Sprintf("Centrifugo %s answered /api/info with %d.", at, info.status),
			"See Centrifugo's log, and whether its Redis works.")
	case info.status != http.StatusOK:
		f = failed(ReasonBadStatus, fmt.Sprintf("Centrifugo %s answered /api/info with %d instead of 200.", at, info.status),
			"See Centrifugo's log, and what stands between here and its port.")
	default:
		return nil
	}
	return &f
}

// unauthorized tells a wrong key from none by what the spec gives the service:
// the answers are the same.
func (t *try) unauthorized(c spec.CentrifugoCheck) finding {
	secret := c.APIKey.Secret
	if service, ok := t.stack.Service(c.Target.Service); ok && !t.givenKey(service) {
		return failed(ReasonKeyMissing,
			fmt.Sprintf("Centrifugo at %s refuses the API key of secret %s, and nothing in the spec gives service %s one.", t.way.Address, secret, t.serviceName()),
			fmt.Sprintf("Give it the key of secret %s: http_api.key in its config file, or CENTRIFUGO_HTTP_API_KEY; api_key and CENTRIFUGO_API_KEY before version 6.", secret))
	}
	return failed(ReasonKeyRefused,
		fmt.Sprintf("Centrifugo at %s refuses the API key of secret %s, or runs without one.", t.way.Address, secret),
		fmt.Sprintf("Give Centrifugo (http_api.key) and secret %s the same key, and restart the service.", secret))
}

// judgePublish is the verdict over the publication, once the API has answered.
func (t *try) judgePublish(ctx context.Context, a apiAnswers) *finding {
	var f finding
	at := "Centrifugo at " + t.way.Address
	down := func(how string) finding {
		return failed(ReasonEngineDown, fmt.Sprintf("%s answers, and cannot publish: %s. Its Redis engine does not work, and no message reaches a client.", at, how),
			"See whether its Redis runs and takes the engine's password (check redis), and Centrifugo's log.")
	}
	switch {
	case !a.published:
		return nil
	case a.publish.err != nil && t.hung(ctx, a.publish.err):
		f = down(fmt.Sprintf("no answer came within %s", t.timeout))
	case a.publish.err != nil:
		f = t.exchangeFailure(ctx, "Centrifugo", ReasonNotCentrifugo, a.publish.err)
	case a.publish.status == http.StatusInternalServerError:
		f = down("it answered /api/publish with 500")
	case a.publish.status != http.StatusOK:
		f = failed(ReasonAPIError, fmt.Sprintf("%s answered /api/publish with %d.", at, a.publish.status),
			"See Centrifugo's log; publish: false in the check leaves the publication out.")
	default:
		switch code := errorCode(a.publish.body); code {
		case 0:
			return nil
		case 100:
			f = down("it answered /api/publish with error 100")
		default:
			f = failed(ReasonAPIError, fmt.Sprintf("%s answered /api/publish with error %d.", at, code),
				"See Centrifugo's log; publish: false in the check leaves the publication out.")
		}
	}
	return &f
}

// errorCode is the code of the error in an answer of the API; -1 when the
// answer is none of Centrifugo's.
func errorCode(body string) int {
	var got struct {
		Error  *struct{ Code int }
		Result *struct{}
	}
	switch err := json.Unmarshal([]byte(body), &got); {
	case err != nil, got.Error == nil && got.Result == nil:
		return -1
	case got.Error != nil:
		return got.Error.Code
	}
	return 0
}

// nodesInfo are Centrifugo's nodes, each by its version.
type nodesInfo struct{ nodes []string }

// readInfo reads the answer of /api/info.
func (t *try) readInfo(body string) (nodesInfo, *finding) {
	var got struct {
		Result struct {
			Nodes []struct{ Version string }
		}
	}
	var f finding
	code := errorCode(body)
	err := json.Unmarshal([]byte(body), &got)
	switch {
	case code > 0:
		f = failed(ReasonAPIError,
			fmt.Sprintf("Centrifugo at %s answered /api/info with error %d.", t.way.Address, code),
			"See Centrifugo's log, and whether its Redis works.")
		return nodesInfo{}, &f
	case code < 0, err != nil, len(got.Result.Nodes) == 0:
		f = t.notCentrifugo("answers /api/info with " + t.brief(body))
		return nodesInfo{}, &f
	}
	var info nodesInfo
	for _, n := range got.Result.Nodes {
		info.nodes = append(info.nodes, versionText(n.Version))
	}
	return info, nil
}

func (n nodesInfo) count() string {
	if len(n.nodes) == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", len(n.nodes))
}

// String is the nodes in words. More of them than tasks are no failure: one that
// has been killed stays in the list for some seconds.
func (n nodesInfo) String(running int) string {
	versions := slices.Compact(slices.Sorted(slices.Values(n.nodes)))
	text := "version " + strings.Join(versions, " and ") + ", " + n.count()
	if running > 0 && len(n.nodes) > running {
		text += fmt.Sprintf(" (%d running: others are just gone, or share its Redis)", running)
	}
	return text
}

// versionText is a version fit for a message, whatever the server sent: 6 says
// which edition it is, after a blank.
func versionText(version string) string {
	version, _, _ = strings.Cut(version, " ")
	if version == "" || len(version) > 32 || strings.ContainsFunc(version, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-+_", r)
	}) {
		return "unknown"
	}
	return version
}
