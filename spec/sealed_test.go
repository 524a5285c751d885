package spec_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"

	"github.com/swarmward/swarmward/spec"
)

// seal writes a file encrypted with age.
func seal(t *testing.T, name, text string, armored bool, to ...age.Recipient) {
	t.Helper()
	var out bytes.Buffer
	var w io.Writer = &out
	closers := []io.Closer{}
	if armored {
		a := armor.NewWriter(&out)
		w, closers = a, append(closers, a)
	}
	e, err := age.Encrypt(w, to...)
	if err != nil {
		t.Fatal(err)
	}
	closers = append(closers, e)
	if _, err := io.WriteString(e, text); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(closers)
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	put(t, name, out.String())
}

// identity is a new one, in a file.
func identity(t *testing.T) (string, age.Recipient) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "identity")
	put(t, path, "# created: today\n"+id.String()+"\n")
	return path, id.Recipient()
}

const sealedSpec = `
name: a
services:
  web:
    image: web:${TAG}
    environment: {URL: "http://x:${APP_PASSWORD}@db", MODE: "${MODE:-fast}"}
    env_file: [web.env.age]
secrets:
  file: {file: redis_password}
  armored: {file: other.age}
  variable: {environment: APP_PASSWORD}
`

func sealAll(t *testing.T, to age.Recipient) {
	t.Helper()
	put(t, "spec.yaml", sealedSpec)
	seal(t, ".env.age", "TAG=7\nAPP_PASSWORD=hunter2-variable\nMODE=sealed\n", false, to)
	seal(t, "web.env.age", "FROM_FILE=$TAG\nAPI_KEY=hunter2-key\n", true, to)
	seal(t, "redis_password", "hunter2-file", false, to)
	seal(t, "other.age", "hunter2-armored", true, to)
}

func TestSealed(t *testing.T) {
	t.Chdir(t.TempDir())
	id, to := identity(t)
	other, _ := identity(t)
	sealAll(t, to)
	put(t, ".env", "MODE=plain\n") // it wins
	s, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, Identities: []string{other, id}})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"file": "hunter2-file", "armored": "hunter2-armored", "variable": "hunter2-variable"} {
		if data, _ := s.SecretData(key); string([]byte(data)) != want {
			t.Errorf("secret %s is %q", key, []byte(data))
		}
	}
	c := s.Services[0].Spec.TaskTemplate.ContainerSpec
	if want := []string{"API_KEY=hunter2-key", "FROM_FILE=7", "MODE=plain", "URL=http://x:hunter2-variable@db"}; c.Image != "web:7" || !slices.Equal(c.Env, want) {
		t.Errorf("image %s, environment %q", c.Image, c.Env)
	}
	var hidden []string
	for _, v := range s.Sensitive {
		hidden = append(hidden, string([]byte(v)))
	}
	if want := []string{"hunter2-key", "hunter2-variable"}; !slices.Equal(hidden, want) {
		t.Errorf("to be hidden: %q", hidden)
	}
	if strings.Contains(fmt.Sprintf("%v %+v", s.Sensitive, s.Secrets), "hunter2") {
		t.Error("a secret is printed")
	}
	written := 0
	if err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		written++
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("hunter2")) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	}); err != nil || written != 6 {
		t.Errorf("%d files are there, error %v", written, err)
	}
}

// What is in an encrypted env file cannot be guessed from the hash, and counts.
func TestSealedHash(t *testing.T) {
	t.Chdir(t.TempDir())
	id, to := identity(t)
	sealAll(t, to)
	hash := func(environ ...string) string {
		s, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, Identities: []string{id}, Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		return s.Hash
	}
	first := hash()
	if again := hash(); again != first {
		t.Errorf("%s became %s for nothing", first, again)
	}
	if a, b := hash("TAG=8"), hash("TAG=9"); a == first || a == b {
		t.Error("a variable that wins over the encrypted file is not in the hash")
	}
	seal(t, "redis_password", "other", false, to)
	if again := hash(); again != first {
		t.Error("the content of a secret is in the hash")
	}
	seal(t, ".env.age", "TAG=8\nAPP_PASSWORD=hunter2-variable\nMODE=sealed\n", false, to)
	if again := hash(); again == first {
		t.Error("a changed env file left the hash as it was")
	}
}

func TestSealedNoticedByLoader(t *testing.T) {
	t.Chdir(t.TempDir())
	id, to := identity(t)
	sealAll(t, to)
	l, o := &spec.Loader{}, spec.Options{Files: []string{"spec.yaml"}, Identities: []string{id}}
	for range 2 {
		same(t, l, o)
	}
	seal(t, "web.env.age", "FROM_FILE=new\n", true, to)
	if s := same(t, l, o); !slices.Contains(s.Services[0].Spec.TaskTemplate.ContainerSpec.Env, "FROM_FILE=new") {
		t.Error("the old env file is still in use")
	}
	// The identity is taken away.
	put(t, id, "nothing\n")
	if _, err := l.Load(t.Context(), o); err == nil {
		t.Error("it was loaded without an identity")
	}
}

