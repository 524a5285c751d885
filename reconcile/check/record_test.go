package check_test

import (
	"strings"
	"testing"

	"github.com/swarmward/swarmward/reconcile/check"
	"github.com/swarmward/swarmward/reconcile/check/redistest"
	"github.com/swarmward/swarmward/spec"
)

// What no record holds makes a check unknown: it is not tried with less, or with
// something else.
func TestChecksOfARecord(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	at := spec.Target{Connect: server.Addr}
	s := stack()
	s.SecretsPrint = "of all of them"
	s.Secrets = []spec.Secret{{Key: "old", Name: "whatrack_old", Object: "whatrack_old.r2"}}
	for _, c := range []struct {
		name, want, remedy string
		check              spec.Check
	}{
		{"all is there", "passed ", "", spec.Check{TCP: &spec.TCPCheck{Target: at, Send: "PING\r\n", Expect: "+PONG"}}},
		{"a text is withheld", "unknown credential_unavailable", "as it was", spec.Check{TCP: &spec.TCPCheck{Target: at, Send: "PING\r\n", Expect: "+PONG"}, Withheld: "fingerprint"}},
		{"a password of then", "unknown credential_unavailable", "a revision of before", spec.Check{Redis: &spec.RedisCheck{Target: at, Password: spec.Credential{Secret: "old"}}}},
		{"a file", "unknown credential_unavailable", "another file ca.pem by now", spec.Check{TCP: &spec.TCPCheck{Target: at, TLS: &spec.TLS{CA: spec.Material{File: "ca.pem"}}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := probe(t, check.Prober{}, s, c.check)
			if got := string(r.Status) + " " + string(r.Reason); got != c.want || !strings.Contains(r.Remedy, c.remedy) {
				t.Errorf("%s: %s %s", got, r.Message, r.Remedy)
			}
		})
	}
}
