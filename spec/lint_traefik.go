package spec

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// routed is a service whose labels Traefik reads.
type routed struct {
	name   string // of the service
	full   string // its name in the Swarm
	spec   types.ServiceConfig
	labels map[string]string
	config *traefikConfig // without the labels that Traefik cannot read
}

// traefik looks at the labels of all services as Traefik would.
func (t linter) traefik() {
	var all []routed
	for _, name := range slices.Sorted(maps.Keys(t.project.Services)) {
		s := t.project.Services[name]
		t.labelsPlace(name, s)
		if s.Deploy == nil {
			continue
		}
		r := routed{name: name, full: t.stack.Name + "_" + name, spec: s, labels: s.Deploy.Labels}
		if !r.mentioned() || t.switchedOff(r) {
			continue
		}
		t.decode(&r)
		t.families(r)
		t.network(r)
		t.serverPorts(r)
		all = append(all, r)
	}
	defined := middlewares(all)
	for _, r := range all {
		t.routers(r, defined)
		t.centrifugoExposed(r, defined)
	}
	t.duplicates(all)
}

const traefikPrefix = "traefik."

func isTraefik(label string) bool {
	return len(label) > len(traefikPrefix) && strings.EqualFold(label[:len(traefikPrefix)], traefikPrefix)
}

// mentioned reports whether the service says anything to Traefik.
func (r routed) mentioned() bool {
	for label := range r.labels {
		if isTraefik(label) {
			return true
		}
	}
	return false
}

// active reports whether Traefik would route to the service: it is switched
// on, or has something to route by.
func (r routed) active() bool {
	return r.config.Enable || r.config.HTTP != nil || r.config.TCP != nil || r.config.UDP != nil
}

// switchedOff reports a service that Traefik leaves out.
func (t linter) switchedOff(r routed) bool {
	for label, value := range r.labels {
		if off, err := strconv.ParseBool(value); strings.EqualFold(label, "traefik.enable") && err == nil && !off {
			return true
		}
	}
	return false
}

func labelPath(service, label string) []string {
	return []string{"services", service, "deploy", "labels", label}
}

// label is a finding at a label, or at the first one that begins so.
func (t linter) label(rule string, r routed, begin, message, remedy string) {
	for _, label := range slices.Sorted(maps.Keys(r.labels)) {
		if len(label) >= len(begin) && strings.EqualFold(label[:len(begin)], begin) {
			t.warn(rule, message, remedy, labelPath(r.name, label)...)
			return
		}
	}
	t.warn(rule, message, remedy, "services", r.name, "deploy", "labels")
}

// labelsPlace reports labels for Traefik that only the containers would have.
func (t linter) labelsPlace(name string, s types.ServiceConfig) {
	for _, label := range slices.Sorted(maps.Keys(s.Labels)) {
		if _, too := deployLabels(s)[label]; !isTraefik(label) || too {
			continue
		}
		t.warn("traefik-labels-place", "this is a label of the containers, and on a Swarm Traefik reads those of the service alone",
			"move the labels to deploy.labels", "services", name, "labels", label)
		return
	}
}

func deployLabels(s types.ServiceConfig) types.Labels {
	if s.Deploy == nil {
		return nil
	}
	return s.Deploy.Labels
}

// decode reads the labels as Traefik does. When it cannot, each label is tried
// by itself, to find those at fault, and the rest is read.
func (t linter) decode(r *routed) {
	config, err := decodeTraefik(r.labels)
	good := map[string]string{}
	for _, label := range slices.Sorted(maps.Keys(r.labels)) {
		if !isTraefik(label) {
			continue
		}
		if !traefikReads(label) {
			t.unreadLabel(r.name, label)
			continue
		}
		if element := notFromLabels(label); element != "" {
			t.warn("traefik-label", "Traefik does not read "+element+" from labels, and ignores this one",
				"write it in a file of Traefik's file provider", labelPath(r.name, label)...)
		}
		if err == nil {
			continue
		}
		if _, one := decodeTraefik(map[string]string{label: r.labels[label]}); one != nil {
			t.badLabel(r.name, label, one)
			continue
		}
		good[label] = r.labels[label]
	}
	if err != nil {
		config, err = decodeTraefik(good)
	}
	if err != nil {
		config = &traefikConfig{} // each label is good, and all of them are not
		t.label("traefik-label", *r, traefikPrefix, "Traefik cannot read these labels together, and drops the whole service", "see that each name is written in one way")
	}
	r.config = config
}

