package source

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// The namespace that git signs in: a signature that was made for something
// else is none for a commit.
const gitNamespace = "git"

// allowedSigner is a line of an allowed_signers file.
type allowedSigner struct {
	principals    string
	key           ssh.PublicKey
	namespaces    string // patterns; empty: all
	after, before time.Time
}

func (v GitVerify) bySSH(s signed) (string, error) {
	sig, err := sshsig.Unarmor(s.signature)
	if err != nil {
		return "", fmt.Errorf("the signature of the %s cannot be read; sign it anew", s.what)
	}
	who := ssh.FingerprintSHA256(sig.PublicKey)
	if sig.Signature.Format == ssh.KeyAlgoRSA {
		return "", fmt.Errorf("the signature by %s uses SHA-1; sign with a newer ssh-keygen", who)
	}
	switch err := sshsig.Verify(bytes.NewReader(s.payload), sig, sig.PublicKey, sig.HashAlgorithm, gitNamespace); {
	case errors.Is(err, sshsig.ErrNamespaceMismatch):
		return "", fmt.Errorf("the signature by %s was made for %q, and not for git; sign it anew with git", who, sig.Namespace)
	case err != nil:
		return "", s.forged()
	}
	if err := v.notRevoked(func(line string) bool { return sameKey(line, sig.PublicKey) }, "the SSH key "+who); err != nil {
		return "", err
	}
	allowed, err := readAllowedSigners(v.AllowedSigners)
	if err != nil {
		return "", err
	}
	refused := fmt.Errorf("the %s is signed by the SSH key %s, which is not allowed; add it to %s if it is one that you trust", s.what, who, v.AllowedSigners)
	for _, a := range allowed {
		if !bytes.Equal(a.key.Marshal(), sig.PublicKey.Marshal()) {
			continue
		}
		if err := a.may(s.at, time.Now()); err == nil {
			return a.principals + " " + who, nil
		} else {
			refused = fmt.Errorf("the %s is signed by %s (%s), who %w; have it signed by somebody who is allowed, or correct %s", s.what, a.principals, who, err, v.AllowedSigners)
		}
	}
	return "", refused
}

// may says why not.
func (a allowedSigner) may(times ...time.Time) error {
	if a.namespaces != "" && !matches(a.namespaces, gitNamespace) {
		return fmt.Errorf("may sign for %s, and not for git", a.namespaces)
	}
	for _, at := range times {
		switch {
		case !a.after.IsZero() && at.Before(a.after):
			return fmt.Errorf("may sign from %s on", a.after.Format(time.DateTime))
		case !a.before.IsZero() && !at.Before(a.before):
			return fmt.Errorf("was allowed until %s", a.before.Format(time.DateTime))
		}
	}
	return nil
}

// matches is ssh's way with lists of patterns: one that begins with ! excludes.
func matches(patterns, name string) bool {
	found := false
	for _, p := range strings.Split(patterns, ",") {
		p, not := strings.CutPrefix(p, "!")
		if ok, _ := path.Match(p, name); ok {
			if not {
				return false
			}
			found = true
		}
	}
	return found
}

// readAllowedSigners reads all of the file or nothing: a line that is not
// understood may be one that forbids.
func readAllowedSigners(file string) ([]allowedSigner, error) {
	lines, err := keyLines("--allowed-signers", file)
	if err != nil {
		return nil, err
	}
	var out []allowedSigner
	for _, n := range slices.Sorted(maps.Keys(lines)) {
		a, err := parseAllowedSigner(lines[n])
		if err != nil {
			return nil, fmt.Errorf("--allowed-signers %s:%d: %w", file, n, err)
		}
		out = append(out, a)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("--allowed-signers %s: nobody is allowed; a line is NAME KEYTYPE KEY", file)
	}
	return out, nil
}

func parseAllowedSigner(line string) (allowedSigner, error) {
	var a allowedSigner
	rest := line
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		a.principals, rest, _ = strings.Cut(quoted, `"`)
	} else {
		a.principals, rest, _ = strings.Cut(line, " ")
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimSpace(rest)))
	if err != nil {
		return a, errors.New("expected NAME [OPTIONS] KEYTYPE KEY")
	}
	a.key = key
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "namespaces":
			a.namespaces = value
		case "valid-after":
			a.after, err = parseSSHTime(value)
		case "valid-before":
			a.before, err = parseSSHTime(value)
		case "cert-authority":
			err = errors.New("certificates are not supported; list the keys themselves")
		default:
			err = fmt.Errorf("the option %s is not known", name)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// parseSSHTime reads YYYYMMDD[HHMM[SS]][Z], in local time without the Z.
func parseSSHTime(text string) (time.Time, error) {
	digits, utc := strings.CutSuffix(text, "Z")
	zone := time.Local
	if utc {
		zone = time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(layout) == len(digits) {
			if t, err := time.ParseInLocation(layout, digits, zone); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with a Z for UTC", text)
}

// notRevoked looks for a key in the file of those that are.
func (v GitVerify) notRevoked(is func(line string) bool, who string) error {
	if v.RevokedSigners == "" {
		return nil
	}
	lines, err := keyLines("--revoked-signers", v.RevokedSigners)
	if err != nil {
		return err
	}
	for n, line := range lines {
		if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err != nil && fingerprint(line) == "" {
			return fmt.Errorf("--revoked-signers %s:%d: expected an SSH public key or the fingerprint of an OpenPGP key", v.RevokedSigners, n)
		}
		if is(line) {
			return fmt.Errorf("%s, which has signed this, is revoked in %s; look at what else it has signed, and have this signed by another", who, v.RevokedSigners)
		}
	}
	return nil
}

func sameKey(line string, key ssh.PublicKey) bool {
	other, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	return err == nil && bytes.Equal(other.Marshal(), key.Marshal())
}

// fingerprint of an OpenPGP key, without blanks; empty when it is none.
func fingerprint(line string) string {
	f := strings.ToLower(strings.ReplaceAll(line, " ", ""))
	if (len(f) != 40 && len(f) != 64) || strings.Trim(f, "0123456789abcdef") != "" {
		return ""
	}
	return f
}
