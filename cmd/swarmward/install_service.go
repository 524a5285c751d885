package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/swarmward/swarmward/reconcile/render"
	"github.com/swarmward/swarmward/spec"
)

// Where things are in the container, and as whom it runs.
const (
	specsFolder   = "/etc/swarmward"
	secretsFolder = "/run/secrets"
	dockerSocket  = "/var/run/docker.sock"
	nobody        = "65534"
)

// defaultMemory is some twice what a controller has been seen to take that
// keeps a stack like the example, and leastMemory what it begins with: each
// secret takes 32 MiB for a moment.
const (
	defaultMemory = "128M"
	leastMemory   = 96 << 20
)

// ownService is swarmward's own service as a file that swarmward can load.
// Other files are named as seen from the folder here; with none, absolutely.
func (a *app) ownService(cmd *cobra.Command, f installFlags, runFlags []string, here string) (string, error) {
	own := &own{installFlags: f, here: here, command: []string{"run"}, environment: map[string]string{"SWARMWARD_LISTEN": f.listen}}
	if err := a.carry(cmd.Context(), own, cmd.Flags()); err != nil {
		return "", err
	}
	if f.schedule != "@every 1m" {
		own.command = append(own.command, "--schedule", f.schedule)
	}
	own.command = append(own.command, runFlags...)
	if err := own.engine(); err != nil {
		return "", err
	}
	for _, s := range []struct{ variable, file, key string }{
		{"SWARMWARD_TOKEN_FILE", f.access.TokenFile, "token"}, {"SWARMWARD_READ_TOKEN_FILE", f.access.ReadTokenFile, "read_token"},
		{"SWARMWARD_WEBHOOK_SECRET_FILE", f.webhook, "webhook_secret"},
		{"SWARMWARD_TLS_CERT", f.cert, "tls_cert"}, {"SWARMWARD_TLS_KEY", f.key, "tls_key"},
	} {
		if s.file != "" {
			key, err := own.secret(s.key, s.file, s.key)
			if err != nil {
				return "", err
			}
			own.environment[s.variable] = secretsFolder + "/" + key
		}
	}
	if f.access.ProtectReads {
		own.environment["SWARMWARD_PROTECT_READS"] = "true"
	}
	if err := errors.Join(own.port(), own.limit()); err != nil {
		return "", err
	}
	for _, n := range own.notes {
		fmt.Fprintf(a.err, "warning: %s\n", render.Printable(n))
	}
	return own.text(), nil
}

// own is swarmward's own service in the making.
type own struct {
	installFlags
	here        string
	command     []string
	environment map[string]string
	user        string // uid:gid; empty: root
	mounted     string // socket; empty: none is
	reach       []string
	target      int  // port that is published
	cached      bool // what is fetched is kept on a volume
	configs     []carried
	secrets     []carried
	notes       []string
}

// carried is a file that becomes a config or a secret.
type carried struct{ Key, File, Target string }

// carry the specs and all that they are made of, or what it takes to read them
// where they are, and the flags that say so.
func (a *app) carry(ctx context.Context, o *own, flags *pflag.FlagSet) error {
	checkout, err := a.checkout(ctx)
	if err != nil {
		return err
	}
	folder := ""
	var files []string
	for _, in := range checkout.Inputs {
		options := checkout.Options(in, a.options(in))
		from, err := spec.InputsOf(ctx, options)
		if err != nil {
			return err
		}
		stack, err := spec.Load(ctx, options)
		if err != nil {
			return err
		}
		o.networksOf(stack)
		for _, name := range from.Variables {
			o.note("variable %s comes from your environment, which the service does not have: write it into the env file", name)
		}
		if a.git.URL != "" {
			continue
		}
		if folder = cmp.Or(folder, from.Folder); folder != from.Folder {
			return fmt.Errorf("the specs are in several folders, %s and %s; put them into one, or let the service read them from git", folder, from.Folder)
		}
		if err := o.carryFiles(a.envFiles, from); err != nil {
			return err
		}
		files = append(files, in.Files...)
	}
	if a.stack != "" {
		o.command = append(o.command, "--stack", a.stack)
	}
	if err := errors.Join(o.carryEnvFiles(a.envFiles, folder), o.carryIdentities(a.ageFiles)); err != nil {
		return err
	}
	if a.git.URL != "" {
		return o.carryGit(flags)
	}
	if info, err := os.Stat(a.files[0]); len(a.files) == 1 && err == nil && info.IsDir() {
		files = []string{folder}
	}
	return o.nameFiles(folder, files)
}

// nameFiles has run read the specs where they lie in the container.
func (o *own) nameFiles(folder string, files []string) error {
	var flags []string
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return err
		}
		target, err := placed(folder, abs)
		if err != nil {
			return err
		}
		flags = append(flags, "-f", target)
	}
	o.command = slices.Insert(o.command, 1, flags...)
	return nil
}

// carryFiles are those of one stack, but for the env files of all of them.
func (o *own) carryFiles(envFiles []string, from *spec.Inputs) error {
	for _, file := range from.Files {
		target, err := placed(from.Folder, file)
		if err != nil {
			return err
		}
		if err := o.config(file, target); err != nil {
			return err
		}
	}
	for _, file := range from.Secret {
		if slices.ContainsFunc(orImplicit(envFiles, from.Folder), func(e string) bool { abs, _ := filepath.Abs(e); return abs == file }) {
			continue
		}
		target, err := placed(from.Folder, file)
		if err != nil {
			return err
		}
		if _, err := o.secret(objectKey(strings.TrimPrefix(target, specsFolder+"/")), file, target); err != nil {
			return err
		}
	}
	return nil
}

func orImplicit(envFiles []string, folder string) []string {
	if len(envFiles) == 0 && folder != "" {
		return []string{filepath.Join(folder, ".env")}
	}
	return envFiles
}