// An SSH key as ssh-keygen makes it opens what was encrypted for it.
func TestSealedForSSHKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	to, err := agessh.ParseRecipient(string(public))
	if err != nil {
		t.Fatal(err)
	}
	sealAll(t, to)
	s, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, Identities: []string{key}})
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := s.SecretData("file"); string([]byte(data)) != "hunter2-file" {
		t.Error("the secret is another")
	}
}

func TestSealedErrors(t *testing.T) {
	id, to := identity(t)
	other, _ := identity(t)
	plain := "name: a\nservices: {web: {image: web:1}}\n"
	secret := plain + "secrets: {s: {file: s.age}}\n"
	tests := []struct {
		name  string
		spec  string
		setup func(t *testing.T)
		ids   []string
		want  []string
	}{
		{"no identity", secret, func(t *testing.T) { seal(t, "s.age", "hunter2", false, to) }, nil,
			[]string{"spec.yaml:3:", "secrets.s.file", "s.age", "encrypted with age", "1 × X25519", "--age-identity"}},
		{"another's", secret, func(t *testing.T) { seal(t, "s.age", "hunter2", true, to, to) }, []string{other},
			[]string{"spec.yaml:3:", "s.age", "encrypted for others than " + other, "2 × X25519", "age -r"}},
		{"no such identity", secret, func(t *testing.T) { seal(t, "s.age", "hunter2", true, to) }, []string{"nowhere"},
			[]string{"spec.yaml:3:", "identity nowhere cannot be read", "--age-identity"}},
		{"no identity in the file", secret, func(t *testing.T) { seal(t, "s.age", "hunter2", true, to) }, []string{"spec.yaml"},
			[]string{"spec.yaml holds no age identity", "age-keygen"}},
		{"damaged", secret, func(t *testing.T) {
			seal(t, "s.age", strings.Repeat("hunter2", 100), false, to)
			data, err := os.ReadFile("s.age")
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)-20] ^= 1
			put(t, "s.age", string(data))
		}, []string{id}, []string{"spec.yaml:3:", "s.age", "damaged"}},
		{"a line end was changed", secret, func(t *testing.T) {
			put(t, "s.age", "-----BEGIN AGE ENCRYPTED FILE-----\nhunter2\n-----END AGE ENCRYPTED FILE-----\n")
		}, []string{id}, []string{"s.age", "damaged"}},
		{"a config", plain + "configs: {c: {file: c}}\n", func(t *testing.T) { seal(t, "c", "hunter2", false, to) }, []string{id},
			[]string{"spec.yaml:3:", "the file c of the config is encrypted", "make it a secret"}},
		{".env.age", plain, func(t *testing.T) { seal(t, ".env.age", "A=hunter2\n", false, to) }, []string{other},
			[]string{".env.age", "encrypted for others"}},
		{".env that is encrypted", plain, func(t *testing.T) { seal(t, ".env", "A=hunter2\n", false, to) }, nil,
			[]string{"env file .env", "encrypted with age", "--age-identity"}},
		{"env_file", "name: a\nservices:\n  web:\n    image: web:1\n    env_file: [a.env]\n", func(t *testing.T) { seal(t, "a.env", "A=hunter2\n", false, to) }, nil,
			[]string{"spec.yaml:5:", "services.web.env_file", "encrypted with age"}},
		{"not variables", "name: a\nservices: {web: {image: web:1, env_file: [a.env]}}\n", func(t *testing.T) { seal(t, "a.env", "'hunter2", false, to) }, []string{id},
			[]string{"spec.yaml:2:", "NAME=value"}},
		{"env_file of an include", plain + "include: [{path: in.yaml, env_file: in.env}]\n", func(t *testing.T) {
			seal(t, "in.env", "A=hunter2\n", false, to)
			put(t, "in.yaml", "services: {b: {image: b:1}}\n")
		}, []string{id}, []string{"spec.yaml:3:", "in.env", "stands in an include", ".env.age beside the spec"}},
		{"too large", secret, func(t *testing.T) { seal(t, "s.age", strings.Repeat("h", 512_000), false, to) }, []string{id}, []string{"larger than the 500 KB"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			put(t, "spec.yaml", tt.spec)
			tt.setup(t)
			_, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, Identities: tt.ids})
			if err == nil {
				t.Fatal("it was loaded")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in:\n%v", part, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "SECRET-KEY-1Q") {
				t.Errorf("a secret is in:\n%v", err)
			}
		})
	}
}

// Where nobody has the identity, what is encrypted goes unchecked, and what is
// wrong elsewhere is still found.
func TestSkipSealed(t *testing.T) {
	t.Chdir(t.TempDir())
	_, to := identity(t)
	sealAll(t, to)
	s, err := spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, SkipSealed: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range s.Warnings {
		got = append(got, f.String())
	}
	all := strings.Join(got, "\n")
	for _, part := range []string{".env.age: encrypted", "services.web.env_file: ", "spec.yaml:9:16: secrets.file.file: the file redis_password", "other.age", "--age-identity"} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is not in:\n%s", part, all)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d warnings:\n%s", len(got), all)
	}
	put(t, "spec.yaml", sealedSpec+"networks: {n: {drvier: overlay}}\n")
	_, err = spec.Load(t.Context(), spec.Options{Files: []string{"spec.yaml"}, SkipSealed: true})
	var invalid *spec.Invalid
	if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "drvier") {
		t.Errorf("the error is %v", err)
	}
}
