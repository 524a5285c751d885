package source

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/swarmward/swarmward/spec/source/gittest"
)

const token = "glpat-hunter2"

// overHTTP serves the repository to those who know the token.
func overHTTP(t *testing.T, o *origin) *httptest.Server {
	t.Helper()
	return gittest.HTTPS(t, filepath.Dir(o.bare), token)
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func caFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	return file(t, "ca.pem", gittest.Certificate(s))
}

func TestGitOverHTTP(t *testing.T) {
	o := newOrigin(t)
	first := o.push(Default, webSpec)
	s := overHTTP(t, o)
	access := GitAccess{TokenFile: file(t, "token", token+"\n"), CAFile: caFile(t, s)}
	url := s.URL + "/origin.git"
	g := NewGit(Git{URL: url, Cache: t.TempDir(), Access: access})
	if c := get(t, g); c.Commit.ID != first || c.Commit.Ref != "main" {
		t.Errorf("commit %+v", c.Commit)
	}
	second := o.push(Default, webSpec+"# 2\n")
	last := get(t, g)
	if last.Commit.ID != second || !strings.Contains(content(t, last, Default), "# 2") {
		t.Errorf("commit %+v", last.Commit)
	}
	// What is fetched first is one commit, without its history.
	fresh := get(t, NewGit(Git{URL: url, Cache: t.TempDir(), Access: access}))
	if _, err := fresh.tree.store.peel(plumbing.NewHash(first)); !errors.Is(err, plumbing.ErrObjectNotFound) {
		t.Errorf("the commit before was fetched too, error %v", err)
	}

	// The token is read at each Get.
	if err := os.WriteFile(access.TokenFile, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	stays(t, g, last, "git "+url, "refuses access", "--git-token-file")
	if err := os.WriteFile(access.TokenFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stays(t, g, last, "--git-token-file", "the file is empty")
	if err := os.WriteFile(access.TokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	last = get(t, g)
	s.Close()
	stays(t, g, last, "git "+url, "refused")
}

// What the URL says of who one is works, and is in no message.
func TestGitMasksCredentials(t *testing.T) {
	o := newOrigin(t)
	id := o.push(Default, webSpec)
	s := overHTTP(t, o)
	host := strings.TrimPrefix(s.URL, "https://")
	g := func(user, path string) *Git {
		return NewGit(Git{URL: "https://" + user + "@" + host + path, Cache: t.TempDir(), Access: GitAccess{CAFile: caFile(t, s)}})
	}
	c := get(t, g("me:"+token, "/origin.git"))
	if c.Commit.ID != id {
		t.Errorf("commit %s", c.Commit.ID)
	}
	for _, source := range []*Git{g("me:hunter2", "/origin.git"), g("hunter2", "/origin.git"), g("me:"+token, "/gone.git")} {
		if err := stays(t, source, nil, "git https://***@"+host); strings.Contains(err.Error(), "hunter2") {
			t.Errorf("credentials in: %v", err)
		}
	}
	s.Close()
	if err := stays(t, g("me:"+token, "/origin.git"), nil); strings.Contains(err.Error(), "hunter2") {
		t.Errorf("credentials in: %v", err)
	}
}

func TestMasked(t *testing.T) {
	tests := []struct{ url, want string }{
		{"https://me:hunter2@host/x.git", "https://***@host/x.git"},
		{"HTTPS://me:hunter2@host/x.git", "HTTPS://***@host/x.git"},
		{"https://me:hunter@2@host/x.git", "https://***@host/x.git"},
		{"https://me:hunter/2@host/x.git", "https://***@host/x.git"},
		{"https://host/me@x.git", "https://host/me@x.git"},
		{"ssh://git@host/x.git", "ssh://git@host/x.git"},
		{"ssh://git:hunter2@host/x.git", "ssh://***@host/x.git"},
		{"git@host:x.git", "git@host:x.git"},
		{"/srv/me@x.git", "/srv/me@x.git"},
	}
	for _, tt := range tests {
		if got := Masked(tt.url); got != tt.want {
			t.Errorf("%s is shown as %s, want %s", tt.url, got, tt.want)
		}
	}
}

func TestGitRefusesUnknownCertificates(t *testing.T) {
	o := newOrigin(t)
	o.push(Default, webSpec)
	s := overHTTP(t, o)
	g := NewGit(Git{URL: s.URL + "/origin.git", Cache: t.TempDir(), Access: GitAccess{TokenFile: file(t, "token", token)}})
	stays(t, g, nil, "certificate", "--git-ca-file")
	g = NewGit(Git{URL: s.URL + "/origin.git", Cache: t.TempDir(), Access: GitAccess{CAFile: file(t, "ca.pem", "nothing")}})
	stays(t, g, nil, "--git-ca-file", "no certificate")
}

// Credentials are for the server that they were given for.
func TestGitTakesNoCredentialsElsewhere(t *testing.T) {
	var told atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			told.Store(true)
		}
		http.NotFound(w, r)
	}))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.String(), http.StatusFound)
	}))
	defer s.Close()
	g := NewGit(Git{URL: s.URL + "/origin.git", Cache: t.TempDir(), Access: GitAccess{TokenFile: file(t, "token", token)}})
	stays(t, g, nil)
	if told.Load() {
		t.Error("the token went to another server")
	}
}

