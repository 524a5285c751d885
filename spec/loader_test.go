package spec_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/spec"
)

// Two authorities in PEM, valid until 2120.
const (
	authorityOne = `-----BEGIN CERTIFICATE-----
MIIBUjCB+aADAgECAgEBMAoGCCqGSM49BAMCMBgxFjAUBgNVBAMTDWF1dGhvcml0
eSBvbmUwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBgxFjAUBgNV
BAMTDWF1dGhvcml0eSBvbmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATEJw2B
BzPBV0EDOO5MNzX0f5VPwKA3UC3VfurlpILLGG/VAUwG0xjvQUAlHmL9VQcKBVdh
unfmlL0ww/2uyY4ZozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBSgLbtj
hjjs5RpVQC/D5URb5SXqYjAKBggqhkjOPQQDAgNIADBFAiAl0stbqMmhw60wH3L0
Z5MDDkrwB2jiWByjqWCSF6aMkQIhAK68YXHSwo4EbYcrzU2OlnOZ3IPJmi13JPPX
1zL9vFog
-----END CERTIFICATE-----
`
	authorityTwo = `-----BEGIN CERTIFICATE-----
MIIBUTCB+aADAgECAgEBMAoGCCqGSM49BAMCMBgxFjAUBgNVBAMTDWF1dGhvcml0
eSB0d28wIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBgxFjAUBgNV
BAMTDWF1dGhvcml0eSB0d28wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS59rWe
yChM6xG9ZEoSaerw56i4P2za5cgSPWOaIGO7Q/nQJSbmSRppP9vZJrFSGZRrf+Gy
1siwJagg46zn8uQEozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBSheBQ/
v4CFKrOpj9+OYHOgR5BwszAKBggqhkjOPQQDAgNHADBEAiAhjRNq3WNOtJgRWgwQ
uFnv8iceNQnzDVBxlHRHDKNI2QIgQ04CvdSINcWw8RJmYzO2ORzzspuw/luvYI9C
RiEnmF8=
-----END CERTIFICATE-----
`
)

// everyInput is a spec with an input of every kind, and for each file what it
// may also hold. An empty text is a file that is not there.
var everyInput = map[string][]string{
	"spec.yaml": {`
include:
  - sub/inner.yaml
  - {path: other/inner.yaml, project_directory: other, env_file: [other.env]}
services:
  web:
    image: web:${TAG:-none}
    env_file: [web.env, {path: maybe.env, required: false}]
    label_file: [web.labels]
    environment: [FROM_OUTSIDE]
    secrets: [file, variable]
    configs: [file, text]
  child:
    extends: {file: base.yaml, service: base}
  sometimes:
    image: sometimes:1
    profiles: [extra]
secrets:
  file: {file: secret.txt}
  variable: {environment: SECRET}
configs:
  file: {file: config.txt}
  text: {content: "tag ${TAG:-none}"}
x-swarmward:
  checks:
    a: {tcp: {service: web, port: 1, tls: {ca: {file: ca.pem}}}}
    b: {route: {url: "https://a.example/", body: up, ca: {file: route.pem}}}
`, "services: {web: {image: web:2}}\n", "services: {web: {image: [wrong]}}\n"},
	"over.yaml":         {"services: {web: {hostname: one}}\n", "services: {web: {hostname: '${HOST:-two}'}}\n"},
	"sub/inner.yaml":    {"services: {sub: {image: 'sub:${SUB:-none}'}}\n", "services: {sub: {image: 'sub:1'}, sub2: {image: 'sub:2'}}\n", ""},
	"sub/.env":          {"SUB=1\n", "SUB=2\n", ""},
	"other/inner.yaml":  {"services: {other: {image: 'other:${OTHER:-none}'}}\n", "services: {other: {image: 'other:9'}}\n"},
	"other.env":         {"OTHER=1\n", "OTHER=2\n"},
	"base.yaml":         {"services: {base: {image: base:1}}\n", "services: {base: {image: base:2}}\n"},
	".env":              {"TAG=1\nSECRET=one\n", "TAG=2\nSECRET=one\n", "TAG=1\nSECRET=two\n", "SECRET=one\nCOMPOSE_PROFILES=extra\n", "SECRET=one\nHOST=here\n", ""},
	"web.env":           {"WEB=1\n", "WEB=2\n", ""},
	"maybe.env":         {"", "MAYBE=1\n", "MAYBE=2\n"},
	"web.labels":        {"label=1\n", "label=2\n"},
	"secret.txt":        {"first", "second", ""},
	"config.txt":        {"first", "second"},
	"given.env":         {"TAG=given\nSECRET=given\n", "TAG=given\nSECRET=other\n"},
	"ca.pem":            {authorityOne, authorityTwo, ""},
	"route.pem":         {authorityOne, authorityTwo, "no certificate"},
	"unrelated/new.txt": {"", "x"},
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	err := os.WriteFile(name, []byte(text), 0o644)
	if text == "" && err == nil {
		err = os.Remove(name)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func loaderOptions() spec.Options {
	return spec.Options{Files: []string{"spec.yaml", "over.yaml"}, Name: "a", Environ: []string{"FROM_OUTSIDE=1"}}
}

// same compares what a Loader gives with what Load gives now.
func same(t *testing.T, l *spec.Loader, o spec.Options) *spec.Stack {
	t.Helper()
	got, gotErr := l.Load(t.Context(), o)
	want, wantErr := spec.Load(t.Context(), o)
	if (gotErr == nil) != (wantErr == nil) || wantErr != nil && gotErr.Error() != wantErr.Error() {
		t.Fatalf("got error %v\nwant %v", gotErr, wantErr)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("not what Load gives now (-want +got):\n%s", diff)
	}
	return got
}

// A change of any input, and of any option, is noticed by the next load;
// without one the stack is the very same.
func TestLoaderNoticesEveryChange(t *testing.T) {
	t.Chdir(t.TempDir())
	l, tried := &spec.Loader{}, 0
	reset := func() {
		for name, texts := range everyInput {
			put(t, name, texts[0])
		}
	}
	settled := func() *spec.Stack {
		t.Helper()
		reset()
		same(t, l, loaderOptions())
		first := same(t, l, loaderOptions())
		if first == nil || same(t, l, loaderOptions()) != first {
			t.Fatal("a stack whose inputs stay as they are is loaded anew")
		}
		return first
	}
	for _, name := range slices.Sorted(maps.Keys(everyInput)) {
		for _, text := range everyInput[name][1:] {
			before := settled()
			put(t, name, text)
			after := same(t, l, loaderOptions())
			if unrelated := name == "unrelated/new.txt" || name == "given.env"; unrelated != (after == before) {
				t.Errorf("%s becomes %q: loaded anew: %t", name, text, after != before)
			}
			tried++
		}
	}
	for what, change := range map[string]func(*spec.Options){
		"files":     func(o *spec.Options) { o.Files = o.Files[:1] },
		"name":      func(o *spec.Options) { o.Name = "b" },
		"env file":  func(o *spec.Options) { o.EnvFiles = []string{"given.env"} },
		"variable":  func(o *spec.Options) { o.Environ = []string{"FROM_OUTSIDE=2"} },
		"a new one": func(o *spec.Options) { o.Environ = append(o.Environ, "TAG=outside") },
		"lint":      func(o *spec.Options) { o.Lint = true },
	} {
		before, o := settled(), loaderOptions()
		change(&o)
		if same(t, l, o) == before {
			t.Errorf("another %s is not noticed", what)
		}
		tried++
	}
	t.Logf("%d changes tried", tried)
}

// Whatever happens to the inputs between two loads, what is given is what a
// load without a memory gives.
func TestLoaderIsLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	names := slices.Sorted(maps.Keys(everyInput))
	rapid.Check(t, func(r *rapid.T) {
		l := &spec.Loader{}
		for name, texts := range everyInput {
			put(t, name, texts[0])
		}
		for range rapid.IntRange(1, 8).Draw(r, "loads") {
			for range rapid.IntRange(0, 2).Draw(r, "changes") {
				name := rapid.SampledFrom(names).Draw(r, "file")
				put(t, name, rapid.SampledFrom(everyInput[name]).Draw(r, "text"))
			}
			o := loaderOptions()
			if rapid.Bool().Draw(r, "given") {
				o.EnvFiles = []string{"given.env"}
			}
			same(t, l, o)
		}
	})
}

func TestLoaderGivesTheCommitOfNow(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "spec.yaml", "name: a\nservices: {web: {image: web:1}}\n")
	l, o := &spec.Loader{}, spec.Options{Files: []string{"spec.yaml"}}
	for _, id := range []string{"", "1111111111", "2222222222", ""} {
		o.Commit = nil
		if id != "" {
			o.Commit = &spec.Commit{ID: id}
		}
		for range 2 {
			s := same(t, l, o)
			want := id
			if id == "" {
				want = s.Hash
			}
			if s.Revision != want || s.Hash == "" {
				t.Errorf("after commit %q revision %q, hash %q", id, s.Revision, s.Hash)
			}
		}
	}
}

