package source

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// GitVerify says whose commits may be deployed. The zero value: those of all
// who may push. Its files are read at every Get.
//
// A key has to be valid on the date of the signature and now: the date is what
// the signer says it is, so that who has found an old key could choose it.
type GitVerify struct {
	// What must be signed: the commit itself ("head"), or the tag that the source
	// is to follow ("tag"). Empty: nothing.
	What           string
	AllowedSigners string // file of SSH keys, as ssh-keygen calls it
	AllowedKeys    string // file of OpenPGP public keys, armored
	RevokedSigners string // file of keys that are allowed no longer: SSH public keys, OpenPGP fingerprints
}

// Check says what is missing or too much.
func (v GitVerify) Check() error {
	allowed := v.AllowedSigners != "" || v.AllowedKeys != ""
	switch {
	case v.What != "" && v.What != "head" && v.What != "tag":
		return fmt.Errorf("--verify %q: must be head or tag", v.What)
	case v.What != "" && !allowed:
		return fmt.Errorf("--verify %s: nobody is allowed; give --allowed-signers or --allowed-gpg-keys", v.What)
	case v.What == "" && (allowed || v.RevokedSigners != ""):
		return errors.New("keys are given, and nothing is verified; add --verify head or --verify tag")
	}
	return nil
}

// signer is whose valid signature a target has.
func (v GitVerify) signer(store *gitStore, t gitTarget, commit *object.Commit) (string, error) {
	if err := v.Check(); err != nil || v.What == "" {
		return "", err
	}
	var s signed
	var err error
	if v.What == "head" {
		s, err = signedCommit(store, commit)
	} else {
		s, err = signedTag(store, t)
	}
	if err != nil {
		return "", err
	}
	return v.by(s)
}

// signed is what somebody has put a signature to.
type signed struct {
	what               string // commit or tag
	payload, signature []byte
	at                 time.Time
}

func signedCommit(store *gitStore, commit *object.Commit) (signed, error) {
	raw, err := store.raw(plumbing.CommitObject, commit.Hash)
	if err != nil {
		return signed{}, err
	}
	payload, signature, err := splitCommit(raw)
	return signed{"commit", payload, signature, commit.Committer.When}, err
}

func signedTag(store *gitStore, t gitTarget) (signed, error) {
	name, ok := t.tag()
	if !ok {
		return signed{}, fmt.Errorf("--verify tag, and %s is no tag; name a signed one with --git-ref", t.short())
	}
	raw, err := store.raw(plumbing.TagObject, t.hash())
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return signed{}, fmt.Errorf("the tag %s has no signature, for it is a mere name; make it with git tag -s", name)
	}
	if err != nil {
		return signed{}, err
	}
	tag, err := object.GetTag(store.objects, t.hash())
	if err != nil {
		return signed{}, err
	}
	if tag.Name != name {
		return signed{}, fmt.Errorf("what is called %s was signed as the tag %s; somebody has renamed it", name, tag.Name)
	}
	payload, signature := splitTag(raw)
	return signed{"tag", payload, signature, tag.Tagger.When}, nil
}

// splitCommit takes the signature out of a commit, as git does: the headers
// gpgsig… with the lines that go on with them.
func splitCommit(raw []byte) (payload, signature []byte, err error) {
	head, body, _ := bytes.Cut(raw, []byte("\n\n"))
	var in string
	count := 0
	for line := range bytes.Lines(append(bytes.Clone(head), '\n')) {
		name, rest, _ := bytes.Cut(line, []byte(" "))
		if len(name) > 0 {
			in = string(bytes.TrimSuffix(name, []byte("\n")))
		}
		switch {
		case in == "gpgsig":
			if len(name) > 0 {
				count++
			}
			signature = append(signature, rest...)
		case !strings.HasPrefix(in, "gpgsig"):
			payload = append(payload, line...)
		}
	}
	if count > 1 {
		return nil, nil, errors.New("it has several signatures, which git itself never makes; sign it anew")
	}
	return append(append(payload, '\n'), body...), signature, nil
}

// splitTag takes a tag apart where its last signature begins.
func splitTag(raw []byte) (payload, signature []byte) {
	at, from := len(raw), 0
	for line := range bytes.Lines(raw) {
		if bytes.HasPrefix(line, []byte(beginSSH)) || bytes.HasPrefix(line, []byte(beginPGP)) {
			at = from
		}
		from += len(line)
	}
	return raw[:at], raw[at:]
}

const (
	beginSSH = "-----BEGIN SSH SIGNATURE-----"
	beginPGP = "-----BEGIN PGP SIGNATURE-----"
)

// by is who has signed, where that is somebody who is allowed to.
func (v GitVerify) by(s signed) (string, error) {
	switch {
	case len(s.signature) == 0:
		return "", fmt.Errorf("the %s is not signed; sign it with git %s, and see that nothing on its way takes the signature off", s.what, map[string]string{"commit": "commit -S", "tag": "tag -s"}[s.what])
	case bytes.HasPrefix(s.signature, []byte(beginSSH)):
		if v.AllowedSigners == "" {
			return "", fmt.Errorf("the %s is signed with an SSH key, and only OpenPGP keys are allowed; give --allowed-signers too", s.what)
		}
		return v.bySSH(s)
	case bytes.HasPrefix(s.signature, []byte(beginPGP)):
		if v.AllowedKeys == "" {
			return "", fmt.Errorf("the %s is signed with an OpenPGP key, and only SSH keys are allowed; give --allowed-gpg-keys too", s.what)
		}
		return v.byPGP(s)
	}
	return "", fmt.Errorf("the %s has a signature that is neither SSH's nor OpenPGP's; sign it with one of them", s.what)
}

func (s signed) forged() error {
	return fmt.Errorf("the signature is not one of this %s: it was changed after somebody signed it, or has another's signature; sign it anew", s.what)
}

// keyLines are the lines of a file that say something, by number.
func keyLines(option, path string) (map[int]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", option, err)
	}
	out := map[int]string{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out[n] = line
		}
	}
	return out, nil
}
