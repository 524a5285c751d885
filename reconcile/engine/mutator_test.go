package engine_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// mutator walks a sample of a service and notes what can be changed about it.
type mutator struct {
	minor   int
	base    func(int) swarm.ServiceSpec
	out     []mutation
	visited map[string]bool
}

// place is a field by its Go name; key is that of the list element it is in.
type place struct{ goPath, key string }

type getter func(*swarm.ServiceSpec) reflect.Value

func (m *mutator) walk(v reflect.Value, p place, get getter) {
	if excused(p.goPath, m.minor) {
		return
	}
	switch {
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct:
		m.pointer(v, p, get)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			q := place{goName(p.goPath, v.Type().Field(i)), p.key}
			m.walk(v.Field(i), q, func(s *swarm.ServiceSpec) reflect.Value { return get(s).Field(i) })
		}
	case v.Kind() == reflect.Map:
		m.labels(v, p, get)
	case p.goPath == env:
		m.variables(v, p, get)
	case v.Kind() == reflect.Slice && identity[p.goPath+"[]"] != nil:
		m.keyed(v, p, get)
	case v.Kind() == reflect.Slice && reflect.Indirect(reflect.Zero(v.Type().Elem())).Kind() == reflect.Struct, p.goPath == generic:
		m.elements(v, p, get)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		m.texts(v, p, get)
	default:
		m.scalar(v, p, get)
	}
}

func (m *mutator) add(p place, what string, want []string, do func(*swarm.ServiceSpec)) {
	if m.visited == nil {
		m.visited = map[string]bool{}
	}
	m.visited[p.goPath] = true
	slices.Sort(want)
	if p.key != "" {
		what = p.key + ": " + what
	}
	m.out = append(m.out, mutation{p.goPath + " " + what, slices.Compact(want), do, m.base})
}

// pointer: what is in it is changed, and all of it is taken away.
func (m *mutator) pointer(v reflect.Value, p place, get getter) {
	if v.IsNil() {
		return
	}
	before := len(m.out)
	m.walk(v.Elem(), p, func(s *swarm.ServiceSpec) reflect.Value { return get(s).Elem() })
	if needed[p.goPath] != "" || strings.HasSuffix(p.goPath, "[]") {
		return
	}
	var want []string
	for _, x := range m.out[before:] {
		if !strings.HasSuffix(x.what, " added") && !strings.Contains(x.what, " taken away") {
			want = append(want, x.want...)
		}
	}
	m.add(p, "taken away", want, func(s *swarm.ServiceSpec) { get(s).SetZero() })
}

// needed are the structs without which the Engine takes no service.
var needed = map[string]string{
	"TaskTemplate.ContainerSpec":                           "no container without it",
	"TaskTemplate.ContainerSpec.Secrets[].File":            "the Engine refuses a secret without a target",
	"TaskTemplate.ContainerSpec.Configs[].File":            "the Engine refuses a config without a target",
	"TaskTemplate.ContainerSpec.Configs[].Runtime":         "the Engine refuses a config without a target",
	"TaskTemplate.ContainerSpec.Privileges.CredentialSpec": "covered by its one leaf and by the privileges",
	"TaskTemplate.Placement":                               "taking it away crashes Engines before 29.7",
	"TaskTemplate.Placement.Preferences[].Spread":          "an empty preference is dropped: as if it were removed",
	"EndpointSpec":       "it takes its ports along, whole; tried by hand",
	"Mode.Replicated":    "covered by its one leaf",
	"Mode.ReplicatedJob": "the Engine refuses another mode",
	"TaskTemplate.Resources.Reservations.GenericResources[].NamedResourceSpec":    "the Engine refuses an empty resource",
	"TaskTemplate.Resources.Reservations.GenericResources[].DiscreteResourceSpec": "the Engine refuses an empty resource",
}

func (m *mutator) labels(v reflect.Value, p place, get getter) {
	path := m.path(p)
	set := func(k, value string) func(*swarm.ServiceSpec) {
		return func(s *swarm.ServiceSpec) {
			if get(s).IsNil() {
				get(s).Set(reflect.MakeMap(v.Type()))
			}
			get(s).SetMapIndex(reflect.ValueOf(k), reflect.ValueOf(value))
		}
	}
	keys := []string{}
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	for _, k := range keys {
		m.add(p, k+" changed", []string{path + "." + quote(k)}, set(k, "changed"))
		m.add(p, k+" removed", []string{path + "." + quote(k)}, func(s *swarm.ServiceSpec) {
			get(s).SetMapIndex(reflect.ValueOf(k), reflect.Value{})
		})
	}
	m.add(p, "key added", []string{path + `."added.by.hand"`}, set("added.by.hand", "yes"))
}