// What is to be watched is known after a load that failed, too.
func TestInputsOfABrokenSpec(t *testing.T) {
	dir := t.TempDir()
	main, env, part := filepath.Join(dir, "spec.yaml"), filepath.Join(dir, ".env"), filepath.Join(dir, "part.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := spec.Options{Files: []string{main}}
	var l spec.Loader
	if _, err := l.Load(t.Context(), o); err == nil {
		t.Fatal("a file that is not there was loaded")
	}
	if diff := cmp.Diff([]string{main}, l.Inputs()); diff != "" || !l.Stale(o) {
		t.Errorf("of a file that is not there (-want +got):\n%s", diff)
	}
	if _, err := l.Load(t.Context(), o); err == nil || l.Stale(o) {
		t.Errorf("a file that is not there has changed: %v", err)
	}
	write(part, "services: {web: {image: nginx}}\n")
	write(main, "name: a\ninclude: [part.yaml]\n")
	for range 2 { // the first one tells what there is to hash
		if _, err := l.Load(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	whole := []string{env, env + ".age", part, main}
	if diff := cmp.Diff(whole, l.Inputs()); diff != "" || l.Stale(o) {
		t.Errorf("(-want +got):\n%s", diff)
	}
	write(env, "A=1\n")
	if !l.Stale(o) {
		t.Error("a file that was looked for in vain has come, and nothing would be loaded anew")
	}
	write(part, "services: [\n")
	if _, err := l.Load(t.Context(), o); err == nil {
		t.Fatal("a broken file was loaded")
	}
	if diff := cmp.Diff(whole, l.Inputs()); diff != "" {
		t.Errorf("after it broke (-want +got):\n%s", diff)
	}
	if l.Stale(o) {
		t.Error("it broke once, and has changed ever since")
	}
	at := o
	at.Commit = &spec.Commit{ID: "another"}
	if !l.Stale(at) {
		t.Error("another commit may have what this one lacks, wherever that is")
	}
	write(part, "services: {web: {image: nginx}}\n")
	if !l.Stale(o) {
		t.Error("it is whole again, and would not be loaded")
	}
}
