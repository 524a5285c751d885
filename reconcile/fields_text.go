package reconcile

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// Values as people write them in a Compose file.

func formatCPUs(v reflect.Value) string {
	return strconv.FormatFloat(float64(v.Int())/1e9, 'f', -1, 64)
}

// formatBytes writes a size: 512M.
func formatBytes(v reflect.Value) string {
	n := v.Int()
	for _, u := range []struct {
		size int64
		unit string
	}{{1 << 40, "T"}, {1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}} {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.unit
		}
	}
	return strconv.FormatInt(n, 10)
}

func formatMode(v reflect.Value) string {
	return fmt.Sprintf("%#o", uint32(v.Interface().(os.FileMode)))
}

// formatDuration writes 1h where Go writes 1h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func formatPreferences(v reflect.Value) string {
	list := []map[string]string{}
	for _, p := range v.Interface().([]swarm.PlacementPreference) {
		entry := map[string]string{}
		if p.Spread != nil {
			entry["spread"] = p.Spread.SpreadDescriptor
		}
		list = append(list, entry)
	}
	b, _ := json.Marshal(list) // strings alone
	return string(b)
}

func formatPlatforms(v reflect.Value) string {
	var list []string
	for _, p := range v.Interface().([]swarm.Platform) {
		list = append(list, strings.Trim(p.OS+"/"+p.Architecture, "/"))
	}
	return strings.Join(list, ", ")
}

func formatText(v reflect.Value) string { return string(v.Bytes()) }

// genericResource writes one as docker service create takes it: gpu=2.
func genericResource(v reflect.Value) string {
	r := v.Interface().(swarm.GenericResource)
	var parts []string
	if d := r.DiscreteResourceSpec; d != nil {
		parts = append(parts, fmt.Sprintf("%s=%d", d.Kind, d.Value))
	}
	if n := r.NamedResourceSpec; n != nil {
		parts = append(parts, n.Kind+"="+n.Value)
	}
	return strings.Join(parts, ",")
}

// fileText writes a secret or config as the long form in a Compose file has it,
// without what is so anyway: {source: app_key, target: key, mode: 0400}.
func fileText(v reflect.Value) *string {
	v = reflect.Indirect(v)
	var parts []string
	add := func(name, value, otherwise string) {
		if value != otherwise {
			parts = append(parts, name+": "+value)
		}
	}
	for _, name := range []string{"SecretName", "ConfigName"} {
		if f := v.FieldByName(name); f.IsValid() {
			add("source", f.String(), "")
		}
	}
	if f := v.FieldByName("File"); !f.IsNil() {
		f = f.Elem()
		add("target", f.FieldByName("Name").String(), "")
		add("uid", f.FieldByName("UID").String(), "0")
		add("gid", f.FieldByName("GID").String(), "0")
		add("mode", formatMode(f.FieldByName("Mode")), "0444")
	}
	return text("{" + strings.Join(parts, ", ") + "}")
}

// summary writes the fields of a struct that are set: {source: a, target: b}.
func summary(v reflect.Value) string {
	var parts []string
	for i := range v.NumField() {
		fv := reflect.Indirect(v.Field(i))
		if !fv.IsValid() || fv.IsZero() {
			continue
		}
		val := fmt.Sprint(fv.Interface())
		if fv.Kind() == reflect.Struct {
			val = summary(fv)
		}
		parts = append(parts, snake(v.Type().Field(i).Name)+": "+val)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func listText(v reflect.Value) *string {
	if v.Len() == 0 {
		return nil
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return text(fmt.Sprint(v.Interface()))
	}
	return text(string(b))
}

func text(s string) *string { return &s }

// snake turns MaxReplicas into max_replicas.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r >= 'A' && r <= 'Z' {
			if i > 0 && (s[i-1] < 'A' || s[i-1] > 'Z') {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
