package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// origin is a repository made by git itself, and a working copy that pushes to
// it.
type origin struct {
	t    *testing.T
	bare string
	work string
	env  []string
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	home := t.TempDir()
	o := &origin{t: t, bare: filepath.Join(home, "origin.git"), work: filepath.Join(home, "work")}
	o.env = append(os.Environ(), "HOME="+home, "GNUPGHOME="+home, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+filepath.Join(home, "gitconfig"),
		"GIT_AUTHOR_NAME=Ann Author", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Carl", "GIT_COMMITTER_EMAIL=carl@example.com")
	o.run(home, "git", "init", "-q", "--bare", "-b", "main", o.bare)
	o.run(home, "git", "init", "-q", "-b", "main", o.work)
	o.git("remote", "add", "origin", o.bare)
	return o
}

func (o *origin) run(dir, name string, args ...string) string {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, o.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (o *origin) git(args ...string) string {
	o.t.Helper()
	return o.run(o.work, "git", args...)
}

// put writes a file of the working copy; "-> x" is a link to x.
func (o *origin) put(name, text string) {
	o.t.Helper()
	path := filepath.Join(o.work, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if target, ok := strings.CutPrefix(text, "-> "); ok && err == nil {
		err = os.Symlink(target, path)
	} else if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// commit commits all of the working copy, without pushing it; its id.
func (o *origin) commit(subject string, options ...string) string {
	o.t.Helper()
	o.git("add", "-A")
	o.git(append([]string{"commit", "-q", "--allow-empty", "-m", subject}, options...)...)
	return o.git("rev-parse", "HEAD")
}

// push commits a file to main and pushes it; the commit's id.
func (o *origin) push(name, text string) string {
	o.t.Helper()
	o.put(name, text)
	id := o.commit("Change " + name)
	o.git("push", "-q", "origin", "HEAD:main")
	return id
}

const webSpec = "name: web\nservices: {web: {image: web:1}}\n"

// get is what a source gives, which must be a checkout.
func get(t *testing.T, g *Git) *Checkout {
	t.Helper()
	c, err := g.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stays wants an error that says all of want, and the last good checkout.
func stays(t *testing.T, g *Git, last *Checkout, want ...string) error {
	t.Helper()
	c, err := g.Get(t.Context())
	if err == nil {
		t.Fatalf("no error, and commit %s", c.Commit.ID)
	}
	if c != last {
		t.Errorf("another checkout than the last good one")
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	return err
}

// content reads a file of a checkout as a load of it would.
func content(t *testing.T, c *Checkout, name string) string {
	t.Helper()
	if err := c.tree.provide(name); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(c.Root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func local(t *testing.T, o *origin, g Git) *Git {
	t.Helper()
	g.URL = o.bare
	if g.Cache == "" {
		g.Cache = t.TempDir()
	}
	return NewGit(g)
}
