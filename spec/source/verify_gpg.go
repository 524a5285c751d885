package source

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
)

func (v GitVerify) byPGP(s signed) (string, error) {
	allowed, err := readKeyRing(v.AllowedKeys)
	if err != nil {
		return "", err
	}
	block, err := armor.Decode(bytes.NewReader(s.signature))
	if err != nil {
		return "", fmt.Errorf("the signature of the %s cannot be read; sign it anew", s.what)
	}
	_, key, err := openpgp.VerifyDetachedSignature(allowed, bytes.NewReader(s.payload), block.Body, nil)
	who := ""
	if key != nil {
		who = pgpName(key)
	}
	another := "have it signed with another key, or bring the key in " + v.AllowedKeys + " up to date"
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return "", fmt.Errorf("the %s is signed by an OpenPGP key that is not in %s; add it if it is one that you trust", s.what, v.AllowedKeys)
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return "", fmt.Errorf("the key of %s has expired; %s", who, another)
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return "", fmt.Errorf("the key of %s is revoked; %s", who, another)
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return "", fmt.Errorf("the signature by %s has expired; sign the %s anew", who, s.what)
	case err != nil && key != nil:
		return "", fmt.Errorf("the key of %s cannot be relied on: %w; %s", who, err, another)
	case err != nil:
		return "", s.forged()
	}
	if key.PrimaryKey.CreationTime.After(s.at) {
		return "", fmt.Errorf("the %s is older than the key of %s that signed it; sign it anew", s.what, who)
	}
	is := func(line string) bool { return fingerprint(line) == hex.EncodeToString(key.PrimaryKey.Fingerprint) }
	if err := v.notRevoked(is, "the OpenPGP key of "+who); err != nil {
		return "", err
	}
	return who, nil
}

func pgpName(key *openpgp.Entity) string {
	id := strings.ToUpper(hex.EncodeToString(key.PrimaryKey.Fingerprint))
	if name := key.PrimaryIdentity(); name != nil {
		return name.Name + " " + id
	}
	return id
}

// readKeyRing reads a file with one armored block after the other.
func readKeyRing(file string) (openpgp.EntityList, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--allowed-gpg-keys: %w", err)
	}
	var out openpgp.EntityList
	const begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	_, rest, _ := strings.Cut(string(data), begin)
	for rest != "" {
		var one string
		one, rest, _ = strings.Cut(rest, begin)
		keys, err := openpgp.ReadArmoredKeyRing(io.MultiReader(strings.NewReader(begin), strings.NewReader(one)))
		if err != nil {
			return nil, fmt.Errorf("--allowed-gpg-keys %s: a key cannot be read: %w; export it with gpg --export --armor", file, err)
		}
		out = append(out, keys...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("--allowed-gpg-keys %s: there is no public key in it; export it with gpg --export --armor", file)
	}
	return out, nil
}
