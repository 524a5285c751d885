package oracle

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	composetypes "github.com/docker/cli/cli/compose/types"
)

// notLowered are the leaves of docker/cli's own types of which its convert
// makes nothing.
var notLowered = map[string]string{
	"version":                        "says which rules hold",
	"services.build.*":               "Swarm builds nothing",
	"services.cgroup_parent":         "docker/cli warns and ignores",
	"services.cgroupns_mode":         "docker/cli warns and ignores",
	"services.container_name":        "docker/cli warns and ignores",
	"services.depends_on":            "docker/cli ignores; spec orders by it",
	"services.devices":               "docker/cli warns and ignores",
	"services.domainname":            "docker/cli warns and ignores",
	"services.env_file":              "the loader has put it into environment",
	"services.expose":                "docker/cli warns and ignores",
	"services.external_links":        "docker/cli warns and ignores",
	"services.ipc":                   "docker/cli warns and ignores",
	"services.links":                 "docker/cli warns and ignores",
	"services.mac_address":           "docker/cli warns and ignores",
	"services.network_mode":          "docker/cli warns and ignores",
	"services.networks.ipv4_address": "docker/cli ignores",
	"services.networks.ipv6_address": "docker/cli ignores",
	"services.pid":                   "docker/cli warns and ignores",
	"services.privileged":            "docker/cli warns and ignores",
	"services.security_opt":          "docker/cli warns and ignores",
	"services.shm_size":              "docker/cli warns and ignores",
	"services.tmpfs":                 "docker/cli ignores",
	"services.userns_mode":           "docker/cli warns and ignores",
	"volumes.x-cluster-spec.*":       "docker/cli creates no cluster volumes",
}

// unreachable are leaves that no file can set.
var unreachable = map[string]string{
	"services.oomscoreadj":           "docker/cli's type lacks the tag that would find oom_score_adj",
	"services.volumes.image.subpath": "its schema does not know the key image",
	"configs.driver":                 "its schema has it for secrets alone",
	"configs.driver_opts":            "its schema has it for secrets alone",
	"networks.external.name":         "the loader has moved it to name",
	"volumes.external.name":          "the loader has moved it to name",
	"secrets.external.name":          "the loader has moved it to name",
	"configs.external.name":          "the loader has moved it to name",
}

// corpus is every stack that both sides lower to the same.
func corpus(t *testing.T) []sample {
	t.Helper()
	out := append(fieldSamples(t, fields), append(fileSamples(t), borrowed()...)...)
	for _, s := range fieldSamples(t, ignored) {
		out = append(out, s.legacy())
	}
	return out
}

// TestCoverage holds the corpus to docker/cli's own types: every leaf that its
// loader can fill is set in some file, and taking it out there changes what
// convert gives, unless the table above says that it does not.
func TestCoverage(t *testing.T) {
	set, matters := map[string]bool{}, map[string]bool{}
	files := corpus(t)
	for _, s := range files {
		s.observe(t, set, matters)
	}
	all := leaves(reflect.TypeFor[composetypes.Config](), "")
	covered := 0
	used := map[string]bool{}
	for _, path := range all {
		row := rowOf(path, notLowered)
		used[row] = true
		_, impossible := unreachable[path]
		switch {
		case impossible && set[path]:
			t.Errorf("%s is called unreachable, and a file sets it", path)
		case impossible:
		case !set[path]:
			t.Errorf("no file of the corpus sets %s", path)
		case matters[path] && row != "":
			t.Errorf("%s is called not lowered, and convert makes something of it", path)
		case matters[path]:
			covered++
		case row == "":
			t.Errorf("no file of the corpus shows that convert lowers %s", path)
		}
	}
	for row := range notLowered {
		if !used[row] {
			t.Errorf("docker/cli has no field %s", row)
		}
	}
	for path := range unreachable {
		if !slices.Contains(all, path) {
			t.Errorf("docker/cli has no field %s", path)
		}
	}
	t.Logf("counted: %d files, %d fields covered, %d fields that docker/cli does not lower, %d deliberate differences",
		len(files), covered, len(all)-covered-len(unreachable), len(deliberate))
}

// rowOf is the row of a table that speaks of the path.
func rowOf(path string, table map[string]string) string {
	for row := range table {
		if row == path || strings.HasSuffix(row, ".*") && strings.HasPrefix(path, strings.TrimSuffix(row, "*")) {
			return row
		}
	}
	return ""
}

// observe notes which leaves a sample sets, and which of them convert lowers.
func (s sample) observe(t *testing.T, set, matters map[string]bool) {
	t.Helper()
	paths := s.unpack(t)
	load := func() *composetypes.Config {
		config, err := loadTheirs(paths)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		return config
	}
	config, untried := load(), map[string]bool{}
	visit(reflect.ValueOf(config), "", func(path string, _ reflect.Value) {
		set[path] = true
		if !matters[path] {
			untried[path] = true
		}
	})
	whole, err := convertTheirs(config)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	for path := range untried {
		config := load()
		visit(reflect.ValueOf(config), "", func(p string, v reflect.Value) {
			if p == path {
				v.SetZero()
			}
		})
		part, err := convertTheirs(config)
		if err != nil || len(differences(whole, part)) > 0 {
			matters[path] = true
		}
	}
}

// leaves are the paths at which a type holds plain values. Elements of maps
// and lists are no step of a path.
func leaves(of reflect.Type, path string) []string {
	switch {
	case of.Kind() == reflect.Struct:
		var out []string
		for i := range of.NumField() {
			if name := fieldName(of.Field(i)); name != "" {
				out = append(out, leaves(of.Field(i).Type, join(path, name))...)
			}
		}
		return out
	case of.Kind() == reflect.Pointer || collects(of):
		return leaves(of.Elem(), path)
	}
	return []string{path}
}

// visit calls do for every leaf of a value that is not zero.
func visit(v reflect.Value, path string, do func(path string, v reflect.Value)) {
	switch {
	case v.IsZero():
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() != reflect.Struct:
		do(path, v)
	case v.Kind() == reflect.Pointer:
		visit(v.Elem(), path, do)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if name := fieldName(v.Type().Field(i)); name != "" {
				visit(v.Field(i), join(path, name), do)
			}
		}
	case v.Kind() == reflect.Slice && collects(v.Type()):
		for i := range v.Len() {
			visit(v.Index(i), path, do)
		}
	case v.Kind() == reflect.Map && collects(v.Type()):
		for _, key := range v.MapKeys() {
			entry := reflect.New(v.Type().Elem()).Elem() // one in a map cannot be set
			entry.Set(v.MapIndex(key))
			visit(entry, path, do)
			v.SetMapIndex(key, entry)
		}
	case (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0:
	default:
		do(path, v)
	}
}

// collects reports whether a list or map holds structs.
func collects(of reflect.Type) bool {
	if of.Kind() != reflect.Slice && of.Kind() != reflect.Map {
		return false
	}
	elem := of.Elem()
	return elem.Kind() == reflect.Struct || elem.Kind() == reflect.Pointer && elem.Elem().Kind() == reflect.Struct
}

// fieldName is what a file calls a field; empty where it cannot name it.
func fieldName(f reflect.StructField) string {
	if name := f.Tag.Get("mapstructure"); name != "" {
		return name
	}
	if f.Name == "Extras" || f.Tag.Get("yaml") == "-" {
		return ""
	}
	return strings.ToLower(f.Name)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
