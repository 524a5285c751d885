package reconcile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// A route check after a change of Traefik's labels waits until Traefik has read
// them: the labels of before would let it pass. Nothing else waits.
func TestRouteCheckWaitsForTraefik(t *testing.T) {
	route := spec.Check{Name: "route", Route: &spec.RouteCheck{Service: "back"}}
	other := spec.Check{Name: "other", TCP: &spec.TCPCheck{Target: spec.Target{Service: "back"}}}
	label := func(key string) func(*spec.Stack) {
		return func(s *spec.Stack) { s.Services[0].Spec.Labels[key] = "Host(`b`)" }
	}
	const rule = "traefik.http.routers.back.rule"
	for _, c := range []struct {
		name   string
		check  spec.Check
		change func(*spec.Stack)
		waits  bool
	}{
		{"labels of Traefik", route, label(rule), true},
		{"another check", other, label(rule), false},
		{"another label", route, label("team"), false},
		{"an image", route, func(s *spec.Stack) { s.Services[0].Spec.TaskTemplate.ContainerSpec.Image = "back:2" }, false},
		{"nothing", route, func(*spec.Stack) {}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := applied(t)
				var wrote, tried time.Time
				f.fail = func(w Write) error {
					if _, ok := w.(UpdateService); ok {
						wrote = time.Now()
					}
					return nil
				}
				r := &Reconciler{Engine: f, Prober: fakeProber(func(c spec.Check) CheckResult {
					tried = time.Now()
					return passing(c)
				})}
				s := pair()
				s.Settings.Checks = []spec.Check{c.check}
				c.change(s)
				if wrote = time.Now(); r.Pass(t.Context(), s).ExitCode() != ExitOK {
					t.Fatal("the pass failed")
				}
				if waited := tried.Sub(wrote) >= traefikReads; waited != c.waits {
					t.Errorf("tried %s after the write", tried.Sub(wrote))
				}
			})
		})
	}
}

// It waits no longer than the pass.
func TestRouteCheckWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := applied(t)
		s := pair()
		s.Settings.Checks = []spec.Check{{Name: "route", Route: &spec.RouteCheck{Service: "back"}}}
		s.Services[0].Spec.Labels["traefik.enable"] = "true"
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		(&Reconciler{Engine: f, Prober: fakeProber(passing)}).Pass(ctx, s)
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("the pass took %s", took)
		}
	})
}
