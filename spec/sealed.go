package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
)

const (
	sealedBinary = "age-encryption.org/v1\n"
	// SealedEnvFile is read beside .env, which wins.
	sealedEnvFile = ".env.age"
)

// isSealed says whether a file is encrypted with age, by what it begins with.
func isSealed(data []byte) bool {
	return bytes.HasPrefix(data, []byte(sealedBinary)) || bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte(armor.Header))
}

// errUnread is a sealed file that nobody gave an identity for, where that is
// no error.
var errUnread = errors.New("sealed, and not read")

// keys open sealed files. They are read when the first one is met.
type keys struct {
	files []string
	skip  bool
	read  func() ([]age.Identity, error)
}

func newKeys(o Options) *keys {
	k := &keys{files: o.Identities, skip: o.SkipSealed}
	k.read = sync.OnceValues(func() ([]age.Identity, error) {
		var all []age.Identity
		for _, file := range k.files {
			some, err := readIdentities(file)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		return all, nil
	})
	return k
}

// readIdentities reads a file of age identities, or an SSH private key. No
// error quotes it.
func readIdentities(file string) ([]age.Identity, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &Refused{"is encrypted, and the age identity " + file + " cannot be read: " + reason(err).Error(), "correct --age-identity"}
	}
	if bytes.Contains(data, []byte("-----BEGIN")) {
		id, err := agessh.ParseIdentity(data)
		if err != nil {
			return nil, &Refused{"is encrypted, and the SSH key " + file + " is none that opens age files", "give --age-identity an Ed25519 or RSA key without a passphrase, or an age identity"}
		}
		return []age.Identity{id}, nil
	}
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return nil, &Refused{"is encrypted, and " + file + " holds no age identity", "give --age-identity a file that age-keygen wrote: a line AGE-SECRET-KEY-1…"}
	}
	return ids, nil
}

// unseal opens a sealed file, in memory. The errors are a *Refused or
// errUnread; none quotes the content.
func (k *keys) unseal(data []byte) ([]byte, error) {
	if len(k.files) == 0 {
		if k.skip {
			return nil, errUnread
		}
		return nil, &Refused{"is encrypted with age" + madeFor(data), "give the file with the identity: --age-identity FILE"}
	}
	ids, err := k.read()
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(binary(data), ids...)
	var nobody *age.NoIdentityMatchError
	switch {
	case errors.As(err, &nobody):
		return nil, &Refused{"is encrypted for others than " + strings.Join(k.files, ", ") + madeFor(data), "encrypt it for this recipient too (age -r), or give the identity it was made for with --age-identity"}
	case err != nil:
		return nil, broken
	}
	out, err := io.ReadAll(r)
	if err != nil {
		return nil, broken
	}
	return out, nil
}

var broken = &Refused{"is encrypted with age, and damaged", "encrypt it anew, and mind that git changes no line ends in it: *.age binary in .gitattributes"}

func binary(data []byte) io.Reader {
	if bytes.HasPrefix(data, []byte(sealedBinary)) {
		return bytes.NewReader(data)
	}
	return armor.NewReader(bytes.NewReader(data))
}

// madeFor tells what kinds of recipients a sealed file has; age's own keep
// secret who they are.
func madeFor(data []byte) string {
	header, err := age.ExtractHeader(binary(data))
	if err != nil {
		return ""
	}
	count := map[string]int{}
	var kinds []string
	for line := range strings.Lines(string(header)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "->" || strings.HasSuffix(fields[1], "-grease") {
			continue
		}
		kind := fields[1]
		if strings.HasPrefix(kind, "ssh-") && len(fields) > 2 {
			kind += " " + fields[2]
		}
		if count[kind]++; !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d × %s", count[kind], kind)
	}
	return " (recipients: " + strings.Join(kinds, ", ") + ")"
}