// carryEnvFiles in their order, which counts: a later one wins.
func (o *own) carryEnvFiles(envFiles []string, folder string) error {
	for _, file := range orImplicit(envFiles, folder) {
		info, err := os.Stat(file)
		if err != nil && len(envFiles) > 0 {
			return err
		}
		if err != nil || info.Size() == 0 {
			continue
		}
		key, err := o.secret(cmp.Or(objectKey(filepath.Base(file)), "env"), file, "")
		if err != nil {
			return err
		}
		o.command = append(o.command, "--env-file", secretsFolder+"/"+key)
	}
	return nil
}

func (o *own) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(o.notes, n) {
		o.notes = append(o.notes, n)
	}
}

// placed is where a file of the folder is in the container.
func placed(folder, file string) (string, error) {
	rel, err := filepath.Rel(folder, file)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", fmt.Errorf("%s lies outside of the spec's folder %s, and so has no place beside it in the service; move it there, or let the service read the specs from git", file, folder)
	}
	if rel == "." {
		return specsFolder, nil
	}
	return specsFolder + "/" + filepath.ToSlash(rel), nil
}

// What Swarm takes of an object's content, and of a name besides the stack's
// and a revision's.
const (
	mostConfig = 1_000_000
	mostSecret = 500_000
	mostKey    = 48
)

func (o *own) config(file, target string) error {
	if slices.ContainsFunc(o.configs, func(c carried) bool { return c.Target == target }) {
		return nil // of another stack too
	}
	if err := fits(file, mostConfig, "config"); err != nil {
		return err
	}
	o.configs = append(o.configs, carried{unused(o.configs, objectKey(strings.TrimPrefix(target, specsFolder+"/"))), file, target})
	return nil
}

// secret is a file as one, mounted at target, or under its key.
func (o *own) secret(key, file, target string) (string, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	for _, s := range o.secrets {
		if s.File == abs && s.Target == target {
			return s.Key, nil
		}
	}
	if err := fits(abs, mostSecret, "secret"); err != nil {
		return "", err
	}
	key = unused(o.secrets, key)
	o.secrets = append(o.secrets, carried{key, abs, cmp.Or(target, key)})
	return key, nil
}

func fits(file string, most int64, kind string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case info.Size() == 0:
		return fmt.Errorf("%s is empty, and Swarm has no empty %s", file, kind)
	case info.Size() > most:
		return fmt.Errorf("%s has %d bytes, and a %s of Swarm %d at most; let the service read the specs from git", file, info.Size(), kind, most)
	}
	return nil
}

var notInKeys = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// objectKey of a file is its path as a name that Swarm takes.
func objectKey(rel string) string {
	key := strings.Trim(notInKeys.ReplaceAllString(filepath.ToSlash(rel), "-"), "-._")
	return strings.Trim(key[max(0, len(key)-mostKey):], "-._")
}

func unused(among []carried, key string) string {
	for n := 2; ; n++ {
		if !slices.ContainsFunc(among, func(c carried) bool { return c.Key == key }) {
			return key
		}
		key = strings.TrimSuffix(key, "-"+strconv.Itoa(n-1)) + "-" + strconv.Itoa(n)
	}
}

// engine is how the service reaches the Engine, and as whom it runs for that.
func (o *own) engine() error {
	if o.proxy != "" {
		address := strings.TrimPrefix(o.proxy, "tcp://")
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("--socket-proxy %q: %w; write HOST:PORT", o.proxy, err)
		}
		o.environment["DOCKER_HOST"], o.user = "tcp://"+address, nobody+":"+nobody
		return nil
	}
	o.mounted = o.socket
	if o.group == "" {
		info, err := os.Stat(o.socket)
		if err != nil {
			o.note("there is no %s here whose group could be seen, so the service is to run as root; give --socket-group GID, which on a manager `stat -c %%g %s` tells", o.socket, o.socket)
			return nil
		}
		if sys, ok := info.Sys().(*syscall.Stat_t); ok {
			o.group = strconv.FormatUint(uint64(sys.Gid), 10)
		}
	}
	if _, err := strconv.ParseUint(o.group, 10, 32); err != nil {
		return fmt.Errorf("--socket-group %q: must be the number of a group", o.group)
	}
	o.user = nobody + ":" + o.group
	return nil
}

// limit tells Go of the container's limit, or the kernel would be the first to
// speak of it.
func (o *own) limit() error {
	bytes, err := units.RAMInBytes(o.memory)
	if err != nil || bytes < leastMemory {
		return fmt.Errorf("--memory %q: must be an amount of at least %s, such as %s", o.memory, units.BytesSize(leastMemory), defaultMemory)
	}
	o.environment["GOMEMLIMIT"] = fmt.Sprintf("%dMiB", bytes*4/5>>20)
	return nil
}

func (o *own) port() error {
	_, port, err := net.SplitHostPort(o.listen)
	if err == nil {
		o.target, err = strconv.Atoi(port)
	}
	if err != nil || o.target < 1 || o.target > 65535 {
		return fmt.Errorf("--listen %q: must be an address such as :8080", o.listen)
	}
	if o.publish == "" {
		return nil
	}
	if n, err := strconv.Atoi(o.publish); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("--publish %q: must be a port", o.publish)
	}
	if !o.access.ProtectReads && o.access.ReadTokenFile == "" {
		o.note("port %s of every node shows whoever reaches it what the stacks are made of; give --read-token-file, or let a firewall see to it", o.publish)
	}
	if o.cert == "" && o.access.TokenFile+o.access.ReadTokenFile != "" {
		o.note("tokens cross the network in the clear at port %s; give --tls-cert and --tls-key, or put a proxy with TLS before it", o.publish)
	}
	return nil
}
