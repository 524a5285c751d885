package spec_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

const checksHead = `name: a
services: {redis: {image: redis}, web: {image: nginx}}
secrets: {password: {environment: PW}}
`

func TestRedisChecks(t *testing.T) {
	yes := true
	password := spec.Credential{Secret: "password"}
	for _, tt := range []struct {
		name, text string
		want       spec.RedisCheck
	}{
		{"the defaults", `{service: redis}`,
			spec.RedisCheck{Target: spec.Target{Service: "redis", Port: 6379}, Key: "redis-health-check"}},
		{"a URL says where, whether TLS, and which database", `{url: "rediss://redis.example:7000/3", username: app, password: {secret: password}, password_required: false}`,
			spec.RedisCheck{Target: spec.Target{Port: 7000, Connect: "redis.example:7000"}, Key: "redis-health-check", Username: "app", Password: password,
				PasswordOptional: true, Database: 3, TLS: &spec.TLS{ServerName: "redis.example"}}},
		{"the service is the way, the URL's host the name", `{service: redis, url: "rediss://redis.example?db=2", tls: {insecure: true}}`,
			spec.RedisCheck{Target: spec.Target{Service: "redis", Port: 6379}, Key: "redis-health-check", Database: 2,
				TLS: &spec.TLS{ServerName: "redis.example", Insecure: true}}},
		{"Sentinel", `{url: "redis-sentinel://one/2?master_name=main&addr=two:1", sentinel_username: s, sentinel_password: {secret: password}, key: k}`,
			spec.RedisCheck{Target: spec.Target{Port: 26379}, Key: "k", Database: 2,
				Sentinel: &spec.Sentinel{Master: "main", Addresses: []string{"one:26379", "two:1"}, Username: "s", Password: password}}},
		{"a Cluster", `{url: "rediss-cluster://[::1]?addr=two:1", tls: {server_name: redis}}`,
			spec.RedisCheck{Target: spec.Target{Port: 6379}, Key: "redis-health-check", Cluster: []string{"[::1]:6379", "two:1"}, TLS: &spec.TLS{ServerName: "redis"}}},
		{"expectations", `{service: redis, tls: true, expect: {role: master, replicas: 2, append_only: true, last_save_ok: true, memory_below: 90%}}`,
			spec.RedisCheck{Target: spec.Target{Service: "redis", Port: 6379}, Key: "redis-health-check", TLS: &spec.TLS{},
				Expect: spec.RedisExpect{Role: "master", Replicas: 2, AppendOnly: &yes, LastSaveOK: true, MemoryBelow: 90}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stack := load(t, checksHead+"x-swarmward: {checks: {c: {redis: "+tt.text+"}}}\n", "PW=hunter2")
			if diff := cmp.Diff(&tt.want, stack.Settings.Checks[0].Redis); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHTTPChecks(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       spec.HTTPCheck
	}{
		{"the defaults", `{url: "http://web/"}`, spec.HTTPCheck{URL: "http://web/", Method: "GET", Status: []int{200}}},
		{"something to send is posted", `{url: "http://web/", send: hello}`, spec.HTTPCheck{URL: "http://web/", Method: "POST", Send: "hello", Status: []int{200}}},
		{"everything", `{url: "https://web/", service: web, method: PUT, send: x, status: [200, 201], headers: {X-B: b, authorization: {secret: password, prefix: "Bearer "}},
  contains: [a, b], regexp: "^a", json: {b: 1.50, a."x.y".0: null, c: "true"}, tls: {server_name: w}, max_latency: 300ms, redirects: 2}`,
			spec.HTTPCheck{Target: spec.Target{Service: "web", Port: 443}, URL: "https://web/", Method: "PUT", Send: "x", Status: []int{200, 201},
				Headers:  []spec.Header{{Name: "X-B", Value: "b"}, {Name: "authorization", Value: "Bearer ", Secret: spec.Credential{Secret: "password"}}},
				Contains: []string{"a", "b"}, Regexp: "^a",
				JSON: []spec.JSONValue{{Path: []string{"a", "x.y", "0"}, Want: "null"}, {Path: []string{"b"}, Want: "1.50"}, {Path: []string{"c"}, Want: "true"}},
				TLS:  &spec.TLS{ServerName: "w"}, MaxLatency: 300 * time.Millisecond, Redirects: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stack := load(t, checksHead+"x-swarmward: {checks: {c: {http: "+tt.text+"}}}\n", "PW=hunter2")
			if diff := cmp.Diff(&tt.want, stack.Settings.Checks[0].HTTP); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTCPCheck(t *testing.T) {
	stack := load(t, checksHead+`x-swarmward: {checks: {c: {tcp: {service: web, port: 25, tls: true, send: "QUIT\r\n", expect: "220 "}}}}`, "PW=hunter2")
	want := &spec.TCPCheck{Target: spec.Target{Service: "web", Port: 25}, TLS: &spec.TLS{}, Send: "QUIT\r\n", Expect: "220 "}
	if diff := cmp.Diff(want, stack.Settings.Checks[0].TCP); diff != "" {
		t.Error(diff)
	}
}

// A CA is read with the spec, from beside it, and is a part of the revision.
func TestCheckFiles(t *testing.T) {
	text := checksHead + "x-swarmward: {checks: {c: {redis: {service: redis, tls: {ca: {file: tls/ca.pem}}}}}}\n"
	revision := func(ca string) string {
		write(t, map[string]string{"spec.yaml": text, "tls/ca.pem": ca})
		stack, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, Environ: []string{"PW=x"}})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := stack.MaterialData(stack.Settings.Checks[0].Redis.TLS.CA); !ok || string(got) != ca {
			t.Errorf("the CA is %q", got)
		}
		return stack.Revision
	}
	one, other := certificate(t), certificate(t)
	if a, b := revision(one), revision(one); a != b {
		t.Error("the same CA gives another revision")
	}
	if revision(one) == revision(other) {
		t.Error("another CA gives the same revision")
	}
}

func certificate(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
