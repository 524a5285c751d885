package spec

import (
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestExpandIsComposes: where nothing is missing, expand gives what
// compose-go's own template gives, and both refuse the same texts.
func TestExpandIsComposes(t *testing.T) {
	values := map[string]string{"A": "a", "B": "", "LONG_1": "x$y"}
	get := func(name string) (string, bool) {
		v, ok := values[name]
		return v, ok
	}
	piece := rapid.SampledFrom([]string{
		"$", "{", "}", "$$", "${A}", "$B", "${UNSET:-d}", "${UNSET-$A}", "${B:-e}", "${B-e}", "${A:+p}", "${B+q}", "${UNSET:+r}",
		"${A:?m}", "${A:-${B:-c}}", "${LONG_1}", "text", " ", "1", "_", ":-", "${A:-{}}", "$1", "\n", "${1}",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, "text"), "")
		got, gaps := expand(text, get)
		want, err := template.Substitute(text, get)
		if (len(gaps) > 0) != (err != nil) {
			// Compose takes an undefined variable for empty; that is a gap here.
			for _, g := range gaps {
				if g.name == "" || g.required {
					t.Fatalf("%q: gaps %v, Compose says %v", text, gaps, err)
				}
			}
			if err != nil {
				t.Fatalf("%q: no gap, Compose says %v", text, err)
			}
		}
		if err == nil && got != want {
			t.Fatalf("%q: got %q, Compose gives %q", text, got, want)
		}
	})
}

func TestExpandGaps(t *testing.T) {
	get := func(name string) (string, bool) { return "v", name == "SET" }
	tests := []struct {
		text string
		want []gap
	}{
		{"plain $$X", nil},
		{"${SET} ${GONE}", []gap{{offset: 7, name: "GONE"}}},
		{"$GONE.$ALSO", []gap{{offset: 0, name: "GONE"}, {offset: 6, name: "ALSO"}}},
		{"${GONE:-x} ${ALSO}", []gap{{offset: 11, name: "ALSO"}}},
		{"${GONE:-${ALSO}}", []gap{{offset: 0, name: "ALSO"}}},
		{"${GONE:?need $SET}", []gap{{offset: 0, name: "GONE", required: true, message: "need $SET"}}},
		{"a ${", []gap{{offset: 2}}},
		{"${-}", []gap{{offset: 0}}},
	}
	for _, tt := range tests {
		_, got := expand(tt.text, get)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(gap{})); diff != "" {
			t.Errorf("%s:\n%s", tt.text, diff)
		}
	}
}

func TestSplitWords(t *testing.T) {
	tests := []struct {
		text string
		want []string
		bad  bool
	}{
		{text: "", want: nil},
		{text: "a  b\tc\n", want: []string{"a", "b", "c"}},
		{text: `sh -c "a && b" 'c d'`, want: []string{"sh", "-c", "a && b", "c d"}},
		{text: "a && b; c | d > e", want: []string{"a", "&&", "b;", "c", "|", "d", ">", "e"}},
		{text: `a\ b "c\"d\e" ''`, want: []string{"a b", `c"de`, ""}},
		{text: "a # comment\nb#c", want: []string{"a", "b#c"}},
		{text: `'open`, bad: true},
		{text: `"open`, bad: true},
		{text: `end\`, bad: true},
	}
	for _, tt := range tests {
		got, err := splitWords(tt.text)
		if (err != nil) != tt.bad {
			t.Errorf("%q: error %v", tt.text, err)
		}
		if diff := cmp.Diff(tt.want, got); !tt.bad && diff != "" {
			t.Errorf("%q: %s", tt.text, diff)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"image", "ports", "networks", "network_mode", "deploy"}
	for name, want := range map[string]string{
		"imagee": "image", "iamge": "image", "prots": "ports", "netwrks": "networks", "zzz": "", "deploi": "deploy", "": "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
