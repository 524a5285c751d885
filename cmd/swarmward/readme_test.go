package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/spec"
)

// The YAML in the README is valid to the last key.
func TestReadmeSpecs(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks of YAML", len(blocks))
	}
	for _, b := range blocks {
		dir := t.TempDir()
		content := b[1]
		if strings.HasPrefix(content, "x-swarmward:") {
			content = "name: readme\nservices:\n  worker: {image: \"a:1\"}\n  redis: {image: \"redis:7\"}\n  centrifugo: {image: \"c:6\"}\n  queue: {image: \"q:1\"}\n" +
				"secrets:\n  redis_password: {file: s}\n  centrifugo_api_key: {file: s}\n  centrifugo_token_secret: {file: s}\n" + content
		}
		for name, text := range map[string]string{"spec.yaml": content, "desired-state.yaml": "x", ".env": "A=b", "s": "secret"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := spec.Load(t.Context(), spec.Options{Files: []string{filepath.Join(dir, "spec.yaml")}}); err != nil {
			t.Errorf("%v\nin\n%s", err, b[1])
		}
	}
}
