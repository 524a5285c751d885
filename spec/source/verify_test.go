package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"golang.org/x/crypto/ssh"

	"github.com/swarmward/swarmward/spec/source/gittest"
)

// signer is a key that git signs with, made by the programs that people make
// theirs with.
type signer struct {
	format, key string // for git: openpgp or ssh, and which
	program     string // empty: the usual one
	public      string // what somebody who verifies is given
	id          string // as messages name it
}

func (o *origin) signs(s signer) {
	o.t.Helper()
	o.git("config", "gpg.format", s.format)
	o.git("config", "user.signingkey", s.key)
	o.git("config", "gpg.program", cmp.Or(s.program, "gpg"))
}

func sshSigner(t *testing.T, options ...string) signer {
	t.Helper()
	path, key := gittest.Key(t, options...)
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return signer{format: "ssh", key: path, public: public, id: ssh.FingerprintSHA256(key)}
}

// gpgHome is a folder for gpg, with a path that is short enough for its agent.
func gpgHome(t *testing.T) []string {
	t.Helper()
	home, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "GNUPGHOME="+home)
	t.Cleanup(func() {
		kill := exec.Command("gpgconf", "--kill", "all")
		kill.Env = env
		_ = kill.Run()
		_ = os.RemoveAll(home)
	})
	return env
}

// gpg runs it at a time, such as 20200101T000000; none is now.
func gpg(t *testing.T, env []string, in, at string, args ...string) string {
	t.Helper()
	all := []string{"--batch", "--quiet", "--no-tty", "--passphrase", "", "--pinentry-mode", "loopback"}
	if at != "" {
		all = append(all, "--faked-system-time", at)
	}
	cmd := exec.CommandContext(t.Context(), "gpg", append(all, args...)...)
	cmd.Env, cmd.Stdin = env, strings.NewReader(in)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gpg %v: %v\n%s", args, err, complaint.String())
	}
	return string(out)
}

