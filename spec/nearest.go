package spec

import "slices"

// Nearest is the name that a misspelt one most likely means; empty when none
// is close.
func Nearest(name string, names []string) string { return nearest(name, names) }

// nearest is the name that a misspelt one most likely means; empty when none
// is close.
func nearest(name string, names []string) string {
	best, limit := "", max(1, len(name)/3)
	for _, candidate := range slices.Sorted(slices.Values(names)) {
		if d := distance(name, candidate); d <= limit {
			best, limit = candidate, d-1
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// didYouMean is the remedy for an unknown name.
func didYouMean(name string, names []string, otherwise string) string {
	if n := nearest(name, names); n != "" {
		return "did you mean `" + n + "`?"
	}
	return otherwise
}
