package swarmlab

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMissingNamesEveryTool(t *testing.T) {
	if os.Geteuid() != 0 {
		if got := Missing(); got != "root" {
			t.Errorf("without root: %q", got)
		}
		return
	}
	t.Setenv("PATH", t.TempDir())
	got := Missing()
	for _, tool := range []string{"dockerd", "docker", "ip", "iptables", "nsenter"} {
		if !strings.Contains(", "+got+",", ", "+tool+",") {
			t.Errorf("%q does not name %s", got, tool)
		}
	}
}

func TestSlotNames(t *testing.T) {
	last := &slot{number: slots - 1}
	if netns := last.netns(250); len(netns) > 15 {
		t.Errorf("%s is longer than a name may be", netns)
	}
	if path := filepath.Join(last.run(), "250", "exec", "containerd", "containerd.sock.ttrpc"); len(path) > 100 {
		t.Errorf("%s is too long for a socket", path)
	}
	one := &slot{number: 1}
	for name, want := range map[string]bool{
		"swl1": true, "swl1n1": true, "swl1n12": true, "swl12": false, "swl12n1": false, "swl": false, "other": false,
	} {
		if got := one.owns(name); got != want {
			t.Errorf("slot 1 owns %s: %v, want %v", name, got, want)
		}
	}
}

func TestRootfsTar(t *testing.T) {
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	link := source + "-link"
	if err := os.Symlink(source, link); err != nil {
		t.Fatal(err)
	}
	r := rootfs{}
	r.dir("/data", 0o750, 999)
	r.copy("/bin/program", link)
	r.link("/bin/alias", "program")
	r.text("/etc/motd", "hello")

	var first, second bytes.Buffer
	if err := r.writeTar(&first); err != nil {
		t.Fatal(err)
	}
	if err := r.writeTar(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same content gives different archives")
	}

	type item struct {
		Name, Link, Text string
		Mode             int64
		Owner            int
	}
	var got []item
	for in := tar.NewReader(&first); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item{h.Name, h.Linkname, string(text), h.Mode, h.Uid})
	}
	want := []item{
		{"bin/alias", "program", "", 0o777, 0},
		{"bin/program", "", "#!/bin/sh\n", 0o755, 0},
		{"data/", "", "", 0o750, 999},
		{"etc/motd", "", "hello", 0o644, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}