func gpgSigner(t *testing.T, env []string, who, at, expires string) signer {
	t.Helper()
	gpg(t, env, "", at, "--quick-generate-key", who, "ed25519", "sign", expires)
	s := signer{format: "openpgp", public: gpg(t, env, "", "", "--export", "--armor", who)}
	for line := range strings.Lines(gpg(t, env, "", "", "--list-keys", "--with-colons", who)) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			s.key, s.id = fields[9], fields[9]
			break
		}
	}
	s.program = filepath.Join(t.TempDir(), "gpg")
	script := "#!/bin/sh\nexport " + env[len(env)-1] + "\nexec gpg --batch --no-tty --passphrase '' --pinentry-mode loopback "
	if at != "" {
		script += "--faked-system-time " + at + "! "
	}
	if err := os.WriteFile(s.program, []byte(script+`"$@"`+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// revoke is the public key with the revocation that gpg made beside it.
func revoke(t *testing.T, env []string, s signer) string {
	t.Helper()
	home := strings.TrimPrefix(env[len(env)-1], "GNUPGHOME=")
	rev, err := os.ReadFile(filepath.Join(home, "openpgp-revocs.d", s.key+".rev"))
	if err != nil {
		t.Fatal(err)
	}
	gpg(t, env, strings.Replace(string(rev), ":-----BEGIN", "-----BEGIN", 1), "", "--import")
	return gpg(t, env, "", "", "--export", "--armor", s.key)
}

// refused wants the newest commit not to be deployed, and why: the last good
// one stays, and who has none gets none.
func refused(t *testing.T, g *Git, last *Checkout, id string, want ...string) {
	t.Helper()
	err := stays(t, g, last, append(want, "commit "+id[:7], "Ann Author <ann@example.com>", "is not deployed")...)
	var unverified *Unverified
	if !errors.As(err, &unverified) || unverified.Commit.ID != id || unverified.Commit.Author != "Ann Author <ann@example.com>" || unverified.Commit.Subject == "" {
		t.Errorf("the error does not tell the commit: %#v", unverified)
	}
	fresh := *g
	fresh.Cache = t.TempDir()
	if c, err := NewGit(fresh).Get(t.Context()); c != nil || !errors.As(err, &unverified) {
		t.Errorf("without a last good one: %v, %v", c, err)
	}
}

func TestVerifyHeadSSH(t *testing.T) {
	ann, rsa, eve := sshSigner(t), sshSigner(t, "-t", "rsa", "-b", "3072"), sshSigner(t)
	old, files, revoked := sshSigner(t), sshSigner(t), sshSigner(t)
	allowed := file(t, "allowed_signers", strings.Join([]string{
		"# who may deploy", "",
		"ann@example.com " + ann.public,
		`"bob@example.com,bob@example.org" namespaces="git,file",valid-after="20200101Z",valid-before="29991231235959Z" ` + rsa.public + " Bob",
		`old@example.com valid-before="20200101" ` + old.public,
		`files@example.com namespaces="file" ` + files.public,
		"revoked@example.com " + revoked.public,
	}, "\n"))
	o := newOrigin(t)
	o.signs(ann)
	o.put(Default, webSpec)
	signed := func(by signer, subject string) string {
		o.signs(by)
		id := o.commit(subject, "-S")
		o.git("push", "-q", "-f", "origin", "HEAD:main")
		return id
	}
	g := local(t, o, Git{Verify: GitVerify{What: "head", AllowedSigners: allowed, RevokedSigners: file(t, "revoked", revoked.public)}})
	for by, want := range map[signer]string{ann: "ann@example.com " + ann.id, rsa: "bob@example.com,bob@example.org " + rsa.id} {
		id := signed(by, "Good one")
		if c := get(t, g); c.Commit.ID != id || c.Commit.Signer != want {
			t.Errorf("commit %s, signed by %q, want %q", c.Commit.ID, c.Commit.Signer, want)
		}
	}
	last := get(t, g)

	refused(t, g, last, signed(eve, "By somebody else"), "SSH key "+eve.id, "not allowed", allowed)
	refused(t, g, last, signed(old, "By an old key"), "old@example.com", "was allowed until 2020-01-01", allowed)
	refused(t, g, last, signed(files, "By a key for files"), "files@example.com", "may sign for file, and not for git")
	refused(t, g, last, signed(revoked, "By a revoked key"), revoked.id, "is revoked in")

	// A date that somebody makes up does not bring an old key back.
	o.env = append(o.env, "GIT_COMMITTER_DATE=2019-06-01T12:00:00Z", "GIT_AUTHOR_DATE=2019-06-01T12:00:00Z")
	refused(t, g, last, signed(old, "Dated back"), "old@example.com", "was allowed until 2020-01-01")
	refused(t, g, last, signed(rsa, "Before its time"), "may sign from 2020-01-01")
	o.env = o.env[:len(o.env)-2]

	refused(t, g, last, func() string {
		id := o.commit("Unsigned")
		o.git("push", "-q", "-f", "origin", "HEAD:main")
		return id
	}(), "the commit is not signed", "git commit -S")

	// Signed, and then somebody takes the signature off, or alters what it is
	// under.
	good := signed(ann, "To be tampered with")
	if c := get(t, g); c.Commit.ID != good {
		t.Fatalf("commit %s", c.Commit.ID)
	}
	last = get(t, g)
	raw := o.git("cat-file", "commit", good)
	tampered := func(text string) string {
		path := file(t, "commit", text+"\n")
		id := o.git("hash-object", "-t", "commit", "-w", path)
		o.git("push", "-q", "-f", "origin", id+":main")
		return id
	}
	payload, signature, err := splitCommit([]byte(raw + "\n"))
	if err != nil || len(signature) == 0 {
		t.Fatal(err)
	}
	refused(t, g, last, tampered(strings.TrimSuffix(string(payload), "\n")), "is not signed", "takes the signature off")
	refused(t, g, last, tampered(strings.Replace(raw, "To be tampered", "Not to be tampered", 1)), "not one of this commit", "another's signature")
	// The signature of another commit.
	other := o.git("cat-file", "commit", signed(ann, "Another"))
	copied := strings.Replace(raw, header(raw), header(other), 1)
	refused(t, g, last, tampered(copied), "not one of this commit")
	twice := strings.Replace(raw, header(raw), header(raw)+header(other), 1)
	refused(t, g, last, tampered(twice), "several signatures")
	garbled := strings.Replace(raw, header(raw), "gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n", 1)
	refused(t, g, last, tampered(garbled), "cannot be read")

	// The signature was made for something else than git.
	path := file(t, "payload", string(payload))
	o.run(o.work, "ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", ann.key, path)
	elsewhere, err := os.ReadFile(path + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	refused(t, g, last, tampered(strings.Replace(raw, header(raw), "gpgsig "+strings.ReplaceAll(strings.TrimSpace(string(elsewhere)), "\n", "\n ")+"\n", 1)), `made for "file"`)
}

// header is the signature of a commit as it stands there.
func header(raw string) string {
	var out strings.Builder
	in := false
	for line := range strings.Lines(raw) {
		in = strings.HasPrefix(line, "gpgsig ") || in && strings.HasPrefix(line, " ")
		if in {
			out.WriteString(line)
		}
	}
	return out.String()
}

func TestVerifyHeadGPG(t *testing.T) {
	env := gpgHome(t)
	ann := gpgSigner(t, env, "Ann <ann@example.com>", "", "never")
	old := gpgSigner(t, env, "Old <old@example.com>", "20200101T000000", "1y")
	revoked := gpgSigner(t, env, "Rex <rex@example.com>", "", "never")
	listed := gpgSigner(t, env, "Lea <lea@example.com>", "", "never")
	eve := gpgSigner(t, env, "Eve <eve@example.com>", "", "never")
	keys := file(t, "keys.asc", "Those who may deploy:\n\n"+ann.public+old.public+revoked.public+listed.public)
	o := newOrigin(t)
	o.put(Default, webSpec)
	signed := func(by signer, subject string) string {
		o.signs(by)
		id := o.commit(subject, "-S")
		o.git("push", "-q", "-f", "origin", "HEAD:main")
		return id
	}
	g := local(t, o, Git{Verify: GitVerify{What: "head", AllowedKeys: keys, RevokedSigners: file(t, "revoked", "# left\n"+listed.id+"\n")}})
	id := signed(ann, "Good one")
	last := get(t, g)
	if want := "Ann <ann@example.com> " + ann.id; last.Commit.ID != id || last.Commit.Signer != want {
		t.Errorf("commit %s, signed by %q, want %q", last.Commit.ID, last.Commit.Signer, want)
	}
	refused(t, g, last, signed(eve, "By somebody else"), "OpenPGP key that is not in "+keys)
	refused(t, g, last, signed(listed, "By a listed key"), "Lea <lea@example.com>", listed.id, "is revoked in")
	o.env = append(o.env, "GIT_COMMITTER_DATE=2020-06-01T12:00:00Z")
	refused(t, g, last, signed(old, "By an expired key"), "Old <old@example.com>", "has expired")
	refused(t, g, last, signed(ann, "Dated back"), "older than the key")
	o.env = o.env[:len(o.env)-1]

	id = signed(revoked, "By one who is revoked later")
	if last = get(t, g); last.Commit.ID != id {
		t.Errorf("commit %s", last.Commit.ID)
	}
	if err := os.WriteFile(keys, []byte(ann.public+revoke(t, env, revoked)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, g, last, id, "key of Rex <rex@example.com>", "is revoked")
	if err := os.WriteFile(keys, []byte(ann.public), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, g, last, id, "not in "+keys)

	// What a restarted controller finds is verified as well.
	if c, err := local(t, o, Git{Cache: g.Cache, Verify: g.Verify}).Get(t.Context()); c != nil || err == nil {
		t.Errorf("after a restart %v, %v", c, err)
	}
	by := sshSigner(t)
	refused(t, g, last, signed(by, "By an SSH key"), "only OpenPGP keys are allowed", "--allowed-signers")
	if err := os.WriteFile(keys, []byte("nobody"), 0o600); err != nil {
		t.Fatal(err)
	}
	id = signed(ann, "Nobody is allowed")
	refused(t, g, last, id, "--allowed-gpg-keys "+keys, "no public key")
}

func TestVerifyTag(t *testing.T) {
	env := gpgHome(t)
	ann, bob, eve := gpgSigner(t, env, "Ann <ann@example.com>", "", "never"), sshSigner(t), sshSigner(t)
	v := GitVerify{What: "tag", AllowedKeys: file(t, "keys.asc", ann.public), AllowedSigners: file(t, "allowed_signers", "bob@example.com "+bob.public)}
	o := newOrigin(t)
	o.signs(ann)
	o.put(Default, webSpec)
	id := o.commit("Signed", "-S")
	o.git("push", "-q", "origin", "HEAD:main")
	tag := func(by signer, options ...string) {
		o.signs(by)
		o.git(append(append([]string{"tag", "-f"}, options...), "live")...)
		o.git("push", "-q", "-f", "origin", "live")
	}
	g := local(t, o, Git{Ref: "live", Verify: v})

	tag(ann, "-s", "-m", "Release\n\nwith more to say")
	if c := get(t, g); c.Commit.ID != id || c.Commit.Signer != "Ann <ann@example.com> "+ann.id || c.Commit.Ref != "live" {
		t.Errorf("%+v", c.Commit)
	}
	tag(bob, "-s", "-m", "Release")
	last := get(t, g)
	if last.Commit.ID != id || last.Commit.Signer != "bob@example.com "+bob.id {
		t.Errorf("%+v", last.Commit)
	}

	// The commit is signed well, its tag is not.
	tag(ann, "-a", "-m", "Annotated")
	refused(t, g, last, id, "the tag is not signed", "git tag -s")
	head := *g
	head.Cache, head.Verify.What = t.TempDir(), "head"
	if c := get(t, NewGit(head)); c.Commit.ID != id {
		t.Errorf("with --verify head %+v", c.Commit)
	}
	tag(ann)
	refused(t, g, last, id, "the tag live has no signature", "git tag -s")
	tag(eve, "-s", "-m", "By somebody else")
	refused(t, g, last, id, "SSH key "+eve.id, "not allowed")

	// A good tag under another's name.
	o.signs(ann)
	o.git("tag", "-s", "-m", "Older", "v1")
	o.git("push", "-q", "-f", "origin", "v1:refs/tags/live")
	refused(t, g, last, id, "was signed as the tag v1", "renamed")

	// A tag that was changed after it was signed.
	raw := o.git("cat-file", "tag", "v1")
	changed := o.git("hash-object", "-t", "tag", "-w", file(t, "tag", strings.Replace(strings.Replace(raw, "tag v1", "tag live", 1), "Older", "Newer", 1)+"\n"))
	o.git("push", "-q", "-f", "origin", changed+":refs/tags/live")
	refused(t, g, last, id, "not one of this tag")

	branch := *g
	branch.Ref, branch.Cache = "main", t.TempDir()
	refused(t, NewGit(branch), nil, id, "--verify tag, and main is no tag")
}

// What ssh-keygen and git say of a signature is what is said here.
func TestVerifyAgreesWithGit(t *testing.T) {
	env := gpgHome(t)
	o := newOrigin(t)
	o.put(Default, webSpec)
	ids := map[string]string{}
	bob := sshSigner(t)
	for name, by := range map[string]signer{"gpg": gpgSigner(t, env, "Ann <ann@example.com>", "", "never"), "ssh": bob} {
		o.signs(by)
		ids[name] = o.commit("A merge of\n\nsorts: ünïcödé\n\n  and blanks  \n", "-S", "--cleanup=verbatim")
	}
	o.git("config", "gpg.ssh.allowedSignersFile", file(t, "allowed", "bob@example.com "+bob.public))
	o.git("config", "gpg.format", "ssh")
	o.git("verify-commit", ids["ssh"])
	for name, id := range ids {
		raw := []byte(o.git("cat-file", "commit", id))
		payload, signature, err := splitCommit(raw)
		if err != nil || len(signature) == 0 {
			t.Fatal(name, err)
		}
		// The payload with the signature in it is the commit.
		at := bytes.Index(payload, []byte("\n\n")) + 1
		var again bytes.Buffer
		again.Write(payload[:at])
		fmt.Fprintf(&again, "gpgsig %s\n", bytes.ReplaceAll(bytes.TrimSuffix(signature, []byte("\n")), []byte("\n"), []byte("\n ")))
		again.Write(payload[at:])
		if d := diff.Diff("commit", raw, "again", again.Bytes()); d != nil {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

func TestAllowedSigners(t *testing.T) {
	ann := sshSigner(t)
	tests := []struct{ text, fails string }{
		{"ann@example.com " + ann.public, ""},
		{"# nobody\n", "nobody is allowed"},
		{"ann@example.com", ":1: expected NAME"},
		{"\nann@example.com ssh-ed25519 AAAA", ":2: expected NAME"},
		{"ann@example.com cert-authority " + ann.public, "certificates are not supported"},
		{`ann@example.com valid-before="soon" ` + ann.public, `"soon" is no time`},
		{`ann@example.com verify-required ` + ann.public, "option verify-required is not known"},
		{"ann@example.com " + ann.public + "\nbroken line", ":2: expected NAME"},
	}
	for _, tt := range tests {
		_, err := readAllowedSigners(file(t, "allowed", tt.text))
		if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
	for patterns, want := range map[string]bool{"git": true, "file,git": true, "g*": true, "*": true, "*,!git": false, "file": false, "!file": false} {
		if matches(patterns, gitNamespace) != want {
			t.Errorf("namespaces %s", patterns)
		}
	}
}

func TestVerifyCheck(t *testing.T) {
	tests := []struct {
		v    GitVerify
		want string
	}{
		{GitVerify{}, ""},
		{GitVerify{What: "head", AllowedKeys: "x"}, ""},
		{GitVerify{What: "both", AllowedKeys: "x"}, "must be head or tag"},
		{GitVerify{What: "tag"}, "nobody is allowed"},
		{GitVerify{AllowedSigners: "x"}, "nothing is verified"},
	}
	for _, tt := range tests {
		err := tt.v.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v", tt.v, err)
		}
	}
}

// What is refused is not fetched again at every look, and taken as soon as its
// signer is allowed.
func TestRefusedIsKept(t *testing.T) {
	ann := sshSigner(t)
	allowed := file(t, "allowed_signers", "bob@example.com "+sshSigner(t).public)
	o := newOrigin(t)
	o.signs(ann)
	o.put(Default, webSpec)
	id := o.commit("Signed", "-S")
	o.git("push", "-q", "origin", "HEAD:main")
	g := local(t, o, Git{Verify: GitVerify{What: "head", AllowedSigners: allowed}})
	stays(t, g, nil, "not allowed")
	objects := filepath.Join(o.bare, "objects")
	if err := os.Rename(objects, objects+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(objects, 0o755); err != nil {
		t.Fatal(err)
	}
	stays(t, g, nil, "not allowed")
	if err := os.WriteFile(allowed, []byte("ann@example.com "+ann.public), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := get(t, g); c.Commit.ID != id || content(t, c, Default) != webSpec {
		t.Errorf("commit %+v", c.Commit)
	}
}