// A pinned commit that is no tip is given by its id, or with the history by a
// server that gives none so. Large files stay where they are.
func TestGitPinnedCommit(t *testing.T) {
	for _, config := range []string{"uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter"} {
		t.Run(config, func(t *testing.T) {
			o := newOrigin(t)
			o.put("large.bin", strings.Repeat("0123456789abcdef", maxFile/16+1))
			pinned := o.push(Default, webSpec)
			o.push(Default, webSpec+"# 2\n")
			o.push(Default, webSpec+"# 3\n")
			o.run(o.bare, "git", "config", config, "true")
			s := overHTTP(t, o)
			g := NewGit(Git{URL: s.URL + "/origin.git", Ref: pinned, Cache: t.TempDir(), Access: GitAccess{TokenFile: file(t, "token", token), CAFile: caFile(t, s)}})
			c := get(t, g)
			if c.Commit.ID != pinned || content(t, c, Default) != webSpec {
				t.Errorf("commit %s", c.Commit.ID)
			}
			if err := c.tree.provide("large.bin"); err == nil {
				t.Error("a large file was written")
			}
			// It is what it is, whether the server is there or not.
			s.Close()
			get(t, g)
		})
	}
}

func TestGitFilter(t *testing.T) {
	o := newOrigin(t)
	noise := make([]byte, 3*maxFile)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	o.put("large.bin", string(noise))
	o.push(Default, webSpec)
	s := overHTTP(t, o)
	fetched := func() int64 {
		g := NewGit(Git{URL: s.URL + "/origin.git", Cache: t.TempDir(), Access: GitAccess{TokenFile: file(t, "token", token), CAFile: caFile(t, s)}})
		return get(t, g).tree.store.size()
	}
	if n := fetched(); n < maxFile {
		t.Fatalf("%d bytes", n)
	}
	o.run(o.bare, "git", "config", "uploadpack.allowFilter", "true")
	if n := fetched(); n > maxFile/10 {
		t.Errorf("%d bytes, although the server leaves out what is large", n)
	}
}

