package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// Access says who may do what. The zero value lets everybody read and nobody
// write. Tokens are read from their files at each request that needs one, so
// that a new token holds at once.
type Access struct {
	// TokenFile holds the tokens that may do everything, one a line.
	TokenFile string
	// ReadTokenFile holds tokens that may read and nothing else. With it, reading
	// takes a token.
	ReadTokenFile string
	// ProtectReads: reading takes a token, one of either file.
	ProtectReads bool
}

// Check says what is wrong with the tokens, before anything is served.
func (a Access) Check() error {
	if a.ProtectReads && a.TokenFile == "" && a.ReadTokenFile == "" {
		return errors.New("reads are to be protected and there is no token: name a file that holds one")
	}
	for _, file := range []string{a.TokenFile, a.ReadTokenFile} {
		if file == "" {
			continue
		}
		if _, err := tokens(file); err != nil {
			return err
		}
	}
	return nil
}

// shortest is the fewest characters that a token may have: a shorter one can be
// guessed.
const shortest = 16

// tokens of a file. There is one at least, and none that can be guessed.
func tokens(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	out := strings.Fields(string(data))
	if len(out) == 0 {
		return nil, fmt.Errorf("token file %s is empty; write a token into it, such as `openssl rand -hex 32` makes", file)
	}
	for _, t := range out {
		if len(t) < shortest {
			return nil, fmt.Errorf("token file %s has a token of less than %d characters, which can be guessed; `openssl rand -hex 32` makes a good one", file, shortest)
		}
	}
	return out, nil
}

// Access to a route.
type right int

const (
	rightNone  right = iota // everybody
	rightRead               // everybody, unless reads are protected
	rightWrite              // a token
)

// refusal is why a request is not let in; nil lets it in.
type refusal struct {
	code    int
	message string
	err     error // what is wrong here, for the log
}

// refuse says whether the request may not use a route.
func (a Access) refuse(r *http.Request, need right) *refusal {
	switch {
	case need == rightNone, need == rightRead && !a.ProtectReads && a.ReadTokenFile == "":
		return nil
	case need == rightWrite && a.TokenFile == "":
		return &refusal{code: http.StatusForbidden, message: "nothing may be written here: swarmward runs without --token-file"}
	}
	given := bearer(r)
	if given == "" && need == rightRead {
		// A browser knows no bearer. What it sends by itself must not write: another
		// page could make it.
		_, given, _ = r.BasicAuth()
	}
	full, err := a.holds(a.TokenFile, given)
	if full {
		return nil
	}
	reads, readErr := a.holds(a.ReadTokenFile, given)
	switch err = errors.Join(err, readErr); {
	case reads && need == rightRead:
		return nil
	case reads:
		return &refusal{code: http.StatusForbidden, message: "this token may only read"}
	case given == "":
		return &refusal{code: http.StatusUnauthorized, message: "a token is needed: Authorization: Bearer TOKEN", err: err}
	}
	return &refusal{code: http.StatusUnauthorized, message: "the token is not the right one", err: err}
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// holds says whether the file has the token, in a time that tells nothing of it.
// An error means that no token of the file holds.
func (a Access) holds(file, given string) (bool, error) {
	if file == "" {
		return false, nil
	}
	list, err := tokens(file)
	if err != nil {
		return false, err
	}
	found := 0
	hash := sha256.Sum256([]byte(given))
	for _, t := range list {
		want := sha256.Sum256([]byte(t))
		found |= subtle.ConstantTimeCompare(hash[:], want[:])
	}
	return found == 1, nil
}
