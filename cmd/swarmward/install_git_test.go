package main

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmward/swarmward/spec"
)

// With specs in git the service is given what it takes to read them, and none
// of them.
func TestInstallFromGit(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q", "-b", "main", "work")
	put("work/shop.yaml", "name: shop\nservices: {web: {image: \"web:${TAG}\"}}\n")
	git("-C", "work", "add", ".")
	git("-C", "work", "commit", "-q", "-m", "shop")
	git("clone", "-q", "--bare", "work", "shop.git")
	server := httptest.NewServer(&cgi.Handler{Path: git("--exec-path") + "/git-http-backend", Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1"}})
	defer server.Close()
	for _, name := range []string{"token", "signers", "hook", "identity"} {
		put(name, "0123456789abcdef-"+name)
	}
	put("vars.env", "TAG=7\n")
	t.Chdir(dir)
	install := func(args ...string) (int, string, string) {
		t.Helper()
		out, err := os.Create("swarmward.yaml")
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		said, err := os.Create("said")
		if err != nil {
			t.Fatal(err)
		}
		defer said.Close()
		code := run(append([]string{"install", "--socket-group", "1", "--git-cache", filepath.Join(dir, "cache")}, args...), os.Stdin, out, said)
		text, _ := os.ReadFile("swarmward.yaml")
		errors, _ := os.ReadFile("said")
		return code, string(text), string(errors)
	}
	code, text, said := install("--git", server.URL+"/shop.git", "--git-ref", "main", "--git-path", "shop.yaml", "--git-token-file", "token",
		"--env-file", "vars.env", "--webhook-secret-file", "hook", "--", "--git-poll", "5m")
	if code != 0 || said != "" {
		t.Fatalf("exit code %d: %s", code, said)
	}
	for _, want := range []string{
		"    command: [run, --env-file, /run/secrets/vars.env, --git, " + server.URL + "/shop.git, --git-ref, main, --git-path, shop.yaml, --git-cache, /var/cache/swarmward, --git-token-file, /run/secrets/git-token-file, --git-poll, \"5m\"]\n",
		"      SWARMWARD_WEBHOOK_SECRET_FILE: /run/secrets/webhook_secret\n",
		"    volumes: [/var/run/docker.sock:/var/run/docker.sock, cache:/var/cache/swarmward]\n",
		"  cache: {}",
		"  git-token-file: {file: ./token}\n",
		"  webhook_secret: {file: ./hook}\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it has no\n%s", want)
		}
	}
	if strings.Contains(text, "shop.yaml, target") || strings.Contains(text, "0123456789") {
		t.Error("it carries what is in git, or tells a secret")
	}
	if t.Failed() {
		t.Log(text)
	}
	if _, err := spec.Load(t.Context(), spec.Options{Files: []string{"swarmward.yaml"}}); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ url, says string }{
		{filepath.Join(dir, "shop.git"), "no part in this machine's files"},
		{"shop.git", "no part in this machine's files"},
		{strings.Replace(server.URL, "http://", "http://me:hunter2@", 1) + "/shop.git", "give it with --git-token-file"},
		{strings.Replace(server.URL, "http://", "http://hunter2@", 1) + "/shop.git", "give it with --git-token-file"},
	} {
		code, _, said := install("--git", c.url, "--git-path", "shop.yaml", "--env-file", "vars.env")
		if code != 1 || !strings.Contains(said, c.says) || strings.Contains(said, "hunter2") {
			t.Errorf("%s: exit code %d: %s", c.url, code, said)
		}
	}
}