const (
	env     = "TaskTemplate.ContainerSpec.Env"
	generic = "TaskTemplate.Resources.Reservations.GenericResources"
)

func (m *mutator) variables(v reflect.Value, p place, get getter) {
	for i := range v.Len() {
		name, _, _ := strings.Cut(v.Index(i).String(), "=")
		m.add(p, name+" changed", []string{"environment." + name}, func(s *swarm.ServiceSpec) { get(s).Index(i).SetString(name + "=changed") })
		m.add(p, name+" removed", []string{"environment." + name}, func(s *swarm.ServiceSpec) { remove(get(s), i) })
	}
	m.add(p, "variable added", []string{"environment.NEW"}, func(s *swarm.ServiceSpec) { appendTo(get(s), reflect.ValueOf("NEW=1")) })
}

// keyed lists are changed element by element.
func (m *mutator) keyed(v reflect.Value, p place, get getter) {
	goPath := p.goPath + "[]"
	for i := range v.Len() {
		key := identity[goPath](reflect.Indirect(v.Index(i)))
		q := place{goPath, key}
		m.walk(v.Index(i), q, func(s *swarm.ServiceSpec) reflect.Value { return get(s).Index(i) })
		m.add(q, "removed", []string{m.path(q)}, func(s *swarm.ServiceSpec) { remove(get(s), i) })
	}
	another := addedElement[goPath]()
	key := identity[goPath](reflect.Indirect(another))
	m.add(place{goPath, key}, "added", []string{m.path(place{goPath, key})}, func(s *swarm.ServiceSpec) { appendTo(get(s), another) })
}

// elements of a list that is compared as one.
func (m *mutator) elements(v reflect.Value, p place, get getter) {
	for i := range v.Len() {
		q := place{p.goPath + "[]", p.key}
		m.walk(v.Index(i), q, func(s *swarm.ServiceSpec) reflect.Value { return get(s).Index(i) })
		m.add(p, fmt.Sprint(i, " removed"), []string{m.path(p)}, func(s *swarm.ServiceSpec) { remove(get(s), i) })
	}
}

func (m *mutator) texts(v reflect.Value, p place, get getter) {
	path := []string{m.path(p)}
	added := reflect.ValueOf("added")
	switch p.goPath {
	case "TaskTemplate.Placement.Constraints":
		added = reflect.ValueOf("node.labels.added!=x")
	case "TaskTemplate.ContainerSpec.Mounts[].TmpfsOptions.Options":
		added = reflect.ValueOf([]string{"nodev"})
	}
	m.add(p, "value added", path, func(s *swarm.ServiceSpec) { appendTo(get(s), added) })
	if v.Len() == 0 {
		return
	}
	m.add(p, "value changed", path, func(s *swarm.ServiceSpec) {
		e := get(s).Index(0)
		if e.Kind() == reflect.Slice {
			e = e.Index(0)
		}
		e.SetString(e.String() + "x")
	})
	m.add(p, "value removed", path, func(s *swarm.ServiceSpec) { remove(get(s), v.Len()-1) })
	m.add(p, "emptied", path, func(s *swarm.ServiceSpec) { get(s).SetZero() })
}

func (m *mutator) scalar(v reflect.Value, p place, get getter) {
	if strings.Contains(p.goPath, ".CredentialSpec.") && v.IsZero() {
		return // one of three
	}
	if strings.HasPrefix(p.goPath, "Mode.ReplicatedJob.") && v.IsNil() || p.goPath == "TaskTemplate.ForceUpdate" {
		return
	}
	want := []string{m.path(p)}
	sample := reflect.New(v.Type()).Elem()
	sample.Set(v)
	if v.Kind() == reflect.Pointer {
		m.add(p, "taken away", want, func(s *swarm.ServiceSpec) { get(s).SetZero() })
		sample = reflect.New(v.Type().Elem())
		sample.Elem().Set(v.Elem())
	}
	change(reflect.Indirect(sample), p.goPath)
	if list, _, in := strings.Cut(p.goPath, "[]"); in && names[p.goPath] {
		element := reflect.New(m.elementType(list)).Elem()
		element.Set(m.elementWith(list, p.key))
		field := element
		for _, name := range strings.Split(strings.TrimPrefix(p.goPath, list+"[]."), ".") {
			if field = reflect.Indirect(field); field.FieldByName(name).Kind() == reflect.Pointer {
				f := reflect.New(field.FieldByName(name).Type().Elem())
				f.Elem().Set(field.FieldByName(name).Elem())
				field.FieldByName(name).Set(f)
			}
			field = field.FieldByName(name)
		}
		field.Set(sample)
		want = append(want, m.path(place{list + "[]", identity[list+"[]"](element)}))
		want[0] = m.path(place{list + "[]", p.key})
	}
	m.add(p, "changed", want, func(s *swarm.ServiceSpec) { get(s).Set(sample) })
}

