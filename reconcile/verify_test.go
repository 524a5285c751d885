package reconcile

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmward/swarmward/spec"
)

// Checks run side by side: all of them cost what the slowest does.
func TestVerifyCostsTheSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := map[string]time.Duration{"a": 3 * time.Second, "b": 5 * time.Second, "c": time.Second}
		r := &Reconciler{Engine: newFake(), Prober: fakeProber(func(c spec.Check) CheckResult {
			time.Sleep(takes[c.Name])
			return passing(c)
		})}
		began := time.Now()
		results := r.Verify(t.Context(), pair(), []spec.Check{{Name: "a", Retries: 1}, {Name: "b", Retries: 1}, {Name: "c", Retries: 1}})
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %s", took)
		}
		for i, want := range []string{"a", "b", "c"} {
			if results[i].Name != want || results[i].Status != CheckPassed {
				t.Errorf("%d: %+v", i, results[i])
			}
		}
	})
}

// A check fails when it has failed as often as it may be tried, a second apart.
func TestVerifyRetries(t *testing.T) {
	for _, tt := range []struct {
		retries, works int // the try that passes; 0: none
		tries          int
		want           CheckStatus
	}{
		{1, 0, 1, CheckFailed},
		{3, 0, 3, CheckFailed},
		{3, 3, 3, CheckPassed},
		{3, 4, 3, CheckFailed},
		{3, 1, 1, CheckPassed},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			r := &Reconciler{Engine: newFake(), Prober: fakeProber(func(c spec.Check) CheckResult {
				if tries++; tries == tt.works {
					return passing(c)
				}
				return failing(c)
			})}
			began := time.Now()
			results := r.Verify(t.Context(), pair(), []spec.Check{{Name: "a", Retries: tt.retries}})
			if tries != tt.tries || results[0].Status != tt.want || time.Since(began) != time.Duration(tries-1)*retryEvery {
				t.Errorf("%+v: %s after %d tries in %s", tt, results[0].Status, tries, time.Since(began))
			}
		})
	}
}
