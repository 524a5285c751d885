package swarmlab

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// rootfs is the content of an image: what stands at each absolute path. Folders
// above a path need no entry.
type rootfs map[string]entry

// entry is a file: copied from source, a link, a folder, or plain text.
type entry struct {
	source string
	link   string
	text   string
	isDir  bool
	mode   int64
	owner  int // user and group
}

type user struct {
	name string
	id   int
}

func (r rootfs) copy(target, source string) { r[target] = entry{source: source} }
func (r rootfs) link(target, to string)     { r[target] = entry{link: to} }
func (r rootfs) text(target, text string)   { r[target] = entry{text: text, mode: 0o644} }
func (r rootfs) dir(target string, mode int64, id int) {
	r[target] = entry{isDir: true, mode: mode, owner: id}
}

// users writes the user and group files, with root and one more user.
func (r rootfs) users(u user) {
	r.text("/etc/passwd", fmt.Sprintf("root:x:0:0:root:/:/bin/sh\n%s:x:%d:%d::/:/bin/sh\n", u.name, u.id, u.id))
	r.text("/etc/group", fmt.Sprintf("root:x:0:\n%s:x:%d:\n", u.name, u.id))
}

// busybox is a root file system with a shell and all of busybox's commands.
func busybox(ctx context.Context) (rootfs, error) {
	program, err := exec.LookPath("busybox")
	if err != nil {
		return nil, fmt.Errorf("busybox: %w (Debian's package busybox-static has it)", err)
	}
	out, err := exec.CommandContext(ctx, program, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("busybox: --list: %w", err)
	}
	r := rootfs{}
	if err := r.addProgram(ctx, "/bin/busybox", program); err != nil {
		return nil, err
	}
	for applet := range strings.FieldsSeq(string(out)) {
		if applet != "busybox" {
			r.link("/bin/"+applet, "busybox")
		}
	}
	r.users(user{name: "nobody", id: 65534})
	r.dir("/tmp", 0o1777, 0)
	return r, nil
}

// addProgram adds a program of this machine with the libraries that it is
// linked to.
func (r rootfs) addProgram(ctx context.Context, target, program string) error {
	r.copy(target, program)
	libs, err := libraries(ctx, program)
	for _, lib := range libs {
		r.copy(lib, lib)
	}
	return err
}

// libraries are the paths by which a program is linked to its libraries, the
// loader included; none for a static one.
func libraries(ctx context.Context, program string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "ldd", program).CombinedOutput()
	if strings.Contains(string(out), "not a dynamic executable") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	var libs []string
	for line := range strings.Lines(string(out)) {
		// name => /path (address), /loader (address), or vdso (address)
		for field := range strings.FieldsSeq(line) {
			if filepath.IsAbs(field) {
				libs = append(libs, field)
			}
		}
		if strings.Contains(line, "not found") {
			return nil, fmt.Errorf("ldd %s: %s", program, strings.TrimSpace(line))
		}
	}
	return libs, nil
}

// writeTar writes the content as a tar archive. The same content gives the same
// bytes.
func (r rootfs) writeTar(w io.Writer) error {
	t := tar.NewWriter(w)
	for _, target := range slices.Sorted(maps.Keys(r)) {
		if err := r[target].write(t, strings.TrimPrefix(target, "/")); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	return t.Close()
}

func (e entry) write(t *tar.Writer, name string) error {
	h := &tar.Header{Name: name, Mode: e.mode, Uid: e.owner, Gid: e.owner, Format: tar.FormatPAX}
	switch {
	case e.isDir:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		return t.WriteHeader(h)
	case e.link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		h.Mode = 0o777
		return t.WriteHeader(h)
	case e.source != "":
		return e.writeCopy(t, h)
	}
	h.Typeflag, h.Size = tar.TypeReg, int64(len(e.text))
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.WriteString(t, e.text)
	return err
}

// writeCopy copies what the source is in the end, so that libraries, which are
// links, become files.
func (e entry) writeCopy(t *tar.Writer, h *tar.Header) error {
	f, err := os.Open(e.source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Typeflag, h.Size, h.Mode = tar.TypeReg, info.Size(), int64(info.Mode().Perm())
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}
