package reconcile

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// commands are those that a person would type to look closer, with the real
// names and addresses in them. A credential is the name of its variable.
func commands(stack *spec.Stack, c spec.Check, res CheckResult, seen *Observed, service string) []string {
	var out []string
	if service != "" {
		out = append(out, "docker service ps --no-trunc "+service, "docker service logs --tail 50 "+service)
	}
	at := address(res, seen, service, c.Target().Port)
	host, port, err := net.SplitHostPort(at)
	if err == nil {
		out = append(out, "nc -zv "+word(host)+" "+port)
	}
	switch {
	case c.HTTP != nil:
		if c.HTTP.Target.Service == "" && c.HTTP.Target.Connect == "" {
			at = "" // the URL's own
		}
		out = append(out, curl(c.HTTP.URL, at))
	case err != nil:
	case c.Redis != nil:
		out = append(out, redisCLI(stack, c.Redis, host, port))
	case c.Centrifugo != nil:
		out = append(out, "curl -i http://"+at+"/health")
		if key := c.Centrifugo.APIKey; key.Secret != "" {
			out = append(out, `curl -i -X POST -H "X-API-Key: `+variable(stack, key)+`" -d '{}' http://`+at+`/api/info`)
		}
	}
	return out
}

func redisCLI(stack *spec.Stack, c *spec.RedisCheck, host, port string) string {
	out := "redis-cli -h " + word(host) + " -p " + port
	if c.Username != "" {
		out += " --user " + word(c.Username)
	}
	if c.Database != 0 {
		out += " -n " + strconv.Itoa(c.Database)
	}
	if c.Password.Secret != "" {
		out = `REDISCLI_AUTH="` + variable(stack, c.Password) + `" ` + out
	}
	return out + " -e ping"
}

// curl requests the URL from where the check did.
func curl(text, at string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "curl -i " + word(text)
	}
	u.User = nil
	switch {
	case at == "":
		return "curl -i " + word(u.String())
	case u.Scheme == "https": // the name is also that of the certificate
		return "curl -i --connect-to " + word("::"+at) + " " + word(u.String())
	}
	host := u.Host
	u.Host = at
	return `curl -i -H "Host: ` + host + `" ` + word(u.String())
}

// address is where a person can try what the check tried: a published port, an
// address that the spec gives, or that of the node's bridge. An overlay is only
// for containers.
func address(res CheckResult, seen *Observed, service string, port int) string {
	for _, kind := range []string{"published", "explicit", "direct"} {
		for _, w := range slices.Backward(res.Tried) {
			if w.Kind == kind {
				return w.Address
			}
		}
	}
	if seen != nil {
		if at := publishedAt(seen, service, port); at != "" {
			return at
		}
	}
	for _, w := range res.Tried {
		if w.Kind == "bridge" {
			return w.Address
		}
	}
	return ""
}

// publishedAt is a published port of a service on a node that runs it.
func publishedAt(seen *Observed, service string, port int) string {
	s := seen.Services[service]
	if s.Spec.EndpointSpec == nil {
		return ""
	}
	for _, p := range s.Spec.EndpointSpec.Ports {
		if int(p.TargetPort) != port || p.Protocol != swarm.PortConfigProtocolTCP || p.PublishedPort == 0 {
			continue
		}
		for _, t := range tasksOf(seen, service) {
			addr := seen.Nodes[t.NodeID].Status.Addr
			if ip := net.ParseIP(addr); ip != nil && !ip.IsUnspecified() && t.Status.State == swarm.TaskStateRunning {
				return net.JoinHostPort(addr, strconv.Itoa(int(p.PublishedPort)))
			}
		}
	}
	return ""
}

// variable names the one that holds a credential, never its value: as the spec
// has it, or one named after the secret, for the person to set.
func variable(stack *spec.Stack, c spec.Credential) string {
	for _, s := range stack.Secrets {
		if s.Key == c.Secret && s.Variable != "" {
			return "$" + s.Variable
		}
	}
	return "$" + strings.ToUpper(notInNames.ReplaceAllString(c.Secret, "_"))
}

var (
	notInNames = regexp.MustCompile(`\W`)
	plainWord  = regexp.MustCompile(`^[\w@%+=:,./-]+$`)
)

// word is one argument to a shell.
func word(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