func (t linter) badLabel(service, label string, err error) {
	element, known := misspelt(label)
	if errors.Is(err, errTraefikBreaks) {
		t.warn("traefik-label", "Traefik breaks at this label, and reads those of no service any more: all routes from the Swarm stay as they are, and are gone when it starts again",
			"correct its brackets", labelPath(service, label)...)
		return
	}
	if element == "" {
		t.warn("traefik-label", "Traefik cannot read this label or its value, and drops the whole service",
			"write what it expects here, such as a number, a duration or true", labelPath(service, label)...)
		return
	}
	remedy := "remove it; nothing follows here"
	if len(known) > 0 {
		slices.Sort(known)
		remedy = "the names here are " + strings.Join(known, ", ")
	}
	t.warn("traefik-label", "Traefik knows no "+strconv.Quote(element)+" here, and drops the whole service",
		didYouMean(strings.ToLower(element), known, remedy), labelPath(service, label)...)
}

// What follows traefik. in a label that Traefik reads, and in version 1.
var (
	traefikFamilies = []string{"enable", "docker", "swarm", "http", "tcp", "udp", "tls"}
	traefikOld      = []string{"frontend", "backend", "port", "protocol", "weight"}
)

// unreadLabel reports a label that Traefik skips, when it was most likely
// meant to be read: people have labels of their own for its constraints.
func (t linter) unreadLabel(service, label string) {
	family, _, deeper := strings.Cut(label[len(traefikPrefix):], ".")
	family = strings.ToLower(family)
	switch near := nearest(family, traefikFamilies); {
	case slices.Contains(traefikOld, family):
		t.warn("traefik-label", "this is a label of Traefik 1, and is ignored", "write traefik.http.routers and traefik.http.services", labelPath(service, label)...)
	case near != "" && (deeper || near == "enable"):
		t.warn("traefik-label", "Traefik reads no labels that begin with "+traefikPrefix+family+", and ignores this one",
			"did you mean `"+traefikPrefix+near+"`?", labelPath(service, label)...)
	}
}

// families reports labels of both providers: Traefik then takes neither.
func (t linter) families(r routed) {
	if r.config.Docker != nil && r.config.Swarm != nil {
		t.label("traefik-families", r, "traefik.docker.", "Traefik drops a service that has labels traefik.docker.* beside traefik.swarm.*",
			"keep traefik.swarm.*, or with Traefik before 3.2.2 traefik.docker.*")
	}
}

// network reports a network that Traefik would not find.
func (t linter) network(r routed) {
	label, named := "traefik.swarm.network", ""
	switch {
	case r.config.Swarm != nil && r.config.Swarm.Network != nil:
		named = *r.config.Swarm.Network
	case r.config.Docker != nil && r.config.Docker.Network != nil:
		label, named = "traefik.docker.network", *r.config.Docker.Network
	default:
		return
	}
	var has []string
	for _, n := range t.stack.Networks {
		if _, on := r.spec.Networks[n.Key]; !on && (n.Key != defaultNetwork || len(r.spec.Networks) > 0) {
			continue
		}
		has = append(has, n.Name)
		if n.Key == named && n.Name != named {
			t.label("traefik-network", r, label, "the network's name in the Swarm is not "+strconv.Quote(t.l.redact(named))+", and Traefik takes any network that the service is on",
				"write "+n.Name+", or give the network a `name:`")
			return
		}
	}
	if !slices.Contains(has, named) {
		t.label("traefik-network", r, label, "the service is not on the network "+strconv.Quote(t.l.redact(named))+", and Traefik takes any other that it is on",
			didYouMean(named, has, "name one of its networks: "+strings.Join(has, ", ")))
	}
}

