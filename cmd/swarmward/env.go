package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/spec"
)

func (a *app) envCmd() *cobra.Command {
	var host string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the application's variables: REDIS_URL, CENTRIFUGO_URL, ...",
		Long: `Print what the application needs to use the stack, as lines for its own .env:
REDIS_URL, CENTRIFUGO_URL, CENTRIFUGO_API_KEY and CENTRIFUGO_TOKEN_SECRET. They
follow from the redis and centrifugo checks of the spec and from Centrifugo's
Traefik labels. They are secrets: mind where the output goes.

The host in REDIS_URL is --host; without it, the address of the node that
publishes Redis' port, for which the Swarm is asked.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.env(cmd, host) },
	}
	cmd.Flags().StringVar(&host, "host", "", "`ADDRESS` at which the application reaches the Swarm")
	a.takesGit(cmd)
	return cmd
}

// variable of the application; its value is meant to be printed.
type variable struct{ Name, Value string }

func (a *app) env(cmd *cobra.Command, host string) error {
	stacks, err := a.stacks(cmd.Context())
	if err != nil {
		return err
	}
	out := map[string]string{}
	for _, s := range stacks {
		vars, err := a.variables(cmd.Context(), s, host)
		if err != nil {
			return fmt.Errorf("stack %s: %w", s.Name, err)
		}
		for _, v := range vars {
			if _, dup := out[v.Name]; dup {
				return fmt.Errorf("two stacks have a %s; name one with -f FILE", v.Name)
			}
			out[v.Name] = v.Value
			if a.output == "text" {
				fmt.Fprintf(a.out, "%s=%q\n", v.Name, v.Value)
			}
		}
	}
	if len(out) == 0 {
		return fmt.Errorf("the spec has neither a redis nor a centrifugo check, from which the variables follow; add them under x-swarmward.checks")
	}
	if a.output == "json" {
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(out)
	}
	return nil
}

func (a *app) variables(ctx context.Context, s *spec.Stack, host string) ([]variable, error) {
	var out []variable
	for _, c := range s.Settings.Checks {
		var vars []variable
		var err error
		switch {
		case c.Redis != nil && (c.Redis.Sentinel != nil || c.Redis.Cluster != nil):
			fmt.Fprintf(a.err, "warning: check %s: every client writes a URL for Sentinel or a Cluster in its own way, so REDIS_URL is left out\n", c.Name)
		case c.Redis != nil:
			vars, err = a.redisVariables(ctx, s, c.Redis, host)
		case c.Centrifugo != nil:
			vars, err = centrifugoVariables(s, c.Centrifugo)
		}
		if err != nil {
			return nil, fmt.Errorf("check %s: %w", c.Name, err)
		}
		out = append(vars, out...) // redis sorts behind centrifugo and is printed first
	}
	return out, nil
}

func (a *app) redisVariables(ctx context.Context, s *spec.Stack, c *spec.RedisCheck, host string) ([]variable, error) {
	addr := c.Target.Connect
	if host != "" {
		addr = net.JoinHostPort(host, strconv.Itoa(published(s, c.Target)))
	}
	if addr == "" {
		var err error
		if addr, err = locate(ctx, s, c.Target); err != nil {
			return nil, err
		}
	}
	u := url.URL{Scheme: "redis", Host: addr}
	if c.TLS != nil {
		u.Scheme = "rediss"
	}
	password, err := content(s, c.Password)
	if err != nil {
		return nil, err
	}
	if password != "" || c.Username != "" {
		u.User = url.UserPassword(c.Username, password)
	}
	if c.Database != 0 {
		u.Path = "/" + strconv.Itoa(c.Database)
	}
	return []variable{{"REDIS_URL", u.String()}}, nil
}

// published is the port under which the target is reached from outside.
func published(s *spec.Stack, t spec.Target) int {
	if svc, ok := s.Service(t.Service); ok && svc.Spec.EndpointSpec != nil {
		for _, p := range svc.Spec.EndpointSpec.Ports {
			if int(p.TargetPort) == t.Port && p.PublishedPort != 0 {
				return int(p.PublishedPort)
			}
		}
	}
	return t.Port
}

func locate(ctx context.Context, s *spec.Stack, t spec.Target) (string, error) {
	svc, _ := s.Service(t.Service)
	e, err := engine.New(nil)
	if err != nil {
		return "", err
	}
	defer e.Close()
	where, err := e.Locate(ctx, svc.Spec.Name, t.Port)
	if err != nil {
		return "", fmt.Errorf("%w; or say with --host where the application reaches it", err)
	}
	for _, w := range where.Ways {
		if w.Kind == "published" {
			return w.Address, nil
		}
	}
	return "", fmt.Errorf("service %s publishes no port on a running task; say with --host where the application reaches it", svc.Spec.Name)
}

func centrifugoVariables(s *spec.Stack, c *spec.CentrifugoCheck) ([]variable, error) {
	var out []variable
	svc, _ := s.Service(c.Target.Service)
	if u := routedAt(svc.Spec.Labels); u != "" {
		out = append(out, variable{"CENTRIFUGO_URL", u})
	}
	for _, x := range []struct {
		name string
		from spec.Credential
	}{{"CENTRIFUGO_API_KEY", c.APIKey}, {"CENTRIFUGO_TOKEN_SECRET", c.TokenSecret}} {
		if x.from.Secret == "" {
			continue
		}
		v, err := content(s, x.from)
		if err != nil {
			return nil, err
		}
		out = append(out, variable{x.name, v})
	}
	return out, nil
}

func content(s *spec.Stack, c spec.Credential) (string, error) {
	if c.Secret == "" {
		return "", nil
	}
	data, ok := s.SecretData(c.Secret)
	if !ok {
		return "", fmt.Errorf("secret %s is external, so its content is not known here", c.Secret)
	}
	return string([]byte(data)), nil
}

var (
	routerRule = regexp.MustCompile(`^traefik\.http\.routers\.([^.]+)\.rule$`)
	ruleHost   = regexp.MustCompile("Host\\(`([^`]+)`\\)")
)

// routedAt is the address under which Traefik routes to a service: the first
// host of its routers, by name, https where that router has TLS.
func routedAt(labels map[string]string) string {
	best, at := "", ""
	for k, rule := range labels {
		m, host := routerRule.FindStringSubmatch(k), ruleHost.FindStringSubmatch(rule)
		if m == nil || host == nil || (best != "" && m[1] > best) {
			continue
		}
		scheme := "http"
		if labels["traefik.http.routers."+m[1]+".tls"] == "true" || labels["traefik.http.routers."+m[1]+".tls.certresolver"] != "" {
			scheme = "https"
		}
		best, at = m[1], scheme+"://"+host[1]
	}
	return at
}
