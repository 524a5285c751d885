//go:build reality

package reality

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
	"github.com/swarmward/swarmward/spec"
)

// differs is where a Traefik by itself cannot be as validate says, and why.
var differs = map[string]string{
	"label/good":      "its plugin is not installed",
	"middleware/good": "two of its middlewares are of other providers",
}

// breaks is a service at whose label Traefik's provider panics, over and over: it
// reads no service's labels any more.
const breaks = "label/bracket"

// What validate finds in the labels of the specs that its rules are tested with
// is what Traefik does: it drops those services or their routers, and has the
// others whole.
func TestTraefikReadsLabelsAsValidateDoes(t *testing.T) {
	if standin.Real() == "" {
		t.Fatal("it takes the real programs: make reality")
	}
	for _, rule := range []string{"duplicate", "families", "label", "middleware", "port", "rule", "service"} {
		t.Run(rule, func(t *testing.T) {
			stack := load(t, "traefik-"+rule)
			labels := map[string]map[string]string{}
			for _, s := range stack.Services {
				if rule+"/"+s.Key != breaks {
					labels[s.Spec.Name] = s.Spec.Labels
				}
			}
			served := traefik(t, deploy(t, labels), func(_ *process, api string) bool {
				text, err := get(api, "/api/http/routers")
				return err == nil && strings.Contains(text, `"`+marker+`@swarm"`)
			}, "--entrypoints.dns.address=127.0.0.1:0/udp")
			has := shown(t, served.API)
			for _, s := range stack.Services {
				if labels[s.Spec.Name] == nil {
					continue
				}
				lost := has.lost(s.Spec.Name, s.Spec.Labels)
				found := refused(stack.Lint, s.Key)
				if why := differs[rule+"/"+s.Key]; why != "" {
					t.Logf("%s: %s: %v", s.Key, why, lost)
				} else if (found == "") != (lost == "") {
					t.Errorf("%s: validate says %q, and of its labels Traefik has all but %q", s.Key, found, lost)
				}
			}
			t.Logf("counted: %d services with labels of rule traefik-%s", len(stack.Services), rule)
		})
	}
}

// One label of one service is enough, and the others have no routes.
func TestTraefikBreaks(t *testing.T) {
	if standin.Real() == "" {
		t.Fatal("it takes the real programs: make reality")
	}
	stack := load(t, "traefik-label")
	labels := map[string]map[string]string{}
	for _, s := range stack.Services {
		if s.Key == "bracket" || s.Key == "good" {
			labels[s.Key] = s.Spec.Labels
		}
	}
	served := traefik(t, deploy(t, labels), func(p *process, api string) bool {
		text, err := get(api, "/api/http/routers")
		return err == nil && strings.Contains(text, "api@internal") && strings.Contains(p.said(), "panic in operation")
	})
	if has := shown(t, served.API); len(labels) != 2 || len(has) > 0 {
		t.Errorf("of %d services Traefik has %v", len(labels), has)
	}
}

// refused is a finding after which Traefik does not have all that the service's
// labels say. Others are of what it has, and does not do what was meant.
func refused(findings []spec.Finding, service string) string {
	harmless := regexp.MustCompile("ignore|never matches|may reach the other")
	for _, f := range findings {
		about := strings.HasPrefix(f.Path, "services."+service+".") || strings.HasPrefix(f.Message, "service "+service+" ")
		if strings.HasPrefix(f.Rule, "traefik-") && about && !harmless.MatchString(f.Message) {
			return f.Message
		}
	}
	return ""
}

func load(t *testing.T, archive string) *spec.Stack {
	t.Helper()
	a, err := txtar.ParseFile("../../../../spec/testdata/lint/" + archive + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "spec.yaml")
	if err := os.WriteFile(file, a.Files[0].Data, 0o600); err != nil {
		t.Fatal(err)
	}
	stack, err := spec.Load(t.Context(), spec.Options{Files: []string{file}, Name: "a", Lint: true})
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

// inTraefik are the objects that work in a Traefik: http/routers/NAME and so on.
type inTraefik map[string]bool

func shown(t *testing.T, api string) inTraefik {
	t.Helper()
	all := inTraefik{}
	for _, kind := range []string{"http/routers", "http/services", "http/middlewares", "tcp/routers", "tcp/services", "udp/routers", "udp/services"} {
		text, err := get(api, "/api/"+kind)
		if err != nil {
			t.Fatal(err)
		}
		var objects []struct{ Name, Provider, Status string }
		if err := json.Unmarshal([]byte(text), &objects); err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if o.Provider == "swarm" && o.Status == "enabled" {
				all[kind+"/"+strings.ToLower(strings.TrimSuffix(o.Name, "@swarm"))] = true
			}
		}
	}
	return all
}

// lost is an object that the labels name and Traefik does not have; where they name
// none and ask for it, the router that it makes by itself. Empty when it has all.
func (all inTraefik) lost(service string, labels map[string]string) string {
	if labels["traefik.enable"] == "false" {
		return ""
	}
	named := false
	for label := range labels {
		// traefik.http.routers.NAME.…
		parts := strings.SplitN(strings.ToLower(label), ".", 5)
		if len(parts) < 5 || parts[1] != "http" && parts[1] != "tcp" && parts[1] != "udp" {
			continue
		}
		named = true
		if name := parts[1] + "/" + parts[2] + "/" + parts[3]; !all[name] {
			return name
		}
	}
	if name := "http/routers/" + strings.ReplaceAll(service, "_", "-"); !named && labels["traefik.enable"] == "true" && !all[name] {
		return name
	}
	return ""
}
