// Package oracle holds spec's lowering against docker/cli's: a corpus of stack
// files is lowered by both, and the results are equal down to which pointers
// are nil. It is tests alone, and a Go module of its own, because docker/cli
// has dependencies that the product does without.
package oracle

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

// stackName is the stack's name in every sample, given on the command line as
// docker stack deploy wants it.
const stackName = "st"

// The whole process environment of both loaders.
var environment = map[string]string{
	"HOME":  "/home/oracle",
	"SET":   "from the process",
	"EMPTY": "",
	"TAG":   "1.27",
	"COUNT": "3",
	"YES":   "yes",
	"NO":    "no",
}

// dockerCLI is the folder of docker/cli's source.
var dockerCLI string

func TestMain(m *testing.M) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/docker/cli").Output()
	if err != nil {
		log.Fatal("where is docker/cli? ", err)
	}
	dockerCLI = strings.TrimSpace(string(out))
	os.Clearenv() // docker/cli reads the process's own for the names in an env_file
	for name, value := range environment {
		os.Setenv(name, value)
	}
	flag.Parse()
	if !strings.Contains(strings.Join(os.Args, " "), "rapid.checks") {
		flag.Set("rapid.checks", "300")
	}
	os.Exit(m.Run())
}

// sample is one stack: its spec files in merge order, and what lies beside them.
type sample struct {
	name  string
	files map[string]string
	specs []string
	dir   string // where the files lie already
}

// one is a sample of a single file; the folder holds what spec.yaml may name.
func one(name, text string) sample {
	return sample{name: name, specs: []string{"spec.yaml"}, files: map[string]string{
		"spec.yaml": text,
		"data.txt":  "data\n", "other.txt": "other\n",
		"a.env": "A=1\nSET\nUNSET\n# no\nEMPTY=\n", "dir/b.env": "\nA=a=b\n  B=b\nC=\n",
		"quoted.env": "A=1\nB=\"b c\"\nC=$A\n", "empty.txt": "",
	}}
}

// legacy is the sample as it is written for docker stack deploy.
func (s sample) legacy() sample {
	out := s
	out.name += "/version"
	out.files = map[string]string{}
	for name, text := range s.files {
		if slices.Contains(s.specs, name) {
			text = "version: '3.13'\n" + text
		}
		out.files[name] = text
	}
	return out
}

// unpack writes the sample into a folder and returns the paths of its specs.
func (s sample) unpack(t testing.TB) []string {
	t.Helper()
	dir := s.dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "oracle"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	for name, text := range s.files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out []string
	for _, name := range s.specs {
		out = append(out, filepath.Join(dir, name))
	}
	return out
}

// lowered is what both sides make of a stack, by key or full name.
type lowered struct {
	Services map[string]swarm.ServiceSpec
	Networks map[string]network.CreateOptions // those that would be created
	External []string                         // networks that must be there
	Secrets  map[string]swarm.SecretSpec
	Configs  map[string]swarm.ConfigSpec
}

// normalise is all that may differ without being a difference: references to
// secrets and configs are by name, as spec has them and not by id; and those
// with one name come from docker/cli in random order.
func (l *lowered) normalise() {
	slices.Sort(l.External)
	for _, s := range l.Services {
		c := s.TaskTemplate.ContainerSpec
		for _, ref := range c.Secrets {
			ref.SecretID = ""
		}
		for _, ref := range c.Configs {
			ref.ConfigID = ""
		}
		if p := c.Privileges; p != nil && p.CredentialSpec != nil {
			p.CredentialSpec.Config = strings.TrimPrefix(p.CredentialSpec.Config, idPrefix)
		}
		slices.SortStableFunc(c.Secrets, func(a, b *swarm.SecretReference) int {
			return strings.Compare(a.SecretName+"\x00"+a.File.Name, b.SecretName+"\x00"+b.File.Name)
		})
		slices.SortStableFunc(c.Configs, func(a, b *swarm.ConfigReference) int {
			return strings.Compare(configOrder(a), configOrder(b))
		})
	}
}

func configOrder(ref *swarm.ConfigReference) string {
	if ref.File == nil {
		return ref.ConfigName + "\x01"
	}
	return ref.ConfigName + "\x00" + ref.File.Name
}

// difference is one leaf on which the two sides disagree.
type difference struct{ path, theirs, ours string }

func (d difference) String() string {
	return fmt.Sprintf("%s: docker/cli %s, spec %s", d.path, d.theirs, d.ours)
}

// differences compares deeply; nil and empty are not the same.
func differences(theirs, ours lowered) []difference {
	var out []difference
	compare(reflect.ValueOf(theirs), reflect.ValueOf(ours), nil, &out)
	return out
}

func compare(a, b reflect.Value, path []string, out *[]difference) {
	differ := func(a, b reflect.Value) {
		*out = append(*out, difference{strings.Join(path, "."), show(a), show(b)})
	}
	at := func(step any) []string { return append(path[:len(path):len(path)], fmt.Sprint(step)) }
	switch a.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if a.IsNil() != b.IsNil() {
			differ(a, b)
			return
		}
	}
	switch a.Kind() {
	case reflect.Pointer:
		if !a.IsNil() {
			compare(a.Elem(), b.Elem(), path, out)
		}
	case reflect.Struct:
		for i := range a.NumField() {
			compare(a.Field(i), b.Field(i), at(a.Type().Field(i).Name), out)
		}
	case reflect.Slice:
		for i := range max(a.Len(), b.Len()) {
			path := at(i)
			if i >= a.Len() || i >= b.Len() {
				*out = append(*out, difference{strings.Join(path, "."), show(element(a, i)), show(element(b, i))})
				continue
			}
			compare(a.Index(i), b.Index(i), path, out)
		}
	case reflect.Map:
		keys := map[string]reflect.Value{}
		for _, key := range append(a.MapKeys(), b.MapKeys()...) {
			keys[key.String()] = key
		}
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			x, y := a.MapIndex(keys[name]), b.MapIndex(keys[name])
			if !x.IsValid() || !y.IsValid() {
				*out = append(*out, difference{strings.Join(at(name), "."), show(x), show(y)})
				continue
			}
			compare(x, y, at(name), out)
		}
	default:
		if !a.Equal(b) {
			differ(a, b)
		}
	}
}

func element(list reflect.Value, i int) reflect.Value {
	if i < list.Len() {
		return list.Index(i)
	}
	return reflect.Value{}
}

func show(v reflect.Value) string {
	for v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if !v.IsValid() {
		return "nothing"
	}
	return fmt.Sprintf("%#v", v)
}
