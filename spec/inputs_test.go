package spec_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// What a stack is made from is known to the last file, and which of it is secret.
func TestInputsOf(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"stack.yaml": "name: a\ninclude: [more/part.yaml]\nservices:\n  web: {image: \"web:${TAG}\", env_file: web.env, secrets: [s, e], configs: [c, i], label_file: web.labels}\n" +
			"secrets: {s: {file: keys/s}, e: {environment: PASSWORD}}\nconfigs: {c: {file: c.conf}, i: {content: \"${ONLY}\"}}\n" +
			"x-swarmward:\n  checks:\n    t: {tcp: {service: web, port: 1, tls: {ca: {file: ca.pem}}}}\n",
		"more/part.yaml": "services: {other: {image: \"other:${TAG}\"}}\n",
		"web.env":        "A=b\n", "web.labels": "a=b\n", "keys/s": "secret", "c.conf": "config",
		"ca.pem": authorityOne,
		".env":   "TAG=1\nPASSWORD=x\nUNUSED=y\n", "unused": "",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := spec.InputsOf(t.Context(), spec.Options{
		Files: []string{filepath.Join(dir, "stack.yaml")}, Environ: []string{"ONLY=here", "TAG=1", "PASSWORD=another", "UNUSED=z", "PATH=p"},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := func(names ...string) (out []string) {
		for _, n := range names {
			out = append(out, filepath.Join(dir, n))
		}
		return out
	}
	want := &spec.Inputs{
		Folder: dir, Files: in("c.conf", "ca.pem", "more/part.yaml", "stack.yaml", "web.labels"),
		Secret: in(".env", "keys/s", "web.env"), Variables: []string{"ONLY", "PASSWORD"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := spec.InputsOf(t.Context(), spec.Options{Files: []string{filepath.Join(dir, "none.yaml")}}); err == nil {
		t.Error("no error for a file that is not there")
	}
}
