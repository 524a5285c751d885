package swarmlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/image"
	"golang.org/x/sync/errgroup"
	"gopkg.in/yaml.v3"
)

// specFile is the spec whose images LoadImages makes.
const specFile = "desired-state.yaml"

const centrifugoStandin = "github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin/centrifugo"

// recipe makes the content of an image from what this machine has, and the
// Dockerfile instructions that go with it.
type recipe func(ctx context.Context, l *Lab, tag string) (rootfs, []string, error)

// recipeFor goes by the last part of the image's name, whatever its tag, which it
// returns too.
func recipeFor(ref string) (build recipe, tag string) {
	name, tag, _ := strings.Cut(path.Base(ref), ":")
	switch name {
	case "redis":
		return redisImage, tag
	case "centrifugo":
		return centrifugoImage, tag
	}
	return nil, tag
}

// LoadImages loads, on every node, local stand-ins for the images that
// desired-state.yaml names, under those very names. The file is looked for in
// the working directory and above.
func (l *Lab) LoadImages(ctx context.Context) error {
	refs, err := specImages()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		build, tag := recipeFor(ref)
		if build == nil {
			return fmt.Errorf("image %s: %s names it, and no recipe makes it from local files", ref, specFile)
		}
		content, changes, err := build(ctx, l, tag)
		if err != nil {
			return fmt.Errorf("image %s: %w", ref, err)
		}
		if err := l.load(ctx, ref, content, changes); err != nil {
			return err
		}
	}
	return nil
}

// LoadImage loads an image on every node: busybox with all its commands, and
// files, which maps paths in the image to files of this machine. changes are
// Dockerfile instructions as docker import takes them, such as `CMD ["sh"]`.
func (l *Lab) LoadImage(ctx context.Context, tag string, files map[string]string, changes ...string) error {
	content, err := busybox(ctx)
	if err != nil {
		return fmt.Errorf("image %s: %w", tag, err)
	}
	for target, source := range files {
		content.copy(target, source)
	}
	return l.load(ctx, tag, content, changes)
}

func (l *Lab) load(ctx context.Context, tag string, content rootfs, changes []string) error {
	if err := os.MkdirAll(l.imagesDir(), 0o700); err != nil {
		return fmt.Errorf("image %s: %w", tag, err)
	}
	tar, err := os.CreateTemp(l.imagesDir(), "*.tar")
	if err != nil {
		return fmt.Errorf("image %s: %w", tag, err)
	}
	defer os.Remove(tar.Name())
	if err := errors.Join(content.writeTar(tar), tar.Close()); err != nil {
		return fmt.Errorf("image %s: %w", tag, err)
	}
	imports, ctx := errgroup.WithContext(ctx)
	for _, n := range l.Nodes {
		imports.Go(func() error { return n.importImage(ctx, tag, tar.Name(), changes) })
	}
	return imports.Wait()
}

func (n *Node) importImage(ctx context.Context, tag, tar string, changes []string) error {
	f, err := os.Open(tar)
	if err != nil {
		return fmt.Errorf("%s: image %s: %w", n.Name, tag, err)
	}
	defer f.Close()
	c, err := n.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	out, err := c.ImageImport(ctx, image.ImportSource{Source: f, SourceName: "-"}, tag, image.ImportOptions{Changes: changes})
	if err != nil {
		return fmt.Errorf("%s: image %s: import: %w", n.Name, tag, err)
	}
	_, err = io.Copy(io.Discard, out)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("%s: image %s: import: %w", n.Name, tag, err)
	}
	// A failure after the answer has begun is only a line in it.
	if _, err := c.ImageInspect(ctx, tag); err != nil {
		return fmt.Errorf("%s: image %s: after its import: %w", n.Name, tag, err)
	}
	return nil
}

// specImages are the images that the spec names, in order, each once.
func specImages() ([]string, error) {
	file, err := findUp(specFile)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var spec struct {
		Services map[string]struct{ Image string }
	}
	if err := yaml.Unmarshal(data, &spec); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	refs := map[string]bool{}
	for name, service := range spec.Services {
		if service.Image == "" {
			return nil, fmt.Errorf("%s: service %s has no image", file, name)
		}
		refs[service.Image] = true
	}
	return slices.Sorted(maps.Keys(refs)), nil
}

// findUp looks for a file in the working directory and those above it.
func findUp(name string) (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s: neither in %s nor above it", name, start)
		}
	}
}

// redisImage is this machine's Redis, run by the user of the real image. The
// real one starts as root and changes the user itself; a file that its user may
// not read is noticed in both.
func redisImage(ctx context.Context, _ *Lab, _ string) (rootfs, []string, error) {
	content, err := busybox(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range []string{"redis-server", "redis-cli"} {
		program, err := exec.LookPath(name)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w (Debian's package redis-server brings it)", name, err)
		}
		if err := content.addProgram(ctx, "/usr/local/bin/"+name, program); err != nil {
			return nil, nil, err
		}
	}
	content.users(user{name: "redis", id: 999})
	content.dir("/data", 0o755, 999)
	content.dir("/usr/local/etc/redis", 0o755, 0)
	return content, []string{
		"USER redis", "WORKDIR /data", "VOLUME /data", "EXPOSE 6379", `CMD ["redis-server"]`,
	}, nil
}

// centrifugo is the stand-in, or the real program where `make reality` has built
// one.
func (l *Lab) centrifugo(ctx context.Context, tag string) (string, error) {
	if dir := os.Getenv("SWARMWARD_REALITY"); dir != "" {
		return filepath.Join(dir, "centrifugo-"+strings.TrimPrefix(tag, "v")), nil
	}
	return l.buildProgram(ctx, "centrifugo", centrifugoStandin)
}

// centrifugoImage is Centrifugo in the layout of its image.
func centrifugoImage(ctx context.Context, l *Lab, tag string) (rootfs, []string, error) {
	content, err := busybox(ctx)
	if err != nil {
		return nil, nil, err
	}
	binary, err := l.centrifugo(ctx, tag)
	if err != nil {
		return nil, nil, err
	}
	content.copy("/usr/local/bin/centrifugo", binary)
	content.users(user{name: "centrifugo", id: 1000})
	content.dir("/centrifugo", 0o755, 1000)
	return content, []string{
		"USER centrifugo", "WORKDIR /centrifugo", "EXPOSE 8000", `CMD ["centrifugo"]`,
	}, nil
}

// buildProgram builds a Go package, once for the lab, to a file that needs no
// library.
func (l *Lab) buildProgram(ctx context.Context, name, pkg string) (string, error) {
	binary := filepath.Join(l.imagesDir(), name)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := os.MkdirAll(l.imagesDir(), 0o700); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w: %s", pkg, err, strings.TrimSpace(string(out)))
	}
	return binary, nil
}
