package spec_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// settled is a stack with everything that x-swarmward can say.
const settled = `
name: shop
services:
  web:
    image: redis:7.4
    secrets: [password, other, authority]
    configs: [authority]
    depends_on: {back: {condition: service_healthy}}
  back: {image: redis:7.4}
secrets:
  password: {environment: PASSWORD}
  other: {environment: OTHER, name: a-name-of-its-own}
  authority: {external: true}
configs:
  authority: {content: "not looked at $$HOME"}
x-swarmward:
  on_check_failure: rollback
  ignore: [services.web.deploy.replicas]
  images: {resolve: always}
  prune: false
  timeout: 90s
  lint: {off: [image-untagged]}
  checks:
    plain:
      redis: {service: web}
    every:
      timeout: 1s
      interval: 1m
      grace: 90s
      retries: 4
      from: [overlay, published]
      redis: {service: web, port: 6380, username: me, password: {secret: password}, password_required: false, key: "a$$b", database: 3, tls: {server_name: redis, insecure: true}, expect: {role: master, replicas: 2, append_only: false, last_save_ok: true, memory_below: 80%}}
    url:
      redis: {url: "rediss://redis.example.com:6390/2", password: {secret: other}}
    sentinel:
      redis: {url: "redis-sentinel://a:26379?master_name=main&addr=b:26380", sentinel_username: s, sentinel_password: {secret: other}, password: {secret: password}}
    cluster:
      redis: {url: "rediss-cluster://a:6379?addr=b:6379&addr=c:6379"}
    centrifugo:
      centrifugo: {service: web, api_key: {secret: password}, token_secret: {secret: other}, publish: false, origin: "https://shop.example.com"}
    quiet:
      centrifugo: {connect: "a:8000", websocket: false}
    route:
      route: {url: "https://shop.example.com/health", service: web, traefik: "10.0.0.5:443", body: "{}", refuse: [/admin], certificate_days: 0, ca: {secret: authority}, api: "http://traefik:8080"}
    byservice:
      route: {url: "http://shop.example.com/", traefik: {service: web, port: 80}, contains: hello}
    http:
      http:
        service: web
        url: https://shop.example.com:8443/a
        method: PUT
        headers: {Authorization: {secret: password, prefix: "Bearer "}, X-Plain: "1"}
        send: "{\"a\": 1}"
        status: [200, 204]
        body: "yes"
        contains: [a, "b\nc"]
        regexp: "^a$$"
        json: {data.items.0."a.b": "1", gone: null}
        tls: {ca: {secret: authority}}
        max_latency: 250ms
        redirects: 3
    tcp:
      tcp: {service: back, port: 6379, tls: true, send: "PING\r\n", expect: "+PONG"}
`

// A spec that is written from a stack whose settings are known says the same
// settings, and the same services wait for the same.
func TestExportOfSettings(t *testing.T) {
	example, err := os.ReadFile("../desired-state.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"everything": settled, "example": string(example)} {
		t.Run(name, func(t *testing.T) {
			env := []string{"PASSWORD=one-password", "OTHER=another-one", "REDIS_NODE=node-1", "REDIS_PASSWORD=p1p1p1p1", "CENTRIFUGO_API_KEY=k1k1k1k1",
				"CENTRIFUGO_TOKEN_SECRET=t1t1t1t1", "CENTRIFUGO_ADMIN_PASSWORD=a1a1a1a1", "CENTRIFUGO_ADMIN_SECRET=s1s1s1s1"}
			s := load(t, file, env...)
			if name == "everything" && len(s.Settings.Checks) != 11 {
				t.Fatalf("%d checks", len(s.Settings.Checks))
			}
			known := &spec.Known{About: "as it is here", Settings: s.Settings, DependsOn: map[string]map[string]spec.Condition{}, Keys: map[string]map[string]string{"secrets": {}}}
			for _, x := range s.Services {
				known.DependsOn[x.Key] = x.DependsOn
			}
			for _, x := range s.Secrets {
				known.Keys["secrets"][x.Name] = x.Key
			}
			dir := t.TempDir()
			again, x := exported(t, dir, live(s), spec.ExportOptions{Secrets: spec.SecretsEnvironment, Known: known}, env...)
			if d := cmp.Diff(s.Settings, again.Settings); d != "" {
				t.Errorf("settings:\n%s\n%s", d, x.YAML)
			}
			for i, is := range again.Services {
				if d := cmp.Diff(s.Services[i].DependsOn, is.DependsOn); d != "" {
					t.Errorf("depends_on of %s:\n%s", is.Key, d)
				}
			}
		})
	}
}
