package reconcile

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/scrypt"
)

// Fingerprints recognises a secret's content from a label, since Swarm gives
// no secret back: scrypt with a salt, so that the label, which everybody with
// access to the Engine can read, does not help to guess the content. It
// remembers what it computed, because it is slow by design. The zero value is
// ready; it is safe for concurrent use.
type Fingerprints struct {
	mu   sync.Mutex
	seen map[string]string
}

// scrypt's recommended parameters for interactive use: some 50 ms.
const scryptN, scryptR, scryptP = 1 << 15, 8, 1

const fingerprintScheme = "scrypt15"

// Of is the fingerprint to label a new secret with. The salt is derived from
// the object's name: two secrets with one content have different fingerprints.
func (f *Fingerprints) Of(name string, content []byte) string {
	salt := sha256.Sum256([]byte("swarmward secret " + name))
	return f.compute(salt[:12], content)
}

// Match says whether content is what the fingerprint was made from; false for
// one that it cannot read.
func (f *Fingerprints) Match(fingerprint string, content []byte) bool {
	parts := strings.Split(fingerprint, ":")
	if len(parts) != 3 || parts[0] != fingerprintScheme {
		return false
	}
	salt, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil && f.compute(salt, content) == fingerprint
}

func (f *Fingerprints) compute(salt, content []byte) string {
	sum := sha256.Sum256(content)
	key := string(salt) + string(sum[:])
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, ok := f.seen[key]; ok {
		return v
	}
	dk, err := scrypt.Key(content, salt, scryptN, scryptR, scryptP, 18)
	if err != nil {
		panic(err) // the parameters are constants
	}
	v := fmt.Sprintf("%s:%s:%s", fingerprintScheme,
		base64.RawURLEncoding.EncodeToString(salt), base64.RawURLEncoding.EncodeToString(dk))
	if f.seen == nil {
		f.seen = map[string]string{}
	}
	f.seen[key] = v
	return v
}
