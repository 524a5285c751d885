package spec

import (
	"testing"

	"github.com/compose-spec/compose-go/v2/paths"
	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// Wherever compose-go resolves a path, it does so too when it is shown only
// the parts that have paths.
func TestResolvePaths(t *testing.T) {
	const service = `
      image: ./image
      build: {context: ./context, additional_contexts: {more: ./more}, ssh: {key: ./ssh}}
      env_file: [{path: ./env}, {path: /absolute/env}, {path: ~/env}]
      label_file: [./labels]
      extends: {file: ./extends.yaml, service: x}
      develop: {watch: [{path: ./watch, action: sync}]}
      volumes:
        - {type: bind, source: ./bind, target: /bind}
        - {type: volume, source: data, target: /data}
      configs: [{source: ./config}]
      labels: {path: ./label}
      pre_start:
        - env_file: [{path: ./pre.env}]
          label_file: [./pre.labels]
          volumes: [{type: bind, source: ./pre, target: /pre}]
`
	const text = `
name: ./name
services:
  a:` + service + `
  b: {image: b}
  c:
jobs:
  j:` + service + `
configs: {c: {file: ./config}, d: {file: ~/config}}
secrets: {s: {file: ../secret}, t: {environment: ./T}}
volumes:
  v: {driver: local, driver_opts: {type: none, o: bind, device: ./device}}
  w:
networks: {n: {driver_opts: {path: ./network}}}
x-path: ./extension
`
	parse := func() map[string]any {
		var raw map[string]any
		if err := yaml.Unmarshal([]byte(text), &raw); err != nil {
			t.Fatal(err)
		}
		return raw
	}
	want, got := parse(), parse()
	if err := paths.ResolveRelativePaths(want, "/spec", nil); err != nil {
		t.Fatal(err)
	}
	if err := resolvePaths(got, "/spec"); err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(want, parse()) {
		t.Fatal("compose-go resolved nothing")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-compose-go +ours:\n%s", diff)
	}
	for _, key := range pathKeys {
		if cmp.Equal(mapping(want, "services", "a")[key], mapping(parse(), "services", "a")[key]) {
			t.Errorf("compose-go finds no path in %s", key)
		}
	}
}
