package reconcile

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/crypto/scrypt"
	"golang.org/x/sync/errgroup"

	"github.com/swarmward/swarmward/spec"
)

// Fingerprints recognises a secret's content from a label, since Swarm gives
// no secret back: scrypt with a salt, so that the label, which everybody with
// access to the Engine can read, does not help to guess the content. It
// remembers what it computed, because it is slow by design. The zero value is
// ready; it is safe for concurrent use.
type Fingerprints struct {
	// Sparing computes one at a time, for a process that has to stay small: each
	// takes 32 MiB for a moment. Set it before the first use.
	Sparing bool

	one  sync.Mutex // while one is computed, where that is to be sparing
	mu   sync.Mutex
	seen map[string]func() string
}

// The parameters are those that scrypt's package recommends for interactive
// use: 32 MiB and some 50 ms for each guess. Whoever reads the label and may
// also run a container reads the secret without guessing; it is for those who
// see labels alone. More would be paid by every plan, once for each secret.
const scryptN, scryptR, scryptP = 1 << 15, 8, 1

// fingerprintScheme names the parameters in the label: with others, another.
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
	if f.seen == nil {
		f.seen = map[string]func() string{}
	}
	once, ok := f.seen[key]
	if !ok {
		once = sync.OnceValue(func() string {
			if f.Sparing {
				f.one.Lock()
				defer f.one.Unlock()
			}
			return derive(salt, content)
		})
		f.seen[key] = once
	}
	f.mu.Unlock()
	return once()
}

func derive(salt, content []byte) string {
	dk, err := scrypt.Key(content, salt, scryptN, scryptR, scryptP, 18)
	if err != nil {
		panic(err) // the parameters are constants
	}
	return fmt.Sprintf("%s:%s:%s", fingerprintScheme,
		base64.RawURLEncoding.EncodeToString(salt), base64.RawURLEncoding.EncodeToString(dk))
}

// atOnce bounds how many are computed side by side, 32 MiB each.
const atOnce = 4

// warm computes what Diff is going to ask for, side by side: for each secret
// the newest fingerprint that it matches, or else the next revision's.
func (f *Fingerprints) warm(secrets []spec.Secret, seen *Observed) {
	var g errgroup.Group
	live := indexRevisions(seen.Secrets)
	g.SetLimit(min(runtime.GOMAXPROCS(0), atOnce))
	for _, s := range secrets {
		if s.External {
			continue
		}
		g.Go(func() error {
			newest := 0
			for _, n := range live.of(s.Name) {
				newest = max(newest, n)
				if f.Match(seen.Secrets[revisionName(s.Name, n)].Spec.Labels[LabelFingerprint], []byte(s.Data)) {
					return nil
				}
			}
			f.Of(revisionName(s.Name, newest+1), []byte(s.Data))
			return nil
		})
	}
	_ = g.Wait() // nothing fails
}
