package spec

import (
	"strings"
	"testing"

	compose "github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/tree"
	"github.com/compose-spec/compose-go/v2/types"
	"gopkg.in/yaml.v3"
)

// holding is a mapping with a value at the place that a path names.
func holding(path tree.Path, value any) any {
	parts := path.Parts()
	for i := len(parts) - 1; i >= 0; i-- {
		switch parts[i] {
		case tree.PathMatchList:
			value = []any{value}
		case tree.PathMatchAll:
			value = map[string]any{"some-name": value}
		default:
			value = map[string]any{parts[i]: value}
		}
	}
	return value
}

func castsOf(t *testing.T, text string) map[tree.Path]bool {
	t.Helper()
	d := &document{name: "spec.yaml", data: []byte(text)}
	d.parse(newReport())
	if d.broken {
		t.Fatalf("not a document:\n%s", text)
	}
	l := &loading{index: index{docs: []*document{d}}}
	out := map[tree.Path]bool{}
	for path := range l.casts(allCasts()) {
		out[path] = true
	}
	return out
}

func allCasts() map[tree.Path]compose.Cast {
	return loader.ToOptions(&types.ConfigDetails{}, nil).Interpolate.TypeCastMapping
}

// Wherever a text stands that compose-go turns into a number or a boolean, in
// whatever way YAML lets it be written, the cast for it is kept; and no cast
// is kept for a file that needs none.
func TestCasts(t *testing.T) {
	tried := 0
	for path := range allCasts() {
		for way, write := range map[string]func() string{
			"plain":   func() string { return marshal(t, holding(path, "${A}")) },
			"quoted":  func() string { return strings.ReplaceAll(marshal(t, holding(path, "MARK")), "MARK", `"1"`) },
			"tagged":  func() string { return strings.ReplaceAll(marshal(t, holding(path, "MARK")), "MARK", "!!str 1") },
			"unknown": func() string { return strings.ReplaceAll(marshal(t, holding(path, "MARK")), "MARK", "!own 1") },
			"an alias": func() string {
				return "x-a: &a ${A}\n" + strings.ReplaceAll(marshal(t, holding(path, "MARK")), "MARK", "*a")
			},
			"an alias above": func() string {
				return strings.ReplaceAll(marshal(t, map[string]any{"x-a": holding(path[strings.Index(string(path), ".")+1:], "${A}")}), "x-a:", "x-a: &a") +
					strings.SplitN(string(path), ".", 2)[0] + ": *a\n"
			},
			"merged": func() string {
				return strings.ReplaceAll(marshal(t, map[string]any{"x-a": holding(path[strings.Index(string(path), ".")+1:], "${A}")}), "x-a:", "x-a: &a") +
					strings.SplitN(string(path), ".", 2)[0] + ": {<<: *a}\n"
			},
		} {
			if text := write(); !castsOf(t, text)[path] {
				t.Errorf("%s, %s: the cast is missing for\n%s", path, way, text)
			}
			tried++
		}
		if kept := castsOf(t, marshal(t, holding(path, 1))); len(kept) > 0 {
			t.Errorf("%s: a number needs no cast, and kept were %v", path, kept)
		}
	}
	t.Logf("%d places tried", tried)
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	out, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
