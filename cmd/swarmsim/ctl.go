package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/docker/docker/client"
)

// ctl sends one order to the control endpoint of the swarmsim at DOCKER_HOST.
func ctl(ctx context.Context, args []string, out io.Writer) (int, error) {
	method, path, query, err := order(args)
	if err != nil {
		return 2, fmt.Errorf("%w; see swarmsim --help", err)
	}
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		return 2, fmt.Errorf("DOCKER_HOST is not set; take the one that swarmsim printed")
	}
	c, err := client.NewClientWithOpts(client.WithHost(host))
	if err != nil {
		return 2, fmt.Errorf("DOCKER_HOST: %w", err)
	}
	defer func() { _ = c.Close() }()
	request, err := http.NewRequestWithContext(ctx, method, "http://swarmsim"+controlPath+path+"?"+query.Encode(), nil)
	if err != nil {
		return 1, err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dialer()(ctx) }}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 1, fmt.Errorf("swarmsim at %s: %w", host, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 1, fmt.Errorf("swarmsim at %s: %w", host, err)
	}
	if response.StatusCode >= 300 {
		var failure struct{ Message string }
		if json.Unmarshal(body, &failure) != nil || failure.Message == "" {
			failure.Message = fmt.Sprintf("DOCKER_HOST %s is no swarmsim: it answered %s", host, response.Status)
		}
		return 1, fmt.Errorf("%s", failure.Message)
	}
	_, err = out.Write(body)
	return 0, err
}

// order turns a command line into a request.
func order(args []string) (method, path string, query url.Values, err error) {
	query = url.Values{}
	word := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	is := func(first string, seconds ...string) bool {
		return word(0) == first && slices.Contains(seconds, word(1))
	}
	switch {
	case word(0) == "state" && len(args) == 1:
		return http.MethodGet, "state", query, nil
	case is("registry", "away", "back") && len(args) == 2:
		return http.MethodPost, "registry/" + args[1], query, nil
	case is("registry", "add") && len(args) == 3:
		query.Set("image", args[2])
		return http.MethodPost, "registry/add", query, nil
	case is("node", "down", "up") && len(args) == 3:
		return http.MethodPost, "nodes/" + url.PathEscape(args[2]) + "/" + args[1], query, nil
	case is("service", "stop", "start", "kill", "oom", "unhealthy") && len(args) == 3:
	case is("service", "fault") && (len(args) == 3 || len(args) == 4):
		query.Set("text", word(3))
	case is("service", "set") && len(args) >= 3:
		for _, kv := range args[3:] {
			key, value, ok := strings.Cut(kv, "=")
			if !ok {
				return "", "", nil, fmt.Errorf("%s: it is not key=value", kv)
			}
			query.Set(key, value)
		}
	default:
		return "", "", nil, fmt.Errorf("ctl %s: no such order", strings.Join(args, " "))
	}
	return http.MethodPost, "services/" + url.PathEscape(args[2]) + "/" + args[1], query, nil
}
