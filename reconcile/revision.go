package reconcile

import (
	"slices"
	"strconv"
	"strings"
)

// Swarm can change neither a secret nor a config: new content becomes the next
// revision, NAME.r2, NAME.r3, …, and the services are pointed at it.

// revisionOf says which revision of base the name is; 0 when it is none.
func revisionOf(name, base string) int {
	if name == base {
		return 1
	}
	if _, n := cutRevision(name); n > 0 && revisionName(base, n) == name {
		return n
	}
	return 0
}

// revisionName keeps to Swarm's 64 characters by shortening the base.
func revisionName(base string, n int) string {
	if n <= 1 {
		return base
	}
	suffix := ".r" + strconv.Itoa(n)
	return base[:min(len(base), maxObjectName-len(suffix))] + suffix
}

// cutRevision takes a name apart into what stands before its .rN, and N; 0 when
// it ends in no such thing.
func cutRevision(name string) (before string, n int) {
	i := strings.LastIndex(name, ".r")
	if i < 0 {
		return name, 0
	}
	digits := name[i+2:]
	n, err := strconv.Atoi(digits)
	if err != nil || n < 2 || len(digits) > maxDigits || digits != strconv.Itoa(n) {
		return name, 0
	}
	return name[:i], n
}

// revisions are the live revisions by what their names begin with: a list for
// each base would look at every name again.
type revisions map[string][]int

func indexRevisions[V any](live map[string]V) revisions {
	out := revisions{}
	for name := range live {
		out[name] = append(out[name], 1)
		if before, n := cutRevision(name); n > 0 {
			out[before] = append(out[before], n)
		}
	}
	return out
}

// of lists the numbers of base's live revisions, newest first.
func (r revisions) of(base string) []int {
	var out []int
	add := func(before string) {
		for _, n := range r[before] {
			if name := revisionName(base, n); n == 1 && before == base || n > 1 && name == before+".r"+strconv.Itoa(n) {
				out = append(out, n)
			}
		}
	}
	add(base)
	for l := min(len(base)-1, maxObjectName-len(".r2")); l > 0 && l >= maxObjectName-len(".r")-maxDigits; l-- {
		add(base[:l]) // shortened to make room
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// What a name may have at most, and a revision's number.
const (
	maxObjectName = 64
	maxDigits     = 9
)
