package reconcile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/swarmward/swarmward/spec"
)

// RecordChange is what one record says otherwise than the one before it.
type RecordChange struct {
	FieldChange
	Action Action // create, update or remove
}

// Since is what r says otherwise than before: services first, settings last.
func (r Record) Since(before Record) []RecordChange {
	c := &comparing{}
	c.services(before.Services, r.Services)
	c.objects(KindSecret, before.Secrets, r.Secrets)
	c.objects(KindConfig, before.Configs, r.Configs)
	eachPair(c, "networks", before.Networks, r.Networks, func(n spec.Network) string { return n.Key })
	eachPair(c, "volumes", before.Volumes, r.Volumes, func(v spec.Volume) string { return v.Key })
	eachPair(c, "x-swarmward.checks", before.Settings.Checks, r.Settings.Checks, func(x spec.Check) string { return x.Name })
	c.settings(before.Settings, r.Settings)
	return c.out
}

// comparing is one comparison of two records under way.
type comparing struct{ out []RecordChange }

func (c *comparing) add(action Action, path string) {
	c.out = append(c.out, RecordChange{FieldChange{Path: path}, action})
}

func (c *comparing) services(was, is []RecordedService) {
	key := func(s RecordedService) string { return s.Key }
	pairs(was, is, key, func(name string, old, new *RecordedService) {
		path := "services." + quoteKey(name)
		switch {
		case old == nil:
			c.add(ActionCreate, path)
		case new == nil:
			c.add(ActionRemove, path)
		default:
			w := walker{prefix: path}
			w.service(&old.Spec, &new.Spec)
			for _, f := range withoutEcho(path, w.changes) {
				c.out = append(c.out, RecordChange{f, ActionUpdate})
			}
			if !reflect.DeepEqual(old.DependsOn, new.DependsOn) {
				c.add(ActionUpdate, path+".depends_on")
			}
		}
	})
}

func (c *comparing) objects(kind Kind, was, is []RecordedObject) {
	key := func(o RecordedObject) string { return o.Key }
	pairs(was, is, key, func(name string, old, new *RecordedObject) {
		path := string(kind) + "s." + quoteKey(name)
		switch {
		case old == nil:
			c.add(ActionCreate, path)
		case new == nil:
			c.add(ActionRemove, path)
		case old.External != new.External:
			c.add(ActionUpdate, path+".external")
		case old.Object != new.Object || old.Fingerprint != new.Fingerprint:
			f := FieldChange{Path: path + ".content", Sensitive: kind == KindSecret}
			c.out = append(c.out, RecordChange{f, ActionUpdate})
		case old.ID != new.ID:
			c.add(ActionUpdate, path)
		}
	})
}

// settings but the checks.
func (c *comparing) settings(was, is spec.Settings) {
	for _, s := range []struct {
		name     string
		was, new any
	}{
		{"on_check_failure", was.OnCheckFailure, is.OnCheckFailure}, {"ignore", was.Ignore, is.Ignore},
		{"images", was.Images, is.Images}, {"prune", was.Prune, is.Prune}, {"allow", was.Allow, is.Allow},
		{"timeout", was.Timeout, is.Timeout}, {"lint", was.Lint, is.Lint}, {"windows", was.Windows, is.Windows},
	} {
		if !reflect.DeepEqual(s.was, s.new) {
			c.add(ActionUpdate, "x-swarmward."+s.name)
		}
	}
}

// eachPair compares what is told apart by nothing but its JSON.
func eachPair[T any](c *comparing, section string, was, is []T, key func(T) string) {
	pairs(was, is, key, func(name string, old, new *T) {
		path := section + "." + quoteKey(name)
		switch {
		case old == nil:
			c.add(ActionCreate, path)
		case new == nil:
			c.add(ActionRemove, path)
		case !sameJSON(old, new):
			c.add(ActionUpdate, path)
		}
	})
}

func sameJSON(a, b any) bool {
	x, err := json.Marshal(a)
	y, again := json.Marshal(b)
	return err == nil && again == nil && string(x) == string(y)
}

// pairs calls f for every key of two lists; what one of them lacks is nil.
func pairs[T any](was, is []T, key func(T) string, f func(key string, old, new *T)) {
	both := map[string]*[2]*T{}
	for side, list := range [][]T{was, is} {
		for i := range list {
			k := key(list[i])
			if both[k] == nil {
				both[k] = &[2]*T{}
			}
			both[k][side] = &list[i]
		}
	}
	for _, k := range sortedKeys(both) {
		f(k, both[k][0], both[k][1])
	}
}

// FindRecord is the one of a stack's records with that number. The error says
// which there are, or why that one cannot be read.
func FindRecord(stack string, number int, records []Record, unreadable []Unreadable) (Record, error) {
	var numbers []string
	for _, r := range records {
		if r.Number == number {
			return r, nil
		}
		numbers = append(numbers, fmt.Sprint(r.Number))
	}
	for _, u := range unreadable {
		if u.Number == number {
			return Record{}, fmt.Errorf("stack %s: %s", stack, u)
		}
	}
	if len(numbers) == 0 {
		return Record{}, fmt.Errorf("stack %s has no record yet; swarmward apply makes one once everything runs and every check has passed", stack)
	}
	slices.Reverse(numbers)
	return Record{}, fmt.Errorf("stack %s has no record %d; it has %s", stack, number, strings.Join(numbers, ", "))
}
