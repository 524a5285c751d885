package reconcile

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The index finds the very revisions that looking at every name finds, also
// where names were shortened to make room.
func TestRevisionIndex(t *testing.T) {
	bases := []string{"a", "a.r2", "ab", strings.Repeat("x", 64), strings.Repeat("x", 63) + "y", strings.Repeat("x", 61), strings.Repeat("x", 53)}
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(bases)
		live := map[string]bool{}
		for range rapid.IntRange(0, 20).Draw(t, "objects") {
			n := rapid.SampledFrom([]int{1, 2, 3, 9, 10, 99, 100, 12345, 999_999_999}).Draw(t, "n")
			live[revisionName(base.Draw(t, "base"), n)] = true
		}
		for _, odd := range []string{"a.r1", "a.r02", "a.rx", "a.r2.r2", ".r2", "b.r-2"} {
			live[odd] = rapid.Bool().Draw(t, odd)
		}
		index := indexRevisions(live)
		named := map[string]bool{}
		for _, b := range bases {
			var want []int
			for name := range live {
				if n := revisionOf(name, b); n > 0 {
					want = append(want, n)
				}
			}
			slices.Sort(want)
			slices.Reverse(want)
			if got := index.of(b); !slices.Equal(got, want) {
				t.Fatalf("revisions of %s: %v, want %v", b, got, want)
			}
			named[b] = rapid.Bool().Draw(t, "named")
			if !named[b] {
				delete(named, b)
			}
		}
		for name := range live {
			want := false
			for b := range named {
				want = want || revisionOf(name, b) > 0
			}
			if got := revisionOfNamed(named, name); got != want {
				t.Fatalf("%s is a revision of something named: %t, want %t", name, got, want)
			}
		}
	})
}
