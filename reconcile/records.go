package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

// Unreadable is what has the name of a stack's record and is none that this
// program can read. It is left alone, and so is every secret and config that it
// may need.
type Unreadable struct {
	Number  int
	Objects []string // names of configs
	Why     string   // a sentence, with what to do
	// Foreign: it was never a record.
	Foreign bool
}

func (u Unreadable) String() string { return fmt.Sprintf("record %d: %s", u.Number, u.Why) }

// Records are what the Swarm keeps of a stack's revisions that worked, newest
// first, and what it has under their names and cannot be read.
func Records(seen *Observed, stack string) ([]Record, []Unreadable) {
	a := openArchive(seen, stack)
	out := make([]Record, 0, len(a.records))
	for _, k := range a.records {
		r, err := k.whole()
		if err != nil {
			a.lost(k.Number, k.objects, damaged(k.objects, err.Error()))
			continue
		}
		out = append(out, r)
	}
	return out, a.unreadable
}

// headRecords are the records without the specs and settings, which take long to
// read and are read when one of them becomes a stack.
func headRecords(seen *Observed, stack string) []Record {
	var out []Record
	for _, k := range openArchive(seen, stack).records {
		out = append(out, k.Record)
	}
	return out
}

// archive is what the Swarm has under the names of a stack's records.
type archive struct {
	records    []filed // newest first
	unreadable []Unreadable
	// unfinished parts are of records whose writing broke off, or whose removal.
	unfinished []swarm.Config
	named      map[object]bool
}

// filed is a record without its specs and settings, and where it is.
type filed struct {
	Record
	objects []swarm.Config // first part first
}

func openArchive(seen *Observed, stack string) *archive {
	a := &archive{named: map[object]bool{}}
	groups := map[int][]swarm.Config{}
	prefix := keptName(stack, "")
	for name, c := range seen.Configs {
		rest, ours := strings.CutPrefix(name, prefix)
		if n := recordNumber(rest); ours && n > 0 && !anothers(c, stack) {
			groups[n] = append(groups[n], c)
		}
	}
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(groups))) {
		slices.SortFunc(groups[n], func(x, y swarm.Config) int { return cmp.Compare(x.Spec.Name, y.Spec.Name) })
		a.read(stack, n, groups[n])
	}
	for _, k := range a.records {
		for _, s := range k.Secrets {
			a.named[object{KindSecret, s.Object}] = true
		}
		for _, c := range k.Configs {
			a.named[object{KindConfig, c.Object}] = true
		}
	}
	return a
}

// recordNumber of what follows the stack in a name: 3 of 3 and of 3.2; 0 when it
// is no record's.
func recordNumber(rest string) int {
	number, part, many := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || strconv.Itoa(n) != number {
		return 0
	}
	if p, err := strconv.Atoi(part); many && (err != nil || p < 1 || strconv.Itoa(p) != part) {
		return 0
	}
	return n
}

// anothers: a kept object of a stack whose name goes on where this one's ends.
func anothers(c swarm.Config, stack string) bool {
	of := c.Spec.Labels[LabelStack]
	return c.Spec.Labels[LabelKept] != "" && of != stack && of != "" && strings.HasPrefix(c.Spec.Name, keptName(of, ""))
}

// read what has the number n.
func (a *archive) read(stack string, n int, all []swarm.Config) {
	all = slices.DeleteFunc(all, func(c swarm.Config) bool {
		foreign := c.Spec.Labels[LabelKept] != keptRecord || c.Spec.Labels[LabelStack] != stack
		if foreign {
			a.foreign(n, c)
		}
		return foreign
	})
	parts := map[int]map[int]swarm.Config{} // by how many there are, and which it is
	for _, c := range all {
		if err := readableSchema(c.Spec, recordSchema); err != nil {
			a.lost(n, all, err.Error())
			return
		}
		part, total, ok := partOf(c)
		if !ok || c.Spec.Labels[LabelRecord] != strconv.Itoa(n) || c.Spec.Name != partName(stack, n, part, total) {
			a.lost(n, all, damaged(all, "the labels of "+c.Spec.Name+" contradict its name"))
			return
		}
		if parts[total] == nil {
			parts[total] = map[int]swarm.Config{}
		}
		parts[total][part] = c
	}
	for _, total := range slices.Sorted(maps.Keys(parts)) {
		a.join(stack, n, total, parts[total])
	}
}

func partOf(c swarm.Config) (part, total int, ok bool) {
	label := c.Spec.Labels[LabelPart]
	_, err := fmt.Sscanf(label, "%d/%d", &part, &total)
	return part, total, err == nil && part >= 1 && part <= total && label == fmt.Sprintf("%d/%d", part, total)
}

// join the parts of one record. Without its first part it was never complete,
// or is half removed.
func (a *archive) join(stack string, n, total int, parts map[int]swarm.Config) {
	var all []swarm.Config
	var data []byte
	var missing []string
	for i, part := range slices.Sorted(maps.Keys(parts)) {
		if part != i+1 && len(missing) == 0 {
			missing = append(missing, fmt.Sprintf("part %d of %d is missing", i+1, total))
		}
		all, data = append(all, parts[part]), append(data, parts[part].Spec.Data...)
	}
	if len(parts) < total && len(missing) == 0 {
		missing = append(missing, fmt.Sprintf("part %d of %d is missing", len(parts)+1, total))
	}
	if _, ok := parts[1]; !ok {
		a.unfinished = append(a.unfinished, all...)
		return
	}
	k := filed{objects: all}
	sum := sha256.Sum256(data)
	var err error
	if k.Record, err = readHead(data); len(missing) == 0 {
		switch {
		case slices.ContainsFunc(all, func(c swarm.Config) bool {
			return c.Spec.Labels[LabelChecksum] != hex.EncodeToString(sum[:])
		}):
			missing = append(missing, "its checksum is wrong")
		case err != nil:
			missing = append(missing, err.Error())
		case k.Of != stack || k.Number != n:
			missing = append(missing, fmt.Sprintf("it is record %d of stack %s", k.Number, k.Of))
		}
	}
	if len(missing) > 0 {
		a.lost(n, all, damaged(all, missing...))
		return
	}
	k.packed = data
	a.records = append(a.records, k)
}

func damaged(all []swarm.Config, what ...string) string {
	return fmt.Sprintf("it is damaged: %s. It cannot be gone back to and is left as it is, with all old revisions of secrets and configs; `docker config rm %s` gives it up",
		strings.Join(what, ", "), strings.Join(configNames(all), " "))
}

func (a *archive) lost(n int, all []swarm.Config, why string) {
	a.unreadable = append(a.unreadable, Unreadable{Number: n, Objects: configNames(all), Why: why})
}

func (a *archive) foreign(n int, c swarm.Config) {
	a.unreadable = append(a.unreadable, Unreadable{
		Number: n, Objects: []string{c.Spec.Name}, Foreign: true,
		Why: "config " + c.Spec.Name + " has the name of a record and was made by somebody else. It is left alone, and the number is not used",
	})
}

// needs says whether an old revision is kept for a record: one that names it, or
// one that cannot be read and may.
func (a *archive) needs(kind Kind, name string) bool {
	return a.named[object{kind, name}] || slices.ContainsFunc(a.unreadable, func(u Unreadable) bool { return !u.Foreign })
}

func configNames(all []swarm.Config) []string {
	var out []string
	for _, c := range all {
		out = append(out, c.Spec.Name)
	}
	return out
}
