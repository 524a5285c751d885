package oracle

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// field is a place in a stack file and values to try there.
type field struct {
	path   string
	values []string // YAML
}

// base is what every generated stack has, so that values can refer to it.
const base = `
services:
  web: {image: "nginx:1"}
  other: {image: "redis:7", networks: [n2], volumes: ["v2:/data"], secrets: [s2], configs: [c2]}
networks:
  n1:
  n2: {name: given}
  outside: {external: true}
  host: {external: true, name: host}
volumes:
  v1:
  v2: {name: given, driver: local, driver_opts: {type: nfs, o: "addr=1"}, labels: {a: b}}
  outside: {external: true}
secrets:
  s1: {file: data.txt}
  s2: {file: other.txt, name: given}
  outside: {external: true}
configs:
  c1: {file: ./data.txt}
  c2: {file: dir/b.env, name: given}
  outside: {external: true}
`

// prepared gives what a top-level object needs to be part of the stack.
var prepared = map[string]string{
	"networks": "services.web.networks: [n1]",
	"volumes":  "services.web.volumes: ['v1:/v1', {type: volume, source: v1, target: /v1again}]",
}

// generated is the sample of base with some values set.
func generated(name string, set ...[2]string) (sample, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(base), &root); err != nil {
		return sample{}, err
	}
	for _, s := range set {
		var value yaml.Node
		if err := yaml.Unmarshal([]byte(s[1]), &value); err != nil {
			return sample{}, fmt.Errorf("%s: %w", s[0], err)
		}
		spellNull(&value)
		put(root.Content[0], strings.Split(s[0], "."), value.Content[0])
	}
	text, err := yaml.Marshal(&root)
	return one(name, string(text)), err
}

// spellNull keeps yaml from writing an empty null as an empty text.
func spellNull(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		n.Value = "null"
	}
	for _, item := range n.Content {
		spellNull(item)
	}
}

// put sets a value in a tree of mappings and makes those that are not there.
func put(n *yaml.Node, path []string, value *yaml.Node) {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value != path[0] {
			continue
		}
		if len(path) == 1 {
			n.Content[i+1] = value
			return
		}
		if n.Content[i+1].Kind != yaml.MappingNode {
			n.Content[i+1] = &yaml.Node{Kind: yaml.MappingNode}
		}
		put(n.Content[i+1], path[1:], value)
		return
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Value: path[0]}
	if len(path) == 1 {
		n.Content = append(n.Content, key, value)
		return
	}
	below := &yaml.Node{Kind: yaml.MappingNode}
	n.Content = append(n.Content, key, below)
	put(below, path[1:], value)
}

// fieldSamples are the values of each field, alone.
func fieldSamples(t testing.TB, fields []field) []sample {
	t.Helper()
	var out []sample
	for _, f := range fields {
		for _, value := range f.values {
			var set [][2]string
			section, _, _ := strings.Cut(f.path, ".")
			if p, v, ok := strings.Cut(prepared[section], ": "); ok {
				set = append(set, [2]string{p, v})
			}
			s, err := generated(f.path+"="+value, append(set, [2]string{f.path, value})...)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
	}
	return out
}

func TestFields(t *testing.T) {
	for _, s := range fieldSamples(t, fields) {
		t.Run(s.name, func(t *testing.T) { equal(t, s) })
		t.Run(s.legacy().name, func(t *testing.T) { equal(t, s.legacy()) })
	}
	for _, s := range fieldSamples(t, ignored) {
		t.Run(s.legacy().name, func(t *testing.T) { equal(t, s.legacy()) })
	}
}

// equal is the law: what docker/cli lowers, spec lowers to the same.
func equal(t *testing.T, s sample) {
	t.Helper()
	paths := s.unpack(t)
	want, err := theirs(paths)
	if err != nil {
		t.Fatalf("docker/cli refuses it: %v\n%s", err, s.files[s.specs[0]])
	}
	got, err := ours(paths)
	if err != nil {
		t.Fatalf("spec refuses it: %v\n%s", err, s.files[s.specs[0]])
	}
	for _, d := range differences(want, got) {
		t.Errorf("%s", d)
	}
	if t.Failed() {
		t.Log(s.files[s.specs[0]])
	}
}
