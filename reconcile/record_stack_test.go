package reconcile

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/swarmward/swarmward/spec"
)

// two is a Swarm with two records: of pair, and of all that second changes.
func two(t *testing.T) (*fakeSwarm, []Record) {
	t.Helper()
	f := applied(t)
	changing(t, f, second)
	records, unreadable := Records(&f.seen, "app")
	if len(records) != 2 || len(unreadable) > 0 {
		t.Fatalf("%d records, unreadable %v", len(records), unreadable)
	}
	f.writes, f.kept = nil, nil
	return f, records
}

func second(s *spec.Stack) {
	s.Revision = "r2"
	image(2)(s)
	password("another password")(s)
	s.Configs[0].Spec.Data = []byte("three\n")
	s.Settings.Checks[0].Timeout *= 2
}

func secondSpec() *spec.Stack {
	s := pair()
	second(s)
	return s
}

// A record goes through the normal pass: it takes the very objects that it names,
// and what it then is becomes the newest record.
func TestBackToARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, records := two(t)
		seen, _ := f.Observe(t.Context(), nil)
		back, err := records[1].Stack(secondSpec(), seen, &prints)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := back.SecretData("password"); ok {
			t.Error("it has the content of a secret that nobody knows any more")
		}
		o := proving(f).Pass(t.Context(), back)
		c := f.seen.Services["app_back"].Spec.TaskTemplate.ContainerSpec
		if o.ExitCode() != ExitOK || c.Image != "back:1" || c.Secrets[0].SecretName != "app_password" || c.Configs[0].ConfigName != "app_conf" {
			t.Errorf("exit %d, %v: %+v", o.ExitCode(), o.Err, c)
		}
		if o.Recorded == nil || o.Recorded.Number != 3 || len(o.Recorded.Since(records[1])) > 0 || o.Recorded.Revision != "r1" {
			t.Errorf("recorded %+v", o.Recorded)
		}
		if !(Target{Revision: "r1", Secrets: records[1].Target.Secrets}).Same(back, &prints) || !o.Recorded.Target.Same(pair(), &prints) || o.Recorded.Target.Same(secondSpec(), &prints) {
			t.Error("the target is not that of the spec that was recorded")
		}
		f.writes, f.kept = nil, nil
		if o := proving(f).Pass(t.Context(), back); o.ExitCode() != ExitOK || len(f.writes)+len(f.kept) > 0 {
			t.Errorf("again: exit %d, wrote %v %v", o.ExitCode(), f.writes, f.kept)
		}
	})
}

// To go back to the newest record is no new one.
func TestBackToTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, records := two(t)
		s := secondSpec()
		image(3)(s)
		if o := (&Reconciler{Engine: f, Prober: fakeProber(failing), Differ: Differ{Fingerprints: &prints}}).Pass(t.Context(), s); o.ExitCode() != ExitCheckFailed {
			t.Fatalf("exit %d", o.ExitCode())
		}
		seen, _ := f.Observe(t.Context(), nil)
		back, err := records[0].Stack(s, seen, &prints)
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := back.SecretData("password"); !ok || string(data) != "another password" {
			t.Errorf("the spec's content, which is the record's, is not used: %v", ok)
		}
		f.kept = nil
		if o := proving(f).Pass(t.Context(), back); o.ExitCode() != ExitOK || len(f.kept) > 0 || o.Recorded != nil {
			t.Errorf("exit %d, kept %v", o.ExitCode(), f.kept)
		}
		if image := f.seen.Services["app_back"].Spec.TaskTemplate.ContainerSpec.Image; image != "back:2" {
			t.Errorf("runs %s", image)
		}
	})
}

