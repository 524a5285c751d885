package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// threeRecords are those that the README shows.
func threeRecords() []reconcile.Record {
	service := func(key, image string) reconcile.RecordedService {
		s := reconcile.RecordedService{Key: key}
		s.Spec.Name = "whatrack_" + key
		s.Spec.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Image: image}
		return s
	}
	object := func(key, object string) []reconcile.RecordedObject {
		return []reconcile.RecordedObject{{Key: key, Name: "whatrack_" + key, Object: object, ID: object, Fingerprint: "of " + object}}
	}
	ana := func(subject string) *spec.Commit {
		return &spec.Commit{ID: "4f2c1ab", Author: "Ana Lima <ana@example.com>", Subject: subject}
	}
	checks := []reconcile.RecordedCheck{{Name: "centrifugo"}, {Name: "redis", Via: "published 10.0.0.5:6379 on node-1", Latency: 1234 * time.Microsecond}}
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, time.Local) }
	out := []reconcile.Record{
		{Number: 3, At: at(25, 16, 52), Target: reconcile.Target{Revision: "4f2c1ab"}, Source: ana("Redis 7.4.6, and a new password"),
			Secrets: object("redis_password", "whatrack_redis_password.r2"), Configs: object("redis_conf", "whatrack_redis_conf.r2")},
		{Number: 2, At: at(25, 9, 10), Target: reconcile.Target{Revision: "1fbeb40"}, Source: ana("Work off the queue"),
			Secrets: object("redis_password", "whatrack_redis_password"), Configs: object("redis_conf", "whatrack_redis_conf.r2")},
		{Number: 1, At: at(24, 18, 3), Target: reconcile.Target{Revision: "c19aa02"},
			Secrets: object("redis_password", "whatrack_redis_password"), Configs: object("redis_conf", "whatrack_redis_conf")},
	}
	for i := range out {
		out[i].Of, out[i].Checks = "whatrack", checks
		out[i].Services = []reconcile.RecordedService{service("redis", "redis:7.4.5"), service("worker", "worker:1")}
	}
	out[0].Services[0] = service("redis", "redis:7.4.6@sha256:"+strings.Repeat("ab", 32))
	out[2].Services = out[2].Services[:1]
	return out
}

func TestHistory(t *testing.T) {
	var out bytes.Buffer
	Text{}.History(&out, "whatrack", threeRecords(), nil)
	if !strings.Contains(readme(t), "$ swarmward history\n"+out.String()) {
		t.Errorf("the README does not have this:\n%s", out.String())
	}
	out.Reset()
	Text{}.Record(&out, threeRecords(), 0)
	want := `whatrack @ 4f2c1ab   record 3

  kept      ` + threeRecords()[0].At.Format(time.RFC3339) + `
  revision  4f2c1ab
  commit    Ana Lima <ana@example.com>, ` + time.Time{}.Local().Format(minute) + `
            Redis 7.4.6, and a new password
  check     centrifugo passed
  check     redis passed via published 10.0.0.5:6379 on node-1, 1.2ms
  service   redis   redis:7.4.6
  service   worker   worker:1
  secret    redis_password   whatrack_redis_password.r2
  config    redis_conf   whatrack_redis_conf.r2

  Changed since record 2:

  ~ services.redis.image  redis:7.4.5 -> redis:7.4.6
  ~ secrets.redis_password.content  (sensitive, changed)
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	back := threeRecords()
	back[0].RecordedSpec, back[0].Secrets, back[0].Configs = back[2].RecordedSpec, back[2].Secrets, back[2].Configs
	back[0].Source = nil
	Text{}.History(&out, "whatrack", back[:3], []reconcile.Unreadable{{Number: 7, Why: "it is damaged\x1b[31m"}})
	for _, want := range []string{"back to what record 1 is", `warning: record 7: it is damaged\x1b[31m`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("does not say %q:\n%s", want, out.String())
		}
	}
}

// What was between two records that say the same may be gone.
func TestSameRecordTwice(t *testing.T) {
	same := threeRecords()
	same[0].RecordedSpec, same[0].Secrets, same[0].Configs = same[1].RecordedSpec, same[1].Secrets, same[1].Configs
	var out bytes.Buffer
	Text{}.History(&out, "whatrack", same, nil)
	Text{}.Record(&out, same, 0)
	for _, want := range []string{"\n     what record 2 is\n", "\n  Nothing has changed since record 2.\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("does not say %q:\n%s", want, out.String())
		}
	}
}

func TestHistoryJSON(t *testing.T) {
	var out bytes.Buffer
	if err := HistoryJSON(&out, "whatrack", threeRecords(), []reconcile.Unreadable{{Number: 7, Objects: []string{"x"}, Why: "why"}}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		SchemaVersion int
		Records       []RecordJSON
		Unreadable    []unreadableJSON
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	first := got.Records[0]
	if got.SchemaVersion != 1 || len(got.Records) != 3 || first.Before != 2 || len(first.Changes) != 2 || !first.Changes[1].Sensitive || got.Records[2].Before != 0 || got.Unreadable[0].Number != 7 {
		t.Errorf("%+v", got)
	}
	if strings.Contains(out.String(), "fingerprint") {
		t.Errorf("it has fingerprints:\n%s", out.String())
	}
}
