// Package gittest serves repositories as forges do, over HTTPS and SSH on
// loopback, with git itself behind both.
package gittest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// HTTPS serves the repositories of a folder, as git http-backend does, to those
// who give the token for a password. It takes pushes where a repository has
// http.receivepack set.
func HTTPS(tb testing.TB, folder, token string) *httptest.Server {
	tb.Helper()
	path, err := exec.CommandContext(tb.Context(), "git", "--exec-path").Output()
	if err != nil {
		tb.Fatalf("git --exec-path: %v", err)
	}
	// Both speak of what they refuse, which is what is tested.
	h := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"), Dir: folder, Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + folder, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + folder},
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != token {
			w.Header().Set("WWW-Authenticate", "Basic realm=git")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s
}

// Certificate is that of an HTTPS server, as a CA file holds it.
func Certificate(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// SSH runs git-upload-pack, with env, for whoever has the client's key. known is
// the server's line of a known_hosts file.
func SSH(tb testing.TB, client gossh.PublicKey, env []string) (addr, known string) {
	tb.Helper()
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := gossh.NewSignerFromKey(hostKey)
	if err != nil {
		tb.Fatal(err)
	}
	s := &ssh.Server{
		HostSigners:      []ssh.Signer{signer},
		PublicKeyHandler: func(_ ssh.Context, key ssh.PublicKey) bool { return ssh.KeysEqual(key, client) },
		Handler: func(s ssh.Session) {
			words := s.Command()
			if len(words) != 2 || words[0] != "git-upload-pack" {
				fmt.Fprintln(s.Stderr(), "not allowed")
				_ = s.Exit(1)
				return
			}
			if err := uploadPack(s.Context(), s, words[1], env); err != nil {
				_ = s.Exit(1)
				return
			}
			_ = s.Exit(0)
		},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	tb.Cleanup(func() { _ = s.Close() })
	return l.Addr().String(), knownhosts.Line([]string{l.Addr().String()}, signer.PublicKey()) + "\n"
}

func uploadPack(ctx context.Context, s ssh.Session, path string, env []string) error {
	cmd := exec.CommandContext(ctx, "git", "upload-pack", path)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, s, s.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _, _ = io.Copy(in, s); _ = in.Close() }()
	return cmd.Wait()
}

// Key is one that ssh-keygen makes with the options: its file, and who it is.
func Key(tb testing.TB, options ...string) (string, gossh.PublicKey) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "key")
	args := append([]string{"-q", "-t", "ed25519", "-N", "", "-f", path}, options...)
	if out, err := exec.CommandContext(tb.Context(), "ssh-keygen", args...).CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		tb.Fatal(err)
	}
	key, _, _, _, err := gossh.ParseAuthorizedKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	return path, key
}