// What a record needs is there, or it says what is gone and what to do.
func TestGoneForARecord(t *testing.T) {
	other := func(name string) func(*fakeSwarm) {
		return func(f *fakeSwarm) {
			f.seen.Secrets[name] = swarm.Secret{ID: "another", Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: name}}}
		}
	}
	for _, c := range []struct {
		name    string
		live    func(*fakeSwarm)
		current *spec.Stack
		want    []string
	}{
		{"nothing", func(*fakeSwarm) {}, nil, nil},
		{"secret", func(f *fakeSwarm) { delete(f.seen.Secrets, "app_password") }, secondSpec(), []string{"cannot roll back to 1: secret app_password is gone; no Swarm gives a secret back"}},
		{"secret, and its content is known", func(f *fakeSwarm) { delete(f.seen.Secrets, "app_password") }, pair(), nil},
		{"secret made anew", other("app_password"), secondSpec(), []string{"secret app_password is another one than it was then"}},
		{"config", func(f *fakeSwarm) { delete(f.seen.Configs, "app_conf") }, secondSpec(), []string{"cannot roll back to 1: config app_conf is gone; give the spec the content"}},
		{"config, and its content is known", func(f *fakeSwarm) { delete(f.seen.Configs, "app_conf") }, pair(), nil},
		{"both", func(f *fakeSwarm) { delete(f.seen.Configs, "app_conf"); delete(f.seen.Secrets, "app_password") }, nil, []string{"secret app_password is gone", "config app_conf is gone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, records := two(t)
				c.live(f)
				seen, _ := f.Observe(t.Context(), nil)
				stack, err := records[1].Stack(c.current, seen, &prints)
				if (err == nil) != (c.want == nil) {
					t.Fatalf("%v, want %q", err, c.want)
				}
				for _, w := range c.want {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("does not say %q: %v", w, err)
					}
				}
				if err != nil {
					return
				}
				if o := proving(f).Pass(t.Context(), stack); o.ExitCode() != ExitOK || o.Plan.Summary().Blocked > 0 {
					t.Errorf("exit %d, %v\n%s", o.ExitCode(), o.Err, o.Plan)
				}
			})
		})
	}
}

// No content of a secret is in a record, wherever the settings have one, and a
// check gets it back only from a spec in which it is still the same.
func TestRecordWithholds(t *testing.T) {
	const word, token = "hunter2hunter2", "token-that-no-secret-holds"
	checks := func() []spec.Check {
		return []spec.Check{
			{Name: "auth", TCP: &spec.TCPCheck{Target: spec.Target{Connect: "a:1"}, Send: "AUTH " + word, Expect: "+OK"}},
			{Name: "bearer", HTTP: &spec.HTTPCheck{URL: "http://a/", Headers: []spec.Header{{Name: "Authorization", Value: "Bearer " + token}}}},
			{Name: "key", TCP: &spec.TCPCheck{TLS: &spec.TLS{Key: spec.Material{File: "key.pem", Data: spec.Sensitive("PRIVATE KEY of this machine")}}}},
			{Name: "plain", HTTP: &spec.HTTPCheck{URL: "http://a/", Headers: []spec.Header{{Name: "Authorization", Value: "Bearer ", Secret: spec.Credential{Secret: "password"}}}}},
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(), pair()
		s.Settings.Checks = checks()
		if o := proving(f).Pass(t.Context(), s); o.Recorded == nil {
			t.Fatalf("exit %d, %v", o.ExitCode(), o.Err)
		}
		records, _ := Records(&f.seen, "app")
		text, err := json.Marshal([]any{records[0], records[0].RecordedSpec})
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{word, token, "PRIVATE KEY"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%q is in the record: %s", secret, text)
			}
		}
		seen, _ := f.Observe(t.Context(), nil)
		back := func(current *spec.Stack) []spec.Check {
			s, err := records[0].Stack(current, seen, &prints)
			if err != nil {
				t.Fatal(err)
			}
			return s.Settings.Checks
		}
		if d := cmp.Diff(checks(), back(s)); d != "" {
			t.Errorf("with the spec of then:\n%s", d)
		}
		now := pair()
		now.Settings.Checks = checks()
		now.Settings.Checks[0].TCP.Send = "AUTH " + "something else"
		now.Settings.Checks[1].HTTP.Headers[0].Value = "Bearer another"
		var withheld []string
		for _, c := range back(now) {
			if c.Withheld != "" {
				withheld = append(withheld, c.Name)
			}
		}
		if !slices.Equal(withheld, []string{"auth", "bearer"}) {
			t.Errorf("with other words in the spec, withheld: %v", withheld)
		}
		f.kept = nil
		for _, current := range []*spec.Stack{s, now, nil} {
			stack, _ := records[0].Stack(current, seen, &prints)
			if o := proving(f).Pass(t.Context(), stack); o.ExitCode() != ExitOK || len(f.kept) > 0 {
				t.Errorf("exit %d, %v: kept again: %v", o.ExitCode(), o.Err, f.kept)
			}
		}
	})
}

