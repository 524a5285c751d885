package check

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// centrifugo uses Centrifugo as the application and its pages do, as far as the
// check has credentials for it. The health endpoint alone answers {} whatever
// happens; the API proves that it is Centrifugo, how many of its nodes know one
// another, and that the key is the one it runs with; a publication alone shows a
// dead Redis engine, and a client's connection that tokens are taken and looked at.
func (t *try) centrifugo(ctx context.Context, c spec.CentrifugoCheck) finding {
	key, noKey := t.credential(c.APIKey)
	secret, noSecret := t.credential(c.TokenSecret)
	conn, problem := t.connect(ctx, nil)
	if problem != nil {
		return *problem
	}
	health := t.ask(ctx, conn, http.MethodGet, "/health", "", "")
	if health.err != nil {
		return t.exchangeFailure(ctx, "Centrifugo", ReasonNotCentrifugo, health.err)
	}
	if f := t.notHealth(health.answer); f != nil {
		return *f
	}
	// Side by side: a frozen Redis takes most of the time there is to show.
	var api apiAnswers
	var socket sockets
	together(
		func() { api = t.useAPI(ctx, c, key) },
		func() { socket = t.useWebsocket(ctx, c, secret) },
	)
	nodes, f := t.judgeAPI(ctx, c, health.answer, api)
	switch {
	case f != nil:
		return *f
	case socket.asked:
		if f := t.judgeWebsocket(ctx, c, socket); f != nil {
			return t.misnamedOr(c, *f)
		}
	}
	switch {
	case health.status == http.StatusNotFound:
		return t.misnamedOr(c, t.healthDisabled())
	case noKey != nil:
		return *noKey
	case noSecret != nil:
		return *noSecret
	}
	return passed(worked(c, nodes, api, socket))
}

// worked says what a check has proved.
func worked(c spec.CentrifugoCheck, nodes string, api apiAnswers, socket sockets) string {
	message := "Centrifugo's health endpoint answers. Its API was not asked: the check has no api_key"
	if api.asked {
		message = "Centrifugo answers with health and API: " + nodes
	}
	var more []string
	if api.published {
		more = append(more, "takes publications")
	}
	switch {
	case socket.asked && socket.token:
		more = append(more, "lets in clients with a good token alone")
	case socket.asked:
		more = append(more, "opens its websocket to pages of "+c.Origin)
	}
	if len(more) > 0 {
		message += "; it " + strings.Join(more, " and ")
	}
	return message + "."
}

func (t *try) notCentrifugo(what string) finding {
	return failed(ReasonNotCentrifugo, fmt.Sprintf("What listens at %s is not Centrifugo: it %s.", t.way.Address, what),
		"Check the service and the port of the check.")
}

func (t *try) healthDisabled() finding {
	return failed(ReasonHealthDisabled, fmt.Sprintf("Centrifugo at %s has its health endpoint switched off.", t.way.Address),
		"Switch it on: health.enabled in its config file, or CENTRIFUGO_HEALTH_ENABLED=true; health and CENTRIFUGO_HEALTH before version 6.")
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
