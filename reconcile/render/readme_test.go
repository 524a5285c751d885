package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/reconcile"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sample is the plan that the README shows.
func sample() *reconcile.Plan {
	return &reconcile.Plan{Stack: "whatrack", Revision: "1fbeb40", Unchanged: 8, Changes: []reconcile.Change{
		{Kind: reconcile.KindConfig, Name: "redis_conf", Object: "whatrack_redis_conf.r2", Action: reconcile.ActionCreate, Cause: "its content changed",
			Fields: []reconcile.FieldChange{{Path: "configs.redis_conf.content",
				Old: new("dir /data\nappendonly yes\nappendfsync everysec\nmaxmemory 320mb\nmaxmemory-policy noeviction\n"),
				New: new("dir /data\nappendonly yes\nappendfsync everysec\nmaxmemory 352mb\nmaxmemory-policy noeviction\n")}}},
		{Kind: reconcile.KindService, Name: "centrifugo", Object: "whatrack_centrifugo", Action: reconcile.ActionUpdate, Cause: "changed by hand",
			Notes: []string{"scales from 2 to 1: 1 task stops"}, Fields: []reconcile.FieldChange{
				{Path: `services.centrifugo.deploy.labels."traefik.enable"`, Old: new("false"), New: new("true")},
				{Path: "services.centrifugo.deploy.replicas", Old: new("2"), New: new("1")}}},
		{Kind: reconcile.KindService, Name: "redis", Object: "whatrack_redis", Action: reconcile.ActionUpdate, Impact: reconcile.ImpactRolling, Tasks: 1, Cause: "the spec changed",
			Fields: []reconcile.FieldChange{
				{Path: `services.redis.configs."/usr/local/etc/redis/redis.conf".source`, Old: new("whatrack_redis_conf"), New: new("whatrack_redis_conf.r2")},
				{Path: "services.redis.deploy.resources.limits.memory", Old: new("512M"), New: new("640M")}}},
	}}
}

// What the README shows of each format is what is printed today.
func TestReadmeSamples(t *testing.T) {
	text := readme(t)
	var out, doc bytes.Buffer
	Text{}.Plan(&out, sample())
	one := sample()
	one.Changes, one.Unchanged = one.Changes[2:], 10
	one.Changes[0].Fields = one.Changes[0].Fields[1:]
	if err := PlanJSON(&doc, one); err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]string{
		"text":     "```console\n$ swarmward plan\n" + out.String() + "```\n",
		"Markdown": "````markdown\n" + markdown(t, one) + "````\n",
		"JSON":     "```json\n" + doc.String() + "```\n",
	} {
		if !strings.Contains(text, block) {
			t.Errorf("README.md does not show %s as it is now:\n%s", name, block)
		}
	}
}

// The README describes every key of a plan as JSON, and none that is not there.
func TestReadmeNamesEveryKey(t *testing.T) {
	_, section, found := strings.Cut(readme(t), "\n### The plan as JSON\n")
	if !found {
		t.Fatal("README.md has no section on the plan as JSON")
	}
	section, _, _ = strings.Cut(section, "\n#")
	var described []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		described = append(described, m[1])
	}
	keys := jsonKeys("", reflect.TypeFor[planJSON]())
	slices.Sort(keys)
	slices.Sort(described)
	if d := cmp.Diff(keys, described); d != "" {
		t.Errorf("keys of a plan (-written +described):\n%s", d)
	}
	if version := fmt.Sprintf("`schemaVersion` is %d", schemaVersion); !strings.Contains(section, version) {
		t.Errorf("README.md does not say: %s", version)
	}
}

// Every key is always there, so that nobody has to ask whether it is.
func TestPlanJSONHasEveryKey(t *testing.T) {
	var b bytes.Buffer
	if err := PlanJSON(&b, &reconcile.Plan{Changes: []reconcile.Change{{Fields: []reconcile.FieldChange{{}}}}}); err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, key := range jsonKeys("", reflect.TypeFor[planJSON]()) {
		at := doc
		for part := range strings.SplitSeq(key, ".") {
			name, many := strings.CutSuffix(part, "[]")
			v, ok := at.(map[string]any)[name]
			if !ok || many && v == nil {
				t.Errorf("%s is not there or null:\n%s", key, b.String())
				break
			}
			if list, _ := v.([]any); many && len(list) > 0 {
				v = list[0]
			}
			at = v
		}
	}
}

// jsonKeys of a type, and of what is in it: changes[].fields[].path.
func jsonKeys(prefix string, t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		key, inner := prefix+name, f.Type
		if inner.Kind() == reflect.Slice {
			key, inner = key+"[]", inner.Elem()
		}
		out = append(out, key)
		if inner.Kind() == reflect.Struct {
			out = append(out, jsonKeys(key+".", inner)...)
		}
	}
	return out
}