// A record that an earlier version wrote is read as it was meant.
func TestRecordOfOld(t *testing.T) {
	var configs []swarm.ConfigSpec
	file, err := os.ReadFile("testdata/record.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file, &configs); err != nil {
		t.Fatal(err)
	}
	records, unreadable := Records(swarmOf(configs...), "app")
	if len(records) != 1 || len(unreadable) > 0 {
		t.Fatalf("%d records, unreadable %v", len(records), unreadable)
	}
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(), rich()
		if o := proving(f).Pass(t.Context(), s); o.Recorded == nil {
			t.Fatalf("exit %d, %v", o.ExitCode(), o.Err)
		} else if d := cmp.Diff(*o.Recorded, records[0], cmpopts.IgnoreUnexported(Record{})); d != "" {
			t.Errorf("not what was kept:\n%s", d)
		}
	})
}

// rich is a stack with something of all that a record holds.
func rich() *spec.Stack {
	s := pair()
	target := spec.Target{Service: "back", Port: 6379}
	yes := true
	s.Commit = &spec.Commit{ID: "4f2c1ab", Author: "Ana <ana@example.com>", Subject: "Bump", At: time.Unix(1e9, 0).UTC()}
	s.Volumes = []spec.Volume{{Key: "data", Name: "app_data", MountedBy: []string{"back"}, Create: volume.CreateOptions{Name: "app_data", DriverOpts: map[string]string{"type": "nfs"}}}}
	s.Networks[0].Create.EnableIPv6 = &yes
	s.Networks[0].Create.IPAM = &network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: "10.9.0.0/24", Gateway: "10.9.0.1"}}}
	grace := 30 * time.Second
	c := s.Services[0].Spec.TaskTemplate.ContainerSpec
	c.StopGracePeriod, c.Healthcheck = &grace, &container.HealthConfig{Test: []string{"CMD", "true"}, Interval: time.Second}
	c.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: "app_data", Target: "/data", VolumeOptions: &mount.VolumeOptions{}}}
	s.Services[0].Spec.UpdateConfig = &swarm.UpdateConfig{Parallelism: 2, MaxFailureRatio: 0.5, Order: "start-first"}
	s.Services[0].Spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 6379, PublishedPort: 6379, PublishMode: "host", Protocol: "tcp"}}}
	s.Settings = spec.Settings{
		OnCheckFailure: "rollback", Ignore: []string{"services.front.deploy.replicas", "networks.net"}, Images: spec.Images{Resolve: "never"},
		Prune: true, Allow: []string{"x"}, Timeout: time.Minute, Lint: spec.Lint{Off: []string{"image-untagged"}},
		Checks: []spec.Check{
			{Name: "centrifugo", Centrifugo: &spec.CentrifugoCheck{Target: target, APIKey: spec.Credential{Secret: "password"}, SkipPublish: true, Origin: "https://a"}},
			{Name: "http", HTTP: &spec.HTTPCheck{Target: target, URL: "http://a/", Headers: []spec.Header{{Name: "A", Value: "b"}}, Status: []int{204}, JSON: []spec.JSONValue{{Path: []string{"a"}, Want: "1"}}, TLS: &spec.TLS{ServerName: "a", CA: spec.Material{Config: "conf"}}}},
			{Name: "redis", Timeout: time.Second, Interval: time.Minute, Grace: time.Minute, Retries: 3, From: []string{"published"}, Redis: &spec.RedisCheck{
				Target: target, Password: spec.Credential{Secret: "password"}, Key: "k", Expect: spec.RedisExpect{AppendOnly: &yes, MemoryBelow: 80},
				Sentinel: &spec.Sentinel{Master: "m", Addresses: []string{"a:1"}}, Cluster: []string{"a:1"},
			}},
			{Name: "route", Route: &spec.RouteCheck{URL: "https://a/", Traefik: spec.Target{Connect: "a:443"}, Body: "{}", Refuse: []string{"/admin"}, CertificateDays: 14}},
			{Name: "tcp", TCP: &spec.TCPCheck{Target: target, Send: "PING\r\n", Expect: "+PONG"}},
		},
	}
	return s
}