func TestGitMaxSize(t *testing.T) {
	o := newOrigin(t)
	noise := make([]byte, 1<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	first := o.push(Default, webSpec)
	s := overHTTP(t, o)
	cacheDir := t.TempDir()
	g := NewGit(Git{URL: s.URL + "/origin.git", MaxSize: 1 << 20, Cache: cacheDir, Access: GitAccess{TokenFile: file(t, "token", token), CAFile: caFile(t, s)}})
	last := get(t, g)
	o.put("large.bin", string(noise))
	o.push(Default, webSpec+"# 2\n")
	stays(t, g, last, "more than 1 MB", "--git-max-size")
	if n := last.tree.store.size(); n > 1<<20 {
		t.Errorf("%d bytes are kept", n)
	}
	if stores, _ := filepath.Glob(filepath.Join(g.cache.dir, "store-*")); len(stores) != 1 {
		t.Errorf("there are %v", stores)
	}
	o.git("rm", "-q", "large.bin")
	third := o.push(Default, webSpec+"# 3\n")
	if c := get(t, g); c.Commit.ID != third || first == third {
		t.Errorf("commit %s", c.Commit.ID)
	}
}

// sshServer serves the repository to whoever has the key.
type sshServer struct {
	addr, known string // known: a known_hosts line
}

func overSSH(t *testing.T, o *origin, client gossh.PublicKey) sshServer {
	t.Helper()
	addr, known := gittest.SSH(t, client, o.env)
	return sshServer{addr, known}
}

func TestGitOverSSH(t *testing.T) {
	o := newOrigin(t)
	first := o.push(Default, webSpec)
	keyFile, key := gittest.Key(t)
	otherFile, _ := gittest.Key(t)
	lockedFile, _ := gittest.Key(t, "-N", "passphrase")
	server := overSSH(t, o, key)
	other := overSSH(t, o, key)
	known := file(t, "known_hosts", server.known)
	url := "ssh://git@" + server.addr + o.bare
	source := func(url string, a GitAccess) *Git {
		return NewGit(Git{URL: url, Cache: t.TempDir(), Access: a})
	}
	good := GitAccess{SSHKeyFile: keyFile, KnownHosts: known}
	g := source(url, good)
	if c := get(t, g); c.Commit.ID != first || c.Commit.Ref != "main" {
		t.Errorf("commit %+v", c.Commit)
	}
	second := o.push(Default, webSpec+"# 2\n")
	if c := get(t, g); c.Commit.ID != second || content(t, c, Default) != webSpec+"# 2\n" {
		t.Errorf("commit %+v", c.Commit)
	}
	get(t, g) // nothing is new

	t.Setenv("SSH_AUTH_SOCK", "")
	_, port, _ := net.SplitHostPort(server.addr)
	tests := []struct {
		name, url string
		access    GitAccess
		want      []string
	}{
		{"another's key", url, GitAccess{SSHKeyFile: otherFile, KnownHosts: known}, []string{"refuses the key", "deploy keys", "--git-ssh-key-file"}},
		{"a key with a passphrase", url, GitAccess{SSHKeyFile: lockedFile, KnownHosts: known}, []string{lockedFile, "has a passphrase"}},
		{"no key", url, GitAccess{SSHKeyFile: known, KnownHosts: known}, []string{known, "no SSH private key"}},
		{"no key and no agent", url, GitAccess{KnownHosts: known}, []string{"no SSH key", "--git-ssh-key-file"}},
		{"an unknown host", "ssh://git@" + other.addr + o.bare, good, []string{"host key of " + other.addr + " is not known", "--git-known-hosts"}},
		{"another host key", url, GitAccess{SSHKeyFile: keyFile, KnownHosts: file(t, "other", strings.Replace(other.known, strings.Split(other.known, " ")[0], "[127.0.0.1]:"+port, 1))},
			[]string{server.addr, "shows another host key", "stands in between"}},
		{"no such known_hosts", url, GitAccess{SSHKeyFile: keyFile, KnownHosts: "nowhere"}, []string{"--git-known-hosts", "nowhere"}},
		{"no such repository", url + "x", good, []string{"the server says", "not appear to be a git repository"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { stays(t, source(tt.url, tt.access), nil, tt.want...) })
	}
}

// Without a key file the agent is asked.
func TestGitOverSSHWithAgent(t *testing.T) {
	o := newOrigin(t)
	id := o.push(Default, webSpec)
	keyFile, key := gittest.Key(t)
	server := overSSH(t, o, key)
	data, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	private, err := gossh.ParseRawPrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn); _ = conn.Close() }()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", l.Addr().String())
	g := NewGit(Git{URL: "ssh://git@" + server.addr + o.bare, Cache: t.TempDir(), Access: GitAccess{KnownHosts: file(t, "known_hosts", server.known)}})
	if c := get(t, g); c.Commit.ID != id {
		t.Errorf("commit %s", c.Commit.ID)
	}
}

// A server that takes the connection and says nothing ends with the context.
func TestGitOverSSHGivesUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 1)) // the client has begun
		cancel(enough)
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}()
	keyFile, key := gittest.Key(t)
	known := knownhosts.Line([]string{l.Addr().String()}, key) + "\n"
	g := NewGit(Git{URL: "ssh://git@" + l.Addr().String() + "/x", Cache: t.TempDir(), Access: GitAccess{SSHKeyFile: keyFile, KnownHosts: file(t, "known_hosts", known)}})
	if _, err := g.Get(ctx); !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
}

func TestFirstBytes(t *testing.T) {
	var f firstBytes
	for range 100 {
		if n, err := f.Write(bytes.Repeat([]byte("ab\n"), 10)); n != 30 || err != nil {
			t.Fatal(n, err)
		}
	}
	if n := f.kept.Len(); n != 500 {
		t.Errorf("kept %d", n)
	}
}
