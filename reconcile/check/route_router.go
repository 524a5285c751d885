package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// noRouter is the finding for Traefik's 404, with what can be said about why:
// by Traefik itself, or by the labels that the spec gives the service.
func (t *try) noRouter(ctx context.Context, c spec.RouteCheck, u *url.URL, page visit) finding {
	message := fmt.Sprintf("Traefik has no router for %s, or what is behind it has no such page: both answer 404 in the same bytes.", plainURL(u))
	if page.session != nil && page.session.leaf().Subject.CommonName == traefikDefault {
		message = fmt.Sprintf("Traefik has no router for %s: it answers 404, with its default certificate.", plainURL(u))
	}
	remedy := "Traefik reads service labels (deploy.labels), every 15 seconds, of tasks that run: `swarmward validate` looks for what it drops in silence."
	if c.Service != "" {
		if told := t.labelsAgainst(c.Service, u); told != "" {
			remedy = told
		}
	}
	if c.API != "" {
		remedy = t.askTraefik(ctx, c, u) + " " + remedy
	}
	return failed(ReasonNoRouter, message, remedy)
}

// labelsAgainst is what the labels of the service in the spec have against the
// URL; empty when they admit it.
func (t *try) labelsAgainst(key string, u *url.URL) string {
	service, ok := t.stack.Service(key)
	if !ok {
		return ""
	}
	routers, err := spec.Routers(service.Spec.Labels)
	name := t.fullName(key)
	switch {
	case err != nil:
		return fmt.Sprintf("Correct the labels of service %s: %v.", name, err)
	case len(routers) == 0:
		return fmt.Sprintf("Service %s has no router among its labels: add traefik.http.routers.NAME.rule to deploy.labels.", name)
	}
	path := u.Path
	if path == "" {
		path = "/"
	}
	var against []string
	for _, r := range routers {
		switch {
		case len(r.Hosts) > 0 && !slices.ContainsFunc(r.Hosts, func(h string) bool { return strings.EqualFold(h, u.Hostname()) }):
			against = append(against, fmt.Sprintf("%s says Host(`%s`), the check asks for %s", r.Label(), strings.Join(r.Hosts, "`, `"), u.Hostname()))
		case !r.Admits(path):
			against = append(against, fmt.Sprintf("%s does not admit the path %s", r.Label(), path))
		default:
			return ""
		}
	}
	return fmt.Sprintf("Correct the labels of service %s or the check's url: %s.", name, strings.Join(against, "; "))
}

// askTraefik is what Traefik's own API says about routers for the URL's host.
func (t *try) askTraefik(ctx context.Context, c spec.RouteCheck, u *url.URL) string {
	routers, err := t.routersOf(ctx, c)
	if err != nil {
		_, text := networkReason(err)
		return fmt.Sprintf("Traefik's API at %s could not be asked why: %s.", t.brief(c.API), text)
	}
	host := strings.ToLower("`" + u.Hostname() + "`")
	for _, r := range routers {
		if !strings.Contains(strings.ToLower(r.Rule), host) {
			continue
		}
		if len(r.Error) > 0 { // the others follow from the first
			return fmt.Sprintf("Traefik says of router %s, which is %s: %s.", t.brief(r.Name), t.brief(r.Status), t.brief(r.Error[0]))
		}
		return fmt.Sprintf("Traefik has router %s for this host, which is %s: see whether its rule and its entrypoint take this request.", t.brief(r.Name), t.brief(r.Status))
	}
	return fmt.Sprintf("Traefik says that it has no router for %s.", u.Hostname())
}

type liveRouter struct {
	Name, Rule, Status string
	Error              []string
}

func (t *try) routersOf(ctx context.Context, c spec.RouteCheck) ([]liveRouter, error) {
	at, err := url.Parse(c.API)
	if err != nil {
		return nil, err
	}
	at = at.JoinPath("/api/http/routers")
	at.RawQuery = "per_page=1000"
	conn, err := t.dial(ctx, reconcile.Way{Kind: "direct", Address: hostPort(at)})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	got, err := exchange(conn, request)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("it answered %d", got.status)
	}
	var routers []liveRouter
	if err := json.Unmarshal([]byte(got.body), &routers); err != nil {
		return nil, errors.New("its answer is not that of Traefik's API")
	}
	return routers, nil
}
