package oracle

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/spec"
)

// refusals are the rules under which spec may refuse what docker/cli lowers:
// the Engine refuses it too, or would never run it.
var refusals = map[string]string{
	"deploy-mode":   "jobs may not have an update config",
	"dnsrr-ingress": "a port in ingress mode needs a virtual address",
}

// drawStack sets random values at random places of base.
func drawStack(rt *rapid.T, label string) [][2]string {
	services := rapid.SampledFrom([][]string{{"web"}, {"web", "api"}, {"web", "api", "job"}}).Draw(rt, label+"services")
	var set [][2]string
	for _, name := range services {
		set = append(set, [2]string{"services." + name + ".image", name + ":1"})
		for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom(fields), 0, 12, func(f field) string { return f.path }).Draw(rt, label+name) {
			value := rapid.SampledFrom(f.values).Draw(rt, f.path)
			if below, ok := strings.CutPrefix(f.path, "services.web."); ok {
				set = append(set, [2]string{"services." + name + "." + below, value})
			} else {
				set = append(set, [2]string{f.path, value})
			}
		}
	}
	slices.SortStableFunc(set, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return withoutConflicts(set)
}

// withoutConflicts leaves an external object nothing but its name.
func withoutConflicts(set [][2]string) [][2]string {
	external := map[string]bool{}
	for _, s := range set {
		if object, ok := strings.CutSuffix(s[0], ".external"); ok {
			external[object] = true
		}
	}
	return slices.DeleteFunc(set, func(s [2]string) bool {
		steps := strings.Split(s[0], ".")
		return len(steps) > 2 && steps[2] != "external" && external[steps[0]+"."+steps[1]]
	})
}

// TestCombinations lowers random stacks: fields that are right alone may not
// be so together. Rapid prints its seed when one fails.
func TestCombinations(t *testing.T) {
	same, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		s, err := generated("combination", drawStack(rt, "")...)
		if err != nil {
			rt.Fatal(err)
		}
		if rapid.Bool().Draw(rt, "version") {
			s = s.legacy()
		}
		paths := s.unpack(t)
		want, err := theirs(paths)
		if err != nil {
			refused++
			return // two fields that exclude each other
		}
		got, err := ours(paths)
		var invalid *spec.Invalid
		if errors.As(err, &invalid) {
			for _, f := range invalid.Findings {
				if f.Severity == spec.SeverityError && refusals[f.Rule] == "" {
					rt.Errorf("spec refuses it: %s: %s", f.Rule, f)
				}
			}
			refused++
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		for _, d := range differences(want, got) {
			rt.Error(d)
		}
		if rt.Failed() {
			rt.Log(s.files["spec.yaml"])
		}
		same++
	})
	if same < 10*refused {
		t.Errorf("too few random stacks are valid: %d of %d", same, same+refused)
	}
	t.Logf("counted: %d random stacks are lowered to the same, %d were refused", same, refused)
}