// serverPorts reports what Traefik finds no port for: on a Swarm it guesses
// none.
func (t linter) serverPorts(r routed) {
	if !r.active() {
		return
	}
	missing := func(protocol, service string) {
		if service == "" {
			service = r.name
		}
		label := traefikPrefix + protocol + ".services." + service + ".loadbalancer.server.port"
		t.label("traefik-port", r, traefikPrefix, "on a Swarm Traefik guesses no port, and without one it drops the whole service", "add the label "+label)
	}
	tcp, udp, http := r.config.TCP, r.config.UDP, r.config.HTTP
	if tcp != nil && len(tcp.Routers)+len(tcp.Services) > 0 {
		eachOr(tcp.Services, func(name string, s *traefikTCPService) {
			if s == nil || s.LoadBalancer == nil || len(s.LoadBalancer.Servers) == 0 || s.LoadBalancer.Servers[0].Port == "" {
				missing("tcp", name)
			}
		})
	}
	if udp != nil && len(udp.Routers)+len(udp.Services) > 0 {
		eachOr(udp.Services, func(name string, s *traefikUDPService) {
			if s == nil || s.LoadBalancer == nil || len(s.LoadBalancer.Servers) == 0 || s.LoadBalancer.Servers[0].Port == "" {
				missing("udp", name)
			}
		})
	}
	if http == nil {
		if tcp != nil || udp != nil {
			return
		}
		http = &traefikHTTP{}
	}
	eachOr(http.Services, func(name string, s *traefikService) {
		if s == nil || s.LoadBalancer == nil || len(s.LoadBalancer.Servers) == 0 || s.LoadBalancer.Servers[0].Port == "" && s.LoadBalancer.Servers[0].URL == "" {
			missing("http", name)
		}
	})
}

// eachOr visits the services that labels define, or the one that Traefik makes
// up when they define none.
func eachOr[T any](services map[string]*T, visit func(name string, s *T)) {
	for _, name := range slices.Sorted(maps.Keys(services)) {
		visit(name, services[name])
	}
	if len(services) == 0 {
		visit("", nil)
	}
}

// duplicates reports names that two services define: Traefik takes neither
// when they differ.
func (t linter) duplicates(all []routed) {
	type seen struct {
		by    routed
		value any
	}
	found := map[string]seen{}
	told := map[string]bool{}
	visit := func(r routed, kind, name string, value any, message string) {
		first, again := found[kind+"."+name]
		if !again {
			found[kind+"."+name] = seen{r, value}
			return
		}
		if !reflect.DeepEqual(first.value, value) && !told[r.name+kind+name] {
			told[r.name+kind+name] = true
			t.label("traefik-duplicate", r, traefikPrefix+"http."+kind+"."+name+".", "service "+first.by.name+" defines this name too, and "+message, "give each service names of its own")
		}
	}
	for _, r := range all {
		if r.config.HTTP == nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(r.config.HTTP.Routers)) {
			router := *r.config.HTTP.Routers[name]
			router.Service = r.leadsTo(router)
			visit(r, "routers", name, router, "Traefik takes neither of the two routers")
		}
		for _, name := range slices.Sorted(maps.Keys(r.config.HTTP.Middlewares)) {
			visit(r, "middlewares", name, *r.config.HTTP.Middlewares[name], "Traefik takes neither of the two middlewares")
		}
		for _, name := range slices.Sorted(maps.Keys(r.config.HTTP.Services)) {
			// Who shares a service and its routers means it so.
			visit(r, "services", name, slices.Sorted(maps.Keys(r.config.HTTP.Routers)), "requests for one may reach the other")
		}
	}
}

// leadsTo is the service that a router leads to, also when it names none.
func (r routed) leadsTo(router traefikRouter) string {
	if router.Service != "" {
		return router.Service
	}
	for name := range r.config.HTTP.Services {
		if len(r.config.HTTP.Services) == 1 {
			return name
		}
	}
	return r.full
}
