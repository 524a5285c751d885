package spec

import (
	"reflect"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// toProject is loader.ModelToProject.
func toProject(raw map[string]any, o *loader.Options, details types.ConfigDetails) (*types.Project, error) {
	services, ok := raw["services"].(map[string]any)
	if !ok || len(o.Profiles) > 0 || extended(services) {
		return loader.ModelToProject(raw, o, details)
	}
	decoded, err := decodeServices(services)
	if err != nil {
		return nil, err
	}
	delete(raw, "services")
	project, err := loader.ModelToProject(raw, o, details)
	raw["services"] = services
	if err == nil {
		project.Services = decoded
	}
	return project, err
}

// extended reports whether there is a profile or a key that may be an
// extension, which compose-go takes out of the way.
func extended(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for key, e := range v {
			if key == "profiles" || strings.HasPrefix(key, "x-") || extended(e) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if extended(e) {
				return true
			}
		}
	}
	return false
}

// serviceFields are the fields of a service by the keys that stand for them.
var serviceFields = sync.OnceValue(func() map[string]reflect.StructField {
	out := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[types.ServiceConfig]()) {
		if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "" && key != "-" {
			out[key] = f
		}
	}
	return out
})

// decodeServices lets compose-go decode services into a struct of only those
// fields that some service has: it takes its time for the hundred that none has.
func decodeServices(services map[string]any) (types.Services, error) {
	var fields, narrow []reflect.StructField
	seen := map[string]bool{}
	for name := range services {
		service := mapping(services, name)
		service["name"] = name
		for key := range service {
			if seen[key] {
				continue
			}
			f, ok := serviceFields()[key]
			if !ok {
				return nil, errNotPlain
			}
			seen[key], fields = true, append(fields, f)
			narrow = append(narrow, reflect.StructField{Name: f.Name, Type: f.Type, Tag: f.Tag})
		}
	}
	decoded := reflect.New(reflect.MapOf(reflect.TypeFor[string](), reflect.StructOf(narrow)))
	if err := loader.Transform(services, decoded.Interface()); err != nil {
		return nil, err
	}
	out := make(types.Services, len(services))
	for i := decoded.Elem().MapRange(); i.Next(); {
		var service types.ServiceConfig
		for n, f := range fields {
			reflect.ValueOf(&service).Elem().FieldByIndex(f.Index).Set(i.Value().Field(n))
		}
		out[i.Key().String()] = service
	}
	return out, nil
}
