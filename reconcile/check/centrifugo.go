package check

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// goNotFound is how Centrifugo answers where it has no route. Every server
// written with Go's router does, Traefik too, so it proves nothing by itself.
const goNotFound = "404 page not found"

// centrifugo asks the health endpoint and the authenticated server API. The
// health endpoint alone answers {} whatever happens; the API proves that it is
// Centrifugo, and that the key is the one it runs with.
func (t *try) centrifugo(ctx context.Context, c spec.CentrifugoCheck) finding {
	key, problem := t.credential(c.APIKey)
	if problem != nil {
		return *problem
	}
	conn, problem := t.connect(ctx, nil)
	if problem != nil {
		return *problem
	}
	health, err := t.ask(ctx, conn, http.MethodGet, "/health", "")
	if err != nil {
		return t.exchangeFailure(ctx, "Centrifugo", ReasonNotCentrifugo, err)
	}
	if c.APIKey.Secret == "" {
		return t.judgeHealth(c, health)
	}
	conn, err = t.dial(ctx, t.way)
	if err != nil {
		return t.broken(ctx, "Centrifugo", err)
	}
	info, err := t.ask(ctx, conn, http.MethodPost, "/api/info", key)
	if err != nil {
		return t.exchangeFailure(ctx, "Centrifugo", ReasonNotCentrifugo, err)
	}
	return t.judge(c, health, info)
}

func (t *try) ask(ctx context.Context, conn net.Conn, method, path, key string) (answer, error) {
	body := ""
	if method == http.MethodPost {
		body = "{}"
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+t.way.Address+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-API-Key", key)
	}
	return exchange(conn, request)
}

// judgeHealth is the verdict where no API key is given.
func (t *try) judgeHealth(c spec.CentrifugoCheck, health answer) finding {
	if f := t.notHealth(health); f != nil {
		return *f
	}
	if health.status == http.StatusNotFound {
		return t.misnamedOr(c, t.healthDisabled())
	}
	return passed("Centrifugo's health endpoint answers. Its API was not asked: the check has no api_key.")
}

// judge is the verdict over both answers; first match wins.
func (t *try) judge(c spec.CentrifugoCheck, health, info answer) finding {
	if f := t.notHealth(health); f != nil {
		return *f
	}
	healthOff := health.status == http.StatusNotFound
	at := "at " + t.way.Address
	switch {
	case info.status == http.StatusUnauthorized:
		return t.misnamedOr(c, failed(ReasonKeyRefused,
			fmt.Sprintf("Centrifugo %s refuses the API key of secret %s, or runs without one.", at, c.APIKey.Secret),
			fmt.Sprintf("Give Centrifugo (http_api.key) and secret %s the same key, and restart the service.", c.APIKey.Secret)))
	case info.status == http.StatusNotFound && healthOff:
		return t.notCentrifugo("answers 404 everywhere, as other servers do too")
	case info.status == http.StatusNotFound:
		return failed(ReasonAPIError, fmt.Sprintf("Centrifugo %s has no server API at /api/info.", at),
			"Switch the HTTP API on, and let it keep its prefix /api.")
	case info.status >= 500:
		return failed(ReasonAPIError, fmt.Sprintf("Centrifugo %s answered /api/info with %d.", at, info.status),
			"See Centrifugo's log, and whether its Redis works.")
	case info.status != http.StatusOK:
		return failed(ReasonBadStatus, fmt.Sprintf("Centrifugo %s answered /api/info with %d instead of 200.", at, info.status),
			"See Centrifugo's log, and what stands between here and its port.")
	}
	nodes, f := t.readInfo(info.body)
	switch {
	case f != nil:
		return *f
	case healthOff:
		return t.misnamedOr(c, t.healthDisabled())
	}
	return passed("Centrifugo answers with health and API: " + nodes + ".")
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

func (t *try) notCentrifugo(what string) finding {
	return failed(ReasonNotCentrifugo, fmt.Sprintf("What listens at %s is not Centrifugo: it %s.", t.way.Address, what),
		"Check the service and the port of the check.")
}

func (t *try) healthDisabled() finding {
	return failed(ReasonHealthDisabled, fmt.Sprintf("Centrifugo at %s has its health endpoint switched off.", t.way.Address),
		"Switch it on: health.enabled in its config file, or CENTRIFUGO_HEALTH_ENABLED=true.")
}

// readInfo reads the answer of /api/info: the nodes in words.
func (t *try) readInfo(body string) (string, *finding) {
	var info struct {
		Error  *struct{ Code int }
		Result *struct {
			Nodes []struct{ Version string }
		}
	}
	var f finding
	err := json.Unmarshal([]byte(body), &info)
	switch {
	case err != nil, info.Error == nil && (info.Result == nil || len(info.Result.Nodes) == 0):
		f = t.notCentrifugo("answers /api/info with " + t.brief(body))
		return "", &f
	case info.Error != nil:
		f = failed(ReasonAPIError,
			fmt.Sprintf("Centrifugo at %s answered /api/info with error %d.", t.way.Address, info.Error.Code),
			"See Centrifugo's log, and whether its Redis works.")
		return "", &f
	}
	var versions []string
	for _, n := range info.Result.Nodes {
		if v := versionText(n.Version); !slices.Contains(versions, v) {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	count := "1 node"
	if n := len(info.Result.Nodes); n != 1 {
		count = fmt.Sprintf("%d nodes", n)
	}
	return "version " + strings.Join(versions, " and ") + ", " + count, nil
}

// versionText is a version fit for a message, whatever the server sent.
func versionText(version string) string {
	if version == "" || len(version) > 32 || strings.ContainsFunc(version, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-+_", r)
	}) {
		return "unknown"
	}
	return version
}

// misnamedOr is the finding or, where the service's environment is written for
// another generation of Centrifugo, that: wrong names are ignored silently, and
// what they should have switched on is off.
func (t *try) misnamedOr(c spec.CentrifugoCheck, f finding) finding {
	service, ok := t.stack.Service(c.Target.Service)
	if !ok || service.Spec.TaskTemplate.ContainerSpec == nil {
		return f
	}
	container := service.Spec.TaskTemplate.ContainerSpec
	major, wrong := misnamed(container.Image, container.Env)
	if len(wrong) == 0 {
		return f
	}
	return finding{reconcile.CheckFailed, ReasonWrongGeneration,
		fmt.Sprintf("%s Centrifugo %d ignores %s in the environment of service %s.",
			f.message, major, strings.Join(namesOf(wrong), ", "), t.serviceName()),
		"Rename: " + strings.Join(renamings(wrong), ", ") + "."}
}