// names are the fields that an element is called by: another one is another
// element.
var names = map[string]bool{
	"TaskTemplate.ContainerSpec.Mounts[].Target":     true,
	"TaskTemplate.ContainerSpec.Ulimits[].Name":      true,
	"TaskTemplate.ContainerSpec.Secrets[].File.Name": true,
	"TaskTemplate.ContainerSpec.Configs[].File.Name": true,
	"TaskTemplate.Networks[].Target":                 true,
	"EndpointSpec.Ports[].TargetPort":                true,
	"EndpointSpec.Ports[].Protocol":                  true,
}

func (m *mutator) list(list string) reflect.Value {
	s := m.base(0)
	v := reflect.ValueOf(&s).Elem()
	for _, name := range strings.Split(list, ".") {
		v = reflect.Indirect(v.FieldByName(name))
	}
	return v
}

func (m *mutator) elementType(list string) reflect.Type {
	t := m.list(list).Type().Elem()
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func (m *mutator) elementWith(list, key string) reflect.Value {
	v := m.list(list)
	for i := range v.Len() {
		if e := reflect.Indirect(v.Index(i)); identity[list+"[]"](e) == key {
			return e
		}
	}
	panic("no element " + key)
}

// change makes another value that the Engine takes.
func change(v reflect.Value, goPath string) {
	if s, ok := other[goPath]; ok {
		v.SetString(s)
		return
	}
	switch v.Interface().(type) {
	case time.Duration:
		v.SetInt(v.Int() + int64(time.Second))
		return
	case os.FileMode:
		v.SetUint(v.Uint() ^ 0o004)
		return
	}
	step := 1
	switch {
	case strings.HasSuffix(goPath, ".NanoCPUs"):
		step = 1e8
	case strings.HasSuffix(goPath, "Bytes"):
		step = 1 << 20
	case strings.HasSuffix(goPath, ".PublishedPort"):
		step = 2
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Slice:
		v.SetBytes(append([]byte(nil), "{}"...))
	case reflect.Float32:
		v.SetFloat(v.Float() + 0.125)
	case reflect.Uint64, reflect.Uint32:
		v.SetUint(v.Uint() + uint64(step))
	default:
		v.SetInt(v.Int() + int64(step))
	}
}

// other values of what is not free text.
var other = map[string]string{
	"TaskTemplate.ContainerSpec.Image":                            "redis:7.5",
	"TaskTemplate.ContainerSpec.Isolation":                        "hyperv",
	"TaskTemplate.ContainerSpec.Privileges.Seccomp.Mode":          "unconfined",
	"TaskTemplate.ContainerSpec.Privileges.AppArmor.Mode":         "default",
	"TaskTemplate.ContainerSpec.Privileges.CredentialSpec.Config": stackName + "_two",
	"TaskTemplate.ContainerSpec.Mounts[].Type":                    "npipe",
	"TaskTemplate.ContainerSpec.Mounts[].BindOptions.Propagation": "shared",
	"TaskTemplate.ContainerSpec.Secrets[].SecretName":             stackName + "_three",
	"TaskTemplate.ContainerSpec.Configs[].ConfigName":             stackName + "_three",
	"TaskTemplate.Networks[].Target":                              stackName + "_c",
	"TaskTemplate.RestartPolicy.Condition":                        "none",
	"UpdateConfig.FailureAction":                                  "pause",
	"UpdateConfig.Order":                                          "stop-first",
	"RollbackConfig.FailureAction":                                "pause",
	"RollbackConfig.Order":                                        "stop-first",
	"EndpointSpec.Mode":                                           "dnsrr",
	"EndpointSpec.Ports[].Protocol":                               "sctp",
	"EndpointSpec.Ports[].PublishMode":                            "ingress",
}

func remove(list reflect.Value, i int) {
	out := reflect.MakeSlice(list.Type(), 0, list.Len())
	out = reflect.AppendSlice(out, list.Slice(0, i))
	list.Set(reflect.AppendSlice(out, list.Slice(i+1, list.Len())))
}

func appendTo(list, e reflect.Value) {
	list.Set(reflect.Append(list.Slice3(0, list.Len(), list.Len()), e))
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func quote(key string) string {
	if plain.MatchString(key) {
		return key
	}
	return strconv.Quote(key)
}

// path is what the user calls a place.
func (m *mutator) path(p place) string {
	w, ok := words[p.goPath]
	if !ok {
		panic("no words for " + p.goPath)
	}
	return strings.Replace(w, "*", quote(p.key), 1)
}
