package spec

import (
	"errors"
	"reflect"
	"strings"

	"github.com/traefik/paerser/parser"
	ptypes "github.com/traefik/paerser/types"
)

// The labels that Traefik 3 knows, in the shape that its own parser wants: the
// names of the fields are those of the labels, whatever their case. A field
// tagged "-" is one that Traefik has, and does not read from labels.
type traefikConfig struct {
	Enable bool
	Docker *struct {
		Network                  *string
		LBSwarm, AllowNonRunning bool
	}
	Swarm *struct {
		Network *string
		LBSwarm bool
	}
	HTTP *traefikHTTP
	TCP  *traefikTCP
	UDP  *traefikUDP
	TLS  *struct {
		Stores map[string]struct {
			DefaultGeneratedCert *struct {
				Resolver string
				Domain   *traefikDomain
			}
		}
	}
}

type traefikHTTP struct {
	Routers           map[string]*traefikRouter
	Services          map[string]*traefikService
	Middlewares       map[string]*traefikMiddleware
	ServersTransports map[string]any `label:"-"`
}

type traefikRouter struct {
	EntryPoints, Middlewares  []string
	Service, Rule, RuleSyntax string
	Priority                  int
	ParentRefs                []string `label:"-"`
	TLS                       *struct {
		Options, CertResolver string
		Domains               []traefikDomain
	} `label:"allowEmpty"`
	Observability *struct {
		AccessLogs, Metrics, Tracing *bool
		TraceVerbosity               string
	}
}

type traefikDomain struct {
	Main string
	SANs []string
}

type traefikService struct {
	Middlewares  []string
	LoadBalancer *struct {
		Sticky *struct {
			Cookie *struct {
				Name, SameSite, Domain string
				Secure, HTTPOnly       bool
				MaxAge                 int
				Path                   *string
			} `label:"allowEmpty"`
		} `label:"allowEmpty"`
		Servers     []traefikServer `label-slice-as-struct:"server"`
		Strategy    string
		HealthCheck *struct {
			Scheme, Mode, Path, Method, Hostname string
			Status, Port                         int
			Interval, Timeout                    ptypes.Duration
			UnhealthyInterval                    *ptypes.Duration
			FollowRedirects                      *bool
			Headers                              map[string]string
		}
		PassiveHealthCheck *struct {
			FailureWindow     ptypes.Duration
			MaxFailedAttempts int
		}
		PassHostHeader     *bool
		ResponseForwarding *struct{ FlushInterval ptypes.Duration }
		ServersTransport   string
	}
	Weighted, Mirroring, Failover, HighestRandomWeight map[string]any `label:"-"`
}

type traefikServer struct {
	URL, Scheme, Port string
	Weight            *int
	PreservePath      bool
}

type traefikTCP struct {
	Routers     map[string]*traefikTCPRouter
	Services    map[string]*traefikTCPService
	Middlewares map[string]*struct {
		InFlightConn             *struct{ Amount int64 }
		IPWhiteList, IPAllowList *struct{ SourceRange []string }
	}
	ServersTransports map[string]any `label:"-"`
}

type traefikTCPRouter struct {
	EntryPoints, Middlewares  []string
	Service, Rule, RuleSyntax string
	Priority                  int
	TLS                       *struct {
		Passthrough           bool
		Options, CertResolver string
		Domains               []traefikDomain
	} `label:"allowEmpty"`
}

type traefikTCPService struct {
	LoadBalancer *struct {
		Servers []struct {
			Port string
			TLS  bool
		} `label-slice-as-struct:"server"`
		ServersTransport string
		ProxyProtocol    *struct{ Version int } `label:"allowEmpty"`
		TerminationDelay *int
		HealthCheck      *struct {
			Port              int
			Send, Expect      string
			Interval, Timeout ptypes.Duration
			UnhealthyInterval *ptypes.Duration
		} `label:"allowEmpty"`
	}
	Weighted map[string]any `label:"-"`
}

type traefikUDP struct {
	Routers map[string]*struct {
		EntryPoints []string
		Service     string
	}
	Services map[string]*traefikUDPService
}

type traefikUDPService struct {
	LoadBalancer *struct {
		Servers []struct{ Port string } `label-slice-as-struct:"server"`
	}
	Weighted map[string]any `label:"-"`
}

// errTraefikBreaks: at a lone bracket Traefik's parser panics, and with it all that
// Traefik reads of the Swarm, over and over.
var errTraefikBreaks = errors.New("at a bracket that closes or opens nothing Traefik breaks, and reads the labels of no service any more")

// decodeTraefik decodes labels with Traefik's own parser, as Traefik does it.
func decodeTraefik(labels map[string]string) (c *traefikConfig, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errTraefikBreaks
		}
	}()
	c = &traefikConfig{}
	err = parser.Decode(labels, c, parser.DefaultRootName, traefikRoots...)
	return c, err
}

// Traefik reads what begins with one of these, and skips every other label.
var traefikRoots = []string{"traefik.enable", "traefik.docker.", "traefik.swarm.", "traefik.http", "traefik.tcp", "traefik.udp", "traefik.tls.stores.default"}

func traefikReads(label string) bool {
	for _, root := range traefikRoots {
		if len(label) >= len(root) && strings.EqualFold(label[:len(root)], root) {
			return true
		}
	}
	return false
}

// misspelt is the element of a label that Traefik does not know and what it
// knows in its place; element is empty when it knows the label.
func misspelt(label string) (element string, known []string) {
	t := reflect.TypeFor[traefikConfig]()
	for _, step := range strings.Split(label, ".")[1:] {
		step, _, _ = strings.Cut(step, "[")
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Map:
			t = t.Elem()
		case reflect.Interface:
			return "", nil
		case reflect.Struct:
			next, names := traefikField(t, step)
			if next == nil {
				return step, names
			}
			t = next
		default:
			return step, nil
		}
	}
	return "", nil
}

// traefikField is the type of the field that a label's element names; nil
// when there is none.
func traefikField(t reflect.Type, element string) (reflect.Type, []string) {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Name
		if single := f.Tag.Get(parser.TagLabelSliceAsStruct); single != "" {
			name = single
		}
		if strings.EqualFold(name, element) {
			return f.Type, nil
		}
		if f.Tag.Get(parser.TagLabel) != "-" {
			names = append(names, strings.ToLower(name))
		}
	}
	return nil, names
}

// notFromLabels is the element of a label that Traefik knows and skips.
func notFromLabels(label string) string {
	t := reflect.TypeFor[traefikConfig]()
	for _, step := range strings.Split(label, ".")[1:] {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() == reflect.Map {
			t = t.Elem()
			continue
		}
		if t.Kind() != reflect.Struct {
			return ""
		}
		for i := range t.NumField() {
			if f := t.Field(i); strings.EqualFold(f.Name, step) && f.Tag.Get(parser.TagLabel) == "-" {
				return step
			}
		}
		if t, _ = traefikField(t, step); t == nil {
			return ""
		}
	}
	return ""
}
