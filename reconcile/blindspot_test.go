package reconcile

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"
)

// notCompared are the fields in which a difference is none, and why.
var notCompared = map[string]string{
	"Name":                     "a service cannot be renamed",
	"Networks":                 "deprecated: the Engine refuses a change, TaskTemplate.Networks holds them",
	"TaskTemplate.ForceUpdate": "a counter, moved by docker service update --force",
	"TaskTemplate.ContainerSpec.Secrets[].SecretID":                          "the name is compared",
	"TaskTemplate.ContainerSpec.Configs[].ConfigID":                          "the name is compared",
	"TaskTemplate.ContainerSpec.Mounts[].Consistency":                        "dropped by the Engine",
	"TaskTemplate.ContainerSpec.Mounts[].BindOptions.CreateMountpoint":       "dropped by the Engine",
	"TaskTemplate.ContainerSpec.Mounts[].BindOptions.ReadOnlyNonRecursive":   "dropped by the Engine",
	"TaskTemplate.ContainerSpec.Mounts[].BindOptions.ReadOnlyForceRecursive": "dropped by the Engine",
}

// Every leaf of a service spec that holds everything is changed, one at a time:
// each shows, under a name of its own, or stands in the table above.
func TestNoBlindSpot(t *testing.T) {
	paths := map[string]string{}
	full := reflect.New(reflect.TypeFor[swarm.ServiceSpec]()).Elem()
	var leaves []string
	fill(full, "", func(goPath string, _ reflect.Value) { leaves = append(leaves, goPath) })
	compared := 0
	for _, leaf := range leaves {
		changed := reflect.New(full.Type()).Elem()
		fill(changed, "", func(goPath string, v reflect.Value) {
			if goPath == leaf {
				change(v)
			}
		})
		w := walker{}
		w.merge(fields(), replaceTasks, full, changed)
		if excused(leaf) {
			if len(w.changes) > 0 {
				t.Errorf("%s shows, although it is said not to: %v", leaf, w.changes)
			}
			continue
		}
		if len(w.changes) == 0 {
			t.Errorf("%s: a change does not show", leaf)
			continue
		}
		compared++
		if testing.Verbose() {
			fmt.Fprintln(t.Output(), w.changes[0].Path)
		}
		path := w.changes[0].Path
		if other, taken := paths[path]; taken && !sameList(other, leaf) || path == "" || strings.Contains(path, "..") {
			t.Errorf("%s and %s are both called %q", leaf, other, path)
		}
		paths[path] = leaf
	}
	fmt.Fprintf(t.Output(), "%d fields compared, each under a name of its own; %d leaves are not\n", compared, len(leaves)-compared)
}

// sameList: the parts of a list's element, where the element or the list is
// compared as one.
func sameList(a, b string) bool {
	x, _, ok1 := strings.Cut(a, "[]")
	y, _, ok2 := strings.Cut(b, "[]")
	return ok1 && ok2 && x == y
}

func excused(leaf string) bool {
	for p := range notCompared {
		if leaf == p || strings.HasPrefix(leaf, p+".") || strings.HasPrefix(leaf, p+"[]") {
			return true
		}
	}
	return false
}

// fill sets every field to something, one element to each list and map, and
// calls leaf for each value that has no parts.
func fill(v reflect.Value, goPath string, leaf func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), goPath, leaf)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Anonymous {
				fill(v.Field(i), goPath, leaf)
				continue
			}
			fill(v.Field(i), join(goPath, f.Name), leaf)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("b"))
			leaf(goPath, v)
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), goPath+"[]", leaf)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, goPath+"{}", leaf)
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	case reflect.String:
		v.SetString("x")
		leaf(goPath, v)
	case reflect.Bool:
		leaf(goPath, v)
	default:
		v.Set(reflect.ValueOf(7).Convert(v.Type()))
		leaf(goPath, v)
	}
}

func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("y")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Slice:
		v.SetBytes([]byte("c"))
	default:
		v.Set(reflect.ValueOf(8).Convert(v.Type()))
	}
}
