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
		stack, err := spec.Load(t.Context(), spec.Options{Files: []string{filepath.Join(dir, "spec.yaml")}, Lint: true})
		if err != nil {
			t.Errorf("%v\nin\n%s", err, b[1])
			continue
		}
		for _, f := range stack.Lint {
			t.Errorf("%s\nin\n%s", f, b[1])
		}
	}
}

// The README's table of rules is the one in the code, and names what else can
// be silenced.
func TestReadmeLint(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Lint\n")
	if !ok {
		t.Fatal("no section Lint")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var want strings.Builder
	silenceable := map[string]bool{}
	for _, name := range spec.SilenceableRules() {
		silenceable[name] = true
	}
	want.WriteString("| rule | what is wrong |\n|---|---|\n")
	for _, r := range spec.LintRules() {
		want.WriteString("| `" + r.Name + "` | " + r.Text + " |\n")
		delete(silenceable, r.Name)
	}
	if !strings.Contains(section, want.String()) {
		t.Errorf("the table is not\n%s", want.String())
	}
	for name := range silenceable {
		if !strings.Contains(section, "`"+name+"`") {
			t.Errorf("the section does not name %s", name)
		}
	}
}

// The service in the README is the one that install makes for the example.
func TestReadmeService(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../desired-state.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"desired-state.yaml": string(example), ".env": dotenv()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create("out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if code := run([]string{"install", "--image", "swarmward:1.0", "--socket-group", "998"}, os.Stdin, out, os.Stderr); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	text, err := os.ReadFile("out")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```yaml\n"+string(text)+"```") {
		t.Errorf("the README does not have\n%s", text)
	}
}
